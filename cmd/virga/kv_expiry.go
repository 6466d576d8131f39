package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

func kvTouchCommand(a *app) *cobra.Command {
	var w writeOptions
	cmd := &cobra.Command{
		Use:   "touch KEY TTL",
		Short: "Make a key expire after a time",
		Long: `Make a key of any kind expire TTL from now, in place of when it was to: a number with
its unit, such as 90s or 12h. See persist for a key that is to be kept for ever.`,
		Example: "  virga kv touch session/7 30m",
		Args:    exactly("KEY", "TTL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ttl, err := parseTTL(args[1])
			if err != nil {
				return err
			}
			return w.touch(cmd.Context(), a, args[0], func(ctx context.Context, client *sdk.Client) (mesh.Ack, error) {
				return client.Touch(ctx, args[0], ttl)
			})
		},
	}
	w.addFlags(cmd.Flags())
	return cmd
}

func kvPersistCommand(a *app) *cobra.Command {
	var w writeOptions
	cmd := &cobra.Command{
		Use:     "persist KEY",
		Short:   "Keep a key that was to expire",
		Example: "  virga kv persist session/7",
		Args:    exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return w.touch(cmd.Context(), a, args[0], func(ctx context.Context, client *sdk.Client) (mesh.Ack, error) {
				return client.Persist(ctx, args[0])
			})
		},
	}
	w.addFlags(cmd.Flags())
	return cmd
}

// touch changes when a key expires and tells what that reached.
func (o writeOptions) touch(ctx context.Context, a *app, key string, send func(context.Context, *sdk.Client) (mesh.Ack, error)) error {
	options, err := o.stateOptions()
	if err != nil {
		return err
	}
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		ack, err := send(ctx, client.WithState(options))
		if err != nil {
			return err
		}
		return a.show(written{key, ack.Replicas, ack.Durability.String()})
	})
}

func kvTTLCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "ttl KEY",
		Short:   "Tell how long a key is kept",
		Example: "  virga kv ttl session/7",
		Args:    exactly("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withClient(cmd.Context(), func(ctx context.Context, client *sdk.Client) error {
				ttl, expires, err := client.TTL(ctx, args[0])
				if err != nil {
					return err
				}
				return a.show(timeToLive{args[0], expires, ttl.Milliseconds()})
			})
		},
	}
}

type timeToLive struct {
	Key     string `json:"key"`
	Expires bool   `json:"expires"`
	Millis  int64  `json:"ttl_ms"` // 0 if it does not expire
}

func (t timeToLive) text(w io.Writer) {
	if !t.Expires {
		fmt.Fprintln(w, "for ever")
		return
	}
	fmt.Fprintln(w, time.Duration(t.Millis)*time.Millisecond)
}

// parseTTL reads a time to live.
func parseTTL(text string) (time.Duration, error) {
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl < time.Millisecond {
		return 0, usagef("%q: expected a time of at least 1ms, such as 90s or 12h", text)
	}
	return ttl, nil
}
