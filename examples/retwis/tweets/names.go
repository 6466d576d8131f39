package tweets

import (
	"context"
	"errors"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// The keys.
const namesKey = "retwis/names"

func userKey(name string) string    { return "retwis/user/" + name }
func followsKey(name string) string { return "retwis/follows/" + name }
func postsKey(name string) string   { return "retwis/posts/" + name }
func tweetKey(id string) string     { return "retwis/tweet/" + id }

const op = "retwis" // in errors

// MaxName is the longest name of a user in bytes.
const MaxName = 30

// checkName is an Invalid error for what is no name.
func checkName(name string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789_"
	if name == "" || len(name) > MaxName || strings.Trim(name, allowed) != "" {
		return mesh.Errorf(mesh.Invalid, op, "the name %q: expected 1 to %d of a-z, 0-9 and _", name, MaxName)
	}
	return nil
}

// readUser is a NotFound error for who did not sign up.
func readUser(ctx context.Context, name string) (User, error) {
	if err := checkName(name); err != nil {
		return User{}, err
	}
	user, err := fn.Get[User](ctx, userKey(name))
	if errors.Is(err, mesh.NotFound) {
		return user, mesh.Errorf(mesh.NotFound, op, "there is no user %s", name)
	}
	return user, err
}

// checkCount gives how many tweets to tell where n were asked for.
func checkCount(n int) (int, error) {
	switch {
	case n == 0:
		return DefaultCount, nil
	case n < 0 || n > MaxCount:
		return 0, mesh.Errorf(mesh.Invalid, op, "%d tweets: expected 1 to %d", n, MaxCount)
	}
	return n, nil
}
