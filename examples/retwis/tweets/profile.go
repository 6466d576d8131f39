package tweets

import (
	"context"
	"errors"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// Profile is what a user did so far.
type Profile struct {
	User
	Follows []string `json:"follows"` // in the order of the alphabet
	Tweets  int      `json:"tweets"`  // how many there are
}

// ReadProfile tells of a user. One that does not exist is a NotFound error.
func ReadProfile(ctx context.Context, name string) (Profile, error) {
	user, err := readUser(ctx, name)
	if err != nil {
		return Profile{}, err
	}
	profile := Profile{User: user}
	if profile.Follows, err = elements(ctx, followsKey(name)); err != nil {
		return Profile{}, err
	}
	if profile.Follows == nil {
		profile.Follows = []string{}
	}
	posts, err := fn.Read(ctx, postsKey(name))
	switch {
	case err == nil:
		profile.Tweets = posts.Len()
	case !errors.Is(err, mesh.NotFound):
		return Profile{}, err
	}
	return profile, nil
}
