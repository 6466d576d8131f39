package run

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
	"github.com/virga-mesh/virga/sdk/codec"
)

func parallel(n int) mesh.StageOptions { return mesh.StageOptions{Map: mesh.Map{Parallel: n}} }

func jsonArg(text string) Arg { return Arg{Value: mesh.Value{Format: mesh.JSON, Data: []byte(text)}} }

// double doubles its last argument, a number.
func double(_ context.Context, v Invocation) (mesh.Value, error) {
	var n int
	if err := codec.Decode(v.Args[len(v.Args)-1], &n); err != nil {
		return mesh.Value{}, err
	}
	return codec.Encode(2 * n)
}

func numbers(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

func TestAMapGivesResultsInOrderAndInTheFormatOfTheList(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("double", double)
		for in, out := range map[string]string{"[1,2,3]": "[2,4,6]", "[]": "[]"} {
			q := with(callOf("double", "common"), parallel(2))
			q.Args = append(q.Args, jsonArg(in))
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			if got := one(t, reply, err); got != out || reply.Results[0].Value.Format != mesh.JSON {
				t.Errorf("%s became %s", in, got)
			}
		}
		for _, n := range []int{0, 1, 100} {
			q := with(callOf("double"), parallel(7))
			q.Args = []Arg{{Value: encoded(t, numbers(n))}}
			reply, err := c.nodes["n1"].Call(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			if err := codec.Decode(reply.Results[0].Value, &got); err != nil || len(got) != n {
				t.Errorf("%d elements became %v, %v", n, got, err)
			}
			for i := range got {
				if got[i] != 2*i {
					t.Errorf("element %d became %d", i, got[i])
				}
			}
		}
	})
}

func TestAMapOfWhatIsNoListIsInvalid(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		c.define("double", double)
		for text, args := range map[string][]Arg{
			"got json: a number":    {jsonArg("3")},
			"got no value":          {{}},
			"got text of 4 bytes":   {{Value: text("text")}},
			"a map of no arguments": nil,
			"10001 elements":        {{Value: encoded(t, numbers(10_001))}},
		} {
			q := with(Request{Func: fnRef("double"), Args: args}, parallel(2))
			if _, err := c.nodes["n1"].Call(t.Context(), q); !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), text) {
				t.Errorf("%v; want Invalid with %q", err, text)
			}
		}
	})
}

func TestTheFirstElementThatFailsEndsTheMap(t *testing.T) {
	simulate(t, 1, 1, func(t *testing.T, c *cluster) {
		var mu sync.Mutex
		executed := map[string]int{}
		c.define("f", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			n := string(v.Args[0].Data)
			mu.Lock()
			executed[n]++
			mu.Unlock()
			if n == "2" {
				return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "boom")
			}
			if n == "1" {
				<-ctx.Done()
				return mesh.Value{}, ctx.Err()
			}
			return v.Args[0], nil
		})
		o := parallel(2)
		o.Retry = mesh.Retry{Attempts: 3, Backoff: time.Second}
		_, err := c.nodes["n1"].Call(t.Context(), with(Request{Func: fnRef("f"), Args: []Arg{jsonArg("[0,1,2,3,4,5]")}}, o))
		if !errors.Is(err, mesh.UserError) || !strings.Contains(err.Error(), "element 2") || !strings.Contains(err.Error(), "boom") {
			t.Errorf("the error is %v", err)
		}
		if executed["0"] != 1 || executed["2"] != 3 || executed["5"] != 0 {
			t.Errorf("executed %v", executed)
		}
	})
}

// cramped is a cluster whose nodes have room for two elements at once.
func cramped() Config {
	return Config{Room: func(mesh.FuncInfo) (int, int) { return 1, 2 }}
}

func TestElementsRunOnOtherNodesWhenThisOneIsFull(t *testing.T) {
	simulateWith(t, cramped(), 3, 1, func(t *testing.T, c *cluster) {
		var mu sync.Mutex
		at := map[mesh.NodeID]int{}
		works := map[mesh.RunID]int{}
		running, most := 0, 0
		c.define("double", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			mu.Lock()
			at[v.ID.Node]++
			works[v.Work.ID]++
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return double(ctx, v)
		})
		began := time.Now()
		reply, err := c.nodes["n1"].Call(t.Context(), with(Request{Func: fnRef("double"), Args: []Arg{jsonArg("[0,1,2,3,4,5,6,7,8,9,10,11]")}}, parallel(6)))
		if got := one(t, reply, err); got != "[0,2,4,6,8,10,12,14,16,18,20,22]" {
			t.Errorf("the map gave %s", got)
		}
		if took := time.Since(began); took != 2*time.Second || most != 6 {
			t.Errorf("12 elements took %v, up to %d at once; want 6 at once", took, most)
		}
		if at["n1"] != 4 || at["n2"] != 4 || at["n3"] != 4 || len(works) != 12 {
			t.Errorf("%d works ran at %v", len(works), at)
		}
		if n := c.nodes["n1"].Counts().Elsewhere; n != 8 {
			t.Errorf("%d elements are counted as run elsewhere; want 8", n)
		}
	})
}

func TestElementsOfALostNodeRunElsewhere(t *testing.T) {
	simulateWith(t, cramped(), 3, 1, func(t *testing.T, c *cluster) {
		var once sync.Once
		var mu sync.Mutex
		ages := map[string][]time.Duration{}
		c.define("double", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			mu.Lock()
			ages[v.ID.Stage] = append(ages[v.ID.Stage], v.Work.Age())
			mu.Unlock()
			if v.ID.Node == "n2" {
				once.Do(func() { go c.kill("n2") })
			}
			time.Sleep(time.Second)
			return double(ctx, v)
		})
		reply, err := c.nodes["n1"].Call(t.Context(), with(Request{Func: fnRef("double"), Args: []Arg{jsonArg("[0,1,2,3,4,5,6,7,8,9]")}}, parallel(10)))
		if got := one(t, reply, err); got != "[0,2,4,6,8,10,12,14,16,18]" {
			t.Errorf("the map gave %s", got)
		}
		repeated := 0
		for _, executions := range ages {
			for _, age := range executions[1:] {
				if repeated++; age == 0 {
					t.Error("a repeated execution has no age")
				}
			}
		}
		if repeated == 0 {
			t.Error("nothing ran again")
		}
	})
}

func TestAnElementWaitsForBusyNodes(t *testing.T) {
	simulateWith(t, cramped(), 2, 1, func(t *testing.T, c *cluster) {
		var mu sync.Mutex
		running := map[mesh.NodeID]int{}
		c.define("double", func(ctx context.Context, v Invocation) (mesh.Value, error) {
			mu.Lock()
			if running[v.ID.Node] >= 2 {
				defer mu.Unlock()
				return mesh.Value{}, mesh.Errorf(mesh.Overloaded, "", "full")
			}
			running[v.ID.Node]++
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			running[v.ID.Node]--
			mu.Unlock()
			return double(ctx, v)
		})
		list := make([]string, 40)
		for i := range list {
			list[i] = fmt.Sprint(i)
		}
		reply, err := c.nodes["n1"].Call(t.Context(), with(Request{Func: fnRef("double"), Args: []Arg{jsonArg("[" + strings.Join(list, ",") + "]")}}, parallel(40)))
		if got := one(t, reply, err); !strings.HasSuffix(got, ",76,78]") {
			t.Errorf("the map gave %s", got)
		}
	})
}

func TestOnlyInvocationsOfTheNodeAreServed(t *testing.T) {
	simulate(t, 2, 1, func(t *testing.T, c *cluster) {
		c.define("f", term)
		id := mesh.InvocationID{Node: "n1", Run: mesh.NewRunID(), Stage: "f"}
		for _, m := range []*pb.Invoke{
			{Ref: wire.FromFuncRef(fnRef("f")), Invocation: id.String()},
			{Ref: wire.FromFuncRef(fnRef("f")), Invocation: "f"},
			{Invocation: id.String()},
			{Ref: wire.FromFuncRef(fnRef("f")), Invocation: id.String(), Work: []byte("short")},
		} {
			if _, err := c.nodes["n2"].HandleInvoke(t.Context(), m); !errors.Is(err, mesh.Invalid) {
				t.Errorf("%v: %v; want Invalid", m, err)
			}
		}
	})
}
