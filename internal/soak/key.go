package soak

import (
	"fmt"

	"github.com/virga-mesh/virga/mesh"
)

// clients is how many write and read; each key is written by one of them,
// so that its history is a sequence.
const clients = 3

// keys is how many there are, of each kind some for each client.
const keys = 4 * clients

// Kind is what a key holds.
type Kind uint8

// The kinds of keys.
const (
	Register Kind = iota // holds the value of the last put
	Set                  // holds the values of all puts
	Counter              // holds how many puts there were
)

func kindOf(key int) Kind { return Kind(key / clients % 3) }

func keyName(key int) string { return fmt.Sprintf("%s-%d", kindOf(key), key) }

func meshKey(key int) mesh.Key {
	return mesh.Key{Namespace: mesh.DefaultNamespace, Name: keyName(key)}
}

// String is the kind's name.
func (k Kind) String() string { return [...]string{"register", "set", "counter"}[k] }
