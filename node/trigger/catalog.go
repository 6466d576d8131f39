package trigger

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/mesh/wire/pb"
)

// Put creates a trigger, or replaces the one of its name, and gives it as it
// is kept. What changes after Put has returned fires it. To put a trigger
// again under its id changes nothing.
// Errors: Invalid for what can never fire, NotFound when what it runs does not
// exist, Overloaded beyond the bound of triggers or keys.
func (t *Triggers) Put(ctx context.Context, def *mesh.Trigger) (mesh.TriggerStatus, error) {
	if err := def.Validate(); err != nil {
		return mesh.TriggerStatus{}, err
	}
	made := def.WithDefaults()
	status, err := t.put(ctx, &made)
	if err != nil {
		return mesh.TriggerStatus{}, mesh.AsError("trigger "+def.Name, err)
	}
	return status, nil
}

func (t *Triggers) put(ctx context.Context, made *mesh.Trigger) (mesh.TriggerStatus, error) {
	before, err := t.definition(ctx, made.Namespace, made.Name)
	switch {
	case errors.Is(err, mesh.NotFound):
		before = nil
		err = t.admit(ctx, made.Namespace)
	case err == nil && !made.ID.IsZero() && before.ID == made.ID:
		return t.status(ctx, before)
	}
	if err != nil {
		return mesh.TriggerStatus{}, err
	}
	if err := t.Runner.Check(ctx, made); err != nil {
		return mesh.TriggerStatus{}, err
	}
	if made.ID.IsZero() {
		made.ID = mesh.NewTriggerID()
	}
	made.Created = t.Now().UTC()
	if made.Cause.Kind == mesh.OnTime && made.Cause.At.IsZero() {
		made.Cause.At = made.Created.Add(made.Cause.After)
	}
	if err := t.store(ctx, made); err != nil {
		return mesh.TriggerStatus{}, err
	}
	if before != nil {
		t.forget(ctx, before)
	}
	return t.status(ctx, made)
}

// store writes the records of a trigger, its definition last: then it is
// there. Of two who put one trigger at once, the first to write its progress does it.
func (t *Triggers) store(ctx context.Context, made *mesh.Trigger) error {
	p, known := &progress{slot: made.Created.Unix()}, newSeen(t.MaxKeys)
	if made.Cause.OnChange() {
		if err := t.begin(ctx, made, p, known); err != nil {
			return err
		}
	}
	p.parts = known.changed
	_, err := t.State.Swap(ctx, progressKey(made), "", payload(p.message("")), 0)
	if errors.Is(err, mesh.Conflict) {
		return mesh.Errorf(mesh.Unavailable, "", "it is being created: retry later")
	}
	if err != nil {
		return err
	}
	if _, err := known.save(ctx, t.State, made); err != nil {
		return err
	}
	definition := payload(wire.FromTrigger(made))
	return t.State.Put(ctx, definitionKey(made.Namespace, made.Name), lattice.LWWKind, lattice.SetOp(definition))
}

// begin notes from where on changes are watched, and what the keys hold now:
// that is no change. What is written meanwhile may be either.
func (t *Triggers) begin(ctx context.Context, made *mesh.Trigger, p *progress, known *seen) error {
	reply, err := t.Watches.Handle(ctx, watchOf(made, nil, 0))
	if err != nil {
		return err
	}
	p.token = reply.Token
	for after, more := "", true; more; {
		page, err := t.scan(ctx, made, after)
		if err != nil {
			return err
		}
		for _, key := range page.keys {
			if len(known.versions) >= t.MaxKeys {
				return mesh.Errorf(mesh.Overloaded, "", "more than %d keys begin with %q: expected a longer prefix", t.MaxKeys, made.Cause.Key)
			}
			v := key.version
			if key.omitted {
				if v, _, err = t.read(ctx, made, key.name); err != nil {
					return err
				}
			}
			known.set(key.name, v)
		}
		after, more = page.last, page.more
	}
	return nil
}

// admit refuses one trigger too many.
func (t *Triggers) admit(ctx context.Context, namespace string) error {
	names, more, err := t.State.List(ctx, definitions+namespace+"/", "", t.MaxTriggers)
	if err != nil {
		return err
	}
	if more || len(names) >= t.MaxTriggers {
		return mesh.Errorf(mesh.Overloaded, "", "namespace %s has %d triggers already: expected less", namespace, t.MaxTriggers)
	}
	return nil
}

func (t *Triggers) definition(ctx context.Context, namespace, name string) (*mesh.Trigger, error) {
	value, err := t.State.Get(ctx, definitionKey(namespace, name))
	if errors.Is(err, mesh.NotFound) {
		return nil, mesh.Errorf(mesh.NotFound, "trigger "+name, "no such trigger")
	}
	if err != nil {
		return nil, err
	}
	return readDefinition(value)
}

// Get gives a trigger and how it stands.
func (t *Triggers) Get(ctx context.Context, namespace, name string) (mesh.TriggerStatus, error) {
	def, err := t.definition(ctx, namespace, name)
	if err != nil {
		return mesh.TriggerStatus{}, err
	}
	return t.status(ctx, def)
}

func (t *Triggers) status(ctx context.Context, def *mesh.Trigger) (mesh.TriggerStatus, error) {
	s := mesh.TriggerStatus{Trigger: *def}
	var m pb.TriggerProgress
	value, err := t.State.Get(ctx, progressKey(def))
	if err == nil {
		err = readPayload(value, &m)
	}
	if err != nil && !errors.Is(err, mesh.NotFound) {
		return s, err
	}
	p := readProgress(&m)
	s.Keeper, s.Fired, s.Failed, s.LastFired = mesh.NodeID(m.Keeper), p.fired, p.failed, p.lastFired
	s.Waiting, s.LastError = len(p.events), p.lastError
	var schedule mesh.Schedule
	if def.Cause.Kind == mesh.OnCron {
		if schedule, err = mesh.ParseSchedule(def.Cause.Cron, def.Cause.Zone); err != nil {
			return s, err
		}
	}
	s.NextDue = nextDue(def, schedule, p)
	return s, nil
}

// nextDue is when the clock fires a trigger next; zero for never.
func nextDue(def *mesh.Trigger, schedule mesh.Schedule, p *progress) time.Time {
	switch def.Cause.Kind {
	case mesh.OnCron:
		return schedule.Next(time.Unix(max(p.slot, def.Created.Unix()), 0))
	case mesh.OnTime:
		if !p.done {
			return def.Cause.At
		}
	}
	return time.Time{}
}

// List gives the triggers of a namespace whose names begin with prefix and are
// greater than after, in order, up to limit of them, and whether there are more.
func (t *Triggers) List(ctx context.Context, namespace, prefix, after string, limit int) ([]mesh.TriggerStatus, bool, error) {
	if err := mesh.ValidateNamespace(namespace); err != nil {
		return nil, false, err
	}
	within := definitions + namespace + "/"
	if after != "" {
		after = within + after
	}
	names, more, err := t.State.List(ctx, within+prefix, after, limit)
	if err != nil {
		return nil, false, err
	}
	found := make([]mesh.TriggerStatus, len(names))
	looking, ctx := errgroup.WithContext(ctx)
	looking.SetLimit(partsAtOnce)
	for i, name := range names {
		looking.Go(func() (err error) {
			found[i], err = t.Get(ctx, namespace, strings.TrimPrefix(name, within))
			if errors.Is(err, mesh.NotFound) {
				return nil // deleted meanwhile
			}
			return err
		})
	}
	if err := looking.Wait(); err != nil {
		return nil, false, err
	}
	there := found[:0]
	for _, s := range found {
		if s.Name != "" {
			there = append(there, s)
		}
	}
	return there, more, nil
}

// Delete removes a trigger. Runs under way go on.
func (t *Triggers) Delete(ctx context.Context, namespace, name string) error {
	def, err := t.definition(ctx, namespace, name)
	if err != nil {
		return err
	}
	if err := t.State.Delete(ctx, definitionKey(namespace, name)); err != nil {
		return err
	}
	t.forget(ctx, def)
	return nil
}

// forget removes the records of a trigger that there is no more.
func (t *Triggers) forget(ctx context.Context, def *mesh.Trigger) {
	parts := ^uint32(0)
	var m pb.TriggerProgress
	if value, err := t.State.Get(ctx, progressKey(def)); err == nil && readPayload(value, &m) == nil {
		parts = m.Parts
	}
	if !def.Cause.OnChange() {
		parts = 0
	}
	if err := forgetRecords(ctx, t.State, def, parts); err != nil && !errors.Is(err, mesh.NotFound) {
		t.Log.Warn("what was kept of a trigger was not removed", "trigger", def.Name, "id", def.ID, "err", err)
	}
}
