package exec_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

func TestMessagesOfOneSenderAreTakenOnceAndInOrder(t *testing.T) {
	b := start(t, exec.Options{})
	ready, done := make(chan mesh.InvocationID), make(chan struct{})
	deaf := native(t, b, "deaf", mesh.Limits{}, func(ctx context.Context, _ fn.None) ([]string, error) {
		ready <- fn.ID(ctx)
		<-done
		messages, err := fn.Recv[string](ctx, 0)
		words := make([]string, len(messages))
		for i, message := range messages {
			words[i] = message.Body
		}
		return words, err
	})
	heard := make(chan []string, 1)
	go func() {
		words, err := call[[]string](t.Context(), b, deaf, nil)
		if err != nil {
			t.Error(err)
		}
		heard <- words
	}()
	id := <-ready
	one, other := mesh.InvocationID{Node: "one"}, mesh.InvocationID{Node: "other"}
	for _, m := range []struct {
		from          mesh.InvocationID
		number, after uint64
		word          string
	}{
		{one, 3, 2, "c"}, {one, 1, 0, "a"}, {other, 1, 0, "x"}, {one, 3, 2, "c"}, {one, 1, 0, "a"},
		{one, 5, 3, "e"}, {one, 2, 1, "b"}, {one, 4, 3, "too late"}, {one, 7, 6, "never"},
	} {
		body, err := codec.Encode(m.word)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Deliver(id, exec.Message{Message: fn.Message{From: m.from, Body: body}, Number: m.number, After: m.after}); err != nil {
			t.Errorf("message %d: %v", m.number, err)
		}
	}
	close(done)
	if got := fmt.Sprint(<-heard); got != "[a x b c e]" {
		t.Errorf("heard %s", got)
	}
}

func TestAnInboxIsBounded(t *testing.T) {
	b := start(t, exec.Options{})
	ready, done := make(chan mesh.InvocationID), make(chan struct{})
	deaf := native(t, b, "deaf", mesh.Limits{}, func(ctx context.Context, _ fn.None) (int, error) {
		ready <- fn.ID(ctx)
		<-done
		messages, err := fn.Recv[mesh.Value](ctx, 0)
		return len(messages), err
	})
	result := make(chan int, 1)
	go func() {
		n, err := call[int](t.Context(), b, deaf, nil)
		if err != nil {
			t.Error(err)
		}
		result <- n
	}()
	id := <-ready
	for range exec.MaxInboxMessages {
		if err := b.Deliver(id, exec.Message{Message: fn.Message{Body: mesh.Value{Format: mesh.Raw}}}); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, b.Deliver(id, exec.Message{Message: fn.Message{Body: mesh.Value{Format: mesh.Raw}}}), mesh.Overloaded, "inbox is full")
	close(done)
	if n := <-result; n != exec.MaxInboxMessages {
		t.Errorf("%d messages arrived", n)
	}
}
