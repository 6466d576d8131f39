package main

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// placing answers PutTrigger with the trigger as it was put, and keeps it.
func placing(t *testing.T, put **pb.Trigger) answer {
	return func(req wire.Message) (wire.Message, error) {
		m, ok := req.(*pb.PutTrigger)
		if !ok || len(m.Trigger.Id) != 16 {
			t.Errorf("the mesh was asked for %T %v: expected a trigger with an id", req, req)
		}
		*put = m.Trigger
		return &pb.GetTriggerReply{Info: &pb.TriggerInfo{Trigger: m.Trigger}}, nil
	}
}

func TestTriggerCreateSendsWhatItsFlagsSay(t *testing.T) {
	function := &pb.FuncRef{Namespace: "default", Name: "f"}
	for _, c := range []struct {
		args []string
		want *pb.Trigger
	}{
		{[]string{"--on-key", "k", "--run", "f"}, &pb.Trigger{Func: function, Cause: uint32(mesh.OnKey), Key: "k"}},
		{[]string{"--on-prefix", "", "--run", "f"}, &pb.Trigger{Func: function, Cause: uint32(mesh.OnPrefix)}},
		{[]string{"--on-prefix", "p", "--dag", "d", "--at-once", "2", "--rate", "3", "--attempts", "4", "--run-timeout", "5s"},
			&pb.Trigger{Dag: "d", Cause: uint32(mesh.OnPrefix), Key: "p", AtOnce: 2, Rate: 3, Attempts: 4, TimeoutUs: 5e6}},
		{[]string{"--cron", "*/5 * * * *", "--zone", "Europe/Berlin", "--run", "f", `"x"`},
			&pb.Trigger{Func: function, Cause: uint32(mesh.OnCron), Cron: "*/5 * * * *", Zone: "Europe/Berlin",
				Args: []*pb.Value{{Format: uint32(mesh.CBOR), Data: []byte("\x61x")}}}},
		{[]string{"--after", "10m", "--run", "f"}, &pb.Trigger{Func: function, Cause: uint32(mesh.OnTime), AfterUs: 600e6}},
		{[]string{"--at", "2027-01-01T01:00:00+01:00", "--run", "f"},
			&pb.Trigger{Func: function, Cause: uint32(mesh.OnTime), AtUnixUs: 1798761600e6}},
	} {
		var put *pb.Trigger
		got := virga(t, placing(t, &put), "", append([]string{"trigger", "create", "t"}, c.args...)...)
		if got.err != nil {
			t.Errorf("%v: %v", c.args, got.err)
			continue
		}
		c.want.Namespace, c.want.Name, put.Id = "default", "t", nil
		if !proto.Equal(put, c.want) {
			t.Errorf("%v sent\n%v, expected\n%v", c.args, put, c.want)
		}
	}
}

func TestTriggerUsageErrorsSayWhatWasExpected(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"t --run f", "expected one of them"},
		{"t --on-key k --cron @daily --run f", "2 of --on-key"},
		{"t --on-key k", "--run and --dag"},
		{"t --on-key k --run f --dag d", "--run and --dag"},
		{"t --cron * --run f", "five fields"},
		{"t --cron @daily --zone Mars --run f", "time zone"},
		{"t --on-key k --zone UTC --run f", "--zone is for --cron"},
		{"t --at tomorrow --run f", "expected a moment"},
		{"t --after -1s --run f", "a delay"},
		{"t --on-key k --run f hello", "not JSON"},
		{"a/b --on-key k --run f", "trigger name"},
		{"t --on-key k --run f --attempts -1", "attempts"},
	} {
		got := virga(t, unasked(t), "", append([]string{"trigger", "create"}, strings.Fields(c.args)...)...)
		if got.code != 2 || !strings.Contains(got.stderr, c.want) {
			t.Errorf("%s: code %d, %q: expected %q", c.args, got.code, got.stderr, c.want)
		}
	}
}

func TestTriggerListTellsHowTriggersStand(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	keeper := mesh.NodeID("a keeper")
	base := mesh.Trigger{Namespace: "default", Created: at, Func: mesh.FuncRef{Namespace: "default", Name: "f"}}.WithDefaults()
	named := func(name string, cause mesh.Cause) mesh.Trigger {
		t := base
		t.Name, t.Cause = name, cause
		return t
	}
	infos := []*pb.TriggerInfo{
		wire.FromTriggerStatus(&mesh.TriggerStatus{
			Trigger: named("index", mesh.Cause{Kind: mesh.OnPrefix, Key: "page/"}),
			Keeper:  keeper, LastFired: at, Fired: 3, Failed: 1, Waiting: 2,
		}),
		wire.FromTriggerStatus(&mesh.TriggerStatus{
			Trigger: named("report", mesh.Cause{Kind: mesh.OnCron, Cron: "0 9 * * *", Zone: "Europe/Berlin"}), NextDue: at.Add(time.Hour),
		}),
	}
	ask := expecting(t, &pb.ListTriggers{Namespace: "default"}, &pb.ListTriggersReply{Triggers: infos})
	want := "NAME    ON                            RUNS  LAST FIRED            NEXT DUE              FIRED  FAILED  WAITING  KEEPER\n" +
		"index   prefix page/                  f     2026-05-04T03:02:01Z  -                     3      1       2        " + keeper.String() + "\n" +
		"report  cron 0 9 * * * Europe/Berlin  f     -                     2026-05-04T04:02:01Z  0      0       0        -\n"
	if got := virga(t, ask, "", "trigger", "list"); got.stdout != want {
		t.Errorf("printed\n%s%s, want\n%s", got.stdout, got.stderr, want)
	}
	got := virga(t, ask, "", "trigger", "list", "--output", "json")
	for _, part := range []string{`"last_fired": "2026-05-04T03:02:01Z"`, `"next_due": null`, `"failed": 1`, `"zone": "Europe/Berlin"`, `"keeper": "` + keeper.String()} {
		if !strings.Contains(got.stdout, part) {
			t.Errorf("printed\n%s, want %s in it", got.stdout, part)
		}
	}
	ask = expecting(t, &pb.DeleteTrigger{Namespace: "default", Name: "index"}, &pb.Done{})
	if got := virga(t, ask, "", "trigger", "delete", "index"); got.stdout != "deleted trigger index\n" {
		t.Errorf("printed %q %q", got.stdout, got.stderr)
	}
}
