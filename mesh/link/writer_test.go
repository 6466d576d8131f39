package link

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh"
)

// gatedStream is a send stream whose writes wait for a gate.
type gatedStream struct {
	mu      sync.Mutex
	written bytes.Buffer
	writes  int
	gate    chan error // what each Write returns; nil: none waits
	full    bool       // TryWriteAll would block
	err     error      // of TryWriteAll
}

func (s *gatedStream) Write(p []byte) (int, error) {
	if s.gate != nil {
		if err := <-s.gate; err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.written.Write(p)
}

func (s *gatedStream) TryWriteAll(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return quic.ErrWouldBlock
	}
	if s.err == nil {
		s.written.Write(p)
	}
	return s.err
}

// writerOn makes a writer whose goroutines the test waits for.
func writerOn(t *testing.T, s *gatedStream, limit int) *frameWriter {
	t.Helper()
	var tasks sync.WaitGroup
	t.Cleanup(tasks.Wait)
	return &frameWriter{stream: s, limit: limit, spawn: func(f func()) bool { tasks.Go(f); return true }}
}

func TestQuietFramesAreWrittenAtOnce(t *testing.T) {
	s := &gatedStream{}
	w := writerOn(t, s, 1000)
	if _, err := w.write(t.Context(), []byte("frame"), true); err != nil || s.written.String() != "frame" {
		t.Errorf("%q, %v", s.written.String(), err)
	}
}

func TestFramesOfEachWriterStayWholeAndInOrder(t *testing.T) {
	const writers, frames = 20, 200
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		s := &gatedStream{}
		w := writerOn(t, s, 500)
		var writing sync.WaitGroup
		for id := range writers {
			writing.Go(func() {
				random := rand.New(rand.NewPCG(seed, uint64(id)))
				for n := range frames {
					frame := make([]byte, 12+random.IntN(100))
					binary.BigEndian.PutUint32(frame, uint32(len(frame)))
					binary.BigEndian.PutUint32(frame[4:], uint32(id))
					binary.BigEndian.PutUint32(frame[8:], uint32(n))
					if _, err := w.write(t.Context(), frame, random.IntN(2) == 0); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writing.Wait()
		synctest.Wait()
		var next [writers]uint32
		for rest := s.written.Bytes(); len(rest) > 0; {
			size, id, n := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:]), binary.BigEndian.Uint32(rest[8:])
			if id >= writers || n != next[id] {
				t.Fatalf("frame %d of writer %d: expected frame %d", n, id, next[id])
			}
			next[id]++
			rest = rest[size:]
		}
		for id, n := range next {
			if n != frames {
				t.Errorf("%d frames of writer %d", n, id)
			}
		}
	})
}

func TestFramesGatherWhileAWriteIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &gatedStream{gate: make(chan error), full: true}
		w := writerOn(t, s, 1000)
		for range 10 {
			if _, err := w.write(t.Context(), []byte("frame"), true); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		close(s.gate)
		synctest.Wait()
		if s.writes != 2 || s.written.Len() != 50 {
			t.Errorf("%d writes of %d bytes: expected the first, and the other nine together", s.writes, s.written.Len())
		}
	})
}

func TestPendingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &gatedStream{gate: make(chan error), full: true}
		w := writerOn(t, s, 100)
		frame := make([]byte, 60)
		for range 2 { // one is being written, one is pending
			w.write(t.Context(), frame, true)
			synctest.Wait()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.write(ctx, frame, true); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a third: %v, want that it waits until the deadline", err)
		}
		w.writeNow([]byte("cancel"), false) // never waits
		waited := make(chan error)
		go func() { _, err := w.write(t.Context(), frame, true); waited <- err }()
		synctest.Wait()
		close(s.gate)
		if err := <-waited; err != nil {
			t.Errorf("after there was room: %v", err)
		}
		synctest.Wait()
		if want := 3*60 + len("cancel"); s.written.Len() != want {
			t.Errorf("%d bytes written: expected %d", s.written.Len(), want)
		}
	})
}

func TestStreamErrorsStick(t *testing.T) {
	boom := errors.New("boom")
	direct := writerOn(t, &gatedStream{err: boom}, 100)
	for range 2 {
		if _, err := direct.write(t.Context(), []byte("x"), true); !errors.Is(err, boom) {
			t.Errorf("%v, want boom", err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := &gatedStream{gate: make(chan error, 1), full: true}
		w := writerOn(t, s, 10)
		w.write(t.Context(), make([]byte, 10), true)
		synctest.Wait()
		w.write(t.Context(), make([]byte, 10), true)
		waited := make(chan error)
		go func() { _, err := w.write(t.Context(), make([]byte, 10), true); waited <- err }()
		synctest.Wait()
		s.gate <- boom
		if err := <-waited; !errors.Is(err, boom) {
			t.Errorf("%v, want boom", err)
		}
	})
}

func TestStuckWritersAreNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &gatedStream{gate: make(chan error), full: true}
		w := writerOn(t, s, 100)
		if err := w.stuck(time.Now(), time.Second); err != nil {
			t.Errorf("an idle writer: %v", err)
		}
		w.write(t.Context(), []byte("x"), true)
		synctest.Wait()
		if err := w.stuck(time.Now(), time.Second); err != nil {
			t.Errorf("a fresh write: %v", err)
		}
		time.Sleep(2 * time.Second)
		if err := w.stuck(time.Now(), time.Second); mesh.KindOf(err) != mesh.Unavailable {
			t.Errorf("after two seconds: %v, want Unavailable", err)
		}
		close(s.gate)
		synctest.Wait()
		if err := w.stuck(time.Now(), time.Second); err != nil {
			t.Errorf("after it left: %v", err)
		}
	})
}
