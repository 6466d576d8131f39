package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

func everyMinute(name string) mesh.Trigger {
	return mesh.Trigger{Name: name, Cause: mesh.Cause{Kind: mesh.OnCron, Cron: "* * * * *"}, Func: mesh.FuncRef{Name: "note-args"}}
}

func TestEachSlotOfAScheduleRunsOnceWhileNodesComeAndGo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: f.provide}))
		created := createTrigger(t, at(m, 0), everyMinute("t"), "tick").Created
		for minute := range 6 {
			if minute%2 == 1 {
				down := keeperOf(t, m, m.Running()[0], "t")
				if err := m.Kill(down); err != nil {
					t.Fatal(err)
				}
				<-time.After(time.Minute)
				if err := m.Restart(within(t, time.Minute), down); err != nil {
					t.Fatal(err)
				}
				continue
			}
			<-time.After(time.Minute)
		}
		<-time.After(5 * time.Second)
		slots := int(time.Now().Truncate(time.Minute).Sub(created.Truncate(time.Minute)) / time.Minute)
		if runs, ids := f.count(); runs != slots || ids != slots {
			t.Errorf("%d runs with %d ids: expected %d", runs, ids, slots)
		}
	})
}

func TestOfTheSlotsThatNobodySawTheLastRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 2, Provide: f.provide}))
		createTrigger(t, at(m, 0), everyMinute("t"), "tick")
		for i := range 2 {
			if err := m.Stop(i); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(10 * time.Minute)
		for i := range 2 {
			if err := m.Restart(within(t, time.Minute), i); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(20 * time.Second)
		f.wants(t, "tick")
		<-time.After(time.Minute)
		f.wants(t, "tick", "tick")
	})
}

func TestAfterADelayADAGRunsOnceAndItsTriggerGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: f.provide}))
		create(t, at(m, 0), dag("pair", "a=note-args b=note-args c=note-args", "a:c b:c"))
		status := createTrigger(t, at(m, 1), mesh.Trigger{
			Name: "later", Cause: mesh.Cause{Kind: mesh.OnTime, After: 10 * time.Minute}, DAG: "pair",
		}, "x")
		if got := status.NextDue.Sub(status.Created); got != 10*time.Minute {
			t.Errorf("it is due after %v", got)
		}
		if err := m.Kill(keeperOf(t, m, 0, "later")); err != nil {
			t.Fatal(err)
		}
		<-time.After(9 * time.Minute)
		f.wants(t)
		<-time.After(2 * time.Minute)
		f.wants(t, "x", "x", " ")
		through := m.Running()[0]
		status, err := at(m, through).GetTrigger(within(t, time.Minute), "later")
		if err != nil || status.Fired != 1 || !status.NextDue.IsZero() {
			t.Errorf("the trigger is %+v, %v: expected it to have fired for good", status, err)
		}
		<-time.After(2 * time.Hour)
		_, err = at(m, through).GetTrigger(within(t, time.Minute), "later")
		wantsError(t, "the trigger that is done", err, mesh.NotFound)
		f.wants(t, "x", "x", " ")
	})
}

func TestADeletedTriggerStaysDeleted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: f.provide}))
		createTrigger(t, at(m, 0), onPrefix("t", "k/"), "saw")
		createTrigger(t, at(m, 0), everyMinute("cron"), "tick")
		keeper := keeperOf(t, m, 0, "t")
		if err := m.Kill(keeper); err != nil {
			t.Fatal(err)
		}
		through := m.Running()[0]
		for _, name := range []string{"t", "cron"} {
			if err := at(m, through).DeleteTrigger(within(t, time.Minute), name); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Restart(within(t, time.Minute), keeper); err != nil { // it knows of them, and of no delete
			t.Fatal(err)
		}
		put(t, m, through, "k/1", "v")
		<-time.After(5 * time.Minute)
		f.wants(t)
		for tr, err := range at(m, 0).Triggers(within(t, time.Minute), "") {
			t.Errorf("there is %+v, %v", tr, err)
		}
		err := at(m, 0).DeleteTrigger(within(t, time.Minute), "t")
		wantsError(t, "to delete it again", err, mesh.NotFound, "no such trigger")
	})
}

func TestAReplacedTriggerBeginsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: f.provide}))
		first := onPrefix("t", "k/")
		first.ID = mesh.NewTriggerID()
		createTrigger(t, at(m, 0), first, "first")
		again := createTrigger(t, at(m, 1), first, "not taken: it is the one that is there")
		if again.ID != first.ID || len(again.Args) != 1 || string(again.Args[0].Data) != "first" {
			t.Errorf("put again it is %+v", again)
		}
		put(t, m, 0, "k/1", "v")
		f.wants(t, "first k/1=v")
		createTrigger(t, at(m, 2), onPrefix("t", "k/"), "second")
		put(t, m, 0, "k/2", "v")
		f.wants(t, "first k/1=v", "second k/2=v")
	})
}

func TestARunThatFailsIsTriedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		attempts := func(key string) (n int) {
			for _, text := range f.texts() {
				if text == key {
					n++
				}
			}
			return n
		}
		fail := node.Handle("fail", func(ctx context.Context, in fn.Args2[fn.Change[string], int]) (int, error) {
			if f.add(ctx, in.A.Key); attempts(in.A.Key) < in.B {
				return 0, errors.New("not yet")
			}
			return 0, nil
		})
		m := start(t, simulated(simmesh.Options{Nodes: 1, Provide: natives(fail)}))
		for name, succeeds := range map[string]int{"third": 3, "never": 100} {
			tr := onPrefix(name, name)
			tr.Func.Name = "fail"
			createTrigger(t, at(m, 0), tr, succeeds)
			put(t, m, 0, name, "v")
		}
		<-time.After(time.Minute)
		if third, never := attempts("third"), attempts("never"); third != 3 || never != mesh.DefaultTriggerAttempts {
			t.Errorf("there were %d and %d attempts", third, never)
		}
		if runs, ids := f.count(); runs != ids {
			t.Errorf("%d runs have %d ids: expected each attempt to be a run", runs, ids)
		}
		for name, want := range map[string]string{"third": "fired 1, failed 0", "never": "fired 0, failed 1"} {
			status, err := at(m, 0).GetTrigger(within(t, time.Minute), name)
			wants(t, name, fmt.Sprintf("fired %d, failed %d", status.Fired, status.Failed), err, want)
			if status.Waiting != 0 || status.LastError == "" {
				t.Errorf("%s is %+v", name, status)
			}
		}
	})
}

// A trigger whose function writes the key that fires it goes on for ever, but not fast.
func TestATriggerThatFiresItselfIsHeldBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		loop := node.Handle("loop", func(ctx context.Context, c fn.Change[string]) (string, error) {
			f.add(ctx, c.Key)
			return "", fn.Put(ctx, c.Key, c.Value+"x")
		})
		m := start(t, simulated(simmesh.Options{Nodes: 1, Provide: natives(loop)}))
		tr := onPrefix("t", "k")
		tr.Func.Name, tr.Rate = "loop", 2
		createTrigger(t, at(m, 0), tr)
		put(t, m, 0, "k", "")
		<-time.After(30 * time.Second)
		if runs, _ := f.count(); runs < 30 || runs > 62 {
			t.Errorf("%d runs within 30 s: expected 2 a second", runs)
		}
	})
}

func TestWhatTriggersMayNotDo(t *testing.T) {
	f := &fired{}
	m := start(t, simmesh.Options{Nodes: 1, Provide: f.provide})
	create := func(c *sdk.Client, change func(*mesh.Trigger)) error {
		tr := onPrefix("t", "k/")
		change(&tr)
		_, err := c.CreateTrigger(within(t, 30*time.Second), tr)
		return err
	}
	none := func(*mesh.Trigger) {}
	missing := func(tr *mesh.Trigger) { tr.Func.Name = "no-such" }
	wantsError(t, "a function that is not there", create(at(m, 0), missing), mesh.NotFound, "no-such")
	wantsError(t, "no cause", create(at(m, 0), func(tr *mesh.Trigger) { tr.Cause = mesh.Cause{} }), mesh.Invalid, "no cause")

	grant := admission.Grant{Role: admission.Client, Verbs: admission.Deploy | admission.Call | admission.Read}
	wants(t, "a client that may do all of it", create(dialAs(t, m, grant), none), nil, nil)
	grant.Verbs = admission.Deploy | admission.Call
	wantsError(t, "a client that may not read", create(dialAs(t, m, grant), none), mesh.Denied)
	grant.Verbs = admission.Deploy | admission.Read
	wantsError(t, "a client that may not call", create(dialAs(t, m, grant), none), mesh.Denied)
	grant.Verbs = admission.Call | admission.Read
	reader := dialAs(t, m, grant)
	wantsError(t, "a client that may not deploy", create(reader, none), mesh.Denied)
	wantsError(t, "to delete without deploy", reader.DeleteTrigger(within(t, 30*time.Second), "t"), mesh.Denied)
	if _, err := reader.GetTrigger(within(t, 30*time.Second), "t"); err != nil {
		t.Error(err)
	}
	grant = admission.Grant{Role: admission.Client, Verbs: admission.AllVerbs, KeyPrefixes: []string{"other/"}}
	wantsError(t, "a client that may read other keys", create(dialAs(t, m, grant), none), mesh.Denied)
}

func TestLargeValuesAndCollectionsFireToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fired{}
		size := node.Handle("size", func(ctx context.Context, c fn.Change[any]) (string, error) {
			f.add(ctx, fmt.Sprintf("%s %s omitted %v", c.Key, c.Kind, c.Omitted))
			return "", nil
		})
		m := start(t, simulated(simmesh.Options{Nodes: 3, Provide: natives(size)}))
		elements := make([]string, 400) // stored in parts
		for n := range elements {
			elements[n] = fmt.Sprint("element ", n)
		}
		add := func(elements ...string) {
			if err := sdk.Set[string](at(m, 0), "set").Add(within(t, time.Minute), elements...); err != nil {
				t.Fatal(err)
			}
		}
		add(elements...)
		tr := onPrefix("t", "")
		tr.Func.Name = "size"
		createTrigger(t, at(m, 0), tr)
		<-time.After(time.Minute)
		f.wants(t)
		add("one more")
		f.wants(t, "set set omitted false")
		<-time.After(time.Minute)
		put(t, m, 0, "text", string(make([]byte, 2<<20)))
		f.wants(t, "set set omitted false", "text lww omitted true")
	})
}
