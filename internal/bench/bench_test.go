package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

var brief = Load{Callers: 4, Warmup: time.Millisecond, Measure: 20 * time.Millisecond}

func TestLoadRecordsEveryCaller(t *testing.T) {
	sample, err := brief.Run(t.Context(), func(context.Context, int) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if sample.N() < int64(brief.Callers) || sample.Percentile(50) > sample.Percentile(99) || sample.Throughput() <= 0 {
		t.Errorf("n = %d, p50 = %v, p99 = %v", sample.N(), sample.Percentile(50), sample.Percentile(99))
	}
}

func TestLoadEndsWithTheFirstError(t *testing.T) {
	boom := errors.New("boom")
	_, err := Load{Callers: 3, Measure: time.Hour}.Run(t.Context(), func(ctx context.Context, caller int) error {
		if caller == 1 {
			return boom
		}
		<-ctx.Done()
		return nil
	})
	if !errors.Is(err, boom) {
		t.Errorf("Run = %v, want %v", err, boom)
	}
}

func TestLoadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := brief.Run(ctx, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want cancelled", err)
	}
}

func TestTightLoopCountsAllocations(t *testing.T) {
	var kept []byte
	sample, err := brief.RunTight(t.Context(), func() error { kept = make([]byte, 64); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 64 || sample.N() < batch || !sample.Counted || sample.Allocs < 1 || sample.Percentile(50) <= 0 {
		t.Errorf("n = %d, %v allocations, p50 = %v", sample.N(), sample.Allocs, sample.Percentile(50))
	}
}

func TestTightLoopEndsWithAnErrorAndItsContext(t *testing.T) {
	boom := errors.New("boom")
	if _, err := brief.RunTight(t.Context(), func() error { return boom }); !errors.Is(err, boom) {
		t.Errorf("RunTight = %v, want %v", err, boom)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Load{Measure: time.Hour}.RunTight(ctx, func() error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("RunTight = %v, want cancelled", err)
	}
}

func TestFloorsEcho(t *testing.T) {
	server, err := ListenEcho(&quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, callers := range []int{1, 8} {
		load := brief
		load.Callers = callers
		streamed, err := QUICFloor(t.Context(), server.QUICAddr(), &quic.Config{}, load)
		if err != nil {
			t.Fatal(err)
		}
		datagrams, err := UDPFloor(t.Context(), server.UDPAddr(), load)
		if err != nil {
			t.Fatal(err)
		}
		if streamed.N() < int64(callers) || datagrams.N() < int64(callers) {
			t.Errorf("%d callers: %d messages, %d datagrams", callers, streamed.N(), datagrams.N())
		}
	}
}
