package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// weaveDAGs is how many DAGs are drawn, of 2 to maxWeaveStages stages.
const (
	weaveDAGs      = 250
	maxWeaveStages = 5
	weaveTexts     = 2 // that each stage gets: of keys, and of the stages before it
)

// nativeWeave makes a new text of those that it gets, with as little work as
// can be, so that the reading is what is measured.
const nativeWeave = "native-weave"

// weaveOrder tells a stage what to do; it is the stage's first argument.
type weaveOrder struct {
	Refs []string // the keys whose values are the arguments that follow
	Get  []string // keys to read by the library
	Put  string   // a key to write the result to; empty: none

	// What follows is for a witness.
	Version string // that it writes
	Began   int64  // when the run was called: Unix time in ns
}

func weave(ctx context.Context, in fn.Variadic[mesh.Value]) (string, error) {
	order, texts, err := weaveArgs(in)
	if err != nil {
		return "", err
	}
	for _, arg := range in[1+len(order.Refs):] {
		var text string
		if err := codec.Decode(arg, &text); err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	for _, key := range order.Get {
		text, err := fn.Get[string](ctx, key)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	result := woven(texts)
	if order.Put != "" {
		err = fn.Put(ctx, order.Put, result)
	}
	return result, err
}

// weaveArgs reads a stage's order, and the texts of the keys by reference.
func weaveArgs(in []mesh.Value) (order weaveOrder, texts []string, err error) {
	if len(in) == 0 {
		return order, nil, mesh.Errorf(mesh.Invalid, "", "no arguments: expected an order")
	}
	if err := codec.Decode(in[0], &order); err != nil {
		return order, nil, err
	}
	if len(in) <= len(order.Refs) {
		return order, nil, mesh.Errorf(mesh.Invalid, "", "%d arguments: expected the values of %d keys", len(in), len(order.Refs))
	}
	texts = make([]string, len(order.Refs), len(in))
	for i := range texts {
		if err := codec.Decode(in[1+i], &texts[i]); err != nil {
			return order, nil, err
		}
	}
	return order, texts, nil
}

// woven takes from each text in turn, up to 8 bytes.
func woven(texts []string) string {
	const size = 8
	var result [size]byte
	for i := range result {
		text := texts[i%len(texts)]
		result[i] = text[i%len(text)]
	}
	return string(result[:])
}

// weaving is the workload: everything that is drawn for it.
type weaving struct {
	dags  []*weaveDAG
	draws []uint32 // numbers of keys
}

// weaveDAG is one random DAG with one sink, and where its stages run.
type weaveDAG struct {
	number  int
	parents [][]int // by stage
	gets    []int   // of the keys that a stage reads, those by the library; the others by reference
	place   map[string]mesh.NodeID
	depth   int // stages on the longest path
}

func newWeaving(seed uint64, nodes []mesh.NodeID) *weaving {
	w := &weaving{}
	chance := rand.New(rand.NewPCG(seed, 1))
	for number := range weaveDAGs {
		w.dags = append(w.dags, newWeaveDAG(number, nodes, chance))
	}
	return w
}

func newWeaveDAG(number int, nodes []mesh.NodeID, chance *rand.Rand) *weaveDAG {
	n := 2 + chance.IntN(maxWeaveStages-1)
	d := &weaveDAG{number: number, parents: make([][]int, n), gets: make([]int, n), place: map[string]mesh.NodeID{}}
	for stage := n - 2; stage >= 0; stage-- { // each feeds one after it, the last is the sink
		var open []int
		for child := stage + 1; child < n; child++ {
			if len(d.parents[child]) < weaveTexts {
				open = append(open, child)
			}
		}
		child := open[chance.IntN(len(open))]
		d.parents[child] = append(d.parents[child], stage)
	}
	depths := make([]int, n)
	for stage, parents := range d.parents {
		if len(parents) == 1 && stage > 1 && chance.IntN(4) == 0 { // and some feed two
			if other := chance.IntN(stage); other != parents[0] {
				d.parents[stage] = append(parents, other)
			}
		}
		for _, parent := range d.parents[stage] {
			depths[stage] = max(depths[stage], depths[parent])
		}
		depths[stage]++
		reads := weaveTexts - len(d.parents[stage])
		switch {
		case reads == weaveTexts:
			d.gets[stage] = 1
		case reads == 1:
			d.gets[stage] = chance.IntN(2)
		}
		d.place[weaveStage(stage)] = nodes[chance.IntN(len(nodes))]
	}
	d.depth = depths[n-1]
	return d
}

func weaveStage(i int) string { return fmt.Sprintf("s%d", i) }

func (d *weaveDAG) name(function string) string { return fmt.Sprintf("%s-%d", function, d.number) }

// dag is the DAG, with one function for all stages.
func (d *weaveDAG) dag(function string) *mesh.DAG {
	dag := &mesh.DAG{Name: d.name(function)}
	for stage, parents := range d.parents {
		dag.Stages = append(dag.Stages, mesh.Stage{Name: weaveStage(stage), Func: benchFunc(function)})
		for _, parent := range parents {
			dag.Edges = append(dag.Edges, mesh.Edge{From: weaveStage(parent), To: weaveStage(stage)})
		}
	}
	return dag
}

// orders tells the stages what to do in a run of a number; each reads so many
// keys more by the library.
func (w *weaving) orders(d *weaveDAG, run, more int, key func(int) string) []weaveOrder {
	at := run * ((weaveTexts+more)*maxWeaveStages + 1)
	draw := func() string {
		at++
		return key(int(w.draws[at%len(w.draws)]))
	}
	orders := make([]weaveOrder, len(d.parents))
	for stage, parents := range d.parents {
		for read := range weaveTexts - len(parents) {
			if read < d.gets[stage] {
				orders[stage].Get = append(orders[stage].Get, draw())
			} else {
				orders[stage].Refs = append(orders[stage].Refs, draw())
			}
		}
		for range more {
			orders[stage].Get = append(orders[stage].Get, draw())
		}
	}
	orders[len(orders)-1].Put = draw()
	return orders
}

// weaveCall gives the arguments of a run.
func weaveCall(client *sdk.Client, orders []weaveOrder) sdk.Args {
	args := sdk.Args{}
	for stage, order := range orders {
		list := []any{order}
		for _, key := range order.Refs {
			list = append(list, client.Ref(key))
		}
		args[weaveStage(stage)] = list
	}
	return args
}
