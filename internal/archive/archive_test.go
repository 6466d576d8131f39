package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
)

func record(t *testing.T, name, value string) mesh.Record {
	t.Helper()
	var cell lattice.Cell
	delta, err := cell.Apply(lattice.LWWKind, lattice.SetOp([]byte(value)), lattice.Write{Stamp: lattice.Stamp{Time: 1, Node: "n"}, Writer: "w"})
	if err != nil {
		t.Fatal(err)
	}
	return mesh.Record{Key: mesh.Key{Namespace: "default", Name: name}, Cell: delta}
}

// backUp makes a backup of some records.
func backUp(t *testing.T, records []mesh.Record) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "backup")
	w, err := Create(dir, "a mesh", time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Finish(time.Unix(2, 0))
	if err != nil || m.Records != int64(len(records)) {
		t.Fatalf("Finish = %+v, %v", m, err)
	}
	return dir
}

func some(t *testing.T) []mesh.Record {
	records := []mesh.Record{
		{Key: mesh.Key{Namespace: "default", Name: "deleted"}, Cell: lattice.NewCell(lattice.Stamp{Time: 5, Node: "n"}, lattice.Value{})},
		{Key: mesh.Key{Namespace: "default", Name: "whole"}.Part(7), Cell: record(t, "x", "in a part").Cell},
	}
	for i := range 20 {
		records = append(records, record(t, fmt.Sprint("k", i), fmt.Sprint("value ", i)))
	}
	return records
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	records := some(t)
	dir := backUp(t, records)
	m, err := ReadManifest(dir)
	if err != nil || m.Mesh != "a mesh" || len(m.Files) != 1 {
		t.Fatalf("manifest %+v, %v", m, err)
	}
	if err := Verify(dir, m); err != nil {
		t.Fatal(err)
	}
	var got []mesh.Record
	if err := Read(dir, m, func(r mesh.Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	same := func(a, b mesh.Record) bool { return a.Key == b.Key && a.Cell.Compare(b.Cell) == lattice.Equal }
	if !slices.EqualFunc(got, records, same) {
		t.Errorf("read %v, want %v", got, records)
	}
}

func TestOnlyAnEmptyFolderBecomesABackup(t *testing.T) {
	dir := backUp(t, some(t))
	if _, err := Create(dir, "a mesh", time.Now()); !errors.Is(err, mesh.Conflict) {
		t.Errorf("Create over a backup: %v, want Conflict", err)
	}
	w, err := Create(t.TempDir(), "a mesh", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(record(t, "k", "v")); err != nil {
		t.Fatal(err)
	}
	w.Abandon()
	if _, err := ReadManifest(w.dir); !errors.Is(err, mesh.NotFound) {
		t.Errorf("the manifest of an unfinished backup: %v, want NotFound", err)
	}
}

// A file that was cut at any place, or has any bit flipped, is refused, and
// the records before the damage are all that Read gives.
func TestDamageIsFound(t *testing.T) {
	dir := backUp(t, some(t))
	m, err := ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, m.Files[0].Name)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Verify(dir, m); !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: %v, want Invalid", what, err)
		}
		if err := Read(dir, m, func(mesh.Record) error { return nil }); err != nil && !errors.Is(err, mesh.Invalid) {
			t.Errorf("%s: Read gives %v", what, err)
		}
	}
	for i := range whole {
		refused(fmt.Sprint("cut at ", i), whole[:i])
		flipped := slices.Clone(whole)
		flipped[i] ^= 1 << (i % 8)
		refused(fmt.Sprint("flipped at ", i), flipped)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := Verify(dir, m); !errors.Is(err, mesh.Invalid) {
		t.Errorf("without the file: %v, want Invalid", err)
	}
}
