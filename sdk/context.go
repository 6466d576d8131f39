package sdk

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// SavedContext is what clients keep in a folder to reach a mesh without
// flags: where nodes are, and the token by which they are admitted. Each
// client makes a key of its own with it, so that several may use the folder
// at once. It is not a context.Context.
type SavedContext struct {
	Addrs []string
	Token admission.Token
}

const (
	contextFile = "context.json"
	tokenFile   = "client.token"
)

// contextJSON is the file's form; the token has a file of its own, which only the owner reads.
type contextJSON struct {
	Mesh  string   `json:"mesh"`
	Addrs []string `json:"addrs"`
}

// LoadContext reads what Save wrote. A folder without a context is NotFound.
func LoadContext(dir string) (SavedContext, error) {
	op := "load context"
	text, err := os.ReadFile(filepath.Join(dir, contextFile))
	if errors.Is(err, fs.ErrNotExist) {
		return SavedContext{}, mesh.Errorf(mesh.NotFound, op, "no mesh is selected: there is no %s in %s; virga up starts a mesh on this machine, VIRGA_HOME names another folder", contextFile, dir)
	}
	if err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Internal, op, "%w", err)
	}
	var file contextJSON
	if err := json.Unmarshal(text, &file); err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%s: %w", filepath.Join(dir, contextFile), err)
	}
	secret, err := os.ReadFile(filepath.Join(dir, tokenFile))
	if err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%w", err)
	}
	token, err := admission.ParseToken(string(secret))
	if err != nil {
		return SavedContext{}, mesh.Errorf(mesh.KindOf(err), op, "%s: %w", filepath.Join(dir, tokenFile), err)
	}
	if got := token.MeshID().String(); got != file.Mesh {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%s is of mesh %s: expected %s, as %s says", tokenFile, got, file.Mesh, contextFile)
	}
	return SavedContext{Addrs: file.Addrs, Token: token}, nil
}

// Save writes the context into a folder, which is made if missing.
func (c SavedContext) Save(dir string) error {
	text, err := json.MarshalIndent(contextJSON{c.Token.MeshID().String(), c.Addrs}, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, tokenFile), []byte(c.Token.Text()+"\n"), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, contextFile), append(text, '\n'), 0o600)
	}
	if err != nil {
		return mesh.Errorf(mesh.Internal, "save context", "%w", err)
	}
	return nil
}
