package mesh

import (
	"crypto/sha256"
	"strings"
	"unicode/utf8"
)

// Bounds of names.
const (
	MaxNamespace = 64   // bytes of a namespace
	MaxName      = 1024 // bytes of the name of a key
)

// DefaultNamespace is used where a caller names none.
const DefaultNamespace = "default"

// SystemNamespace holds the mesh's own state: functions, modules, DAGs, runs. Only nodes write to it.
const SystemNamespace = "virga"

// Key names a piece of state.
type Key struct {
	Namespace string // 1 to MaxNamespace bytes of a-z, 0-9, '-', '_' and '.'
	Name      string // 1 to MaxName bytes of UTF-8 without a zero byte
}

// String is "namespace/name".
func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Validate gives an Invalid error that names the bound that k breaks.
func (k Key) Validate() error {
	if err := ValidateNamespace(k.Namespace); err != nil {
		return err
	}
	if len(k.Name) == 0 || len(k.Name) > MaxName {
		return Errorf(Invalid, "key", "a key's name has %d bytes: expected 1 to %d", len(k.Name), MaxName)
	}
	if !utf8.ValidString(k.Name) || hasZero(k.Name) {
		return Errorf(Invalid, "key", "a key's name is %q: expected UTF-8 without a zero byte", k.Name)
	}
	return nil
}

// ValidateNamespace gives an Invalid error that says what a namespace may be.
func ValidateNamespace(ns string) error {
	if len(ns) == 0 || len(ns) > MaxNamespace || !namespaceBytes.spells(ns) {
		return Errorf(Invalid, "namespace", "namespace %q: expected 1 to %d characters of a-z, 0-9, '-', '_' and '.'", ns, MaxNamespace)
	}
	return nil
}

// Path is the key's unique binary form: the namespace, a zero byte, the
// name. It orders keys by namespace, then name, so that a prefix of names is
// a range. It is also the string under which Kademlia looks the key up.
func (k Key) Path() string { return k.Namespace + "\x00" + k.Name }

// KeyFromPath reads what Path writes.
func KeyFromPath(path string) (Key, error) {
	ns, name, ok := strings.Cut(path, "\x00")
	k := Key{Namespace: ns, Name: name}
	if !ok {
		return Key{}, Errorf(Invalid, "key", "path %q has no separator", path)
	}
	return k, k.ValidateStored()
}

// ID is the key's place in the Kademlia space: the SHA-256 of its Path. That
// of a part is the SHA-256 of its own Path, but for the first two bytes,
// which are those of the whole.
func (k Key) ID() ID {
	id := k.sum()
	if whole, _, isPart := k.Whole(); isPart {
		first := whole.sum()
		id[0], id[1] = first[0], first[1]
	}
	return id
}

func (k Key) sum() ID {
	var buf [MaxNamespace + 1 + 256]byte
	path := append(append(append(buf[:0], k.Namespace...), 0), k.Name...)
	return sha256.Sum256(path)
}
