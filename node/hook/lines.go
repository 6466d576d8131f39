package hook

import (
	"bytes"
	"log/slog"
)

// Bounds of what is logged of one run.
const (
	maxLine  = 1 << 10 // bytes
	maxLines = 500
)

// lines logs what is written to it. It is for one goroutine.
type lines struct {
	log    *slog.Logger
	rest   []byte // of a line that has not ended
	logged int
	last   string
}

// Write implements io.Writer. It takes everything, so that the command never
// waits for the log.
func (l *lines) Write(p []byte) (int, error) {
	for _, piece := range bytes.SplitAfter(p, []byte{'\n'}) {
		ended := bytes.HasSuffix(piece, []byte{'\n'})
		piece = bytes.TrimRight(piece, "\r\n")
		l.rest = append(l.rest, piece[:min(len(piece), maxLine-len(l.rest))]...)
		if ended {
			l.end()
		}
	}
	return len(p), nil
}

// end logs the line that has come so far.
func (l *lines) end() {
	line := string(bytes.ToValidUTF8(bytes.TrimSpace(l.rest), []byte{'?'}))
	l.rest = l.rest[:0]
	if line == "" {
		return
	}
	l.last = line
	switch l.logged++; {
	case l.logged <= maxLines:
		l.log.Info("the hook says", "line", line)
	case l.logged == maxLines+1:
		l.log.Warn("the hook says more than is logged", "lines", maxLines)
	}
}
