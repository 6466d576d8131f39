package trigger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// MaxValue bounds the value of a key that is handed to what a trigger runs, in
// bytes. A larger one is left out: the function reads the key.
const MaxValue = 64 << 10

// fire makes an attempt to run an event. known is the state of its key that was fired last.
func (t *Triggers) fire(ctx context.Context, def *mesh.Trigger, e event, known version) (o outcome) {
	args := def.Args
	if def.Cause.OnChange() {
		value, err := t.State.Get(ctx, mesh.Key{Namespace: def.Namespace, Name: e.key})
		if err != nil && !errors.Is(err, mesh.NotFound) {
			o.err = err
			return o
		}
		if o.read = true; err == nil {
			o.version = versionOf(value.AppendBinary(nil))
		}
		if o.same = o.version == known; o.same {
			return o
		}
		change, err := describe(def, e.key, value, t.Now())
		if err != nil {
			o.err = err
			return o
		}
		args = append([]mesh.Value{change}, args...)
	}
	o.ended, o.err = t.Runner.Run(ctx, runID(def, e, o.version), def, args)
	return o
}

// runID names the run of an event: the same wherever it is run, and whenever
// the event is run again, until the run has ended and failed. Each state of a
// key is a run of its own. A slot is one event, whoever notices it.
func runID(def *mesh.Trigger, e event, v version) mesh.RunID {
	text := append([]byte("virga trigger\x00"), def.ID[:]...)
	if def.Cause.OnChange() {
		text = binary.BigEndian.AppendUint64(text, e.number)
		text = append(append(text, v[:]...), e.key...)
	} else {
		text = binary.BigEndian.AppendUint64(text, uint64(e.slot))
	}
	text = binary.BigEndian.AppendUint32(text, e.attempt)
	sum := sha256.Sum256(text)
	return mesh.RunID(sum[:16])
}

// describe gives the first argument of a run that a change fired: fn.Change.
func describe(def *mesh.Trigger, key string, value lattice.Value, now time.Time) (mesh.Value, error) {
	change := fn.Change[mesh.Value]{Namespace: def.Namespace, Key: key, Time: now.UTC(), Deleted: value.Kind() == 0}
	if !change.Deleted {
		change.Kind = value.Kind().String()
		change.Omitted = value.Size() > MaxValue || areConcurrent(value)
		if !change.Omitted {
			var err error
			change.Value, err = fn.Plain(value)
			change.Omitted = err != nil || len(change.Value.Data) > MaxValue
		}
	}
	return encodeChange(change)
}

// areConcurrent reports whether there are several values: the function decides.
func areConcurrent(value lattice.Value) bool {
	n := 0
	for range value.Siblings() {
		n++
	}
	return n > 1
}

func encodeChange(c fn.Change[mesh.Value]) (mesh.Value, error) {
	members := []codec.Member{}
	add := func(name string, v any) error {
		encoded, err := codec.Encode(v)
		members = append(members, codec.Member{Name: name, Value: encoded})
		return err
	}
	err := errors.Join(
		add("namespace", c.Namespace), add("key", c.Key), add("deleted", c.Deleted),
		add("time", c.Time.Format(time.RFC3339Nano)),
	)
	if c.Kind != "" {
		err = errors.Join(err, add("kind", c.Kind))
	}
	switch {
	case c.Omitted:
		err = errors.Join(err, add("omitted", true))
	case !c.Deleted:
		members = append(members, codec.Member{Name: "value", Value: c.Value})
	}
	if err != nil {
		return mesh.Value{}, err
	}
	return codec.Map(members)
}
