package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

var testKey = &pb.Key{Namespace: "default", Name: "k"}

func TestTimesToLiveAreSent(t *testing.T) {
	set := lattice.SetOp(payloadOf(t, "v")).AppendBinary(nil)
	for args, want := range map[string]wire.Message{
		"put k v --ttl 90s":     &pb.Put{Key: testKey, Kind: uint32(lattice.LWWKind), Op: set, TtlMs: 90_000},
		"inc k --ttl 12h":       &pb.Put{Key: testKey, Kind: uint32(lattice.PNCounterKind), Op: lattice.IncOp(1).AppendBinary(nil), TtlMs: 43_200_000},
		"touch k 1ms":           &pb.Touch{Key: testKey, TtlMs: 1},
		"touch k 2s --quorum 3": &pb.Touch{Key: testKey, TtlMs: 2000, WriteQuorum: 3},
		"persist k":             &pb.Touch{Key: testKey},
	} {
		got := virga(t, expecting(t, want, &pb.PutReply{Replicas: 2, Durability: uint32(mesh.Logged)}), "", append([]string{"kv"}, strings.Fields(args)...)...)
		if got.code != 0 || got.stdout != "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	for _, wrong := range []string{"put k v --ttl 5", "put k v --ttl -1s", "touch k 0s", "touch k soon"} {
		got := virga(t, unasked(t), "", append([]string{"kv"}, strings.Fields(wrong)...)...)
		if got.code != 2 || !contains(got.stderr, "expected") {
			t.Errorf("%s: %+v", wrong, got)
		}
	}
}

func TestTTLTellsHowLongAKeyIsKept(t *testing.T) {
	value := state(t, lattice.SetKind, lattice.AddOp("x")).AppendBinary(nil)
	for ttl, want := range map[uint64]string{0: "for ever\n", 90_500: "1m30.5s\n"} {
		ask := expecting(t, &pb.Get{Key: testKey, Details: true}, &pb.GetReply{Value: value, TtlMs: ttl})
		if got := virga(t, ask, "", "kv", "ttl", "k"); got.stdout != want {
			t.Errorf("%d ms: %+v", ttl, got)
		}
	}
	ask := expecting(t, &pb.Get{Key: testKey, Details: true}, &pb.GetReply{Value: value, TtlMs: 5})
	if got := virga(t, ask, "", "kv", "ttl", "k", "-o", "json"); !contains(got.stdout, `"expires": true`) || !contains(got.stdout, `"ttl_ms": 5`) {
		t.Errorf("%+v", got)
	}
}

func TestCompareAndSetCommand(t *testing.T) {
	set := lattice.SetOp(payloadOf(t, "v")).AppendBinary(nil)
	for version, sent := range map[string]string{"absent": "", "4f2a": "4f2a"} {
		want := &pb.CompareAndSet{Key: testKey, Version: sent, Kind: uint32(lattice.LWWKind), Op: set, TtlMs: 1000}
		got := virga(t, expecting(t, want, &pb.PutReply{Version: "77"}), "", "kv", "cas", "k", version, "v", "--ttl", "1s")
		if got.stdout != "77\n" {
			t.Errorf("%s: %+v", version, got)
		}
		conflict := answer(func(wire.Message) (wire.Message, error) { return &pb.PutReply{Version: "88", Conflict: true}, nil })
		got = virga(t, conflict, "", "kv", "cas", "k", version, "v")
		if got.code == 0 || !contains(got.stderr, "version 88") {
			t.Errorf("a conflict: %+v", got)
		}
	}
	value := state(t, lattice.LWWKind, lattice.SetOp(payloadOf(t, "v"))).AppendBinary(nil)
	ask := expecting(t, &pb.Get{Key: testKey, Details: true}, &pb.GetReply{Value: value, Version: "77"})
	if got := virga(t, ask, "", "kv", "get", "k", "--versioned"); got.stdout != "77\nv\n" {
		t.Errorf("%+v", got)
	}
}

func TestBatchCommands(t *testing.T) {
	value := state(t, lattice.LWWKind, lattice.SetOp(payloadOf(t, "v"))).AppendBinary(nil)
	failing := func(kind mesh.ErrorKind) *pb.BatchAnswer {
		return &pb.BatchAnswer{Error: wire.FromError(mesh.Errorf(kind, "", "no"), "")}
	}
	other := &pb.Key{Namespace: "default", Name: "l"}
	gets := &pb.GetAll{Keys: []*pb.Key{testKey, other}}
	ask := expecting(t, gets, &pb.BatchReply{Answers: []*pb.BatchAnswer{{Value: value}, failing(mesh.NotFound)}})
	got := virga(t, ask, "", "kv", "mget", "k", "l")
	if got.code != 0 || got.stdout != "KEY  KIND  VALUE\nk    lww   \"v\"\nl          NotFound\n" {
		t.Errorf("%+v", got)
	}
	ask = expecting(t, gets, &pb.BatchReply{Answers: []*pb.BatchAnswer{{Value: value}, failing(mesh.Denied)}})
	if got := virga(t, ask, "", "kv", "mget", "k", "l", "-o", "json"); got.code == 0 || !contains(got.stdout, `"error": "Denied"`) {
		t.Errorf("%+v", got)
	}

	put := func(key *pb.Key, v string) *pb.Put {
		return &pb.Put{Key: key, Kind: uint32(lattice.LWWKind), Op: lattice.SetOp(payloadOf(t, v)).AppendBinary(nil), TtlMs: 1000}
	}
	puts := &pb.PutAll{Puts: []*pb.Put{put(testKey, "a"), put(other, "b")}}
	ask = expecting(t, puts, &pb.BatchReply{Answers: []*pb.BatchAnswer{{Replicas: 2, Durability: uint32(mesh.Logged)}, failing(mesh.KindMismatch)}})
	got = virga(t, ask, "", "kv", "mput", "k", "a", "l", "b", "--ttl", "1s")
	if got.code == 0 || got.stdout != "l: KindMismatch\n" {
		t.Errorf("%+v", got)
	}
	if got := virga(t, unasked(t), "", "kv", "mput", "k", "a", "l"); got.code != 2 || !contains(got.stderr, "pairs") {
		t.Errorf("%+v", got)
	}
}
