package localmesh

import (
	"bytes"
	"fmt"
	"os"
)

// runs reports whether the process lives and has config among its arguments.
// A zombie has none.
func runs(pid int, config string) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	for arg := range bytes.SplitSeq(text, []byte{0}) {
		if string(arg) == config {
			return true
		}
	}
	return false
}
