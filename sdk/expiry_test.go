package sdk_test

import (
	"errors"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

// untilMissing waits until a key is missing.
func untilMissing(t *testing.T, client *sdk.Client, name string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		_, err := client.Get(t.Context(), name)
		if errors.Is(err, mesh.NotFound) {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%s: %v, want it to expire", name, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTimeToLive(t *testing.T) {
	onBothWays(t, func(t *testing.T, client *sdk.Client) {
		ctx := t.Context()
		kept := func(ttl time.Duration) *sdk.Client { return client.WithState(sdk.StateOptions{TTL: ttl}) }
		expect := func(name string, most time.Duration) {
			t.Helper()
			ttl, expires, err := client.TTL(ctx, name)
			if err != nil || expires != (most > 0) || ttl > most || ttl < most-time.Minute {
				t.Errorf("%s is kept for %v, %v, %v: want %v", name, ttl, expires, err, most)
			}
		}
		if err := sdk.Register[int](kept(time.Hour), "n").Put(ctx, 1); err != nil {
			t.Fatal(err)
		}
		expect("n", time.Hour)
		if err := sdk.Register[int](client, "n").Put(ctx, 2); err != nil {
			t.Fatal(err)
		}
		expect("n", 0)
		if err := sdk.Set[string](kept(time.Hour), "set").Add(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if err := sdk.Set[string](client, "set").Add(ctx, "b"); err != nil {
			t.Fatal(err)
		}
		expect("set", time.Hour)
		if ack, err := client.Persist(ctx, "set"); err != nil || ack.Replicas < 1 {
			t.Errorf("Persist = %+v, %v", ack, err)
		}
		expect("set", 0)
		if _, err := client.Touch(ctx, "set", 50*time.Hour); err != nil {
			t.Fatal(err)
		}
		expect("set", 50*time.Hour)

		if err := sdk.Register[int](kept(time.Millisecond), "short").Put(ctx, 1); err != nil {
			t.Fatal(err)
		}
		untilMissing(t, client, "short")
		_, err := client.Touch(ctx, "short", time.Hour)
		wantKind(t, err, mesh.NotFound)
		_, _, err = client.TTL(ctx, "short")
		wantKind(t, err, mesh.NotFound)
		_, err = client.Persist(ctx, "never")
		wantKind(t, err, mesh.NotFound)
		for _, wrong := range []time.Duration{-time.Second, 0, time.Microsecond, 200 * 365 * 24 * time.Hour} {
			_, err = client.Touch(ctx, "set", wrong)
			wantKind(t, err, mesh.Invalid)
			if wrong != 0 {
				wantKind(t, sdk.Register[int](kept(wrong), "n").Put(ctx, 1), mesh.Invalid)
			}
		}
	})
}
