package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/internal/check"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

const (
	auditCallers = 6 // by turns at all nodes
	auditTimeout = 3 * time.Minute
	auditDraws   = 1 << 16
	auditReads   = 2 // of each stage, beyond those of the runs that are measured
)

// audit is what was found in the history of the runs of a level.
type audit struct {
	level  mesh.Consistency
	counts map[check.Anomaly]int
	barred []check.Violation // of what the level forbids
}

// audit records runs of each wanted level, on few keys, so that they get into
// each other's way, and looks for anomalies in what they read and wrote.
func (b *benchRun) audit(ctx context.Context, m *benchMesh, w *weaving) error {
	levels := b.wantedLevels()
	if len(levels) == 0 || b.auditRuns == 0 {
		return nil
	}
	for _, d := range w.dags {
		if err := m.client.CreateDAG(ctx, d.dag(nativeWitness)); err != nil {
			return err
		}
	}
	w.draws = bench.Draws(auditDraws, b.auditKeys, weaveExponent, b.seed)
	err := m.each(ctx, nil, func(clients map[int]*sdk.Client) error {
		for _, level := range levels {
			within, cancel := context.WithTimeout(ctx, auditTimeout)
			err := b.auditLevel(within, m, w, clients, level)
			cancel()
			if err != nil {
				return mesh.AsError("bench audit of "+level.String(), err)
			}
		}
		return nil
	})
	b.report.Tables = append(b.report.Tables, auditTable(b.audits, b.auditRuns))
	return err
}

func (b *benchRun) auditLevel(ctx context.Context, m *benchMesh, w *weaving, clients map[int]*sdk.Client, level mesh.Consistency) error {
	key := func(i int) string { return fmt.Sprintf("audit/%s/%d", level, i) }
	h := &auditHistory{}
	if err := h.fill(ctx, m, b.auditKeys, key); err != nil {
		return err
	}
	var next atomic.Int64
	group, within := errgroup.WithContext(ctx)
	for caller := range auditCallers {
		group.Go(func() error {
			client := clients[caller%len(clients)]
			for run := int(next.Add(1)) - 1; run < b.auditRuns; run = int(next.Add(1)) - 1 {
				if err := h.run(within, client, w, level, run, key); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := m.whole(ctx, len(m.nodes)); err != nil {
		return err
	}
	if err := h.final(ctx, m.client, b.auditKeys, key); err != nil {
		return err
	}
	a, err := auditOf(level, h.events)
	b.audits = append(b.audits, a)
	return err
}

// auditOf looks through a history for all anomalies, and notes those that a level forbids.
func auditOf(level mesh.Consistency, events []check.Event) (audit, error) {
	found, counts, err := check.Tally(events, check.Anomalies()...)
	forbidden := check.Forbidden(level)
	return audit{level, counts, slices.DeleteFunc(found, func(v check.Violation) bool { return !slices.Contains(forbidden, v.Anomaly) })}, err
}

// auditHistory is what the runs of one level read and wrote.
type auditHistory struct {
	lock   sync.Mutex
	events []check.Event
}

func (h *auditHistory) note(events ...check.Event) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.events = append(h.events, events...)
}

// fill writes the first version of all keys.
func (h *auditHistory) fill(ctx context.Context, m *benchMesh, keys int, key func(int) string) error {
	began := time.Now().UnixNano()
	const version = "at first"
	if err := m.fillAtOwners(ctx, keys, func(i int) sdk.Putting { return weavePutting(key(i), version) }); err != nil {
		return err
	}
	ended := time.Now().UnixNano()
	for i := range keys {
		h.note(check.Event{Session: "fill", Key: key(i), Writes: true, Acked: true, Version: version, Began: time.Duration(began), Ended: time.Duration(ended)})
	}
	return nil
}

func (h *auditHistory) run(ctx context.Context, client *sdk.Client, w *weaving, level mesh.Consistency, run int, key func(int) string) error {
	d := w.dags[run%len(w.dags)]
	orders, began := w.orders(d, run, auditReads, key), time.Now().UnixNano()
	for i := range orders {
		orders[i].Began, orders[i].Version = began, fmt.Sprintf("%08d", run)
	}
	results, _, err := d.callUntilMade(ctx, client, nativeWitness, level, weaveCall(client, orders))
	if err != nil {
		return err
	}
	seen, err := sdk.Only[witnessed](results)
	if err != nil {
		return err
	}
	name, dag := fmt.Sprint(run), d.dag(nativeWitness)
	var events []check.Event
	for _, s := range seen {
		e := s.event(name, dag)
		if level == mesh.Transactional {
			e.Transaction = name
		}
		events = append(events, e)
	}
	h.note(check.Conclude(events, map[string]check.Outcome{name: {At: time.Duration(time.Now().UnixNano())}})...)
	return nil
}

// final reads all keys once nothing is under way any more.
func (h *auditHistory) final(ctx context.Context, client *sdk.Client, keys int, key func(int) string) error {
	for i := range keys {
		e := check.Event{Session: "final", Key: key(i), Final: true, Began: time.Duration(time.Now().UnixNano())}
		state, err := client.Get(ctx, e.Key)
		if err == nil {
			err = fn.DecodePlain(state, &e.Version)
		}
		if err != nil && !errors.Is(err, mesh.NotFound) {
			return err
		}
		e.Ended = time.Duration(time.Now().UnixNano())
		h.note(e)
	}
	return nil
}

// auditTable tells for each kind of anomaly how many there were under each level.
func auditTable(audits []audit, runs int) bench.Table {
	t := bench.Table{Name: fmt.Sprintf("anomalies in %d runs; [] is what the level forbids", runs)}
	for _, a := range audits {
		t.Columns = append(t.Columns, a.level.String())
	}
	for _, kind := range check.Anomalies() {
		row := bench.TableRow{Name: kind.String()}
		for _, a := range audits {
			row.Counts = append(row.Counts, a.counts[kind])
			row.Barred = append(row.Barred, slices.Contains(check.Forbidden(a.level), kind))
		}
		row.Note = preventedBy(kind)
		t.Rows = append(t.Rows, row)
	}
	return t
}

// preventedBy names the levels that forbid a kind of anomaly.
func preventedBy(kind check.Anomaly) string {
	var names []string
	for _, level := range mesh.Levels() {
		if slices.Contains(check.Forbidden(level), kind) {
			names = append(names, level.String())
		}
	}
	switch len(names) {
	case 0:
		return "prevented by no level"
	case len(mesh.Levels()):
		return "prevented by all levels"
	}
	return "prevented by " + strings.Join(names, ", ")
}

// violated is an error if runs saw what their level forbids.
func (b *benchRun) violated() error {
	for _, a := range b.audits {
		if len(a.barred) > 0 {
			return mesh.Errorf(mesh.Internal, "bench consistency", "runs saw what %s forbids: %s", a.level, a.barred[0])
		}
	}
	return nil
}
