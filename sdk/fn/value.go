package fn

import (
	"context"
	"reflect"
	"sync"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// PutOp says how a Go value is put plainly: a map whose values are struct{},
// which is how Go writes sets, adds its keys to a set, all else is the payload
// of a last-writer-wins register. Elements and payloads are encoded by package
// codec.
func PutOp(v any) (lattice.Kind, lattice.Op, error) {
	if !isSet(reflect.TypeOf(v)) {
		payload, err := encode(v)
		return lattice.LWWKind, lattice.SetOp(payload), err
	}
	elements := make([]string, 0, reflect.ValueOf(v).Len())
	for _, key := range reflect.ValueOf(v).MapKeys() {
		element, err := encode(key.Interface())
		if err != nil {
			return 0, lattice.Op{}, err
		}
		elements = append(elements, string(element))
	}
	return lattice.SetKind, lattice.AddOp(elements...), nil
}

func isSet(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct && t.Elem().NumField() == 0
}

// DecodePlain reads what a lattice holds, as Plain gives it, into what into
// points to: a set into a slice of its elements, or into a map with values
// struct{}. What does not fit is an Invalid error.
func DecodePlain(state lattice.Value, into any) error {
	plain, err := Plain(state)
	if err != nil {
		return err
	}
	target := reflect.ValueOf(into)
	if !isSetKind(state.Kind()) || target.Kind() != reflect.Pointer || !isSet(target.Type().Elem()) {
		return codec.Decode(plain, into)
	}
	set := target.Type().Elem()
	elements := reflect.New(reflect.SliceOf(set.Key()))
	if err := codec.Decode(plain, elements.Interface()); err != nil {
		return err
	}
	filled := reflect.MakeMapWithSize(set, elements.Elem().Len())
	for i := range elements.Elem().Len() {
		filled.SetMapIndex(elements.Elem().Index(i), reflect.Zero(set.Elem()))
	}
	target.Elem().Set(filled)
	return nil
}

func isSetKind(kind lattice.Kind) bool {
	return kind == lattice.SetKind || kind == lattice.OrderedSetKind || kind == lattice.ORSetKind
}

// Got is what GetAll tells of one key.
type Got[T any, K KeyName] struct {
	Key   K
	Value T
	Err   error // NotFound and so on, as of Get
}

// readers bounds the keys that one GetAll reads at once.
const readers = 16

// GetAll reads several keys as Get does, beside one another, and tells of
// each in their order. They are not read as of one moment.
func GetAll[T any, K KeyName](ctx context.Context, keys ...K) []Got[T, K] {
	all := make([]Got[T, K], len(keys))
	turns := make(chan struct{}, readers)
	var reading sync.WaitGroup
	for i, key := range keys {
		turns <- struct{}{}
		reading.Go(func() {
			defer func() { <-turns }()
			value, err := Get[T](ctx, key)
			all[i] = Got[T, K]{key, value, err}
		})
	}
	reading.Wait()
	return all
}

// encode gives v in the form in which lattices hold payloads and elements.
func encode(v any) ([]byte, error) {
	value, err := codec.Encode(v)
	if err != nil {
		return nil, err
	}
	if value.IsZero() {
		return nil, mesh.Errorf(mesh.Invalid, "encode", "no value: expected one to store")
	}
	return value.AppendBinary(make([]byte, 0, 1+len(value.Data))), nil
}
