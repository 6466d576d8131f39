package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// What one mesh holds is there after it was restored into meshes of other sizes.
func TestBackupAndRestore(t *testing.T) {
	from := meshtest.New(t, 3)
	client := from.Client(0)
	ctx := t.Context()
	for i := range 50 {
		if err := sdk.Register[int](client, fmt.Sprint("k", i)).Put(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	set := sdk.ORSet[int](client, "large set")
	members := make([]int, 400)
	for i := range members {
		members[i] = i
	}
	for chunk := range slices.Chunk(members, 100) {
		if err := set.Add(ctx, chunk...); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Delete(ctx, "k7"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	a := appOf(t, client)
	if err := runBackup(ctx, a, dir); err != nil {
		t.Fatal(err)
	}
	if err := runBackup(ctx, a, dir); !errors.Is(err, mesh.Conflict) {
		t.Errorf("a backup over a backup: %v, want Conflict", err)
	}
	for _, size := range []int{1, 5} {
		to := meshtest.New(t, size).Client(0)
		for range 2 {
			if err := runRestore(ctx, appOf(t, to), dir); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 50 {
			got, err := sdk.Register[int](to, fmt.Sprint("k", i)).Get(ctx)
			if i == 7 {
				if !errors.Is(err, mesh.NotFound) {
					t.Errorf("mesh of %d: the deleted key is %d, %v", size, got, err)
				}
			} else if err != nil || got != i {
				t.Errorf("mesh of %d: k%d is %d, %v", size, i, got, err)
			}
		}
		if all, err := sdk.ORSet[int](to, "large set").All(ctx); err != nil || len(all) != len(members) {
			t.Errorf("mesh of %d: the set has %d elements, %v: want %d", size, len(all), err, len(members))
		}
	}
	if err := os.Truncate(filepath.Join(dir, "cells-0001.virga"), 100); err != nil {
		t.Fatal(err)
	}
	if err := runRestore(ctx, a, dir); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a damaged backup: %v, want Invalid", err)
	}
	if err := runRestore(ctx, a, t.TempDir()); !errors.Is(err, mesh.NotFound) {
		t.Errorf("a folder without a backup: %v, want NotFound", err)
	}
}

// appOf is a program that is connected to a mesh.
func appOf(t *testing.T, client *sdk.Client) *app {
	t.Helper()
	a := newApp(strings.NewReader(""), io.Discard, io.Discard)
	a.client, a.timeout = client, archiveTimeout
	return a
}
