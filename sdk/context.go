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

// SavedContext is what a client keeps in a folder to reach a mesh without flags:
// who it is, and where nodes are. It is not a context.Context.
type SavedContext struct {
	Addrs      []string
	Credential admission.Credential
}

const (
	contextFile    = "context.json"
	credentialFile = "client.pem"
)

// contextJSON is the file's form; the credential has a file of its own, which only the owner reads.
type contextJSON struct {
	Mesh  string   `json:"mesh"`
	Addrs []string `json:"addrs"`
}

// LoadContext reads what Save wrote. A folder without a context is NotFound.
func LoadContext(dir string) (SavedContext, error) {
	op := "load context"
	text, err := os.ReadFile(filepath.Join(dir, contextFile))
	if errors.Is(err, fs.ErrNotExist) {
		return SavedContext{}, mesh.Errorf(mesh.NotFound, op, "no mesh is selected: there is no %s in %s; virga up starts a local mesh there, VIRGA_HOME names another folder", contextFile, dir)
	}
	if err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Internal, op, "%w", err)
	}
	var file contextJSON
	if err := json.Unmarshal(text, &file); err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%s: %w", filepath.Join(dir, contextFile), err)
	}
	pem, err := os.ReadFile(filepath.Join(dir, credentialFile))
	if err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%w", err)
	}
	credential, err := admission.ParseCredential(pem)
	if err != nil {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%s: %w", filepath.Join(dir, credentialFile), err)
	}
	if got := credential.MeshID().String(); got != file.Mesh {
		return SavedContext{}, mesh.Errorf(mesh.Invalid, op, "%s is of mesh %s: expected %s, as %s says", credentialFile, got, file.Mesh, contextFile)
	}
	return SavedContext{Addrs: file.Addrs, Credential: credential}, nil
}

// Save writes the context into a folder, which is made if missing.
func (c SavedContext) Save(dir string) error {
	text, err := json.MarshalIndent(contextJSON{c.Credential.MeshID().String(), c.Addrs}, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, credentialFile), c.Credential.Marshal(), 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, contextFile), append(text, '\n'), 0o600)
	}
	if err != nil {
		return mesh.Errorf(mesh.Internal, "save context", "%w", err)
	}
	return nil
}
