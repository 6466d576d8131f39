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
		{"not before the time of three round trips", []time.Duration{0, 50 * ms, 100 * ms, 150 * ms, 200 * ms}, 100 * ms, 4, -1},
		{"not when this process is held up itself", []time.Duration{0, 20 * ms, 40 * ms, 60 * ms, 10 * time.Second, 20 * time.Second}, 0, 3, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, start := silence{after: 100 * ms}, time.Unix(0, 0)
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
