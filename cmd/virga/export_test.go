package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/lattice"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/codec"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

// opsOfEachKind write a value of each kind, nested ones, too.
func opsOfEachKind(t *testing.T) map[lattice.Kind][]lattice.Op {
	text := func(s string) []byte { return payloadOf(t, s) }
	element := func(v any) string { return string(payloadOf(t, v)) }
	many := make([]string, 1000)
	for i := range many {
		many[i] = element(i)
	}
	return map[lattice.Kind][]lattice.Op{
		lattice.BoolKind:        {lattice.EnableOp()},
		lattice.MaxKind:         {lattice.OfferOp(lattice.FloatScalar(7))},
		lattice.MinKind:         {lattice.OfferOp(lattice.TextScalar("seven"))},
		lattice.SetKind:         {lattice.AddOp(many...)},
		lattice.OrderedSetKind:  {lattice.AddOp(element("a"), element([]byte{0xff}))},
		lattice.MapKind:         {lattice.PutOp("f", lattice.MapKind, lattice.PutOp("g", lattice.GCounterKind, lattice.IncOp(4)))},
		lattice.LWWKind:         {lattice.SetOp(payloadOf(t, map[string]any{"name": "Ada"}))},
		lattice.PriorityKind:    {lattice.SetPriorityOp(1.5, text("low"))},
		lattice.ClockKind:       {lattice.ObserveOp(lattice.NewVectorClock(map[string]uint64{"w": 3}))},
		lattice.CausalKind:      {lattice.SetOp(text("after")), lattice.SetOp(text("and after"))},
		lattice.MultiCausalKind: {lattice.SetAfterOp(text("after"), map[string]*lattice.VectorClock{"k": lattice.NewVectorClock(map[string]uint64{"w": 1})})},
		lattice.GCounterKind:    {lattice.IncOp(5), lattice.IncOp(2)},
		lattice.PNCounterKind:   {lattice.IncOp(-7)},
		lattice.ORSetKind:       {lattice.AddOp(many...), lattice.RemoveOp(many[:500]...), lattice.AddOp(many[600:]...)},
		lattice.ORMapKind:       {lattice.PutOp("f", lattice.ORSetKind, lattice.AddOp(element("x"))), lattice.PutOp("g", lattice.LWWKind, lattice.SetOp(mesh.Value{Format: mesh.JSON, Data: []byte(`{"b": [1]}`)}.AppendBinary(nil)))},
		lattice.MVRegisterKind:  {lattice.SetOp(payloadOf(t, []byte{0, 1}))},
		lattice.FlagKind:        {lattice.EnableOp(), lattice.DisableOp()},
	}
}

func exportText(t *testing.T, client *sdk.Client, o exportOptions) string {
	t.Helper()
	a := appOf(t, client)
	var out bytes.Buffer
	a.stdout = &out
	o.file = "-"
	if err := runExport(t.Context(), a, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func importText(t *testing.T, client *sdk.Client, text string, o importOptions) (string, error) {
	t.Helper()
	a := appOf(t, client)
	var out bytes.Buffer
	a.stdout, a.stderr, a.stdin = &out, &out, strings.NewReader(text)
	o.file = "-"
	err := runImport(t.Context(), a, o)
	return out.String(), err
}

// sortedElements is the value of a key; sets are in an order that does not depend on their parts.
func sortedElements(t *testing.T, client *sdk.Client, name string) string {
	t.Helper()
	v, err := client.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	state, err := describeState(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(state.Value)
}

// comparableText leaves out lines that are parts of large collections, which may
// be divided otherwise in another mesh, and the moments of expiry, which are checked apart.
func comparableText(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if before, after, expires := strings.Cut(line, `"expires":"`); expires {
			_, after, _ = strings.Cut(after, `"`)
			line = before + `"expires":"` + after
		}
		if !strings.Contains(line, `"part":`) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// What one mesh exports, another that imports it exports, too: values of every kind.
func TestExportAndImport(t *testing.T) {
	from, to := meshtest.New(t, 3).Client(0), meshtest.New(t, 2).Client(1)
	ctx := t.Context()
	for kind, ops := range opsOfEachKind(t) {
		for _, op := range ops {
			if _, err := from.Put(ctx, "of "+kind.String(), kind, op); err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
		}
	}
	other := from.In("other").WithState(sdk.StateOptions{TTL: 30 * time.Minute})
	if err := sdk.Register[string](other, "expires").Put(ctx, "soon"); err != nil {
		t.Fatal(err)
	}
	if err := sdk.Register[string](from, "deleted").Put(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	if err := from.Delete(ctx, "deleted"); err != nil {
		t.Fatal(err)
	}
	text := exportText(t, from, exportOptions{})
	if out, err := importText(t, to, text, importOptions{}); err != nil || !strings.Contains(out, "imported 18 keys") {
		t.Fatalf("import: %q, %v", out, err)
	}
	again := exportText(t, to, exportOptions{})
	if a, b := comparableText(text), comparableText(again); a != b || strings.Count(a, "\n") != 16 || !strings.Contains(a, `"expires":"`) {
		t.Errorf("exported\n%s\nand after the import\n%s", a, b)
	}
	for _, name := range []string{"of set", "of or-set"} {
		if a, b := sortedElements(t, from, name), sortedElements(t, to, name); a != b || len(a) < 1000 {
			t.Errorf("%s: %d bytes of elements became %d", name, len(a), len(b))
		}
	}
	if ttl, expires, err := to.In("other").TTL(ctx, "expires"); err != nil || !expires || ttl > 30*time.Minute {
		t.Errorf("after the import the key expires in %v, %v, %v", ttl, expires, err)
	}
	if _, err := to.Get(ctx, "deleted"); !errors.Is(err, mesh.NotFound) {
		t.Errorf("the deleted key: %v", err)
	}
}

func TestExportTakesAPart(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	for _, key := range []mesh.Key{{Namespace: "a", Name: "x/1"}, {Namespace: "a", Name: "y/1"}, {Namespace: "b", Name: "x/2"}} {
		if err := sdk.Register[int](client.In(key.Namespace), key.Name).Put(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		o    exportOptions
		want string
	}{
		{exportOptions{}, "a/x/1 a/y/1 b/x/2"},
		{exportOptions{namespace: "a"}, "a/x/1 a/y/1"},
		{exportOptions{prefix: "x/"}, "a/x/1 b/x/2"},
		{exportOptions{namespace: "b", prefix: "y/"}, ""},
	} {
		var got []string
		for line := range strings.Lines(exportText(t, client, c.o)) {
			namespace, rest, _ := strings.Cut(strings.TrimPrefix(line, `{"namespace":"`), `","key":"`)
			name, _, _ := strings.Cut(rest, `"`)
			got = append(got, namespace+"/"+name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v exports %v, want %s", c.o, got, c.want)
		}
	}
}

func TestExportToAFile(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	if err := sdk.Register[int](client, "k").Put(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state.jsonl")
	if err := runExport(t.Context(), appOf(t, client), exportOptions{file: file}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if want := `{"namespace":"default","key":"k","kind":"lww","value":1}` + "\n"; err != nil || string(text) != want {
		t.Errorf("the file has %q, %v", text, err)
	}
	if err := runExport(t.Context(), appOf(t, client), exportOptions{file: file}); !errors.Is(err, mesh.Conflict) {
		t.Errorf("over a file: %v, want Conflict", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	cut := filepath.Join(t.TempDir(), "cut.jsonl")
	if err := runExport(ended, appOf(t, client), exportOptions{file: cut}); err == nil {
		t.Error("an export that was given up succeeds")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(cut), "*")); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v, %v", left, err)
	}
}

// A credential for one namespace exports that, and is told so of others.
func TestExportOfARestrictedCredential(t *testing.T) {
	m := meshtest.New(t, 2)
	for _, namespace := range []string{"mine", "theirs"} {
		if err := sdk.Register[int](m.Client(0).In(namespace), "k").Put(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	restricted := m.DialAs(t, admission.Grant{Role: admission.Client, Verbs: admission.Read, Namespaces: []string{"mine"}})
	if got := exportText(t, restricted, exportOptions{}); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"mine"`) {
		t.Errorf("exports %s", got)
	}
	err := runExport(t.Context(), appOf(t, restricted), exportOptions{namespace: "theirs", file: "-"})
	if !errors.Is(err, mesh.Denied) {
		t.Errorf("of another namespace: %v, want Denied", err)
	}
}

func TestImportMergesWithWhatIsThere(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	ctx := t.Context()
	line := func(name, kind, value string) string {
		return fmt.Sprintf(`{"namespace":"default","key":"%s","kind":"%s","value":%s}`+"\n", name, kind, value)
	}
	text := line("count", "pncounter", "5") + line("tags", "or-set", `["a","b"]`) + line("name", "lww", `"imported"`)
	if _, err := client.Put(ctx, "tags", lattice.ORSetKind, lattice.AddOp(string(payloadOf(t, "c")))); err != nil {
		t.Fatal(err)
	}
	if err := sdk.Register[string](client, "name").Put(ctx, "there"); err != nil {
		t.Fatal(err)
	}
	is := func(when string, want map[string]string) {
		t.Helper()
		for name, value := range want {
			if got := sortedElements(t, client, name); got != value {
				t.Errorf("%s %s is %s, want %s", when, name, got, value)
			}
		}
	}
	if out, err := importText(t, client, text, importOptions{skipExisting: true}); err != nil || out != "imported 1 key from 3 lines in 1 write\n2 keys skipped: they exist already\n" {
		t.Errorf("with --skip-existing: %q, %v", out, err)
	}
	is("with --skip-existing", map[string]string{"count": "5", "tags": `["c"]`, "name": `"there"`})
	for range 2 {
		if out, err := importText(t, client, text, importOptions{}); err != nil || out != "imported 3 keys from 3 lines in 3 writes\n" {
			t.Errorf("import: %q, %v", out, err)
		}
	}
	is("after two imports", map[string]string{"count": "15", "tags": `["a","b","c"]`, "name": `"imported"`})
	if _, err := importText(t, client, text, importOptions{namespace: "other"}); err != nil {
		t.Fatal(err)
	}
	if got, err := sdk.Register[string](client.In("other"), "name").Get(ctx); err != nil || got != "imported" {
		t.Errorf("in the other namespace: %q, %v", got, err)
	}
}

func TestImportLeavesOut(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	text := `{"namespace":"default","key":"past","kind":"lww","expires":"2020-01-01T00:00:00Z","value":1}
{"namespace":"default","key":"two","kind":"mv-register","value":[1,2]}
`
	out, err := importText(t, client, text, importOptions{})
	if want := "imported 1 key from 2 lines in 1 write\n1 key left out: they have expired\n1 concurrent value of registers left out: the first of each register counts\n"; err != nil || out != want {
		t.Errorf("import: %q, %v", out, err)
	}
	if got := sortedElements(t, client, "two"); got != "[1]" {
		t.Errorf("of two values %s was written", got)
	}
}

func TestImportOfWhatIsWrong(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	ctx := t.Context()
	if err := sdk.Register[string](client, "register").Put(ctx, "x"); err != nil {
		t.Fatal(err)
	}
	const good = `{"namespace":"default","key":"good","kind":"lww","value":1}` + "\n"
	mismatch := `{"namespace":"default","key":"register","kind":"set","value":[1]}` + "\n"
	_, err := importText(t, client, good+mismatch, importOptions{})
	if !errors.Is(err, mesh.KindMismatch) || !contains(err.Error(), "import stdin: line 2: put default/register") {
		t.Errorf("another kind: %v", err)
	}
	_, err = importText(t, client, good+"{}\n", importOptions{dryRun: true})
	if !errors.Is(err, mesh.Invalid) || !contains(err.Error(), `import stdin: line 2: Invalid: field "namespace" is missing`) {
		t.Errorf("a line that lacks fields: %v", err)
	}
	// All of a file is checked before anything is written.
	file := filepath.Join(t.TempDir(), "state.jsonl")
	if err := os.WriteFile(file, []byte(`{"namespace":"default","key":"early","kind":"lww","value":1}`+"\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err = runImport(ctx, appOf(t, client), importOptions{file: file})
	if !errors.Is(err, mesh.Invalid) || !contains(err.Error(), file+": line 2") {
		t.Errorf("a file that is wrong: %v", err)
	}
	if _, err := client.Get(ctx, "early"); !errors.Is(err, mesh.NotFound) {
		t.Errorf("what stands before the wrong line: %v, want NotFound", err)
	}
	if err := runImport(ctx, appOf(t, client), importOptions{file: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, mesh.Invalid) {
		t.Errorf("a missing file: %v, want Invalid", err)
	}
}

// An import that is given up returns, though nobody writes to its input.
func TestAnImportThatWaitsForInputCanBeGivenUp(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	a := appOf(t, client)
	a.stdin = reader
	ended := make(chan error)
	go func() { ended <- runImport(ctx, a, importOptions{file: "-"}) }()
	cancel()
	if err := <-ended; !errors.Is(err, mesh.Cancelled) && !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestNumbersOfImportedValuesStayWhatTheyAre(t *testing.T) {
	client := meshtest.New(t, 1).Client(0)
	if _, err := importText(t, client, `{"namespace":"default","key":"n","kind":"lww","value":2.0}`, importOptions{}); err != nil {
		t.Fatal(err)
	}
	v, err := client.Get(t.Context(), "n")
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := v.Payload()
	want, err := codec.Encode(2.0)
	if err != nil || !bytes.Equal(payload, want.AppendBinary(nil)) {
		t.Errorf("2.0 became %x, want %x", payload, want.AppendBinary(nil))
	}
}
