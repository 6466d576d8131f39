package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/internal/bench"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// retwisData are the users that the load is of, with what they follow and
// have said. Everybody follows 50 others, or half of them where they are few; the
// more popular are drawn more often, by Zipf's law. There are five tweets for each
// user, of which half are replies to earlier ones.
type retwisData struct {
	users   int
	clients []*sdk.Client
}

const (
	retwisFollows   = 50
	retwisZipf      = 1.5
	retwisTweets    = 5 // for each user
	retwisSeed      = 8
	retwisFillers   = 32
	minRetwisUsers  = 4
	maxRetwisUsers  = 100_000
	retwisUserWidth = 6
)

// retwisText is what all say: 100 characters.
var retwisText = strings.Repeat("virga ", 16) + "rain"

func retwisUser(i int) string { return fmt.Sprintf("u%0*d", retwisUserWidth, i) }

// fill makes the data set, by the functions of the application, through all nodes.
func (d retwisData) fill(ctx context.Context) error {
	if err := d.signUp(ctx); err != nil {
		return err
	}
	if err := d.follow(ctx); err != nil {
		return err
	}
	return d.talk(ctx)
}

// each calls do for the numbers below n, by several callers at once, each at one of the nodes.
func (d retwisData) each(ctx context.Context, n int, do func(ctx context.Context, client *sdk.Client, i int) error) error {
	var next atomic.Int64
	group, within := errgroup.WithContext(ctx)
	for filler := range retwisFillers {
		group.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := do(within, d.clients[filler%len(d.clients)], i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (d retwisData) signUp(ctx context.Context) error {
	return d.each(ctx, d.users, func(ctx context.Context, client *sdk.Client, i int) error {
		_, err := sdk.Func[string, tweets.User](client, tweets.SignUpFunc).Call(ctx, retwisUser(i))
		return err
	})
}

func (d retwisData) follow(ctx context.Context) error {
	return d.each(ctx, d.users, func(ctx context.Context, client *sdk.Client, i int) error {
		_, err := sdk.Func[tweets.FollowRequest, fn.None](client, tweets.FollowFunc).Call(ctx, tweets.FollowRequest{User: retwisUser(i), Others: d.followed(i)})
		return err
	})
}

// followed draws whom a user follows, each of them once.
func (d retwisData) followed(user int) []string {
	want := min(retwisFollows, d.users/2)
	drawn := map[uint32]bool{uint32(user): true}
	var others []string
	for seed := uint64(user); len(others) < want; seed += uint64(d.users) {
		for _, other := range bench.Draws(10*retwisFollows, d.users, retwisZipf, seed) {
			if !drawn[other] && len(others) < want {
				drawn[other] = true
				others = append(others, retwisUser(int(other)))
			}
		}
	}
	return others
}

// talk has users post, and then reply to what was posted.
func (d retwisData) talk(ctx context.Context) error {
	var lock sync.Mutex
	var posted []string // ids
	post := func(ctx context.Context, client *sdk.Client, i int, replyTo string) error {
		tweet, err := sdk.Func[tweets.PostRequest, tweets.Tweet](client, tweets.PostFunc).Call(ctx, tweets.PostRequest{User: retwisUser(i % d.users), Text: retwisText, ReplyTo: replyTo})
		lock.Lock()
		defer lock.Unlock()
		posted = append(posted, tweet.ID)
		return err
	}
	half := retwisTweets * d.users / 2
	err := d.each(ctx, half, func(ctx context.Context, client *sdk.Client, i int) error { return post(ctx, client, i, "") })
	if err != nil {
		return err
	}
	return d.each(ctx, retwisTweets*d.users-half, func(ctx context.Context, client *sdk.Client, i int) error {
		lock.Lock()
		replyTo := posted[rand.New(rand.NewPCG(retwisSeed, uint64(i))).IntN(len(posted))]
		lock.Unlock()
		return post(ctx, client, half+i, replyTo)
	})
}
