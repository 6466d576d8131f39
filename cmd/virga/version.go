package main

import (
	"fmt"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/internal/version"
)

func versionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: "  virga version --output json",
		Args:    exactly(),
		RunE: func(*cobra.Command, []string) error {
			return a.show(versions{version.String(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
		},
	}
}

type versions struct {
	Virga    string `json:"virga"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (v versions) text(w io.Writer) { fmt.Fprintln(w, "virga", v.Virga, v.Go, v.Platform) }
