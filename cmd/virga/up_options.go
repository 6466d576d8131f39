package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/internal/localmesh"
	"github.com/virga-mesh/virga/mesh"
)

// upOptions say which mesh virga up starts.
type upOptions struct {
	nodes    int
	fixed    bool // nodes were given
	min, max int
	follows  bool // max was given
	grace    time.Duration
	set      []string
}

// minFollowGrace is as long as nodes need at least to publish their load.
const minFollowGrace = time.Second

func (o upOptions) validate() error {
	switch {
	case o.fixed && o.follows:
		return usagef("--nodes with --max: expected one of them")
	case o.fixed && (o.nodes < 1 || o.nodes > localmesh.MaxNodes):
		return usagef("--nodes %d: expected 1 to %d", o.nodes, localmesh.MaxNodes)
	case o.follows && (o.max < 1 || o.max > localmesh.MaxNodes):
		return usagef("--max %d: expected 1 to %d", o.max, localmesh.MaxNodes)
	case o.follows && (o.min < 1 || o.min > o.max):
		return usagef("--min %d: expected 1 to --max, which is %d", o.min, o.max)
	case o.follows && o.grace < minFollowGrace:
		return usagef("--grace %v: expected at least %v", o.grace, minFollowGrace)
	}
	return nil
}

// bounds are those of a mesh that follows the load, in words.
func (o upOptions) bounds() string {
	if !o.follows {
		return ""
	}
	return fmt.Sprintf("%d to %d nodes", o.min, o.max)
}

// options are these as package localmesh takes them.
func (o upOptions) options(ctx context.Context, a *app) (localmesh.Options, error) {
	options := localmesh.Options{Home: a.home, Nodes: o.nodes}
	if o.fixed || o.follows || len(o.set) > 0 {
		options.Settings = localmesh.Settings{}
	}
	if o.follows {
		known, err := localmesh.Nodes(a.home)
		if err != nil {
			return options, err
		}
		options.Nodes = max(o.min, len(known)) // state may lie on all of them: what is too many is drained
		if err := o.follow(ctx, a, options.Settings); err != nil {
			return options, err
		}
	}
	for _, text := range o.set {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return options, usagef("--set %q: expected NAME=VALUE", text)
		}
		var parsed any
		if err := yaml.Unmarshal([]byte(value), &parsed); err != nil {
			return options, usagef("--set %q: %v", text, err)
		}
		options.Settings[name] = parsed
	}
	return options, options.Settings.Validate()
}

// follow sets what makes nodes follow the load: this program is their hook.
func (o upOptions) follow(ctx context.Context, a *app, settings localmesh.Settings) error {
	home, err := filepath.Abs(a.home)
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "up", "home %q: %w", a.home, err)
	}
	self, err := localmesh.Self(ctx, filepath.Join(home, "bin"))
	if err != nil {
		return err
	}
	settings["nodes_min"], settings["nodes_max"] = o.min, o.max
	settings["nodes_grace_add"], settings["nodes_grace_remove"] = o.grace.String(), o.grace.String()
	settings["nodes_hook"] = []string{self, "--home", home, "node", "follow"}
	settings["stats_interval"] = min(max(o.grace/4, time.Second), 15*time.Second).String()
	return nil
}
