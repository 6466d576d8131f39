package sdk

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/mesh/admission"
)

// newToken makes a mesh and a token of it.
func newToken(t *testing.T, role admission.Role) admission.Token {
	t.Helper()
	token, err := admission.NewRoot().NewToken(admission.Grant{
		Role: role, Verbs: admission.AllVerbs, NotAfter: time.Now().Add(time.Hour),
	}, []string{"127.0.0.1:7001"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newCredential(t *testing.T) admission.Credential {
	t.Helper()
	credential, err := newToken(t, admission.Client).Join(admission.NewKey(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

func TestContextRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "home")
	saved := SavedContext{Addrs: []string{"127.0.0.1:1", "[::1]:2"}, Token: newToken(t, admission.Client)}
	if err := saved.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := LoadContext(dir)
	if err != nil || !slices.Equal(got.Addrs, saved.Addrs) || got.Token.ID() != saved.Token.ID() {
		t.Errorf("LoadContext = %+v, %v", got, err)
	}
	info, err := os.Stat(filepath.Join(dir, tokenFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token is readable by others: %v, %v", info.Mode(), err)
	}
}

func TestBadContexts(t *testing.T) {
	write := func(t *testing.T, dir, name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		kind  mesh.ErrorKind
		want  string
	}{
		{"missing", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, contextFile)) }, mesh.NotFound, "virga up"},
		{"not JSON", func(t *testing.T, dir string) { write(t, dir, contextFile, "addrs: x") }, mesh.Invalid, contextFile},
		{"no token", func(t *testing.T, dir string) { os.Remove(filepath.Join(dir, tokenFile)) }, mesh.Invalid, tokenFile},
		{"not a token", func(t *testing.T, dir string) { write(t, dir, tokenFile, "secret") }, mesh.Invalid, "virga1"},
		{"of another mesh", func(t *testing.T, dir string) {
			write(t, dir, tokenFile, newToken(t, admission.Client).Text())
		}, mesh.Invalid, "of mesh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := (SavedContext{Addrs: []string{"127.0.0.1:1"}, Token: newToken(t, admission.Client)}).Save(dir); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			if _, err := LoadContext(dir); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("LoadContext = %v, want %s with %q", err, c.kind, c.want)
			}
		})
	}
}

func TestIdentity(t *testing.T) {
	token := newToken(t, admission.Node)
	id, err := Config{Token: token.Text(), Addrs: []string{"10.0.0.1:1"}}.identity(time.Now())
	if err != nil || !slices.Equal(id.addrs, []string{"10.0.0.1:1"}) {
		t.Fatalf("identity = %v, %v", id.addrs, err)
	}
	if member, err := id.credential.Member(time.Now()); err != nil || member.Role != admission.Client {
		t.Errorf("a node's token made %v, %v: expected a client", member.Role, err)
	}
	for _, c := range []struct {
		name string
		cfg  Config
		kind mesh.ErrorKind
		want string
	}{
		{"nobody", Config{Addrs: []string{"a:1"}}, mesh.Invalid, "who the client is"},
		{"no address", Config{Credential: newCredential(t)}, mesh.Invalid, "at least one"},
		{"bad address", Config{Credential: newCredential(t), Addrs: []string{"localhost"}}, mesh.Invalid, `"localhost"`},
		{"mangled token", Config{Token: token.Text()[:40]}, mesh.Invalid, "token"},
		{"no context", Config{ContextDir: t.TempDir()}, mesh.NotFound, "virga up"},
	} {
		if _, err := c.cfg.identity(time.Now()); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s with %q", c.name, err, c.kind, c.want)
		}
	}
	if _, err := (Config{Token: token.Text()}).identity(time.Now().Add(2 * time.Hour)); !errors.Is(err, mesh.Denied) {
		t.Errorf("an expired token gave %v", err)
	}
}
