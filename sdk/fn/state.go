package fn

import (
	"context"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// KeyName is how a function names a key: by a string, a name in the
// function's own namespace, or by a whole mesh.Key.
type KeyName interface{ string | mesh.Key }

// Get reads a key as a T: the payload of a register, the number of a
// counter, the elements of a set as a slice or as a map with values struct{};
// Plain lists what each kind gives. A missing key is a NotFound error,
// another type Invalid.
func Get[T any, K KeyName](ctx context.Context, key K) (value T, err error) {
	state, err := Read(ctx, key)
	if err != nil {
		return value, err
	}
	if err := DecodePlain(state, &value); err != nil {
		return value, mesh.Errorf(mesh.KindOf(err), "get "+nameOf(key), "%s", mesh.AsError("", err).Text())
	}
	return value, nil
}

// Read gives the lattice that a key holds, whole. A missing key is a NotFound error.
func Read[K KeyName](ctx context.Context, key K) (lattice.Value, error) {
	lib, at, err := locate(ctx, key)
	if err != nil {
		return lattice.Value{}, err
	}
	return lib.Get(ctx, at)
}

// Put puts v plainly: a map with values struct{} adds its keys to a set, all
// else sets a last-writer-wins register; see PutOp. The key is made if it is
// missing. A key of another kind is a KindMismatch error.
func Put[K KeyName](ctx context.Context, key K, v any) error {
	kind, op, err := PutOp(v)
	if err != nil {
		return err
	}
	return Update(ctx, key, kind, op)
}

// Delete removes a key of any kind; removing a missing key is no error.
func Delete[K KeyName](ctx context.Context, key K) error {
	lib, at, err := locate(ctx, key)
	if err != nil {
		return err
	}
	return lib.Delete(ctx, at)
}

// Update applies an operation to a key, which is made with that kind if it
// is missing. A key of another kind is a KindMismatch error. Elements and
// payloads in op are values in the form of mesh.Value.AppendBinary.
func Update[K KeyName](ctx context.Context, key K, kind lattice.Kind, op lattice.Op) error {
	lib, at, err := locate(ctx, key)
	if err != nil {
		return err
	}
	return lib.Put(ctx, at, kind, op)
}

// Add puts elements into the or-set of a key.
func Add[T any, K KeyName](ctx context.Context, key K, elements ...T) error {
	return updateSet(ctx, key, lattice.AddOp, elements)
}

// Remove takes elements out of the or-set of a key. An element that another
// adds at the same time stays.
func Remove[T any, K KeyName](ctx context.Context, key K, elements ...T) error {
	return updateSet(ctx, key, lattice.RemoveOp, elements)
}

func updateSet[T any, K KeyName](ctx context.Context, key K, op func(...string) lattice.Op, elements []T) error {
	encoded := make([]string, len(elements))
	for i, element := range elements {
		b, err := encode(element)
		if err != nil {
			return err
		}
		encoded[i] = string(b)
	}
	return Update(ctx, key, lattice.ORSetKind, op(encoded...))
}

// Inc counts n, of either sign, on the pncounter of a key.
func Inc[K KeyName](ctx context.Context, key K, n int64) error {
	return Update(ctx, key, lattice.PNCounterKind, lattice.IncOp(n))
}

func locate[K KeyName](ctx context.Context, key K) (Library, mesh.Key, error) {
	lib, err := FromContext(ctx)
	if err != nil {
		return nil, mesh.Key{}, err
	}
	var at mesh.Key
	switch key := any(key).(type) {
	case string:
		at = mesh.Key{Namespace: lib.Namespace(), Name: key}
	case mesh.Key:
		at = key
	}
	return lib, at, at.Validate()
}

func nameOf[K KeyName](key K) string {
	if key, ok := any(key).(mesh.Key); ok {
		return key.String()
	}
	return any(key).(string)
}
