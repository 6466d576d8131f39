package admission

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/virga-mesh/virga/mesh"
)

// Role is the part that a peer plays. The numbers are part of signed formats.
type Role uint8

// The roles.
const (
	Node   Role = 1 // owns state, runs functions, takes part in the DHT
	Client Role = 2 // connects to a node
)

// String is the role's name.
func (r Role) String() string {
	switch r {
	case Node:
		return "node"
	case Client:
		return "client"
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// ParseRole reads what String writes.
func ParseRole(s string) (Role, error) {
	for _, r := range []Role{Node, Client} {
		if s == r.String() {
			return r, nil
		}
	}
	return 0, mesh.Errorf(mesh.Invalid, "role", "%q is not a role: expected node or client", s)
}

// Verbs is a set of things to do. The bits are part of signed formats.
type Verbs uint8

// The verbs.
const (
	Read   Verbs = 1 << iota // get, list and watch keys
	Write                    // put and delete keys
	Call                     // run functions and DAGs, and look at them
	Deploy                   // deploy and delete functions, create and delete DAGs, serve as a worker
	Admin                    // look into nodes; unrestricted, also drain and forget them

	AllVerbs = Read | Write | Call | Deploy | Admin
)

var verbNames = []string{"read", "write", "call", "deploy", "admin"}

// String lists the verbs, comma-separated.
func (v Verbs) String() string {
	var names []string
	for i, name := range verbNames {
		if v&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// ParseVerbs reads what String writes.
func ParseVerbs(s string) (Verbs, error) {
	var verbs Verbs
	for name := range strings.SplitSeq(s, ",") {
		i := slices.Index(verbNames, strings.TrimSpace(name))
		if i < 0 {
			return 0, mesh.Errorf(mesh.Invalid, "verbs", "%q is not a verb: expected some of %s", name, AllVerbs)
		}
		verbs |= 1 << i
	}
	return verbs, nil
}

// Bounds of a grant.
const (
	MaxNamespaces = 16 // entries of Namespaces
	MaxNames      = 16 // entries of KeyPrefixes, and of Functions
)

// Grant says what a token's or certificate's holder may do until when.
type Grant struct {
	Role        Role
	Verbs       Verbs
	Namespaces  []string  // empty: all but the system's
	KeyPrefixes []string  // keys must begin with one of these; empty: all keys
	Functions   []string  // functions and DAGs that may be called or deployed; empty: all
	NotAfter    time.Time // to the second
}

// Validate gives an Invalid error that names what is wrong with g.
func (g Grant) Validate() error {
	invalid := func(format string, args ...any) error { return mesh.Errorf(mesh.Invalid, "grant", format, args...) }
	switch {
	case g.Role != Node && g.Role != Client:
		return invalid("%s: expected role node or client", g.Role)
	case g.Verbs == 0 || g.Verbs&^AllVerbs != 0:
		return invalid("verbs %#x: expected some of %s", uint8(g.Verbs), AllVerbs)
	case g.NotAfter.Unix() <= 0:
		return invalid("no expiry: expected a time")
	case len(g.Namespaces) > MaxNamespaces:
		return invalid("%d namespaces: expected at most %d", len(g.Namespaces), MaxNamespaces)
	case len(g.KeyPrefixes) > MaxNames || len(g.Functions) > MaxNames:
		return invalid("%d key prefixes and %d functions: expected at most %d each", len(g.KeyPrefixes), len(g.Functions), MaxNames)
	}
	for _, namespace := range g.Namespaces {
		if err := mesh.ValidateNamespace(namespace); err != nil {
			return err
		}
	}
	for _, prefix := range g.KeyPrefixes {
		if len(prefix) == 0 || len(prefix) > mesh.MaxName {
			return invalid("key prefix of %d bytes: expected 1 to %d", len(prefix), mesh.MaxName)
		}
	}
	for _, function := range g.Functions {
		if err := (mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: function}).Validate(); err != nil {
			return err
		}
	}
	return nil
}

// toSecond is g as its encoding says it.
func (g Grant) toSecond() Grant {
	g.NotAfter = time.Unix(g.NotAfter.Unix(), 0)
	return g
}

// exceeds names the first thing that g allows and wider does not; empty when
// g is as narrow or narrower. A longer NotAfter exceeds nothing: the chain
// ends when its first link does.
func (g Grant) exceeds(wider Grant) string {
	switch {
	case wider.Role == Client && g.Role == Node:
		return "role " + g.Role.String()
	case g.Verbs&^wider.Verbs != 0:
		return "verbs " + (g.Verbs &^ wider.Verbs).String()
	case !narrower(g.Namespaces, wider.Namespaces, equal):
		return "namespaces " + listed(g.Namespaces)
	case !narrower(g.KeyPrefixes, wider.KeyPrefixes, strings.HasPrefix):
		return "key prefixes " + listed(g.KeyPrefixes)
	case !narrower(g.Functions, wider.Functions, equal):
		return "functions " + listed(g.Functions)
	}
	return ""
}

func equal(a, b string) bool { return a == b }

func listed(names []string) string {
	if len(names) == 0 {
		return "(all)"
	}
	return fmt.Sprintf("%q", names)
}

// narrower reports whether each of names is within one of wider, where an empty list means all.
func narrower(names, wider []string, within func(name, of string) bool) bool {
	if len(wider) == 0 {
		return true
	}
	return len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !matches(name, wider, within) })
}

// matches reports whether name is within one of allowed, or allowed is empty.
func matches(name string, allowed []string, within func(name, of string) bool) bool {
	return len(allowed) == 0 || slices.ContainsFunc(allowed, func(of string) bool { return within(name, of) })
}
