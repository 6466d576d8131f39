package main

import (
	"context"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/lattice"
)

func kvMaxCommand(a *app) *cobra.Command {
	return offerCommand(a, lattice.MaxKind, "Raise a max, unless it holds more already", "  virga kv max record 42\n  virga kv max latest --text 2026-01-31")
}

func kvMinCommand(a *app) *cobra.Command {
	return offerCommand(a, lattice.MinKind, "Lower a min, unless it holds less already", "  virga kv min best 3.5")
}

// offerCommand is for the kinds that keep the greatest or the least of what
// is offered, and are named as their commands.
func offerCommand(a *app, kind lattice.Kind, short, example string) *cobra.Command {
	var o updateOptions
	var asText bool
	cmd := &cobra.Command{
		Use:     kind.String() + " KEY VALUE",
		Short:   short,
		Long:    short + ": a number, or with --text a text. Numbers come before texts.",
		Example: example,
		Args:    exactly("KEY", "VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.key = args[0]
			return runKVOffer(cmd.Context(), a, o, args[1], asText)
		},
	}
	o.addFlags(cmd.Flags(), kind.String())
	cmd.Flags().BoolVar(&asText, "text", false, "VALUE is a text")
	return cmd
}

func runKVOffer(ctx context.Context, a *app, o updateOptions, text string, asText bool) error {
	scalar := lattice.TextScalar(text)
	if !asText {
		var err error
		if scalar, err = parseNumber(text); err != nil {
			return err
		}
	}
	return o.update(ctx, a, lattice.OfferOp(scalar))
}

func parseNumber(text string) (lattice.Scalar, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return lattice.IntScalar(n), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) {
		return lattice.Scalar{}, usagef("%q: expected a number, or --text", text)
	}
	return lattice.FloatScalar(f), nil
}
