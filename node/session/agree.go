package session

import (
	"context"
	"sync"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

// readAhead has a run that began anew read first, as of one moment if that can
// be, what it had read before: so what conflicted then does not do so again.
func (s *Sessions) readAhead(ctx context.Context, p *pins) error {
	tx := p.home.tx
	if tx == nil || tx.ahead == nil {
		return nil
	}
	select {
	case tx.ahead.turn <- struct{}{}:
		defer func() { <-tx.ahead.turn }()
	case <-ctx.Done():
		return mesh.AsError("session", ctx.Err())
	}
	if tx.ahead.done {
		return nil
	}
	tx.ahead.done = true
	found := make(map[mesh.Key]*entry, len(tx.ahead.keys))
	for _, key := range tx.ahead.keys {
		found[key] = &entry{turn: make(chan struct{}, 1)}
	}
	if _, err := s.agree(ctx, tx, found); err != nil && mesh.KindOf(err) != mesh.Conflict {
		return err
	} // where they do not agree yet the run may still find that they do, at its end
	p.home.mu.Lock()
	defer p.home.mu.Unlock()
	for key, e := range found {
		if p.home.keys[key] == nil && e.known {
			p.home.keys[key] = e
		}
	}
	return nil
}

// maxRounds bounds how often the reads of a run are looked through: each time
// since they need more than was known when the one before began.
const maxRounds = 4

// agree sees to it that entries are of one causal cut: it reads again what was
// read as of less than the run has seen. It gives the keys of which another
// version was found, which the entries then have.
func (s *Sessions) agree(ctx context.Context, tx *transaction, entries map[mesh.Key]*entry) (changed []mesh.Key, err error) {
	for range maxRounds {
		past := tx.seen()
		var again []mesh.Key
		for key, e := range entries {
			if e.read == nil || !e.read.asOf.Covers(past) {
				again = append(again, key)
			}
		}
		if len(again) == 0 {
			return changed, nil
		}
		reads, err := s.readAll(ctx, again, past)
		if err != nil {
			return nil, err
		}
		for key, read := range reads {
			e := entries[key]
			now, how := parts(read)
			if e.read != nil && how.version != e.read.version {
				changed = append(changed, key)
			}
			e.known, e.seen, e.read = true, *now, how
			tx.saw(how)
		}
	}
	return nil, mesh.Errorf(mesh.Conflict, "session", "what the run has read changes too fast to be read as of one moment")
}

// Owners that cannot tell yet whether a key exists, since they have just come, can
// soon. What a run has read is read again when it has come to its end, or begun
// anew: that waits rather than fail the run.
const (
	agreePatience = time.Second
	agreePause    = 20 * time.Millisecond
)

func (s *Sessions) readPatiently(ctx context.Context, key mesh.Key, past lattice.Past) (CausalRead, error) {
	began := time.Now()
	for {
		read, err := s.cfg.Causal.Read(ctx, key, past, true)
		if err == nil || mesh.KindOf(err) != mesh.Unavailable || time.Since(began) > agreePatience {
			return read, err
		}
		select {
		case <-time.After(agreePause):
		case <-ctx.Done():
			return read, err
		}
	}
}

// readAll reads keys, all at once.
func (s *Sessions) readAll(ctx context.Context, keys []mesh.Key, past lattice.Past) (map[mesh.Key]CausalRead, error) {
	const atOnce = 32
	var (
		mu     sync.Mutex
		all    sync.WaitGroup
		reads  = make(map[mesh.Key]CausalRead, len(keys))
		failed error
		room   = make(chan struct{}, atOnce)
	)
	for _, key := range keys {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			read, err := s.readPatiently(ctx, key, past)
			mu.Lock()
			defer mu.Unlock()
			if reads[key] = read; err != nil {
				failed = err
			}
		})
	}
	all.Wait()
	return reads, failed
}
