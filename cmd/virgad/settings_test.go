package main

import (
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/virga-mesh/virga/mesh"
)

// loadText loads settings from a file's text, an environment and arguments.
func loadText(t *testing.T, yaml string, env map[string]string, args ...string) (settings, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "virgad.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := pflag.NewFlagSet("virgad", pflag.ContinueOnError)
	addFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	s, err := load(path, lookup, flags)
	return s, filepath.Dir(path), err
}

func TestFlagsOverEnvironmentOverFile(t *testing.T) {
	s, dir, err := loadText(t, `
# a comment
data: data
listen: [127.0.0.1:7001, "[::1]:7001"]
heartbeat: 1s
replicas: 5
memory: 2GiB
durability: synced
log_level: debug
hot_keys: false
hot_key_deviations: 2.5
nodes_max: 5
nodes_high: 0.6
nodes_hook: [/opt/scale, --zone, "a,b"]
`, map[string]string{"VIRGA_HEARTBEAT": "2s", "VIRGA_REPLICAS": "4", "VIRGA_BOOTSTRAP": "a:1, b:2"}, "--replicas", "1", "--mdns=true")
	if err != nil {
		t.Fatal(err)
	}
	n := s.node
	if !n.HotKeys.Off || n.HotKeys.Deviations != 2.5 {
		t.Errorf("hot keys are %+v", n.HotKeys)
	}
	if n.Nodes.Max != 5 || n.Nodes.High != 0.6 || !slices.Equal(n.Nodes.Hook, []string{"/opt/scale", "--zone", "a,b"}) {
		t.Errorf("nodes are %+v", n.Nodes)
	}
	if n.DataDir != filepath.Join(dir, "data") {
		t.Errorf("data is %q: expected it beside the file", n.DataDir)
	}
	if !slices.Equal(n.Listen, []string{"127.0.0.1:7001", "[::1]:7001"}) || !slices.Equal(n.Bootstrap, []string{"a:1", "b:2"}) {
		t.Errorf("listen %v, bootstrap %v", n.Listen, n.Bootstrap)
	}
	if n.Heartbeat != 2*time.Second || n.Replicas != 1 || !n.MDNS || n.MemoryBytes != 2<<30 || n.Durability != mesh.Synced || s.logLevel != slog.LevelDebug {
		t.Errorf("settings are %+v", s)
	}
}

func TestLabels(t *testing.T) {
	want := map[string]string{"gpu": "a100", "zone": "eu-1", "disk": "fast"}
	for name, given := range map[string]struct {
		yaml string
		env  map[string]string
		args []string
	}{
		"flags":       {args: []string{"--label", "gpu=a100", "--label", "zone=eu-1,disk=fast"}},
		"environment": {env: map[string]string{"VIRGA_LABEL": "gpu=a100, zone=eu-1, disk=fast"}},
		"file":        {yaml: "label: [gpu=a100, zone=eu-1, disk=fast]\n"},
	} {
		if s, _, err := loadText(t, given.yaml, given.env, given.args...); err != nil || !maps.Equal(s.node.Labels, want) {
			t.Errorf("%s: %v, %v; expected %v", name, s.node.Labels, err, want)
		}
	}
}

func TestAnEmptyFileChangesNothing(t *testing.T) {
	for _, text := range []string{"", "# nothing\n"} {
		s, _, err := loadText(t, text, nil)
		if err != nil || !reflect.DeepEqual(s, settings{}) {
			t.Errorf("%q gave %+v, %v", text, s, err)
		}
	}
}

func TestBadSettingsNameWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		name, yaml string
		env        map[string]string
		args       []string
		want       []string
	}{
		{name: "unknown key", yaml: "data: d\nreplicaz: 3\n", want: []string{"line 2", `unknown key "replicaz"`, "replicas"}},
		{name: "set twice", yaml: "replicas: 3\ndata: d\nreplicas: 2\n", want: []string{"line 3", "second time", "line 1"}},
		{name: "not a mapping", yaml: "- a\n- b\n", want: []string{"line 1", "name: value"}},
		{name: "not YAML", yaml: "data: [\n", want: []string{"virgad.yaml"}},
		{name: "wrong duration", yaml: "heartbeat: 5\n", want: []string{"line 1", "heartbeat", `"5"`, "500ms"}},
		{name: "negative count", yaml: "replicas: -1\n", want: []string{"replicas", "at least 1"}},
		{name: "size without unit known", yaml: "memory: 5 parsecs\n", want: []string{"memory", "64MiB"}},
		{name: "size that overflows", yaml: "memory: 9223372036854775807TiB\n", want: []string{"memory", "64MiB"}},
		{name: "list for one value", yaml: "replicas: [1, 2]\n", want: []string{"replicas", "expected one value"}},
		{name: "map for a list", yaml: "listen: {a: b}\n", want: []string{"listen", "list of texts"}},
		{name: "nothing for a value", yaml: "data:\n", want: []string{"data", "expected one value"}},
		{name: "number that is none", yaml: "hot_key_deviations: NaN\n", want: []string{"hot_key_deviations", "positive number"}},
		{name: "number of nodes that is none", yaml: "nodes_max: many\n", want: []string{"nodes_max", "at least 1"}},
		{name: "wrong durability", yaml: "durability: forever\n", want: []string{"durability", "logged"}},
		{name: "wrong environment", env: map[string]string{"VIRGA_MDNS": "perhaps"}, want: []string{"environment VIRGA_MDNS", "true or false"}},
		{name: "label without value", args: []string{"--label", "gpu"}, want: []string{"flag --label", `"gpu"`, "name=value"}},
		{name: "label twice", args: []string{"--label", "gpu=a,gpu=b"}, want: []string{"gpu is set twice"}},
		{name: "label that cannot be", yaml: "label: [\"a b=c\"]\n", want: []string{"label", "a b"}},
		{name: "share beyond all", yaml: "random_share: 1.5\n", want: []string{"random_share", "up to 1"}},
		{name: "wrong flag", args: []string{"--log-format=xml"}, want: []string{"flag --log-format", "text or json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := loadText(t, c.yaml, c.env, c.args...)
			if !errors.Is(err, mesh.Invalid) {
				t.Fatalf("got %v, want Invalid", err)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	_, err := load("/nonexistent/virgad.yaml", os.LookupEnv, pflag.NewFlagSet("", pflag.ContinueOnError))
	if !errors.Is(err, mesh.Invalid) || !strings.Contains(err.Error(), "/nonexistent/virgad.yaml") {
		t.Errorf("got %v", err)
	}
}
