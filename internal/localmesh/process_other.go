//go:build !linux

package localmesh

import (
	"os/exec"
	"strconv"
	"strings"
)

// runs reports whether the process lives and has config among its arguments.
// A zombie has none.
func runs(pid int, config string) bool {
	args, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(args), config)
}
