package nemesis

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/sdk"
)

// addedTo is how many sets the additions go to.
const addedTo = 16

// killsUnderAdds adds to sets until so many additions are acknowledged, and
// kills one node after another meanwhile. Each is started again at once.
func killsUnderAdds(ctx context.Context, a *arena, o Options, report *Report) (*load, error) {
	clients, err := a.dialAll(ctx, o.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll(clients)
	l := &load{ledger: newLedger(), waits: newWaits(), keys: keyspace(Set, addedTo, a.ids)}
	began := time.Now()
	var left, done atomic.Int64
	left.Store(int64(o.Adds))
	adding, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var load sync.WaitGroup
	for number, c := range clients {
		load.Go(func() { l.add(adding, c, number, &left, &done) })
	}
	kill := fault{name: "kill -9", strike: kill, repair: restart}
	for number := range o.Kills {
		for mark := int64(o.Adds) * int64(number+1) / int64(o.Kills+1); done.Load() < mark && ctx.Err() == nil; {
			rest(ctx, time.Millisecond)
		}
		s, err := a.suffer(ctx, kill, l)
		report.Faults = append(report.Faults, s)
		o.Progress(fmt.Sprintf("%d of %d added, %s killed: waits %s and %s, healed after %s", done.Load(), o.Adds, s.Node, ms(s.OwnedMS), ms(s.OtherMS), ms(s.HealedMS)))
		if err != nil {
			report.Failures = append(report.Failures, fmt.Sprintf("%s of %s: %v", s.Fault, s.Node, err))
			giveUp()
			break
		}
	}
	load.Wait()
	report.Seconds = time.Since(began).Seconds()
	return l, nil
}

// add makes additions while there are any left.
func (l *load) add(ctx context.Context, c *sdk.Client, number int, left, done *atomic.Int64) {
	for at := number; ctx.Err() == nil && left.Add(-1) >= 0; at++ {
		l.write(ctx, c, l.keys[at%len(l.keys)])
		done.Add(1)
	}
}
