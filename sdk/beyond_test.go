package sdk_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// One key goes through all that there is beyond gets and puts: compare and
// set, a range, a scan, a time to live whose end a watch tells, a delete, and
// a backup that is restored after it.
func TestAKeyBeyondGetsAndPuts(t *testing.T) {
	client := meshtest.New(t, 2).Client(0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	word := sdk.Register[string](client, "word")
	version, err := word.CompareAndSet(ctx, sdk.Absent, "hello")
	must("compare and set", err)
	if _, err := word.CompareAndSet(ctx, sdk.Absent, "other"); !errors.Is(err, mesh.Conflict) {
		t.Errorf("from a version that it has not: %v, want Conflict", err)
	}
	_, err = word.CompareAndSet(ctx, version, "hello world")
	must("compare and set", err)
	part, err := client.GetRange(ctx, "word", 6, 5)
	if must("range", err); string(part) != "world" {
		t.Errorf("the range is %q", part)
	}
	for key, err := range client.Scan(ctx, "wo") {
		if must("scan", err); key.Name != "word" || key.Omitted {
			t.Errorf("the scan gives %+v", key)
		}
	}
	saved := backUpWord(ctx, t, client)
	began := make(chan struct{})
	expired := make(chan error, 1)
	go func() { expired <- awaitExpiry(ctx, client, "word", began) }()
	<-began
	_, err = client.Touch(ctx, "word", 10*time.Millisecond)
	must("touch", err)
	must("the watch", <-expired)
	if _, err := word.Get(ctx); !errors.Is(err, mesh.NotFound) {
		t.Errorf("after its time: %v, want NotFound", err)
	}
	must("put", word.Put(ctx, "anew"))
	must("delete", client.Delete(ctx, "word"))
	if _, err := word.Get(ctx); !errors.Is(err, mesh.NotFound) {
		t.Errorf("after the delete: %v, want NotFound", err)
	}
	other := meshtest.New(t, 1).Client(0)
	for _, record := range saved {
		must("restore", other.Restore(ctx, []mesh.Record{record}))
	}
	if got, err := sdk.Register[string](other, "word").Get(ctx); err != nil || got != "hello world" {
		t.Errorf("restored: %q, %v", got, err)
	}
}

// backUpWord reads the backup of the partition of word.
func backUpWord(ctx context.Context, t *testing.T, client *sdk.Client) (all []mesh.Record) {
	t.Helper()
	key := mesh.Key{Namespace: mesh.DefaultNamespace, Name: "word"}
	for record, err := range client.Backup(ctx, key.Partition()) {
		if err != nil {
			t.Fatal(err)
		}
		if record.Key == key {
			all = append(all, record)
		}
	}
	return all
}

// awaitExpiry returns when a watch tells that a key expired; it closes began at the first event.
func awaitExpiry(ctx context.Context, client *sdk.Client, name string, began chan<- struct{}) error {
	first := true
	for event, err := range client.WatchKey(ctx, name, "") {
		if err != nil {
			return err
		}
		if first {
			close(began)
			first = false
		}
		if event.Kind == sdk.ExpireEvent {
			return nil
		}
	}
	return ctx.Err()
}
