package tweets

import (
	"context"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// MaxFollow is how many users one request may follow.
const MaxFollow = 100

// FollowRequest says whom a user follows from now on, or follows no more.
type FollowRequest struct {
	User   string   `json:"user"`
	Others []string `json:"others"`
	Stop   bool     `json:"stop,omitempty"`
}

// Follow changes whom a user follows. A user that does not exist is a
// NotFound error, and then nothing is changed.
func Follow(ctx context.Context, r FollowRequest) (fn.None, error) {
	if len(r.Others) == 0 || len(r.Others) > MaxFollow {
		return fn.None{}, mesh.Errorf(mesh.Invalid, op, "%d users to follow: expected 1 to %d", len(r.Others), MaxFollow)
	}
	if _, err := readUser(ctx, r.User); err != nil {
		return fn.None{}, err
	}
	for _, other := range r.Others {
		if other == r.User {
			return fn.None{}, mesh.Errorf(mesh.Invalid, op, "%s cannot follow oneself", other)
		}
		if _, err := readUser(ctx, other); err != nil {
			return fn.None{}, err
		}
	}
	if r.Stop {
		return fn.None{}, fn.Remove(ctx, followsKey(r.User), r.Others...)
	}
	return fn.None{}, fn.Add(ctx, followsKey(r.User), r.Others...)
}
