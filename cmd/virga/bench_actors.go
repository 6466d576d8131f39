package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// The actors of the benchmarks that send messages: stages of one DAG without
// edges, so that each knows the addresses of all others from its own.
const (
	nativeGather = "native-gather"
	nativeGossip = "native-gossip"
	nativeSumma  = "native-summa"
)

// cast says who the actors are: actor i is stage "a<i>" and runs on Nodes[i].
type cast struct {
	Self  int
	Nodes []string
}

func actorStage(i int) string { return fmt.Sprintf("a%d", i) }

// address is that of another actor of the same run.
func (c cast) address(ctx context.Context, i int) (mesh.InvocationID, error) {
	node, err := mesh.ParseNodeID(c.Nodes[i])
	own := fn.ID(ctx)
	return mesh.InvocationID{Node: node, Run: own.Run, Stage: actorStage(i), Attempt: own.Attempt}, err
}

// tell sends to another actor, which may not have begun yet.
func (c cast) tell(ctx context.Context, i int, v any) error {
	to, err := c.address(ctx, i)
	if err != nil {
		return err
	}
	for pause := 50 * time.Microsecond; ; pause *= 2 {
		if err = fn.Send(ctx, to, v); !errors.Is(err, mesh.NotFound) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// hear receives until enough says so. Nothing for as long as a run may take is an error.
func hear[T any](ctx context.Context, enough func(T) bool) error {
	for {
		messages, err := fn.Recv[T](ctx, time.Minute)
		if err != nil || len(messages) == 0 {
			return errors.Join(err, errors.New("no message came"))
		}
		for _, message := range messages {
			if enough(message.Body) {
				return nil
			}
		}
	}
}

// gather averages numbers through a leader, actor 0, to which all others send
// theirs and which sends each the average (Cloudburst's center_avg).
func gather(ctx context.Context, in fn.Args2[cast, float64]) (float64, error) {
	cast, average := in.A, in.B
	others := len(cast.Nodes) - 1
	if cast.Self > 0 {
		if err := cast.tell(ctx, 0, average); err != nil {
			return 0, err
		}
		err := hear(ctx, func(x float64) bool { average = x; return true })
		return average, err
	}
	heard := 0
	if err := hear(ctx, func(x float64) bool { average += x; heard++; return heard == others }); err != nil {
		return 0, err
	}
	average /= float64(len(cast.Nodes))
	for i := 1; i <= others; i++ {
		if err := cast.tell(ctx, i, average); err != nil {
			return 0, err
		}
	}
	return average, nil
}

// share is a message of push-sum: part of the sender's sum and weight, that
// the sender is close, or that all are.
type share struct {
	Sum, Weight float64
	Close, Over bool
}

// closeEnough is the error to which push-sum is to come, relative to the average.
const closeEnough = 0.05

// gossip averages numbers by push-sum (Kempe, Dobra and Gehrke, "Gossip-based
// computation of aggregate information", 2003), as Cloudburst's benchmark
// does: each actor gives half of what it has to another one, again and again,
// until the estimates of all are close to the average. That it is told, to
// know when to stop: actor 0 counts who is close, and ends it.
func gossip(ctx context.Context, in fn.Args3[cast, float64, float64]) (float64, error) {
	g := gossiper{cast: in.A, sum: in.B, weight: 1, average: in.C}
	for !g.over {
		messages, err := fn.Recv[share](ctx, time.Millisecond)
		if err != nil {
			return 0, err
		}
		for _, message := range messages {
			g.take(message.Body)
		}
		if err := g.round(ctx); err != nil {
			return 0, err
		}
	}
	return g.sum / g.weight, nil
}

type gossiper struct {
	cast
	sum, weight, average float64
	toldClose            bool
	close                int // of actor 0: the others that said so
	over                 bool
}

func (g *gossiper) take(p share) {
	g.sum += p.Sum
	g.weight += p.Weight
	if p.Close {
		g.close++
	}
	g.over = g.over || p.Over
}

func (g *gossiper) isClose() bool {
	return math.Abs(g.sum/g.weight-g.average) <= closeEnough*math.Abs(g.average)
}

// round gives half away, and says what is new about who is close. An actor
// that said once that it was close does not take it back.
func (g *gossiper) round(ctx context.Context) error {
	if g.over {
		return nil
	}
	if g.isClose() && !g.toldClose {
		g.toldClose = true
		if g.Self > 0 {
			if err := g.tell(ctx, 0, share{Close: true}); err != nil {
				return err
			}
		}
	}
	if g.Self == 0 && g.toldClose && g.close == len(g.Nodes)-1 {
		return g.end(ctx)
	}
	return g.give(ctx, (g.Self+1+rand.IntN(len(g.Nodes)-1))%len(g.Nodes))
}

// give pushes half to another actor, which keeps it all if that one has not
// begun, or has ended.
func (g *gossiper) give(ctx context.Context, other int) error {
	to, err := g.address(ctx, other)
	if err != nil {
		return err
	}
	err = fn.Send(ctx, to, share{Sum: g.sum / 2, Weight: g.weight / 2})
	switch {
	case err == nil:
		g.sum, g.weight = g.sum/2, g.weight/2
	case errors.Is(err, mesh.NotFound):
		err = nil
	}
	return err
}

func (g *gossiper) end(ctx context.Context) error {
	g.over = true
	for i := 1; i < len(g.Nodes); i++ {
		if err := g.tell(ctx, i, share{Over: true}); err != nil {
			return err
		}
	}
	return nil
}
