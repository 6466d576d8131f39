package watch

import (
	"crypto/sha256"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// scope is what a watcher wants to know of.
type scope struct {
	namespace string
	prefix    string // of names; with exact, the name
	exact     bool
}

func (s scope) matches(key mesh.Key) bool {
	if key.Namespace != s.namespace {
		return false
	}
	return key.Name == s.prefix || !s.exact && strings.HasPrefix(key.Name, s.prefix)
}

// validate gives an Invalid error that says what may be watched.
func (s scope) validate() error {
	if s.exact {
		if err := (mesh.Key{Namespace: s.namespace, Name: s.prefix}).Validate(); err != nil {
			return err
		}
	} else if err := mesh.ValidateNamespace(s.namespace); err != nil {
		return err
	}
	if s.namespace == mesh.SystemNamespace {
		return mesh.Errorf(mesh.Invalid, "watch", "namespace %q is the mesh's own: expected another", s.namespace)
	}
	return nil
}

// digest tells scopes apart, so that a token is not taken for another's.
func (s scope) digest() []byte {
	form := "prefix"
	if s.exact {
		form = "key"
	}
	sum := sha256.Sum256([]byte(form + "\x00" + s.namespace + "\x00" + s.prefix))
	return sum[:scopeDigest]
}

const scopeDigest = 8
