package watch

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// copies are what a node holds; a nil cell cannot be read.
type copies map[string]*lattice.Cell

func (c copies) Get(key mesh.Key) (lattice.Cell, bool, error) {
	cell, has := c[key.Name]
	switch {
	case !has:
		return lattice.Cell{}, false, nil
	case cell == nil:
		return lattice.Cell{}, false, errors.New("the disk is broken")
	}
	return *cell, true, nil
}

// owned is the placement of a node that owns the keys whose names begin so.
type owned string

func (o owned) Owners(mesh.Key, int) []mesh.NodeID { return nil }
func (o owned) Owns(key mesh.Key, _ int) bool      { return strings.HasPrefix(key.Name, string(o)) }
func (o owned) Live() []mesh.NodeID                { return nil }

func tailing(local copies, placement owned) *Watches {
	return New(Options{Ring: NewRing(1024, true), Local: local, Placement: placement})
}

func tailText(m *pb.TailReply) string {
	var words []string
	for _, key := range m.Keys {
		state := "omitted"
		if !key.Omitted {
			cell, err := lattice.DecodeCell(key.Cell)
			switch v, exists := cell.Value(); {
			case err != nil:
				state = err.Error()
			case !exists && cell.ResetByExpiry():
				state = "expired"
			case !exists:
				state = "deleted"
			default:
				state = fmt.Sprint(v.Len())
			}
		}
		words = append(words, key.Name+" "+state)
	}
	if m.Lost {
		words = append(words, "lost")
	}
	return strings.Join(append(words, fmt.Sprint("up to ", m.Next)), ", ")
}

func cellPointer(c lattice.Cell) *lattice.Cell { return &c }

func TestATailTellsTheStateOfWhatChanged(t *testing.T) {
	long := make([]string, 300)
	for i := range long {
		long[i] = fmt.Sprint(i)
	}
	huge := setOf(t, strings.Repeat("x", 2*maxCell))
	past := lattice.ExpiryAfter(time.Second, time.Now().Add(-time.Minute), lattice.Stamp{Time: 1, Node: "n"})
	local := copies{
		"set": cellPointer(setOf(t, "a", "b")), "divided": cellPointer(setOf(t, long...)), "huge": &huge, "broken": nil,
		"gone":    cellPointer(lattice.NewCell(lattice.Stamp{Time: 9, Node: "n"}, lattice.Value{})),
		"expired": cellPointer(setOf(t, "a").WithExpiry(past)),
	}
	for _, test := range []struct {
		changed string
		want    string
	}{
		{"set", "set 2, up to 1"},
		{"divided huge broken", "divided omitted, huge omitted, broken omitted, up to 3"},
		{"gone expired", "gone deleted, expired expired, up to 2"},
		{"elsewhere set", "set 2, up to 2"},
		{"set mine/collected", "lost, up to 2"},
		{"", "up to 0"},
	} {
		w := tailing(local, "mine/")
		for name := range strings.FieldsSeq(test.changed) {
			w.Ring.Changed(named(name), lattice.Cell{})
		}
		reply, err := w.HandleTail(t.Context(), &pb.Tail{Namespace: "default"})
		if err != nil || tailText(reply) != test.want {
			t.Errorf("%q: %s, %v; want %s", test.changed, tailText(reply), err, test.want)
		}
	}
}

func TestATailIsBounded(t *testing.T) {
	local := copies{}
	w := tailing(local, "")
	for n := range 2 * maxTold {
		name := fmt.Sprintf("small/%04d", n)
		local[name] = cellPointer(setOf(t, "a"))
		w.Ring.Changed(named(name), lattice.Cell{})
	}
	reply, err := w.HandleTail(t.Context(), &pb.Tail{Namespace: "default"})
	if err != nil || len(reply.Keys) != maxTold || reply.Next != maxTold {
		t.Errorf("%d keys up to %d, %v: expected %d", len(reply.Keys), reply.Next, err, maxTold)
	}
	end := reply.Next + maxTold
	for n := range 4 {
		name := fmt.Sprint("large/", n)
		local[name] = cellPointer(setOf(t, strings.Repeat("x", maxToldBytes)))
		w.Ring.Changed(named(name), lattice.Cell{})
	}
	reply, err = w.HandleTail(t.Context(), &pb.Tail{Namespace: "default", Incarnation: w.Ring.incarnation, From: end})
	if err != nil || len(reply.Keys) != 1 || reply.Next != end+1 {
		t.Errorf("%d large keys up to %d, %v: expected one", len(reply.Keys), reply.Next, err)
	}
}

func TestATailWaitsForAFirstChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := tailing(copies{"k": cellPointer(setOf(t, "a")), "other": cellPointer(setOf(t, "a"))}, "")
		ask := &pb.Tail{Namespace: "default", Prefix: "k", WaitMs: 10_000}
		began := time.Now()
		reply, err := w.HandleTail(t.Context(), ask)
		if err != nil || len(reply.Keys) > 0 || time.Since(began) != 10*time.Second {
			t.Errorf("without a change: %s, %v after %v", tailText(reply), err, time.Since(began))
		}
		go func() {
			for range 5 {
				time.Sleep(time.Second)
				w.Ring.Changed(named("other"), lattice.Cell{})
			}
			w.Ring.Changed(named("k"), lattice.Cell{})
		}()
		began = time.Now()
		reply, err = w.HandleTail(t.Context(), ask)
		if err != nil || tailText(reply) != "k 1, up to 6" || time.Since(began) > 6*time.Second {
			t.Errorf("with one: %s, %v after %v", tailText(reply), err, time.Since(began))
		}
		closing := make(chan struct{})
		go func() {
			time.Sleep(time.Second)
			w.Close()
			close(closing)
		}()
		ask.Incarnation, ask.From = reply.Incarnation, reply.Next
		if _, err := w.HandleTail(t.Context(), ask); !errors.Is(err, mesh.Unavailable) {
			t.Errorf("at a node that stops: %v, want Unavailable", err)
		}
		<-closing
		if _, err := w.HandleTail(t.Context(), ask); !errors.Is(err, mesh.Unavailable) {
			t.Errorf("at a node that stopped: %v, want Unavailable", err)
		}
	})
}
