package main

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/internal/simmesh"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/wire"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/fn"
)

// onNode runs commands on a node in this process.
func onNode(t *testing.T, options ...node.Option) answer {
	t.Helper()
	m, err := simmesh.Start(t.Context(), simmesh.Options{Nodes: 1, Provide: func(int) []node.Option { return options }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(req wire.Message) (wire.Message, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		return m.Node(0).Do(ctx, req)
	}
}

// example is the YAML of docs/dag.md.
func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/dag.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```yaml\n")
	yaml, _, found := strings.Cut(after, "```\n")
	if !found {
		t.Fatal("docs/dag.md has no example")
	}
	return yaml
}

func anything(_ context.Context, all fn.Variadic[mesh.Value]) (int, error) { return len(all), nil }

func TestTheExampleOfTheDocumentationIsAppliedAndShownAsItIs(t *testing.T) {
	var natives []node.Option
	for _, name := range []string{"fetch", "rate-small", "rate-large", "pick", "lengths", "describe"} {
		natives = append(natives, node.Handle(name, anything))
	}
	natives = append(natives, node.Handle("incr", func(_ context.Context, n int) (int, error) { return n + 1, nil }))
	ask, yaml := onNode(t, natives...), example(t)
	wants := func(stdout, stdin string, args ...string) string {
		t.Helper()
		got := virga(t, ask, stdin, args...)
		if got.code != 0 || stdout != "" && got.stdout != stdout {
			t.Errorf("%v printed %q %q, want %q", args, got.stdout, got.stderr, stdout)
		}
		return got.stdout
	}
	dry := wants("", yaml, "dag", "apply", "-f", "-", "--dry-run")
	if !strings.Contains(dry, "stage fetch runs fetch retry=3 backoff=100ms longest=2s timeout=5s") || !strings.Contains(dry, "edge rating -> alarm when . < 3") {
		t.Errorf("the dry run printed\n%s", dry)
	}
	file := filepath.Join(t.TempDir(), "reviews.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	wants("created dag reviews\ncreated dag twice\n", "", "dag", "apply", "-f", file)
	wants("unchanged dag reviews\nunchanged dag twice\n", yaml, "dag", "apply", "-f", "-")
	wants("3\n", "", "dag", "call", "twice", "first=1")

	shown := wants("", "", "dag", "show", "reviews", "--output", "yaml")
	wants("unchanged dag reviews\n", shown, "dag", "apply", "-f", "-")
	all := wants("", "", "dag", "list", "--output", "yaml")
	wants("unchanged dag reviews\nunchanged dag twice\n", all, "dag", "apply", "-f", "-")
	wants("replaced dag twice\n", "name: twice\nstages: [incr]", "dag", "apply", "-f", "-")
	wants("3\n", "", "dag", "call", "twice", "incr=2")
	missing := virga(t, ask, "\n\nname: lost\nstages: [nosuch]", "dag", "apply", "-f", "-")
	for _, part := range []string{"-:3: ", "dag lost", "stage nosuch", "NotFound", "no such function"} {
		if !strings.Contains(missing.stderr, part) || missing.code != 3 {
			t.Errorf("a missing function: %q does not say %q", missing.stderr, part)
		}
	}
}

// everything is a DAG with every option.
func everything() *mesh.DAG {
	value := func(v any) mesh.Value { encoded, _ := codec.Encode(v); return encoded }
	ref := func(ns, name, version string) mesh.FuncRef {
		return mesh.FuncRef{Namespace: ns, Name: name, Version: version}
	}
	return &mesh.DAG{
		Namespace: "team", Name: "all",
		Stages: []mesh.Stage{
			{Name: "1", Func: ref("team", "true", "v.1")},
			{Name: "b", Func: ref("default", "f", ""), StageOptions: mesh.StageOptions{
				Retry: mesh.Retry{Attempts: 3, Backoff: time.Second, Longest: time.Minute}, Timeout: 1500 * time.Millisecond,
				Colocate: "null", Labels: map[string]string{"gpu": "yes", "zone": "1", "empty": "", "0": "null"}, Hedge: mesh.Hedge{On: true},
			}},
			{Name: "c", Func: ref("team", "f", ""), StageOptions: mesh.StageOptions{
				Any: &mesh.AnyOf{Invalid: []mesh.Value{
					value(nil), value(1), value(-1.5), value(3.0), value(true), value("text"), value("5"), value("null"), value("two\nlines"),
					value([]byte("\x00bytes")), value(map[string]any{"b": []int{1}, "a": "x"}), value(uint64(1) << 63),
					{Format: mesh.JSON, Data: []byte(`{"a": 1}`)}, {Format: mesh.CBOR, Data: []byte{0xc1, 0x01}}, value([]float64{1, 2}),
				}},
				Hedge: mesh.Hedge{On: true, After: time.Second}, Map: mesh.Map{Parallel: 4},
			}},
			{Name: "d", Func: ref("team", "d", ""), StageOptions: mesh.StageOptions{Any: &mesh.AnyOf{}, Batch: mesh.Batch{Size: 2}}},
			{Name: "e", Func: ref("team", "e", ""), StageOptions: mesh.StageOptions{Batch: mesh.Batch{Size: 8, Within: time.Millisecond}}},
		},
		Edges: []mesh.Edge{
			{From: "1", To: "c", When: mesh.Condition{Path: "a.0", Op: mesh.Equal, JSON: `{"x": "# no comment"}`}},
			{From: "b", To: "d", When: mesh.Condition{Path: ".", Op: mesh.Exists}}, {From: "c", To: "d"},
		},
		Consistency: mesh.Repeatable,
	}
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	want := everything()
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	text, err := writeDAGs([]*mesh.DAG{want, want})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readDAGs("file", "other", text)
	if err != nil || len(got) != 2 {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, d := range got {
		if !reflect.DeepEqual(d.dag, want) {
			t.Errorf("came back as\n%+v, want\n%+v, by\n%s", d.dag, want, text)
		}
	}
}

func TestWrongDAGFilesSayTheLineAndWhatWasExpected(t *testing.T) {
	ab := "name: d\nstages:\n  - name: a\n  - name: b\n"
	for _, c := range []struct{ yaml, want string }{
		{"", "f: Invalid: it holds no DAG"},
		{"a: [", "not YAML: line 1"},
		{"- 1", "f:1: Invalid: the DAG is a list: expected fields, of consistency, edges, name, namespace, stages"},
		{"nmae: d", `f:1: Invalid: unknown field "nmae" of the DAG: expected one of consistency, edges`},
		{"name: d\nname: e", `f:2: Invalid: field "name" of the DAG is there twice, first in line 1`},
		{"name: [d]", "f:1: Invalid: name is a list: expected a text"},
		{"name: d", "f:1: Invalid: has no stages"},
		{"name: d\nconsistency: strong\nstages: [a]", `f:2: Invalid: "strong": expected one of eventual, repeatable, causal-key, causal-cut, causal-session`},
		{"name: a b\nstages: [a]", `Invalid: dag name "a b"`},
		{"name: d\nstages:\n  - nome: x", `f:3: Invalid: unknown field "nome" of a stage`},
		{"name: d\nstages:\n  - function: x", "f:3: Invalid: a stage without a name"},
		{ab + "  - name: a b", `f:5: Invalid: function name "a b"`},
		{ab + "  - name: a", `f:5: Invalid: declares stage "a" twice`},
		{ab + "    retry: 1", `f:5: Invalid: retry is "1": expected a whole number from 2 on`},
		{ab + "    retry: {atempts: 3}", `f:5: Invalid: unknown field "atempts" of retry: expected one of attempts, backoff, longest`},
		{ab + "    retry:\n      backoff: 1s", "f:4: stage b: Invalid: a retry of 0 attempts"},
		{ab + "    retry: 1000", "f:4: stage b: Invalid: 1000 attempts: expected 2 to 100"},
		{ab + "    timeout: 5", `f:5: Invalid: timeout is "5": expected a duration, such as 5s`},
		{ab + "    timeout: -5s", "f:4: stage b: Invalid: a timeout of -5s"},
		{ab + "    batch: 3", `f:5: Invalid: batch is "3": expected fields, of size, within`},
		{ab + "    batch: {within: 1s}", "f:5: Invalid: batch without a size"},
		{ab + "    map: 0", `f:5: Invalid: map is "0"`},
		{ab + "    hedge: soon", `f:5: Invalid: hedge is "soon": expected a duration`},
		{ab + "    any: maybe", `f:5: Invalid: any is "maybe": expected true or false`},
		{ab + "    any: true", `f:4: Invalid: stage "b" takes any of its parents' results and has no parents`},
		{ab + "    any: {invalid: [*x]}", "not YAML: unknown anchor"},
		{"name: &x d\nnamespace: *x\nstages: [a]", "f:2: Invalid: namespace is an alias"},
		{ab + "    any: {invalid: [!json '{']}", "f:5: Invalid: expected JSON"},
		{ab + "    any: {invalid: [!what 1]}", "f:5: Invalid: tag !what"},
		{ab + "    labels: gpu", `f:5: Invalid: labels is "gpu": expected a mapping`},
		{ab + "    labels: {gpu: [1]}", "f:5: Invalid: label gpu is a list"},
		{ab + "edges: a:b", `f:5: Invalid: edges is "a:b": expected a list`},
		{ab + "edges: [ab]", `f:5: Invalid: edge "ab": expected FROM:TO`},
		{ab + "edges: [{from: a}]", "f:5: Invalid: an edge without from or to"},
		{ab + "edges:\n  - a:b\n  - a:c", `f:7: Invalid: edge a:c names stage "c", which is not declared`},
		{ab + "edges:\n  - a:b\n  - a:b", "f:7: Invalid: declares edge a:b twice"},
		{ab + "edges:\n  - a:b\n  - b:a", "f:7: Invalid: has the cycle"},
		{ab + "edges:\n  - a:b when . >> 3", `f:6: Invalid: operator ">>"`},
		{ab + "edges:\n  - {from: a, to: b, when: . > x}", `f:6: Invalid: value "x": expected JSON`},
		{ab + "---\nname: e\nstages: [x]\n---\nname: d\nstages: [x]", "f:9: Invalid: dag d is there twice, first at f:1"},
	} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte(c.yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		got := virga(t, unasked(t), "", "dag", "apply", "-f", file)
		if said := strings.ReplaceAll(got.stderr, filepath.Dir(file)+"/", ""); got.code != 2 || !strings.Contains(said, c.want) {
			t.Errorf("%q: code %d, said %q, want %q", c.yaml, got.code, said, c.want)
		}
	}
}
