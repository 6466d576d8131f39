package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/virga-mesh/virga/sdk"
)

// runKVScan lists keys with their values.
func runKVScan(ctx context.Context, a *app, prefix string, limit int) error {
	return a.withClient(ctx, func(ctx context.Context, client *sdk.Client) error {
		list := scannedList{Keys: []scannedKey{}}
		for key, err := range client.Scan(ctx, prefix) {
			if err != nil {
				return err
			}
			if limit > 0 && len(list.Keys) == limit {
				list.More = true
				break
			}
			shown := scannedKey{Name: key.Name, Omitted: key.Omitted}
			if !key.Omitted {
				described, err := describeState(key.Value)
				if err != nil {
					return err
				}
				shown.Kind, shown.Value = described.Kind, described.Value
			}
			list.Keys = append(list.Keys, shown)
		}
		return a.show(list)
	})
}

type scannedList struct {
	Keys []scannedKey `json:"keys"`
	More bool         `json:"more"` // there are more than were asked for
}

type scannedKey struct {
	Name    string          `json:"name"`
	Kind    string          `json:"kind,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Omitted bool            `json:"omitted,omitempty"` // too large for a list
}

func (l scannedList) text(w io.Writer) {
	for _, key := range l.Keys {
		if key.Omitted {
			key.Value = json.RawMessage("(too large for a list)")
		}
		fmt.Fprintf(w, "%s %s\n", key.Name, key.Value)
	}
	if l.More {
		fmt.Fprintln(w, "... and more; see --limit")
	}
}
