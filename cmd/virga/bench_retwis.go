package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
)

const (
	retwisSuite = "retwis"

	// retwisRounds is in how many stretches each level is measured. The levels
	// take turns, so that what changes during the run changes for both.
	retwisRounds = 10
	// One in retwisWrites operations is a post, all else are timelines of retwisNewest tweets.
	retwisWrites = 10
	retwisNewest = 10
)

// retwisLevels are compared: the first is what the others are divided by.
var retwisLevels = []mesh.Consistency{mesh.Eventual, mesh.CausalSession}

func retwisReads(level mesh.Consistency) string { return fmt.Sprintf("retwis: timeline, %v", level) }
func retwisPosts(level mesh.Consistency) string { return fmt.Sprintf("retwis: post, %v", level) }

// retwis measures the application of examples/retwis as Cloudburst's paper
// does (PVLDB 13(11), section 6.3.2): nine timelines for each post, by callers
// at all nodes, at each level by turns.
func (b *benchRun) retwis(ctx context.Context) error {
	if !b.wantsRetwis() {
		return nil
	}
	clients, stop, err := b.mesh.dialAll(ctx)
	if err != nil {
		return err
	}
	defer stop()
	b.allFigures = true
	defer func() { b.allFigures = false }()
	load := retwisData{users: b.users, clients: clients}
	if err := load.fill(ctx); err != nil {
		return mesh.AsError("bench retwis: data set", err)
	}
	for _, callers := range b.callers {
		if err := b.retwisMix(ctx, load, callers); err != nil {
			return err
		}
	}
	return nil
}

// wantsRetwis: its cases are measured together or not at all.
func (b *benchRun) wantsRetwis() bool {
	return slices.ContainsFunc(retwisLevels, func(l mesh.Consistency) bool { return b.wants(retwisReads(l)) || b.wants(retwisPosts(l)) })
}

// dialAll gives a client of each node, which are good until stop is called.
func (m *benchMesh) dialAll(ctx context.Context) (clients []*sdk.Client, stop func(), err error) {
	stop = func() {
		for _, client := range clients {
			client.Close() // always nil
		}
	}
	for i := range m.nodes {
		client, err := m.dial(ctx, i)
		if err != nil {
			stop()
			return nil, nil, err
		}
		clients = append(clients, client)
	}
	return clients, stop, nil
}

// retwisMix measures the levels by turns, with so many callers.
func (b *benchRun) retwisMix(ctx context.Context, data retwisData, callers int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(len(retwisLevels))*b.caseTimeout())
	defer cancel()
	mixes := make([]*retwisMixed, len(retwisLevels))
	for i, level := range retwisLevels {
		warm := newRetwisMixed(data, level, callers)
		if err := warm.drive(ctx, b.warmup); err != nil {
			return err
		}
		mixes[i] = newRetwisMixed(data, level, callers)
	}
	for round := range retwisRounds {
		for turn := range mixes {
			mix := mixes[(turn+round)%len(mixes)] // who goes first changes, too
			if err := mix.drive(ctx, b.duration/retwisRounds); err != nil {
				return err
			}
		}
	}
	for _, mix := range mixes {
		reads, violations := mix.reads.Sample(), mix.violations.Load()
		reads.Violations = &violations
		if err := b.write(b.report.AddAlone(retwisReads(mix.level), reads)); err != nil {
			return err
		}
		if err := b.write(b.report.AddAlone(retwisPosts(mix.level), mix.posts.Sample())); err != nil {
			return err
		}
	}
	return nil
}

// retwisMixed is the load at one level, and what it measured so far.
type retwisMixed struct {
	data         retwisData
	level        mesh.Consistency
	callers      []retwisCaller
	reads, posts *bench.Recorder
	violations   atomic.Int64
}

// retwisCaller is one of the callers, at one of the nodes.
type retwisCaller struct {
	chance   *rand.Rand
	timeline *sdk.Function[tweets.TimelineRequest, tweets.Timeline]
	post     *sdk.Function[tweets.PostRequest, tweets.Tweet]
	read     []tweets.Entry // what it read last, to which it replies
}

func newRetwisMixed(data retwisData, level mesh.Consistency, callers int) *retwisMixed {
	m := &retwisMixed{data: data, level: level, reads: bench.NewRecorder(callers), posts: bench.NewRecorder(callers)}
	for i := range callers {
		client := data.clients[i%len(data.clients)]
		c := retwisCaller{
			chance:   rand.New(rand.NewPCG(retwisSeed, uint64(i))), // the same at each level
			timeline: sdk.Func[tweets.TimelineRequest, tweets.Timeline](client, tweets.TimelineFunc),
			post:     sdk.Func[tweets.PostRequest, tweets.Tweet](client, tweets.PostFunc),
		}
		c.timeline.Options.Consistency, c.post.Options.Consistency = level, level
		m.callers = append(m.callers, c)
	}
	return m
}

// drive runs the load for a while.
func (m *retwisMixed) drive(ctx context.Context, span time.Duration) error {
	load := bench.Load{Callers: len(m.callers), Measure: span}
	sample, err := load.Run(ctx, m.step)
	m.reads.Ran(sample.Elapsed)
	m.posts.Ran(sample.Elapsed)
	return err
}

// step is a post or a timeline, as chance has it.
func (m *retwisMixed) step(ctx context.Context, caller int) error {
	c := &m.callers[caller]
	user := retwisUser(c.chance.IntN(m.data.users))
	if c.chance.IntN(retwisWrites) == 0 {
		request := tweets.PostRequest{User: user, Text: retwisText, ReplyTo: c.answered(), At: time.Now().UnixMicro()}
		began := time.Now()
		_, err := c.post.Call(ctx, request)
		m.posts.Record(caller, time.Since(began))
		return err
	}
	began := time.Now()
	timeline, err := c.timeline.Call(ctx, tweets.TimelineRequest{User: user, N: retwisNewest})
	m.reads.Record(caller, time.Since(began))
	m.violations.Add(int64(timeline.Violations + timeline.Missing))
	c.read = timeline.Entries
	return err
}

// answered is the tweet that a post replies to, one of those that the caller
// read last; "" for every other post.
func (c *retwisCaller) answered() string {
	if len(c.read) == 0 || c.chance.IntN(2) == 0 {
		return ""
	}
	return c.read[c.chance.IntN(len(c.read))].Tweet.ID
}
