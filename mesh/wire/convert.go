package wire

import (
	"errors"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// FromKey gives k as a message.
func FromKey(k mesh.Key) *pb.Key { return &pb.Key{Namespace: k.Namespace, Name: k.Name} }

// ToKey reads and validates a key.
func ToKey(k *pb.Key) (mesh.Key, error) {
	key := mesh.Key{Namespace: k.GetNamespace(), Name: k.GetName()}
	return key, key.Validate()
}

// ToStoredKey is ToKey for what nodes tell one another: the key may be a part of another.
func ToStoredKey(k *pb.Key) (mesh.Key, error) {
	key := mesh.Key{Namespace: k.GetNamespace(), Name: k.GetName()}
	return key, key.ValidateStored()
}

// FromValue gives v as a message that shares v's bytes.
func FromValue(v mesh.Value) *pb.Value {
	if v.IsZero() {
		return nil
	}
	return &pb.Value{Format: uint32(v.Format), Data: v.Data}
}

// ToValue reads a value, which shares the message's bytes. Nil gives the zero Value.
func ToValue(v *pb.Value) (mesh.Value, error) {
	if v == nil {
		return mesh.Value{}, nil
	}
	f := mesh.Format(v.Format)
	if v.Format > 255 || !f.Valid() {
		return mesh.Value{}, mesh.Errorf(mesh.Invalid, "value", "format %d: expected 1 to %d", v.Format, mesh.Protobuf)
	}
	return mesh.Value{Format: f, Data: v.Data}, nil
}

// maxErrorText bounds the text of an error on the wire, in bytes.
const maxErrorText = 8 << 10

// FromError gives err as a message that can always be encoded: long text is
// cut and what is not UTF-8 replaced. An error that arose here is marked as self's.
func FromError(err error, self mesh.NodeID) *pb.Error {
	e := mesh.AsError("", err)
	node := e.Node
	if node == "" {
		node = self
	}
	return &pb.Error{
		Kind: uint32(e.Kind), Op: sendable(e.Op), Node: []byte(node), Stage: sendable(e.Stage),
		Message: sendable(e.Text()), RetryAfterUs: toMicros(e.RetryAfter), Late: errors.Is(err, mesh.ErrLate),
	}
}

func sendable(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "\uFFFD")
}

// ToError reads an error; a kind that this version does not know becomes Internal.
func ToError(e *pb.Error) *mesh.Error {
	if e == nil {
		return nil
	}
	kind := mesh.ErrorKind(min(e.Kind, 255))
	if kind > mesh.Conflict {
		kind = mesh.Internal
	}
	read := &mesh.Error{Kind: kind, Op: e.Op, Node: mesh.NodeID(e.Node), Stage: e.Stage, Msg: e.Message, RetryAfter: fromMicros(e.RetryAfterUs)}
	if e.Late {
		read.Msg, read.Err = strings.TrimSuffix(strings.TrimSuffix(e.Message, mesh.ErrLate.Error()), ": "), mesh.ErrLate
	}
	return read
}

// FromFuncRef gives f as a message.
func FromFuncRef(f mesh.FuncRef) *pb.FuncRef {
	return &pb.FuncRef{Namespace: f.Namespace, Name: f.Name, Version: f.Version}
}

// ToFuncRef reads and validates a reference to a function.
func ToFuncRef(f *pb.FuncRef) (mesh.FuncRef, error) {
	ref := mesh.FuncRef{Namespace: f.GetNamespace(), Name: f.GetName(), Version: f.GetVersion()}
	return ref, ref.Validate()
}

// FromLimits gives l as a message.
func FromLimits(l mesh.Limits) *pb.Limits {
	return &pb.Limits{MemoryBytes: l.Memory, TimeUs: uint64(l.Time / time.Microsecond), Concurrency: uint32(l.Concurrency)}
}

// ToLimits reads limits; nil gives none.
func ToLimits(l *pb.Limits) mesh.Limits {
	return mesh.Limits{
		Memory:      l.GetMemoryBytes(),
		Time:        time.Duration(min(l.GetTimeUs(), uint64(mesh.MaxFuncTime/time.Microsecond))) * time.Microsecond,
		Concurrency: int(l.GetConcurrency()),
	}
}

// FromFuncInfo gives info as a message.
func FromFuncInfo(info mesh.FuncInfo) *pb.FuncInfo {
	m := &pb.FuncInfo{
		Ref: FromFuncRef(info.Ref), Kind: uint32(info.Kind), Module: info.Module,
		Size: info.Size, Export: info.Export, Limits: FromLimits(info.Limits),
	}
	for _, host := range info.Hosts {
		m.Hosts = append(m.Hosts, []byte(host))
	}
	return m
}

// ToFuncInfo reads a function's description.
func ToFuncInfo(m *pb.FuncInfo) (mesh.FuncInfo, error) {
	ref, err := ToFuncRef(m.GetRef())
	if err != nil {
		return mesh.FuncInfo{}, err
	}
	info := mesh.FuncInfo{
		Ref: ref, Kind: mesh.FuncKind(min(m.Kind, 255)), Module: m.Module,
		Size: m.Size, Export: m.Export, Limits: ToLimits(m.Limits),
	}
	for _, host := range m.Hosts {
		info.Hosts = append(info.Hosts, mesh.NodeID(host))
	}
	return info, nil
}

// ToRunID reads a run's id.
func ToRunID(b []byte) (mesh.RunID, error) {
	var id mesh.RunID
	if len(b) != len(id) {
		return id, mesh.Errorf(mesh.Invalid, "run id", "%d bytes: expected %d", len(b), len(id))
	}
	return mesh.RunID(b), nil
}

// FromSession gives s as a message; nil where reads have nothing in common.
func FromSession(s mesh.Session) *pb.RunSession {
	if s.IsZero() {
		return nil
	}
	return &pb.RunSession{Level: uint32(s.Level), Id: s.ID[:], Home: []byte(s.Home), Shared: s.Shared}
}

// ToSession reads a session; nil gives the zero one.
func ToSession(m *pb.RunSession) (s mesh.Session, err error) {
	if m == nil {
		return s, nil
	}
	s.Level = mesh.Consistency(min(m.Level, 255))
	if err = s.Level.Validate(); err != nil || s.IsZero() {
		return mesh.Session{}, err
	}
	if s.ID, err = ToRunID(m.Id); err != nil {
		return mesh.Session{}, err
	}
	s.Home, s.Shared = mesh.NodeID(m.Home), m.Shared
	if s.Home == "" {
		return mesh.Session{}, mesh.Errorf(mesh.Invalid, "session", "without a home")
	}
	return s, nil
}
