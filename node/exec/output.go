package exec

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
)

// Bounds of what a guest writes.
const (
	maxLogged = 64 << 10 // bytes that reach the log, per invocation
	maxTail   = 4 << 10  // bytes of standard error kept for the error message
	maxLine   = 4 << 10
)

// output takes what a guest writes, line by line, to the log.
type output struct {
	log    *slog.Logger
	of     *running // nil outside a call
	budget int
	stdout line
	stderr line
	tail   []byte // the end of standard error
	whole  bool   // the tail belongs into error messages whole, not by its first line
}

// line is a writer for one stream, with what has not ended in a newline yet.
type line struct {
	out    *output
	stream string
	part   []byte
}

func newOutput() *output {
	o := &output{}
	o.stdout = line{out: o, stream: "stdout"}
	o.stderr = line{out: o, stream: "stderr"}
	return o
}

// begin sets where the next invocation's output goes.
func (o *output) begin(log *slog.Logger, of *running) {
	o.log, o.of, o.budget, o.tail = log, of, maxLogged, o.tail[:0]
}

// end logs lines that were not ended.
func (o *output) end() {
	o.stdout.flush()
	o.stderr.flush()
	o.of = nil
}

func (l *line) Write(p []byte) (int, error) {
	if l.stream == "stderr" {
		l.out.keep(p)
	}
	for rest := p; len(rest) > 0; {
		head, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := maxLine - len(l.part); len(head) > room {
			head, after, ended = rest[:room], rest[room:], true
		}
		l.part = append(l.part, head...)
		if ended {
			l.flush()
		}
		rest = after
	}
	return len(p), nil
}

func (l *line) flush() {
	if len(l.part) > 0 {
		l.out.write(slog.LevelInfo, l.stream, string(l.part))
		l.part = l.part[:0]
	}
}

// write logs text as long as the invocation's budget lasts.
func (o *output) write(level slog.Level, stream, text string) {
	if o.of == nil || o.budget < 0 {
		return
	}
	log := o.log.With("function", o.of.function.Ref.String())
	if o.budget -= len(text); o.budget < 0 {
		log.Warn("a guest wrote too much: the rest is dropped", "logged_bytes", maxLogged)
		return
	}
	log.Log(context.Background(), level, text, "stream", stream)
}

// lastWords is what goes into an error message of standard error, after a
// colon. What a guest's language runtime writes as it dies has its stack
// after the first line; that is for the log.
func (o *output) lastWords() string {
	text := strings.ToValidUTF8(strings.TrimSpace(string(o.tail)), "?")
	if !o.whole {
		text, _, _ = strings.Cut(text, "\n")
	}
	if text == "" {
		return ""
	}
	return ": " + text
}

// keep holds on to the end of standard error.
func (o *output) keep(p []byte) {
	o.tail = append(o.tail, p[max(0, len(p)-maxTail):]...)
	if extra := len(o.tail) - maxTail; extra > 0 {
		o.tail = append(o.tail[:0], o.tail[extra:]...)
	}
}
