package main

import (
	"strings"
	"testing"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// events answers a watch with a page of each kind of event, and then fails.
func events(t *testing.T) answer {
	page := 0
	return func(req wire.Message) (wire.Message, error) {
		m, ok := req.(*pb.Watch)
		if !ok || m.Prefix != "user/" {
			t.Errorf("asked for %v", req)
		}
		switch page++; page {
		case 1:
			return &pb.WatchReply{Token: []byte("1")}, nil
		case 2:
			value := state(t, lattice.LWWKind, lattice.SetOp(payloadOf(t, "Ada")))
			return &pb.WatchReply{Token: []byte("2"), Events: []*pb.WatchEvent{
				{Name: "user/1", Value: value.AppendBinary(nil)}, {Name: "user/2", Omitted: true},
				{Name: "user/3"}, {Name: "user/4", Expired: true}, {Name: "user/3"},
			}}, nil
		case 3:
			return &pb.WatchReply{Token: []byte("3"), Lagged: true}, nil
		}
		return nil, mesh.Errorf(mesh.Unavailable, "watch", "no more")
	}
}

func TestWatchShowsEachKindOfEvent(t *testing.T) {
	got := virga(t, events(t), "", "kv", "watch", "user/")
	if want := "put user/1 \"Ada\"\nput user/2 (too large to be told)\ndelete user/3\nexpire user/4\nlagged\n"; got.stdout != want {
		t.Errorf("printed %q %q: expected %q", got.stdout, got.stderr, want)
	}
	if got.code == 0 || !strings.Contains(got.stderr, "--from Mw") {
		t.Errorf("code %d, %q: expected the last token", got.code, got.stderr)
	}
	got = virga(t, events(t), "", "kv", "watch", "user/", "-o", "json")
	if want := `{"event":"mark","token":"MQ"}
{"event":"put","key":"user/1","kind":"lww","value":"Ada","token":"MQ"}
{"event":"put","key":"user/2","omitted":true,"token":"MQ"}
{"event":"delete","key":"user/3","token":"MQ"}
{"event":"expire","key":"user/4","token":"Mg"}
{"event":"lagged","token":"Mw"}
`; got.stdout != want {
		t.Errorf("printed %s", got.stdout)
	}
}

func TestListsWithValues(t *testing.T) {
	pages := answer(func(req wire.Message) (wire.Message, error) {
		m, ok := req.(*pb.Scan)
		if !ok || m.Prefix != "k" {
			t.Errorf("asked for %v", req)
		}
		if m.After != "" {
			return &pb.ScanReply{Keys: []*pb.ScannedKey{{Name: "k3", Omitted: true}}}, nil
		}
		set := state(t, lattice.SetKind, lattice.AddOp(string(payloadOf(t, "a"))))
		return &pb.ScanReply{Keys: []*pb.ScannedKey{{Name: "k1", Value: set.AppendBinary(nil)}}, Last: "k2", More: true}, nil
	})
	if got := virga(t, pages, "", "kv", "list", "k", "--values"); got.stdout != "k1 [\"a\"]\nk3 (too large for a list)\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
	if got := virga(t, pages, "", "kv", "list", "k", "--values", "--limit", "1"); got.stdout != "k1 [\"a\"]\n... and more; see --limit\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
}

func TestGetOfARange(t *testing.T) {
	for text, want := range map[string]*pb.GetRange{
		"5:3": {Offset: 5, Length: 3}, "5:": {Offset: 5},
	} {
		ask := answer(func(req wire.Message) (wire.Message, error) {
			m, ok := req.(*pb.GetRange)
			if !ok || m.Offset != want.Offset || m.Length != want.Length || m.Key.Name != "k" {
				t.Errorf("asked for %v: expected %v", req, want)
			}
			return &pb.GetRangeReply{Data: []byte("abc"), Size: 8, Version: []byte("v")}, nil
		})
		if got := virga(t, ask, "", "kv", "get", "k", "--range", text); got.stdout != "abc" || got.code != 0 {
			t.Errorf("printed %q %q", got.stdout, got.stderr)
		}
	}
}
