package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

func payloadOf(t *testing.T, v any) []byte {
	t.Helper()
	value, err := codec.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return value.AppendBinary(nil)
}

func TestWritesBecomeOperations(t *testing.T) {
	text := func(s string) string { return string(payloadOf(t, s)) }
	for _, c := range []struct {
		args  string
		stdin string
		kind  lattice.Kind
		op    lattice.Op
	}{
		{"put k hello", "", lattice.LWWKind, lattice.SetOp(payloadOf(t, "hello"))},
		{"put k 12", "", lattice.LWWKind, lattice.SetOp(payloadOf(t, "12"))},
		{"put k 12 --json", "", lattice.LWWKind, lattice.SetOp(payloadOf(t, 12))},
		{"put k -", "from stdin\n", lattice.LWWKind, lattice.SetOp(payloadOf(t, "from stdin\n"))},
		{"put k -", "\xff\xfe", lattice.LWWKind, lattice.SetOp(payloadOf(t, []byte("\xff\xfe")))},
		{"put k v --kind mv-register", "", lattice.MVRegisterKind, lattice.SetOp(payloadOf(t, "v"))},
		{"add k b a", "", lattice.SetKind, lattice.AddOp(text("a"), text("b"))},
		{"add k 1 --kind or-set --json", "", lattice.ORSetKind, lattice.AddOp(string(payloadOf(t, 1)))},
		{"remove k a", "", lattice.ORSetKind, lattice.RemoveOp(text("a"))},
		{"put k v --kind priority --priority 1.5", "", lattice.PriorityKind, lattice.SetPriorityOp(1.5, payloadOf(t, "v"))},
		{"put-field k f v", "", lattice.ORMapKind, lattice.PutOp("f", lattice.LWWKind, lattice.SetOp(payloadOf(t, "v")))},
		{"put-field k f 1 --json --kind map", "", lattice.MapKind, lattice.PutOp("f", lattice.LWWKind, lattice.SetOp(payloadOf(t, 1)))},
		{"drop-field k f", "", lattice.ORMapKind, lattice.DropOp("f")},
		{"max k 7", "", lattice.MaxKind, lattice.OfferOp(lattice.IntScalar(7))},
		{"min k 7.5", "", lattice.MinKind, lattice.OfferOp(lattice.FloatScalar(7.5))},
		{"max k 7 --text", "", lattice.MaxKind, lattice.OfferOp(lattice.TextScalar("7"))},
		{"enable k", "", lattice.FlagKind, lattice.EnableOp()},
		{"enable k --kind bool", "", lattice.BoolKind, lattice.EnableOp()},
		{"disable k", "", lattice.FlagKind, lattice.DisableOp()},
		{"PUT k v", "", lattice.LWWKind, lattice.SetOp(payloadOf(t, "v"))},
		{"PUT_SET k b a", "", lattice.SetKind, lattice.AddOp(text("a"), text("b"))},
		{"PUT_CAUSAL k v", "", lattice.CausalKind, lattice.SetOp(payloadOf(t, "v"))},
		{"inc k", "", lattice.PNCounterKind, lattice.IncOp(1)},
		{"inc k 5 --kind gcounter", "", lattice.GCounterKind, lattice.IncOp(5)},
		{"inc k -- -5", "", lattice.PNCounterKind, lattice.IncOp(-5)},
	} {
		t.Run(c.args, func(t *testing.T) {
			want := &pb.Put{Key: &pb.Key{Namespace: "default", Name: "k"}, Kind: uint32(c.kind), Op: c.op.AppendBinary(nil)}
			reply := &pb.PutReply{Replicas: 2, Durability: uint32(mesh.Logged)}
			got := virga(t, expecting(t, want, reply), c.stdin, append([]string{"kv"}, strings.Fields(c.args)...)...)
			if got.code != 0 || got.stdout != "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestWritesTellWhatTheyReached(t *testing.T) {
	want := &pb.Put{
		Key: &pb.Key{Namespace: "default", Name: "k"}, Kind: uint32(lattice.LWWKind),
		Op: lattice.SetOp(payloadOf(t, "v")).AppendBinary(nil), WriteQuorum: 3, Durability: uint32(mesh.Synced),
	}
	ask := expecting(t, want, &pb.PutReply{Replicas: 3, Durability: uint32(mesh.Synced)})
	got := virga(t, ask, "", "kv", "put", "k", "v", "--quorum", "3", "--durability", "synced", "-o", "json")
	if want := "{\n  \"key\": \"k\",\n  \"replicas\": 3,\n  \"durability\": \"synced\"\n}\n"; got.stdout != want {
		t.Errorf("printed %q %q, want %q", got.stdout, got.stderr, want)
	}
}

// state applies operations to a value of a kind.
func state(t *testing.T, kind lattice.Kind, ops ...lattice.Op) lattice.Value {
	t.Helper()
	v := lattice.New(kind)
	for i, op := range ops {
		delta, err := lattice.Apply(v, op, lattice.Write{Stamp: lattice.Stamp{Time: uint64(i + 1), Node: "n"}, Writer: "w"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := v.Merge(delta); err != nil {
			t.Fatal(err)
		}
	}
	return v
}

func TestGetPrintsEveryKind(t *testing.T) {
	a, b := payloadOf(t, "a"), payloadOf(t, 2)
	field := lattice.PutOp("f", lattice.LWWKind, lattice.SetOp(b))
	for _, c := range []struct {
		kind       lattice.Kind
		ops        []lattice.Op
		text, json string
	}{
		{lattice.LWWKind, []lattice.Op{lattice.SetOp(a)}, "a\n", `"a"`},
		{lattice.LWWKind, nil, "", "null"},
		{lattice.PriorityKind, []lattice.Op{lattice.SetPriorityOp(1, b)}, "2\n", "2"},
		{lattice.SetKind, []lattice.Op{lattice.AddOp(string(a), string(b))}, "a\n2\n", `["a",2]`},
		{lattice.SetKind, nil, "", "[]"},
		{lattice.OrderedSetKind, []lattice.Op{lattice.AddOp(string(a))}, "a\n", `["a"]`},
		{lattice.ORSetKind, []lattice.Op{lattice.AddOp(string(a)), lattice.RemoveOp(string(a))}, "", "[]"},
		{lattice.MVRegisterKind, []lattice.Op{lattice.SetOp(a)}, "a\n", `["a"]`},
		{lattice.CausalKind, []lattice.Op{lattice.SetOp(a)}, "a\n", `["a"]`},
		{lattice.GCounterKind, []lattice.Op{lattice.IncOp(3)}, "3\n", "3"},
		{lattice.PNCounterKind, []lattice.Op{lattice.IncOp(-3)}, "-3\n", "-3"},
		{lattice.MaxKind, []lattice.Op{lattice.OfferOp(lattice.IntScalar(7))}, "7\n", "7"},
		{lattice.MinKind, []lattice.Op{lattice.OfferOp(lattice.TextScalar("x"))}, "\"x\"\n", `"x"`},
		{lattice.MaxKind, nil, "null\n", "null"},
		{lattice.BoolKind, []lattice.Op{lattice.EnableOp()}, "true\n", "true"},
		{lattice.FlagKind, []lattice.Op{lattice.EnableOp(), lattice.DisableOp()}, "false\n", "false"},
		{lattice.MapKind, []lattice.Op{field}, "f=2\n", `{"f":2}`},
		{lattice.ORMapKind, []lattice.Op{field}, "f=2\n", `{"f":2}`},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			v := state(t, c.kind, c.ops...)
			described, err := describeState(v)
			if err != nil || string(described.Value) != c.json || described.Kind != c.kind.String() {
				t.Errorf("describeState = %s, %v, want %s", described.Value, err, c.json)
			}
			ask := answer(func(wire.Message) (wire.Message, error) {
				return &pb.GetReply{Value: v.AppendBinary(nil)}, nil
			})
			if got := virga(t, ask, "", "kv", "get", "k"); got.stdout != c.text || got.code != 0 {
				t.Errorf("printed %q %q, want %q", got.stdout, got.stderr, c.text)
			}
		})
	}
}

func TestListsGoThroughAllPages(t *testing.T) {
	pages := answer(func(req wire.Message) (wire.Message, error) {
		key := func(name string) *pb.ListedKey {
			return &pb.ListedKey{Name: name, Kind: uint32(lattice.SetKind), Size: 1}
		}
		switch req.(*pb.List).After {
		case "":
			return &pb.ListReply{Keys: []*pb.ListedKey{key("a"), key("b")}, More: true}, nil
		case "b":
			return &pb.ListReply{Keys: []*pb.ListedKey{key("c")}}, nil
		}
		return nil, mesh.Errorf(mesh.Internal, "list", "unexpected page %v", req)
	})
	if got := virga(t, pages, "", "kv", "list"); got.stdout != "KEY  KIND  SIZE\na    set   1\nb    set   1\nc    set   1\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	if got := virga(t, pages, "", "kv", "list", "--limit", "2"); !contains(got.stdout, "and more") || contains(got.stdout, "c ") {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
}
