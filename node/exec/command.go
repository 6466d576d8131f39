package exec

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/sys"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/codec"
)

// MaxOutput bounds the result of a WASI command, and what a guest emits: it
// travels in one frame.
const MaxOutput = 48 << 20

// command is a module that is started anew for each invocation.
type command struct {
	module  *module
	loading time.Duration // that the module took, for those who waited
}

func (c command) limits() mesh.Limits { return mesh.Limits{} }

func (c command) release() { c.module.owner.release(c.module) }

// run gives a command its arguments as JSON on standard input, one on each
// line, and takes what it writes to standard output as its result: Text if
// that is UTF-8, else Raw.
func (c command) run(ctx context.Context, r *running, args []mesh.Value) (mesh.Value, error) {
	r.cold = c.loading
	c.module.use()
	stdin, err := linesOf(args)
	if err != nil {
		return mesh.Value{}, err
	}
	if err := c.module.checkMemory(r.limits.Memory); err != nil {
		return mesh.Value{}, err
	}
	memory, err := newLinearMemory(&c.module.owner.budget, c.module.initialMemory(), r.limits.Memory)
	if err != nil {
		return mesh.Value{}, err
	}
	out := newOutput()
	out.whole = true
	r.attach(out, c.module.owner.options.Log)
	defer out.end()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	stdout := &bounded{limit: MaxOutput, beyond: stop}
	config := sandbox(&sleeper{ctx: ctx}).WithArgs(r.function.Ref.Name).
		WithStdin(stdin).WithStdout(stdout).WithStderr(&out.stderr).WithStartFunctions(commandStart)
	defer memory.Free() // closing does not where the context's end has closed the module before
	sandboxed, err := c.module.owner.runtime.InstantiateModule(memory.within(ctx), c.module.compiled, config)
	if sandboxed != nil {
		defer sandboxed.Close(context.WithoutCancel(ctx))
	}
	if stdout.exceeded {
		return mesh.Value{}, mesh.Errorf(mesh.UserError, "", "the command wrote more than %d bytes", stdout.limit)
	}
	if exit := (*sys.ExitError)(nil); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 0) {
		return mesh.Value{}, trapped(ctx.Err(), memory, out, err)
	}
	return stdout.result(), nil
}

// linesOf reads the arguments as JSON, one on each line, without a second copy
// of those that are large.
func linesOf(args []mesh.Value) (io.Reader, error) {
	var lines []io.Reader
	for i, v := range args {
		line, err := codec.JSONReader(v)
		if err != nil {
			return nil, mesh.Errorf(mesh.Invalid, "", "argument %d: %s", i+1, mesh.AsError("", err).Text())
		}
		lines = append(lines, line, strings.NewReader("\n"))
	}
	return io.MultiReader(lines...), nil
}

// bounded keeps what is written to it, up to its limit. Beyond it calls
// beyond, for a command that does not heed that its writes fail.
type bounded struct {
	limit    int
	beyond   func()
	data     []byte
	exceeded bool
}

func (b *bounded) Write(p []byte) (int, error) {
	if len(b.data)+len(p) > b.limit {
		b.exceeded = true
		b.beyond()
		return 0, errors.New("the output is too long")
	}
	b.data = append(b.data, p...)
	return len(p), nil
}

// result is the output: text without the newline that ends its last line, or bytes as they are.
func (b *bounded) result() mesh.Value {
	if !utf8.Valid(b.data) {
		return mesh.Value{Format: mesh.Raw, Data: b.data}
	}
	return mesh.Value{Format: mesh.Text, Data: bytes.TrimSuffix(b.data, []byte("\n"))}
}
