package link

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

func TestHowLongARequestWasOnItsWay(t *testing.T) {
	const ms, ahead = time.Millisecond, 1<<32 - 1_000 // the peer's clock wraps around
	type arrives struct{ sent, at, want time.Duration }
	for name, arrivals := range map[string][]arrives{
		"as quick as the first":               {{0, 3 * ms, 0}, {10 * ms, 13 * ms, 0}},
		"the first is slower than the second": {{0, 30 * ms, 0}, {40 * ms, 41 * ms, 0}, {50 * ms, 80 * ms, 29 * ms}},
		"held up":                             {{0, ms, 0}, {10 * ms, 3 * time.Second, 3*time.Second - 11*ms}, {3 * time.Second, 3*time.Second + ms, 0}},
		"held up after a long silence":        {{0, ms, 0}, {time.Hour, time.Hour + 4*time.Second, 4*time.Second - ms}},
		"a clock that stood still, in the end": {
			{0, ms, 0}, {ms, time.Second + 2*ms, time.Second},
			{12 * time.Second, 13*time.Second + ms, time.Second}, {24 * time.Second, 25*time.Second + ms, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var a arrival
			for i, arrives := range arrivals {
				if age := a.Age(ahead+clockAt(arrives.sent), arrives.at); age != arrives.want {
					t.Errorf("request %d was on its way for %v: expected %v", i, age, arrives.want)
				}
			}
		})
	}
}

// served notes what a handler begins, and until when it might.
type served struct {
	mu    sync.Mutex
	names []string
	until []time.Duration
}

func (*served) Inline(wire.Type) bool { return false }

func (s *served) Serve(ctx context.Context, _ *Conn, req wire.Message) (wire.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = append(s.names, req.(*pb.Put).Key.GetName())
	if by := mesh.BeginBy(ctx); !by.IsZero() {
		s.until = append(s.until, time.Until(by).Round(time.Millisecond))
	}
	return nil, nil
}

func putNamed(name string, bytes int) *pb.Put {
	return &pb.Put{Key: &pb.Key{Name: name}, Op: make([]byte, bytes)}
}

// Who gives a silent peer up may ask another: what the first is asked must not
// be begun after that, however late it arrives.
func TestWhatComesLateIsNotBegun(t *testing.T) {
	for name, bytes := range map[string]int{"small": 10, "large": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fixed(2*time.Millisecond), func(t *testing.T, s *simulation) {
				handler := &served{}
				a, cut := s.node()
				b, _ := s.node(func(c *Config) { c.Handler = handler })
				c := s.connect(a, b)
				const within = 300 * time.Millisecond
				if _, err := c.CallFresh(t.Context(), putNamed("in time", bytes), Freshness{Within: within}); err != nil {
					t.Fatal(err)
				}
				cut.Store(true) // what is lost meanwhile, QUIC sends again
				began := time.Now()
				_, err := c.CallFresh(t.Context(), putNamed("given up", bytes), Freshness{Within: within})
				if took := time.Since(began); !errors.Is(err, ErrSilent) || errors.Is(err, mesh.ErrUnsent) || took < within || took > within+50*time.Millisecond {
					t.Errorf("given up after %v: %v, want a silent peer after %v", took, err, within)
				}
				if _, err := c.CallFresh(t.Context(), putNamed("to a silent one", bytes), Freshness{Within: within}); !errors.Is(err, ErrSilent) || !errors.Is(err, mesh.ErrUnsent) {
					t.Errorf("to a peer that is silent: %v, want one that was not sent", err)
				}
				late := make(chan error)
				go func() {
					_, err := c.CallFresh(t.Context(), putNamed("waited for", bytes), Freshness{Within: within, Patient: true})
					late <- err
				}()
				time.Sleep(time.Second) // virtual
				cut.Store(false)
				if err := <-late; !errors.Is(err, mesh.ErrLate) || mesh.KindOf(err) != mesh.Unavailable {
					t.Errorf("what came late: %v, want ErrLate, which is Unavailable", err)
				}
				time.Sleep(time.Second) // virtual: what was lost has come by then
				if _, err := c.CallFresh(t.Context(), putNamed("again", bytes), Freshness{Within: within}); err != nil {
					t.Error(err)
				}
				handler.mu.Lock()
				defer handler.mu.Unlock()
				if len(handler.names) != 2 || handler.names[0] != "in time" || handler.names[1] != "again" {
					t.Errorf("begun were %q", handler.names)
				}
				for _, left := range handler.until {
					if left <= within/2 || left > within {
						t.Errorf("the handler had %v left of %v", left, within)
					}
				}
			})
		})
	}
}

// As long as the peer may begin what it was asked the caller cannot go
// elsewhere: it may as well take the answer.
func TestAPeerThatIsHeardInTimeIsNotGivenUp(t *testing.T) {
	for name, bytes := range map[string]int{"small": 10, "large": 200 << 10} {
		t.Run(name, func(t *testing.T) {
			simulate(t, fixed(2*time.Millisecond), func(t *testing.T, s *simulation) {
				a, cut := s.node()
				b, _ := s.node(func(c *Config) { c.Handler = &served{} })
				c := s.connect(a, b)
				cut.Store(true)
				time.AfterFunc(300*time.Millisecond, func() {
					if !c.Silent() {
						t.Error("the peer is not silent: there is nothing to test")
					}
					cut.Store(false)
				})
				if _, err := c.CallFresh(t.Context(), putNamed("a", bytes), Freshness{Within: 2 * time.Second}); err != nil {
					t.Errorf("a peer that is heard in time: %v", err)
				}
			})
		})
	}
}
