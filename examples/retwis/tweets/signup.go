package tweets

import (
	"context"
	"errors"
	"time"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// User is somebody who signed up.
type User struct {
	Name  string `json:"name"`
	Since int64  `json:"since"` // microseconds since 1970
}

// SignUp makes a user. A name that is taken is a Conflict error; of two who
// take it at the same moment both get it, and share it.
func SignUp(ctx context.Context, name string) (User, error) {
	_, err := readUser(ctx, name)
	switch {
	case err == nil:
		return User{}, mesh.Errorf(mesh.Conflict, op, "the name %s is taken", name)
	case !errors.Is(err, mesh.NotFound):
		return User{}, err
	}
	user := User{Name: name, Since: time.Now().UnixMicro()}
	if err := fn.Put(ctx, userKey(name), user); err != nil {
		return User{}, err
	}
	return user, fn.Add(ctx, namesKey, name)
}

// Names gives all who signed up, in the order of the alphabet.
func Names(ctx context.Context, _ fn.None) ([]string, error) {
	names, err := elements(ctx, namesKey)
	if names == nil {
		names = []string{}
	}
	return names, err
}

// elements reads a set of texts; one that was never written is empty.
func elements(ctx context.Context, key string) ([]string, error) {
	all, err := fn.Get[[]string](ctx, key)
	if errors.Is(err, mesh.NotFound) {
		return nil, nil
	}
	return all, err
}
