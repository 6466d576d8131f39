package localmesh

import (
	"bytes"
	"fmt"
	"os"
	"time"
)

// A process has no arguments while it is between two programs (the kernel
// closes its files, which is how the starter learns of the new program, before
// it sets them), and again from its end until it is waited for.
const (
	betweenPrograms = time.Second // at most, and far more than it takes
	lookAgain       = time.Millisecond
)

// runs reports whether the process lives and has config among its arguments.
func runs(pid int, config string) bool {
	for deadline := time.Now().Add(betweenPrograms); ; time.Sleep(lookAgain) {
		arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			return false
		}
		if len(arguments) > 0 {
			return contains(arguments, config)
		}
		if ended(pid) || time.Now().After(deadline) {
			return false
		}
	}
}

// contains looks for an argument among those that end with a zero byte each.
func contains(arguments []byte, config string) bool {
	for argument := range bytes.SplitSeq(arguments, []byte{0}) {
		if string(argument) == config {
			return true
		}
	}
	return false
}

// ended reports whether the process is gone, or a zombie that waits for its
// parent: the state is the field after the name in parentheses, proc_pid_stat(5).
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	state := bytes.TrimLeft(stat[bytes.LastIndexByte(stat, ')')+1:], " ")
	return len(state) == 0 || state[0] == 'Z' || state[0] == 'X'
}
