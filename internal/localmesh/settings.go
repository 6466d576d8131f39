package localmesh

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
)

// Settings are keys of virgad's configuration with their values, which all
// nodes of a mesh have beside their own.
type Settings map[string]any

// ownKeys are those that each node has of its own.
var ownKeys = []string{"data", "listen", "advertise", "bootstrap", "token"}

// Validate gives an Invalid error for keys that nodes have of their own. All
// else is for virgad to judge, when it starts.
func (s Settings) Validate() error {
	for key := range s {
		if slices.Contains(ownKeys, key) {
			return mesh.Errorf(mesh.Invalid, "up", "the setting %s differs from node to node: expected another", key)
		}
	}
	return nil
}

func settingsFile(home string) string { return filepath.Join(home, "settings.yaml") }

// readSettings reads those of a home; none where there is no file.
func readSettings(home string) (Settings, error) {
	text, err := os.ReadFile(settingsFile(home))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "local mesh", "%w", err)
	}
	var s Settings
	if err := yaml.Unmarshal(text, &s); err != nil {
		return nil, mesh.Errorf(mesh.Invalid, "local mesh", "%s: %w", settingsFile(home), err)
	}
	return s, s.Validate()
}

// settle gives the settings of a home, which it first replaces where the
// options have any: in the file, and in the configuration of nodes that do not run.
func (o Options) settle(home string, nodes []Node) (Settings, error) {
	before, err := readSettings(home)
	if err != nil || o.Settings == nil {
		return before, err
	}
	if err := o.Settings.Validate(); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.PID != 0 {
			continue
		}
		if err := n.configure(before, o.Settings); err != nil {
			return nil, err
		}
	}
	return o.Settings, writeYAML(settingsFile(home), o.Settings)
}

// configure replaces settings in the node's configuration. Others that stand there stay.
func (n Node) configure(before, now Settings) error {
	config, err := ReadNodeConfig(n.config())
	if err != nil {
		return err
	}
	settings := maps.Clone(config.Settings)
	if settings == nil {
		settings = Settings{}
	}
	for key := range before {
		delete(settings, key)
	}
	maps.Copy(settings, now)
	if len(settings) == len(config.Settings) && reflect.DeepEqual(settings, config.Settings) {
		return nil
	}
	config.Settings = settings
	return writeYAML(n.config(), config)
}

func writeYAML(path string, content any) error {
	text, err := yaml.Marshal(content)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return mesh.Errorf(mesh.Internal, "local mesh", "%w", err)
	}
	return nil
}
