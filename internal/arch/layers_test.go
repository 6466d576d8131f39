package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/virga-mesh/virga/"

// rooms lists, for each room, the rooms that it may import. A room stands
// for its folder; a folder below it that is not listed belongs to it.
var rooms = map[string][]string{
	"internal/version":    {},
	"internal/archive":    {"mesh", "lattice"},
	"internal/workers":    {},
	"lattice":             {},
	"lattice/latticetest": {"lattice"},
	"mesh":                {"lattice"},
	"mesh/admission":      {"mesh"},
	"mesh/effects":        {"mesh", "lattice"},
	"mesh/wire":           {"mesh", "lattice"},
	"mesh/link":           {"mesh/wire", "mesh/admission", "mesh", "internal/version", "internal/workers"},
	"dht":                 {"mesh/link", "mesh/wire", "mesh/admission", "mesh"},
	"sdk/codec":           {"mesh"},
	"sdk/fn":              {"sdk/codec", "mesh", "lattice"},
	"node/hlc":            {"mesh", "lattice"},
	"node/cellmap":        {"mesh", "lattice"},
	"node/store":          {"node/cellmap", "mesh/wire", "mesh", "lattice"},
	"node/replica":        {"mesh/wire", "mesh", "lattice"},
	"node/cache":          {"node/cellmap", "mesh/wire", "mesh", "lattice"},
	"node/watch":          {"mesh/wire", "mesh", "lattice"},
	"node/catalog":        {"mesh/wire", "mesh", "lattice"},
	"node/exec":           {"sdk/fn", "sdk/codec", "mesh/effects", "mesh/wire", "mesh", "lattice"},
	"node/sched":          {"mesh"},
	"node/metrics":        {"mesh"},
	"node/hotkeys":        {"mesh/wire", "mesh", "lattice"},
	"node/elastic":        {"mesh"},
	"node/hook":           {"mesh"},
	"node/gateway":        {"sdk", "sdk/jsonform", "sdk/fn", "sdk/codec", "mesh", "lattice"},
	"node/run":            {"sdk/codec", "mesh/effects", "mesh/wire", "mesh", "lattice", "internal/workers"},
	"node/trigger":        {"sdk/fn", "sdk/codec", "mesh/wire", "mesh", "lattice"},
	"node": {
		"node/hlc", "node/store", "node/replica", "node/cache", "node/catalog", "node/exec", "node/sched", "node/run", "node/metrics", "node/hotkeys", "node/watch", "node/trigger", "node/elastic", "node/hook", "node/gateway",
		"sdk/fn", "sdk/codec", "dht", "mesh/link", "mesh/admission", "mesh/effects", "mesh/wire", "mesh", "lattice", "internal/version", "internal/archive",
	},
	"sdk":          {"sdk/fn", "sdk/codec", "mesh/effects", "mesh/link", "mesh/admission", "mesh/wire", "mesh", "lattice"},
	"sdk/jsonform": {"sdk", "sdk/codec", "mesh", "lattice"},
	"sdk/worker":   {"sdk", "sdk/fn", "sdk/codec", "mesh/effects", "mesh/link", "mesh/admission", "mesh/wire", "mesh", "lattice"},
}

// outside lists what a room must not reach even through other modules, by prefix of the import path.
var outside = map[string][]string{
	"lattice": {"github.com/", "google.golang.org/", "golang.org/"},
	"mesh":    {"github.com/libp2p/", "github.com/quic-go/", "google.golang.org/"},
	"mesh/link": {
		"github.com/libp2p/go-libp2p-kad-dht", "github.com/libp2p/go-libp2p/p2p/host",
		"github.com/libp2p/go-libp2p/p2p/net/swarm", "github.com/libp2p/go-libp2p/p2p/transport",
	},
	"sdk": {
		"github.com/libp2p/go-libp2p-kad-dht", "github.com/libp2p/go-libp2p/p2p", "github.com/cockroachdb/",
		"github.com/tetratelabs/",
	},
}

func TestRoomsImportOnlyWhatIsBelowThem(t *testing.T) {
	eachImport(t, func(file, folder, imported string) {
		room := roomOf(folder)
		if room == "" {
			return
		}
		for _, prefix := range outside[room] {
			if strings.HasPrefix(imported, prefix) {
				t.Errorf("%s imports %s: room %s must not", file, imported, room)
			}
		}
		target, ours := strings.CutPrefix(imported, module)
		if !ours {
			return
		}
		if to := roomOf(target); to != room && !slices.Contains(rooms[room], to) {
			t.Errorf("%s imports %s: room %s may import only %v", file, imported, room, rooms[room])
		}
	})
}

func TestTheTableHasNoCycle(t *testing.T) {
	var visit func(room string, path []string)
	visit = func(room string, path []string) {
		if slices.Contains(path, room) {
			t.Fatalf("cycle in the table: %v", append(path, room))
		}
		for _, below := range rooms[room] {
			visit(below, append(slices.Clone(path), room))
		}
	}
	for room := range rooms {
		visit(room, nil)
	}
}

// roomOf gives the innermost listed room that a folder lies in, or "" for
// those that may import anything: commands, examples, internal tools.
func roomOf(folder string) string {
	for at := folder; at != "." && at != ""; at = filepath.Dir(at) {
		if _, ok := rooms[at]; ok {
			return at
		}
	}
	return ""
}

// eachImport visits the imports of every Go file that is part of a package's
// code. Tests may import more; sdk/meshtest is a package for tests.
func eachImport(t *testing.T, visit func(file, folder, imported string)) {
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		if entry.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "meshtest") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			visit(relative, filepath.Dir(relative), imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
