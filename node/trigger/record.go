package trigger

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Of a trigger the store holds these registers. All but the first have its id
// in their names, so that a trigger has nothing of another that had its name.
//
//	trigger/NAMESPACE/NAME             a pb.Trigger
//	trigger-progress/NAMESPACE/NAME/ID a pb.TriggerProgress
//	trigger-seen/NAMESPACE/NAME/ID/N   a pb.TriggerSeen: part N
const (
	definitions = "trigger/"
	progresses  = "trigger-progress/"
	seens       = "trigger-seen/"
)

func recordKey(name string) mesh.Key {
	return mesh.Key{Namespace: mesh.SystemNamespace, Name: name}
}

func definitionKey(namespace, name string) mesh.Key {
	return recordKey(definitions + namespace + "/" + name)
}

func progressKey(t *mesh.Trigger) mesh.Key {
	return recordKey(progresses + t.Namespace + "/" + t.Name + "/" + t.ID.String())
}

func seenKey(t *mesh.Trigger, part int) mesh.Key {
	return recordKey(fmt.Sprintf("%s%s/%s/%s/%d", seens, t.Namespace, t.Name, t.ID, part))
}

// payload is a message as a register holds it.
func payload(m proto.Message) []byte {
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("trigger: a record cannot be encoded: " + err.Error())
	}
	return mesh.Value{Format: mesh.Raw, Data: encoded}.AppendBinary(nil)
}

// readPayload reads what payload gives.
func readPayload(value lattice.Value, into proto.Message) error {
	held, ok := value.Payload()
	if !ok {
		return mesh.Errorf(mesh.Internal, "trigger", "the store holds a %s: expected a written lww", value.Kind())
	}
	v, err := mesh.DecodeValue(held)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(v.Data, into); err != nil {
		return mesh.Errorf(mesh.Internal, "trigger", "stored record: %w", err)
	}
	return nil
}

func readDefinition(value lattice.Value) (*mesh.Trigger, error) {
	var m pb.Trigger
	if err := readPayload(value, &m); err != nil {
		return nil, err
	}
	return wire.ToTrigger(&m)
}
