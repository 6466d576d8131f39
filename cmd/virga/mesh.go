package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
	"github.com/virga-mesh/virga/sdk"
)

func meshCommand(a *app) *cobra.Command {
	return group("mesh", "Make a mesh, or join one as a client",
		"  virga mesh init\n  virga token create --role node --bootstrap 10.0.0.1:7000",
		meshInitCommand(a), meshJoinCommand(a))
}

// rootFile is where a mesh's root key lies in its home.
func rootFile(home string) string { return filepath.Join(home, "root.pem") }

func meshInitCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the root key of a new mesh",
		Long: `Make the root key of a new mesh in the home folder. All admission comes from it:
keep it safe, and off the nodes. virga token create makes what nodes and clients
join with. A mesh on this machine needs none of this: virga up does it.`,
		Example: "  virga mesh init --home ~/my-mesh",
		Args:    exactly(),
		RunE:    func(*cobra.Command, []string) error { return runMeshInit(a) },
	}
}

func runMeshInit(a *app) error {
	path := rootFile(a.home)
	if err := os.MkdirAll(a.home, 0o700); err != nil {
		return mesh.Errorf(mesh.Invalid, "mesh init", "%w", err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return mesh.Errorf(mesh.Conflict, "mesh init", "%s exists: there is a mesh in %s already", path, a.home)
	}
	if err != nil {
		return mesh.Errorf(mesh.Invalid, "mesh init", "%w", err)
	}
	root := admission.NewRoot()
	_, err = file.Write(root.Marshal())
	if err = errors.Join(err, file.Close()); err != nil {
		return mesh.Errorf(mesh.Internal, "mesh init", "%w", err)
	}
	return a.show(newMesh{root.MeshID().String(), path})
}

type newMesh struct {
	Mesh string `json:"mesh"`
	Root string `json:"root"`
}

func (m newMesh) text(w io.Writer) {
	fmt.Fprintf(w, "mesh %s\nits root key is %s: keep it safe\n", m.Mesh, m.Root)
}

func meshJoinCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "join TOKEN",
		Short: "Select a mesh, with a join token",
		Long: `Save a join token with the addresses of nodes as the context of the home folder.
Each command makes a client's key and credential with it. With - the token is read from stdin,
which keeps it out of the shell's history.`,
		Example: "  virga mesh join - < client.token\n  virga mesh join virga1... --addr 10.0.0.1:7000",
		Args:    exactly("TOKEN"),
		RunE:    func(_ *cobra.Command, args []string) error { return runMeshJoin(a, args[0], time.Now()) },
	}
}

func runMeshJoin(a *app, text string, now time.Time) error {
	token, err := a.readToken(text)
	if err != nil {
		return err
	}
	if until := token.Grant().NotAfter; now.After(until) {
		return mesh.Errorf(mesh.Denied, "mesh join", "the token expired at %s", until.UTC().Format(time.RFC3339))
	}
	if _, err := sdk.LoadContext(a.home); err == nil {
		return mesh.Errorf(mesh.Conflict, "mesh join", "%s has a context already: expected another --home", a.home)
	}
	addrs := a.addrs
	if len(addrs) == 0 {
		addrs = token.Bootstrap
	}
	if len(addrs) == 0 {
		return usagef("the token names no node: expected --addr with one")
	}
	if err := (sdk.SavedContext{Addrs: addrs, Token: token}).Save(a.home); err != nil {
		return err
	}
	return a.show(done{"selected mesh " + token.MeshID().String() + " in " + a.home})
}

// readToken reads a token from an argument, or from stdin for "-".
func (a *app) readToken(text string) (admission.Token, error) {
	if text == "-" {
		const most = 1 << 20
		read, err := io.ReadAll(io.LimitReader(a.stdin, most))
		if err != nil {
			return admission.Token{}, mesh.Errorf(mesh.Invalid, "read token", "%w", err)
		}
		text = strings.TrimSpace(string(read))
	}
	return admission.ParseToken(text)
}
