package abi

import (
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// ReadKey reads a key as guests write it: a name alone lies in the given
// namespace of the function; so does a name after a zero byte; what stands
// before the first zero byte is else the namespace, as in mesh.Key.Path.
func ReadKey(b []byte, namespace string) (mesh.Key, error) {
	before, name, separated := strings.Cut(string(b), "\x00")
	key := mesh.Key{Namespace: before, Name: name}
	switch {
	case !separated:
		key = mesh.Key{Namespace: namespace, Name: before}
	case before == "":
		key.Namespace = namespace
	}
	return key, key.Validate()
}
