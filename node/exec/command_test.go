package exec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node/exec"
	"github.com/virga-mesh/virga/sdk/codec"
)

func TestCommands(t *testing.T) {
	b := start(t, exec.Options{Limits: mesh.Limits{Memory: 32 << 20}})
	wasm := built(t, "testdata/command")
	if info, err := b.Inspect(t.Context(), wasm); err != nil || info.Kind != mesh.Command {
		t.Fatalf("%+v, %v", info, err)
	}
	info := mesh.FuncInfo{Ref: ref("tool"), Kind: mesh.Command, Module: b.modules.put(wasm)}
	run := func(limits mesh.Limits, args ...any) (mesh.Value, error) {
		limited := info
		limited.Limits = limits
		values := make([]mesh.Value, len(args))
		for i, arg := range args {
			var err error
			if values[i], err = codec.Encode(arg); err != nil {
				t.Fatal(err)
			}
		}
		return b.Invoke(t.Context(), exec.Invocation{Func: limited, Args: values})
	}
	for _, test := range []struct {
		args   []any
		format mesh.Format
		want   string
	}{
		{[]any{"join", 1, 2.5, []string{"a\nb"}, nil}, mesh.Text, `1 2.5 ["a\nb"] null`},
		{[]any{"binary"}, mesh.Raw, "\xff\n"},
		{[]any{"exit0"}, mesh.Text, "done"},
		{[]any{"open"}, mesh.Text, "open /etc/passwd: Bad file number"},
	} {
		got, err := run(mesh.Limits{}, test.args...)
		if err != nil || got.Format != test.format || string(got.Data) != test.want {
			t.Errorf("%v gave %v %q, %v; expected %v %q", test.args, got.Format, got.Data, err, test.format, test.want)
		}
	}
	for _, test := range []struct {
		arg    string
		limits mesh.Limits
		kind   mesh.ErrorKind
		text   string
	}{
		{"fail", mesh.Limits{}, mesh.UserError, "exited with code 3: what went wrong"},
		{"spin", mesh.Limits{Time: 100 * time.Millisecond}, mesh.DeadlineExceeded, "limit of 100ms"},
		{"hog", mesh.Limits{}, mesh.UserError, "more memory than its limit of 33554432 bytes"},
		{"flood", mesh.Limits{}, mesh.UserError, "wrote more than 50331648 bytes"},
	} {
		_, err := run(test.limits, test.arg)
		wantError(t, err, test.kind, test.text)
	}
	_, err := run(mesh.Limits{})
	wantError(t, err, mesh.UserError, "index out of range")
	if !strings.Contains(b.log.String(), "what went wrong") {
		t.Error("standard error is not in the log")
	}
}
