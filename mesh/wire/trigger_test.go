package wire

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestTriggersComeBackAsTheyWere(t *testing.T) {
	for _, cause := range []mesh.Cause{
		{Kind: mesh.OnKey, Key: "k"},
		{Kind: mesh.OnPrefix},
		{Kind: mesh.OnCron, Cron: "0 9 * * mon", Zone: "Europe/Berlin"},
		{Kind: mesh.OnTime, After: time.Minute},
		{Kind: mesh.OnTime, At: time.Date(2027, 1, 2, 3, 4, 5, 6000, time.UTC)},
	} {
		want := mesh.TriggerStatus{
			Trigger: mesh.Trigger{
				Namespace: "n", Name: "t", ID: mesh.NewTriggerID(), Created: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Cause: cause,
				Func:   mesh.FuncRef{Namespace: "n", Name: "f", Version: "v"},
				Args:   []mesh.Value{{Format: mesh.Text, Data: []byte("a")}, {}},
				AtOnce: 3, Rate: 4, Attempts: 5, Timeout: 6 * time.Second,
			},
			Keeper: "node", LastFired: time.Date(2026, 2, 2, 3, 4, 5, 0, time.UTC), NextDue: time.Date(2026, 3, 2, 3, 4, 5, 0, time.UTC),
			Fired: 7, Failed: 8, Waiting: 9, LastError: "no",
		}
		got, err := ToTriggerStatus(FromTriggerStatus(&want))
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Args) == 2 && got.Args[1].IsZero() {
			got.Args[1] = mesh.Value{} // without its empty bytes
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v came back as %+v", want, got)
		}
	}
}

func TestDamagedTriggersAreInvalid(t *testing.T) {
	for _, m := range []*pb.Trigger{
		nil,
		{Namespace: "n", Name: "t", Dag: "d", Cause: uint32(mesh.OnPrefix), Id: []byte("short")},
		{Namespace: "n", Name: "t", Dag: "d", Cause: 300},
		{Namespace: "n", Name: "t", Dag: "d", Cause: uint32(mesh.OnTime), AfterUs: 1 << 63},
		{Namespace: "n", Name: "t", Dag: "d", Cause: uint32(mesh.OnPrefix), Args: []*pb.Value{{Format: 77}}},
		{Namespace: "n", Name: "t", Dag: "d", Cause: uint32(mesh.OnPrefix), Rate: 1<<32 - 1},
	} {
		if _, err := ToTrigger(m); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%v gave %v: expected Invalid", m, err)
		}
	}
}
