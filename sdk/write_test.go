package sdk_test

import (
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

func TestAWriteThatIsSentAgainThroughOtherNodesCountsOnce(t *testing.T) {
	m := startMesh(t, 3)
	for _, kind := range []lattice.Kind{lattice.GCounterKind, lattice.PNCounterKind} {
		write := m.dial(admission.AllVerbs).Write(kind.String(), kind, lattice.IncOp(1))
		for i := range 3 {
			sdk.Through(write, sdk.Attach(m.Node(i)))
			ack, err := write.Do(t.Context())
			if err != nil || ack.Replicas < 2 || ack.Durability != mesh.Logged {
				t.Errorf("attempt %d: %+v, %v", i, ack, err)
			}
		}
		v, err := sdk.Attach(m.Node(0)).WithState(sdk.StateOptions{ReadQuorum: 3}).Get(t.Context(), kind.String())
		n, _ := v.Count()
		want(t, n, err, 1)
	}
}
