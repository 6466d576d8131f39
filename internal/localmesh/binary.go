package localmesh

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

const (
	program = "virgad"
	module  = "github.com/virga-mesh/virga"
)

// Virgad finds the daemon's program file: beside the program that runs, else
// built into dir from the clone around the current folder, else on PATH.
func Virgad(ctx context.Context, dir string) (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), program)
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	if inClone(ctx) {
		return build(ctx, dir, program)
	}
	if path, err := exec.LookPath(program); err == nil {
		return filepath.Abs(path)
	}
	return "", mesh.Errorf(mesh.NotFound, "find "+program, "it is neither beside this program nor on PATH, and the current folder is not in a clone of %s that Go could build it from", module)
}

func inClone(ctx context.Context) bool {
	out, err := exec.CommandContext(ctx, "go", "list", "-m").Output()
	return err == nil && strings.TrimSpace(string(out)) == module
}

// Self gives a file of the program that runs which stays where it is: the
// one that go run makes does not, and is built into dir.
func Self(ctx context.Context, dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", mesh.Errorf(mesh.Internal, "find this program", "%w", err)
	}
	if !strings.Contains(self, string(filepath.Separator)+"go-build") || !inClone(ctx) {
		return self, nil
	}
	return build(ctx, dir, filepath.Base(self))
}

// build builds one of the clone's programs into dir.
func build(ctx context.Context, dir, program string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, program))
	if err != nil {
		return "", mesh.Errorf(mesh.Invalid, "build "+program, "%w", err)
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", path, module+"/cmd/"+program).CombinedOutput(); err != nil {
		return "", mesh.Errorf(mesh.Internal, "build "+program, "%w: %s", err, strings.TrimSpace(string(out)))
	}
	return path, nil
}
