package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/pprof"

	"github.com/virga-mesh/virga/mesh"
)

// startProfile records where this process spends its CPU time until stop is
// called, which also writes what it allocated: dir/name.cpu.pprof and
// dir/name.allocs.pprof. With an empty dir it records nothing.
func startProfile(dir, name string) (stop func() error, err error) {
	if dir == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "profile", "%w", err)
	}
	cpu, err := os.Create(filepath.Join(dir, name+".cpu.pprof"))
	if err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "profile", "%w", err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		cpu.Close()
		return nil, mesh.Errorf(mesh.Internal, "profile", "%w", err)
	}
	return func() error {
		pprof.StopCPUProfile()
		return errors.Join(cpu.Close(), writeAllocations(filepath.Join(dir, name+".allocs.pprof")))
	}, nil
}

func writeAllocations(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(file, 0), file.Close())
}
