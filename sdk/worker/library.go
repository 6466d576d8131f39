//go:build !wasip1

package worker

import (
	"context"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// library is what a function in this process reaches of the mesh: all of it
// over the client's connection.
type library struct {
	client    *sdk.Client
	id        mesh.InvocationID
	namespace string
}

var _ fn.Library = library{}

func (l library) ID() mesh.InvocationID { return l.id }

func (l library) Namespace() string { return l.namespace }

func (l library) Get(ctx context.Context, key mesh.Key) (lattice.Value, error) {
	return l.client.In(key.Namespace).Get(ctx, key.Name)
}

func (l library) Put(ctx context.Context, key mesh.Key, kind lattice.Kind, op lattice.Op) error {
	_, err := l.client.In(key.Namespace).Put(ctx, key.Name, kind, op)
	return err
}

func (l library) Delete(ctx context.Context, key mesh.Key) error {
	return l.client.In(key.Namespace).Delete(ctx, key.Name)
}

func (l library) Call(ctx context.Context, ref mesh.FuncRef, args []mesh.Value) (mesh.Value, error) {
	name := ref.Name
	if ref.Version != "" {
		name += "@" + ref.Version
	}
	return sdk.Func[fn.Variadic[mesh.Value], mesh.Value](l.client.In(ref.Namespace), name).Call(ctx, args)
}

func (l library) Send(ctx context.Context, to mesh.InvocationID, body mesh.Value) error {
	return l.client.Send(ctx, l.id, to, body)
}

func (l library) Recv(ctx context.Context, wait time.Duration) ([]fn.Message, error) {
	return l.client.Receive(ctx, l.id, wait)
}
