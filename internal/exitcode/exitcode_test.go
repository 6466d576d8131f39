package exitcode

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestEveryKindHasACodeOfItsOwn(t *testing.T) {
	seen := map[int]mesh.ErrorKind{}
	for kind := mesh.Internal; kind <= mesh.Conflict; kind++ {
		code := Of(mesh.Errorf(kind, "op", "message"))
		if other, taken := seen[code]; taken || code == 0 {
			t.Errorf("%s has code %d, which is also that of %s", kind, code, other)
		}
		seen[code] = kind
		if !strings.Contains(Help(), fmt.Sprintf("%2d  %s:", code, kind)) {
			t.Errorf("the help does not list %s", kind)
		}
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
	}{
		{nil, 0},
		{errors.New("plain"), 1},
		{fmt.Errorf("outer: %w", mesh.Errorf(mesh.NotFound, "get", "no such key")), 3},
		{context.DeadlineExceeded, 8},
		{context.Canceled, 9},
		{mesh.Errorf(mesh.ErrorKind(99), "op", "of a later version"), 1},
	} {
		if got := Of(c.err); got != c.code {
			t.Errorf("Of(%v) = %d, want %d", c.err, got, c.code)
		}
	}
}
