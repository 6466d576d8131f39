package localmesh

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/virga-mesh/virga/mesh"
)

// Node is one node of a local mesh.
type Node struct {
	Name string // n1, n2, ...
	Addr string // where it takes connections, as host:port
	PID  int    // of its process; 0 while it does not run
	told string // where other nodes find it
	dir  string

	started bool // by this Up
}

// Log is the path of the node's log.
func (n Node) Log() string { return filepath.Join(n.dir, "virgad.log") }

// Data is the folder of the node's credential and state.
func (n Node) Data() string { return filepath.Join(n.dir, data) }

// data is the folder's name, beside the configuration.
const data = "data"

func (n Node) config() string  { return filepath.Join(n.dir, "virgad.yaml") }
func (n Node) pidFile() string { return filepath.Join(n.dir, "virgad.pid") }

// NodeConfig is what of virgad's configuration is set here.
type NodeConfig struct {
	Data      string   `yaml:"data"` // relative to the file's folder
	Listen    []string `yaml:"listen"`
	Advertise []string `yaml:"advertise,omitempty"`
	Bootstrap []string `yaml:"bootstrap,omitempty"`
	Token     string   `yaml:"token"`
	Settings  Settings `yaml:",inline"` // all else
}

// Nodes lists the nodes of the mesh in home, running or not, by number. A
// home without a mesh has none.
func Nodes(home string) ([]Node, error) {
	home, err := filepath.Abs(home)
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "local mesh", "%w", err)
	}
	entries, err := os.ReadDir(filepath.Join(home, "nodes"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "local mesh", "%w", err)
	}
	var nodes []Node
	for _, entry := range entries {
		if nodeNumber(entry.Name()) == 0 {
			continue
		}
		node, err := readNode(home, entry.Name())
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b Node) int { return cmp.Compare(nodeNumber(a.Name), nodeNumber(b.Name)) })
	return nodes, nil
}

// nodeNumber reads n1, n2, ...; 0 is no node's.
func nodeNumber(name string) int {
	digits, ok := strings.CutPrefix(name, "n")
	number, err := strconv.Atoi(digits)
	if !ok || err != nil || number < 1 || strconv.Itoa(number) != digits {
		return 0
	}
	return number
}

func nodeDir(home, name string) string { return filepath.Join(home, "nodes", name) }

func readNode(home, name string) (Node, error) {
	n := Node{Name: name, dir: nodeDir(home, name)}
	config, err := ReadNodeConfig(n.config())
	if err != nil {
		return Node{}, err
	}
	n.Addr, n.told = config.Listen[0], config.Listen[0]
	if len(config.Advertise) > 0 {
		n.told = config.Advertise[0]
	}
	n.PID = n.runningPID()
	return n, nil
}

// ReadNodeConfig reads the configuration of a node that Up made.
func ReadNodeConfig(path string) (NodeConfig, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return NodeConfig{}, mesh.Errorf(mesh.Invalid, "local mesh", "%w", err)
	}
	var config NodeConfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return NodeConfig{}, mesh.Errorf(mesh.Invalid, "local mesh", "%s: %w", path, err)
	}
	if len(config.Listen) == 0 {
		return NodeConfig{}, mesh.Errorf(mesh.Invalid, "local mesh", "%s: no listen address: expected one", path)
	}
	return config, nil
}

// runningPID gives the process of the pid file if it still is this node's:
// the number may belong to another process by now.
func (n Node) runningPID() int {
	text, err := os.ReadFile(n.pidFile())
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text)))
	if err != nil || pid < 1 || !runs(pid, n.config()) {
		return 0
	}
	return pid
}

// create writes the configuration of a new node.
func (n Node) create(token string, bootstrap []string, settings Settings) error {
	config := NodeConfig{Data: data, Listen: []string{n.Addr}, Bootstrap: bootstrap, Token: token, Settings: settings}
	if n.told != n.Addr {
		config.Advertise = []string{n.told}
	}
	return writeYAML(n.config(), config)
}

// Nodes keep their ports over restarts, so these must not be among those that
// systems hand out to whoever asks for any free port (from 32768 on Linux,
// from 49152 by RFC 6335): another program could take one while the mesh is down.
const (
	firstPort = 20000
	lastPort  = 32000
	portTries = 1000
)

// freeAddrs finds UDP ports of 127.0.0.1 that are free now, all different.
func freeAddrs(count int) ([]string, error) {
	addrs := make([]string, 0, count)
	for range portTries {
		if len(addrs) == count {
			return addrs, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		socket, err := net.ListenPacket("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue // taken
		}
		defer socket.Close() // only after all are found, so that no port is found twice
		addrs = append(addrs, socket.LocalAddr().String())
	}
	return nil, mesh.Errorf(mesh.Unavailable, "local mesh", "found %d free UDP ports from %d to %d in %d tries: expected %d", len(addrs), firstPort, lastPort, portTries, count)
}

// logTail gives the last lines of the node's log, for an error message.
func (n Node) logTail() string {
	const most = 2000
	text, err := os.ReadFile(n.Log())
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	if len(text) > most {
		text = text[len(text)-most:]
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	return strings.TrimSpace(string(text))
}
