package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestStatusTellsHowManyNodesAreWanted(t *testing.T) {
	reply := members()
	reply.NodesWanted = &pb.NodesWanted{
		Nodes: 4, Live: 3, Reason: "utilisation is 87 %, above 70 %",
		Last: &pb.HookRun{Runner: []byte(here), Action: "add", BeganUnixMs: 1, EndedUnixMs: 2, Failed: "hook: UserError: exit status 3"},
	}
	answers := answer(func(wire.Message) (wire.Message, error) { return reply, nil })
	got := virga(t, answers, "", "status")
	for _, part := range []string{"4 wanted: utilisation is 87 %, above 70 %\n", "the last hook, to add, failed: hook: UserError: exit status 3\n"} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("status does not say %q:\n%s", part, got.stdout)
		}
	}
	got = virga(t, answers, "", "status", "--output", "json")
	for _, part := range []string{`"nodes": 4`, `"action": "add"`, `"runs": false`} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("as JSON status does not say %s:\n%s", part, got.stdout)
		}
	}
	reply.NodesWanted = nil
	if got = virga(t, answers, "", "status"); strings.Contains(got.stdout, "wanted") {
		t.Errorf("a node that does not know says\n%s", got.stdout)
	}
}
