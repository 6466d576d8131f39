package catalog

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// A function's record is a map with these fields:
//
//	current            lww: the name of the current version
//	version/<version>  lww: a pb.FuncInfo without hosts
//	hosts/<version>    or-set: the nodes that run it, for native functions and workers
//	alias/<alias>      lww: the name of a version; empty once it is removed
const (
	recordKind    = lattice.MapKind
	currentField  = "current"
	versionPrefix = "version/"
	hostsPrefix   = "hosts/"
	aliasPrefix   = "alias/"
)

// functionRecord is what the store knows of a function.
type functionRecord struct {
	current  string
	versions map[string]mesh.FuncInfo
	order    []string // of the versions, oldest first
	deployed map[string]lattice.Stamp
	aliases  map[string]string // alias -> version
}

// change is one operation on a function's record.
type change = lattice.Op

func putVersion(info mesh.FuncInfo) change {
	info.Hosts = nil
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(wire.FromFuncInfo(info))
	if err != nil {
		panic("catalog: a FuncInfo cannot be encoded: " + err.Error())
	}
	return lattice.PutOp(versionPrefix+info.Ref.Version, lattice.LWWKind, lattice.SetOp(rawPayload(encoded)))
}

func putCurrent(version string) change {
	return lattice.PutOp(currentField, lattice.LWWKind, lattice.SetOp(rawPayload([]byte(version))))
}

func addHost(version string, node mesh.NodeID) change {
	return lattice.PutOp(hostsPrefix+version, lattice.ORSetKind, lattice.AddOp(string(node)))
}

func removeHost(version string, node mesh.NodeID) change {
	return lattice.PutOp(hostsPrefix+version, lattice.ORSetKind, lattice.RemoveOp(string(node)))
}

// readRecord reads what the changes made.
func readRecord(ref mesh.FuncRef, value lattice.Value) (*functionRecord, error) {
	record := &functionRecord{
		versions: map[string]mesh.FuncInfo{}, deployed: map[string]lattice.Stamp{}, aliases: map[string]string{},
	}
	hosts := map[string][]mesh.NodeID{}
	for field, inner := range value.Fields() {
		if version, ok := strings.CutPrefix(field, hostsPrefix); ok {
			for node := range inner.Elements() {
				hosts[version] = append(hosts[version], mesh.NodeID(node))
			}
			continue
		}
		if err := record.read(ref, field, inner); err != nil {
			return nil, err
		}
	}
	for version, nodes := range hosts {
		if info, ok := record.versions[version]; ok {
			info.Hosts = nodes
			record.versions[version] = info
		}
	}
	slices.SortFunc(record.order, func(a, b string) int {
		return cmp.Or(record.deployed[a].Compare(record.deployed[b]), cmp.Compare(a, b))
	})
	return record, nil
}

// read takes over a field that is a register. One that this version of the
// program does not know is left alone.
func (r *functionRecord) read(ref mesh.FuncRef, field string, register lattice.Value) error {
	payload, stamp, err := readStamped(register)
	if err != nil {
		return err
	}
	if field == currentField {
		r.current = string(payload)
		return nil
	}
	if alias, ok := strings.CutPrefix(field, aliasPrefix); ok {
		if len(payload) > 0 {
			r.aliases[alias] = string(payload)
		}
		return nil
	}
	version, ok := strings.CutPrefix(field, versionPrefix)
	if !ok {
		return nil
	}
	r.versions[version], err = readFuncInfo(ref, payload)
	r.deployed[version] = stamp
	r.order = append(r.order, version)
	return err
}

func readFuncInfo(ref mesh.FuncRef, encoded []byte) (mesh.FuncInfo, error) {
	var m pb.FuncInfo
	if err := proto.Unmarshal(encoded, &m); err != nil {
		return mesh.FuncInfo{}, mesh.Errorf(mesh.Internal, "function "+ref.String(), "stored description: %w", err)
	}
	return wire.ToFuncInfo(&m)
}

// rawPayload is the payload of a register that holds raw bytes.
func rawPayload(data []byte) []byte {
	return mesh.Value{Format: mesh.Raw, Data: data}.AppendBinary(nil)
}

func readPayload(value lattice.Value) ([]byte, error) {
	payload, _, err := readStamped(value)
	return payload, err
}

func readStamped(value lattice.Value) ([]byte, lattice.Stamp, error) {
	payload, ok := value.Payload()
	if !ok {
		return nil, lattice.Stamp{}, mesh.Errorf(mesh.Internal, "catalog", "the store holds a %s: expected a written lww", value.Kind())
	}
	v, err := mesh.DecodeValue(payload)
	return v.Data, value.Stamp(), err
}
