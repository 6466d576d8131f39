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
const (
	recordKind    = lattice.MapKind
	currentField  = "current"
	versionPrefix = "version/"
	hostsPrefix   = "hosts/"
)

// functionRecord is what the store knows of a function.
type functionRecord struct {
	current  string
	versions map[string]mesh.FuncInfo
	order    []string // of the versions, oldest first
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
	record := &functionRecord{versions: map[string]mesh.FuncInfo{}}
	deployed := map[string]lattice.Stamp{}
	hosts := map[string][]mesh.NodeID{}
	for field, inner := range value.Fields() {
		if version, ok := strings.CutPrefix(field, hostsPrefix); ok {
			for node := range inner.Elements() {
				hosts[version] = append(hosts[version], mesh.NodeID(node))
			}
			continue
		}
		payload, stamp, err := readStamped(inner)
		if err != nil {
			return nil, err
		}
		if field == currentField {
			record.current = string(payload)
			continue
		}
		version := strings.TrimPrefix(field, versionPrefix)
		if record.versions[version], err = readFuncInfo(ref, payload); err != nil {
			return nil, err
		}
		deployed[version] = stamp
		record.order = append(record.order, version)
	}
	for version, nodes := range hosts {
		if info, ok := record.versions[version]; ok {
			info.Hosts = nodes
			record.versions[version] = info
		}
	}
	slices.SortFunc(record.order, func(a, b string) int {
		return cmp.Or(deployed[a].Compare(deployed[b]), cmp.Compare(a, b))
	})
	return record, nil
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
