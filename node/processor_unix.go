//go:build unix

package node

import (
	"runtime"
	"syscall"
	"time"
)

// processorSeconds is how long the machine's processors have worked for this
// process, each counted for its part.
func processorSeconds() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	spent := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return spent.Seconds() / float64(runtime.NumCPU())
}
