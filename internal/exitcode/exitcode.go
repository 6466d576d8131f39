// Package exitcode is the one table from kinds of errors to the exit codes
// of the programs virga and virgad. It is for the ends of those programs; a
// library returns errors.
package exitcode

import (
	"fmt"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// codes are part of the command line's interface: append, never renumber.
var codes = [...]struct {
	kind    mesh.ErrorKind
	code    int
	meaning string
}{
	{mesh.Internal, 1, "a defect, or what no other code describes"},
	{mesh.Invalid, 2, "wrong input or usage; the message names what was expected"},
	{mesh.NotFound, 3, "no such key, function, DAG or run"},
	{mesh.KindMismatch, 4, "the key holds a value of another kind"},
	{mesh.Denied, 5, "the credential does not allow it"},
	{mesh.Overloaded, 6, "a queue is full; retry later"},
	{mesh.Unavailable, 7, "too few nodes could be reached; retry later"},
	{mesh.DeadlineExceeded, 8, "the time ran out"},
	{mesh.Cancelled, 9, "given up by the caller"},
	{mesh.UserError, 10, "the function returned an error or panicked"},
	{mesh.Conflict, 11, "the state changed, or exists already"},
}

// Of gives the exit code for err: 0 for nil, else that of its kind.
func Of(err error) int {
	if err == nil {
		return 0
	}
	kind := mesh.KindOf(err)
	for _, c := range codes {
		if c.kind == kind {
			return c.code
		}
	}
	return 1
}

// Help lists the codes, one a line, for the programs' help.
func Help() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n   0  success\n")
	for _, c := range codes {
		fmt.Fprintf(&b, "  %2d  %s: %s\n", c.code, c.kind, c.meaning)
	}
	return b.String()
}
