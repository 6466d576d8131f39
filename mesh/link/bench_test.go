package link

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// The benchmarks report the median latency beside the throughput. Compare
// figures of one run only: go test -bench 'Echo|Call' ./mesh/link.

const benchSize = 100 // bytes of a message

// BenchmarkEchoRaw is the floor: bytes there and back on one long-lived
// stream of the same QUIC settings, without frames, requests or handlers.
func BenchmarkEchoRaw(b *testing.B) {
	b.Run("1", func(b *testing.B) { benchEchoRaw(b, 1) })
	b.Run("16", func(b *testing.B) { benchEchoRaw(b, 16) })
	b.Run("128", func(b *testing.B) { benchEchoRaw(b, 128) })
}

// BenchmarkCall is a request that is served on the reading goroutine.
func BenchmarkCall(b *testing.B) {
	b.Run("1", func(b *testing.B) { benchCall(b, 1, &pb.Merge{Delta: make([]byte, benchSize)}) })
	b.Run("16", func(b *testing.B) { benchCall(b, 16, &pb.Merge{Delta: make([]byte, benchSize)}) })
	b.Run("128", func(b *testing.B) { benchCall(b, 128, &pb.Merge{Delta: make([]byte, benchSize)}) })
}

// BenchmarkCallSpawned is a request that is served on a goroutine of its own.
func BenchmarkCallSpawned(b *testing.B) {
	b.Run("1", func(b *testing.B) { benchCall(b, 1, &pb.Put{Op: make([]byte, benchSize)}) })
	b.Run("16", func(b *testing.B) { benchCall(b, 16, &pb.Put{Op: make([]byte, benchSize)}) })
	b.Run("128", func(b *testing.B) { benchCall(b, 128, &pb.Put{Op: make([]byte, benchSize)}) })
}

// BenchmarkCallSize is one caller, by the size of the message: around the
// threshold above which a message has a stream of its own.
func BenchmarkCallSize(b *testing.B) {
	b.Run("1KiB", func(b *testing.B) { benchCall(b, 1, &pb.Put{Op: make([]byte, 1<<10)}) })
	b.Run("16KiB", func(b *testing.B) { benchCall(b, 1, &pb.Put{Op: make([]byte, 16<<10)}) })
	b.Run("47KiB", func(b *testing.B) { benchCall(b, 1, &pb.Put{Op: make([]byte, 47<<10)}) })
	b.Run("49KiB", func(b *testing.B) { benchCall(b, 1, &pb.Put{Op: make([]byte, 49<<10)}) })
	b.Run("1MiB", func(b *testing.B) { benchCall(b, 1, &pb.Put{Op: make([]byte, 1<<20)}) })
}

func benchCall(b *testing.B, callers int, req wire.Message) {
	m := newTestMesh(b)
	c := m.connect(m.node(), m.node())
	measure(b, callers, func(int) error {
		_, err := c.Call(context.Background(), req)
		return err
	})
}

// measure divides b.N operations among callers.
func measure(b *testing.B, callers int, op func(caller int) error) {
	if err := op(0); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	latencies := make([][]time.Duration, callers)
	var running sync.WaitGroup
	for caller := range callers {
		running.Go(func() {
			n := b.N / callers
			if caller < b.N%callers {
				n++
			}
			latencies[caller] = make([]time.Duration, n)
			for i := range latencies[caller] {
				start := time.Now()
				if err := op(caller); err != nil {
					b.Error(err)
					return
				}
				latencies[caller][i] = time.Since(start)
			}
		})
	}
	running.Wait()
	b.StopTimer()
	all := slices.Concat(latencies...)
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds())/1e3, "p50-µs")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
}

func benchEchoRaw(b *testing.B, callers int) {
	stream := rawStream(b)
	if callers == 1 {
		out, in := make([]byte, benchSize), make([]byte, benchSize)
		measure(b, 1, func(int) error {
			if _, err := stream.Write(out); err != nil {
				return err
			}
			_, err := io.ReadFull(stream, in)
			return err
		})
		return
	}
	shared := &rawShared{stream: stream, answers: make([]chan struct{}, callers)}
	for i := range shared.answers {
		shared.answers[i] = make(chan struct{}, 1)
	}
	go shared.read()
	measure(b, callers, shared.echo)
}

// rawStream opens a stream to an echo server, both as bare as can be.
func rawStream(b *testing.B) *quic.Stream {
	m := newTestMesh(b)
	server, client := m.node(), m.client()
	settings := Limits{}.QUIC()
	transport := &quic.Transport{Conn: must(listenUDP("udp4", "127.0.0.1:0"))}
	tlsConf := server.identity.config("")
	listener := must(transport.Listen(tlsConf, settings))
	b.Cleanup(func() { transport.Close(); transport.Conn.Close() })
	go func() {
		qc, err := listener.Accept(context.Background())
		if err != nil {
			return
		}
		stream, err := qc.AcceptStream(context.Background())
		if err != nil {
			return
		}
		io.CopyBuffer(struct{ io.Writer }{stream}, struct{ io.Reader }{stream}, make([]byte, 64<<10))
	}()
	dialer := &quic.Transport{Conn: must(listenUDP("udp4", "127.0.0.1:0"))}
	b.Cleanup(func() { dialer.Close(); dialer.Conn.Close() })
	qc := must(dialer.Dial(context.Background(), listener.Addr(), client.identity.config(server.ID()), settings))
	b.Cleanup(func() { qc.CloseWithError(0, "") })
	return must(qc.OpenStream())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rawShared lets callers share a stream, with the same write combining as a good client.
type rawShared struct {
	stream  *quic.Stream
	answers []chan struct{}
	mu      sync.Mutex
	pending []byte
	writing bool
}

func (s *rawShared) echo(caller int) error {
	var message [benchSize]byte
	binary.BigEndian.PutUint32(message[:], uint32(caller))
	if err := s.write(message[:]); err != nil {
		return err
	}
	<-s.answers[caller]
	return nil
}

func (s *rawShared) write(message []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, message...)
	if s.writing {
		return nil
	}
	s.writing = true
	defer func() { s.writing = false }()
	for len(s.pending) > 0 {
		batch := s.pending
		s.pending = nil
		s.mu.Unlock()
		_, err := s.stream.Write(batch)
		s.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *rawShared) read() {
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := s.stream.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		whole := buf
		for ; len(whole) >= benchSize; whole = whole[benchSize:] {
			s.answers[binary.BigEndian.Uint32(whole)] <- struct{}{}
		}
		buf = buf[:copy(buf, whole)]
	}
}
