package link

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestSilence(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name  string
		looks []time.Duration // since the start, each without a sign of life
		rtt   time.Duration
		probe int // index of the look that probes; -1: none
		want  int // of the look that finds the peer silent; -1: none
	}{
		{"silent after a probe", []time.Duration{0, 20 * ms, 40 * ms, 60 * ms, 80 * ms, 100 * ms, 120 * ms}, 0, 3, 5},
		{"not before the time of three round trips", []time.Duration{0, 20 * ms, 40 * ms, 60 * ms, 80 * ms, 100 * ms, 120 * ms}, 20 * ms, 4, -1},
		{"later where this process is slow", []time.Duration{0, 45 * ms, 90 * ms, 135 * ms, 180 * ms, 225 * ms}, 0, 3, 5},
		{"not when this process is held up itself", []time.Duration{0, 20 * ms, 40 * ms, 60 * ms, 10 * time.Second, 20 * time.Second}, 0, 3, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, start := silence{after: 100 * ms, every: 20 * ms}, time.Unix(0, 0)
			for i, at := range c.looks {
				probe, changed := s.Look(start.Add(at), 7, c.rtt)
				if probe != (i == c.probe) {
					t.Errorf("look %d probes: %v", i, probe)
				}
				if changed != (i == c.want) {
					t.Errorf("look %d changes the judgement: %v", i, changed)
				}
			}
			if probe, changed := s.Look(start.Add(time.Hour), 8, c.rtt); probe || changed != (c.want >= 0) || s.silent {
				t.Error("a sign of life is not seen")
			}
		})
	}
}

func TestASuspicionIsBelievedUnlessThePeerWasHeard(t *testing.T) {
	const ms, rtt = time.Millisecond, 2 * time.Millisecond
	start := time.Unix(0, 0)
	watched := func(looks int) silence {
		s := silence{after: 100 * ms, every: 20 * ms}
		for at := range looks {
			s.Look(start.Add(time.Duration(at)*20*ms), 7, rtt)
		}
		return s
	}
	for _, c := range []struct {
		name  string
		s     silence
		after time.Duration
		heard uint64
		want  bool
	}{
		{"nobody waits for the peer", silence{after: 100 * ms, every: 20 * ms}, 0, 7, true},
		{"nothing was heard of it for long", watched(4), 90 * ms, 7, true},
		{"nothing was heard of it for a short while", watched(2), 25 * ms, 7, true},
		{"it was heard since the last look", watched(4), 90 * ms, 8, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := start.Add(c.after)
			if got := c.s.Suspect(at, c.heard); got != c.want || c.s.silent != c.want {
				t.Fatalf("believed: %v, silent: %v; want both %v", got, c.s.silent, c.want)
			}
			if c.want && c.s.Suspect(at, c.heard) {
				t.Error("who is silent is suspected once more")
			}
			if _, changed := c.s.Look(at.Add(20*ms), c.heard+1, rtt); changed != c.want || c.s.silent {
				t.Error("a sign of life is not seen")
			}
		})
	}
}

func TestAPeerThatAnotherOneHearsNothingOfIsNotWaitedFor(t *testing.T) {
	simulate(t, fixed(2*time.Millisecond), func(t *testing.T, s *simulation) {
		served := make(chan time.Duration, 1)
		var dead *Conn
		asks := serving(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
			start := time.Now()
			_, err := dead.CallUnlessSilent(ctx, &pb.Get{})
			served <- time.Since(start)
			if !errors.Is(err, ErrSilent) {
				t.Errorf("the request that is passed on: %v, want a silent peer", err)
			}
			return nil, nil
		})
		client, _ := s.node()
		passes, _ := s.node(asks)
		b, cut := s.node()
		dead = s.connect(passes, b)
		first, second := s.connect(client, b), s.connect(client, passes)
		cut.Store(true)
		if _, err := first.CallUnlessSilent(t.Context(), &pb.Put{}); !errors.Is(err, ErrSilent) {
			t.Fatal(err)
		}
		second.TellSuspect(t.Context(), first.Peer().ID)
		if _, err := second.Call(t.Context(), &pb.Put{}); err != nil {
			t.Error(err)
		}
		if took := <-served; took > 0 {
			t.Errorf("who was told waits for %v", took)
		}
		cut.Store(false)
		time.Sleep(2 * time.Second)
		if dead.Silent() {
			t.Error("the peer is heard again, and is still silent")
		}
		// A suspicion of a node that is well lasts for as long as its answer takes.
		second.TellSuspect(t.Context(), first.Peer().ID)
		time.Sleep(100 * time.Millisecond)
		if dead.Silent() {
			t.Error("a peer that answers is silent")
		}
	})
}

func TestASilentPeerIsKnownSoon(t *testing.T) {
	simulate(t, fixed(2*time.Millisecond), func(t *testing.T, s *simulation) {
		a, _ := s.node()
		b, cut := s.node()
		c := s.connect(a, b)
		cut.Store(true)
		start := time.Now()
		_, err := c.CallUnlessSilent(t.Context(), &pb.Put{})
		if took := time.Since(start); took > 150*time.Millisecond || mesh.KindOf(err) != mesh.Unavailable || !errors.Is(err, ErrSilent) || !c.Silent() {
			t.Fatalf("after %v: %v, want a silent peer within 150ms", took, err)
		}
		start = time.Now()
		if _, err = c.CallUnlessSilent(t.Context(), &pb.Put{}); !errors.Is(err, ErrSilent) || time.Since(start) > 0 {
			t.Errorf("the next call waits for %v: %v", time.Since(start), err)
		}
		cut.Store(false)
		time.Sleep(2 * time.Second)
		if _, err := c.CallUnlessSilent(t.Context(), &pb.Put{}); err != nil || c.Silent() {
			t.Errorf("after the peer was heard again: %v", err)
		}
	})
}

func TestAPeerThatTakesItsTimeIsNotSilent(t *testing.T) {
	simulate(t, fixed(40*time.Millisecond), func(t *testing.T, s *simulation) {
		slow := serving(func(ctx context.Context, _ *Conn, _ wire.Message) (wire.Message, error) {
			time.Sleep(20 * time.Second)
			return nil, nil
		})
		a, _ := s.node()
		b, _ := s.node(slow)
		c := s.connect(a, b)
		if _, err := c.CallUnlessSilent(t.Context(), &pb.Put{}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if c.Silent() {
			t.Error("an idle peer is silent")
		}
	})
}
