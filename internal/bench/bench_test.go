package bench

import (
	"context"
	"errors"
	"strings"
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

func TestFloorsEcho(t *testing.T) {
	server, err := ListenEcho(&quic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	floors := map[int]Sample{}
	for _, callers := range []int{1, 8} {
		load := brief
		load.Callers = callers
		if floors[callers], err = QUICFloor(t.Context(), server.QUICAddr(), &quic.Config{}, load); err != nil {
			t.Fatal(err)
		}
	}
	udp, err := UDPFloor(t.Context(), server.UDPAddr(), brief)
	if err != nil {
		t.Fatal(err)
	}
	report := NewReport(floors)
	report.Add("udp", udp, "a note")
	report.Add("quic", floors[8], "")
	var table, json strings.Builder
	if err := errors.Join(report.WriteTable(&table), report.WriteJSON(&json)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "udp: a note") || !strings.Contains(json.String(), `"rate_ratio": 1`) {
		t.Errorf("table:\n%s\njson:\n%s", table.String(), json.String())
	}
}
