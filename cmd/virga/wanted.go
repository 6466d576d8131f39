package main

import (
	"fmt"
	"io"

	"github.com/virga-mesh/virga/sdk"
)

// wantedNodes is how many nodes the mesh is to have, as one of them finds.
type wantedNodes struct {
	Nodes  int         `json:"nodes"`
	Live   int         `json:"live"`
	Reason string      `json:"reason"`
	Hook   *hookResult `json:"last_hook,omitempty"`
}

// hookResult is how the last run of a hook went.
type hookResult struct {
	Action string `json:"action"`
	Node   string `json:"node"` // that ran it
	Runs   bool   `json:"runs"`
	Failed string `json:"failed,omitempty"`
}

// describeWanted gives nil where the node does not know.
func describeWanted(n sdk.NodesWanted) *wantedNodes {
	if n.Wanted == 0 {
		return nil
	}
	w := &wantedNodes{Nodes: n.Wanted, Live: n.Live, Reason: n.Reason}
	if last := n.LastHook; last.Action != "" {
		w.Hook = &hookResult{Action: last.Action, Node: last.Runner.String(), Runs: last.Ended.IsZero(), Failed: last.Failed}
	}
	return w
}

// text writes a line or two.
func (w *wantedNodes) text(out io.Writer) {
	if w == nil {
		return
	}
	fmt.Fprintf(out, "%d wanted: %s\n", w.Nodes, w.Reason)
	if w.Hook != nil && w.Hook.Failed != "" {
		fmt.Fprintf(out, "the last hook, to %s, failed: %s\n", w.Hook.Action, w.Hook.Failed)
	}
}
