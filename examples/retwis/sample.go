package main

import (
	"context"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
)

// addSample has three users follow each other, and talk.
func addSample(ctx context.Context, client *sdk.Client) error {
	names := []string{"ada", "bob", "carol"}
	for _, name := range names {
		if _, err := sdk.Func[string, tweets.User](client, tweets.SignUpFunc).Call(ctx, name); err != nil {
			return err
		}
	}
	follow := sdk.Func[tweets.FollowRequest, fn.None](client, tweets.FollowFunc)
	for i, name := range names {
		others := []string{names[(i+1)%len(names)], names[(i+2)%len(names)]}
		if _, err := follow.Call(ctx, tweets.FollowRequest{User: name, Others: others}); err != nil {
			return err
		}
	}
	post := sdk.Func[tweets.PostRequest, tweets.Tweet](client, tweets.PostFunc)
	first, err := post.Call(ctx, tweets.PostRequest{User: "ada", Text: "Does anybody know a cloud without a centre?"})
	if err != nil {
		return err
	}
	if _, err := post.Call(ctx, tweets.PostRequest{User: "bob", Text: "Rain that never reaches the ground: virga.", ReplyTo: first.ID}); err != nil {
		return err
	}
	_, err = post.Call(ctx, tweets.PostRequest{User: "carol", Text: "Good morning, all nodes are alike."})
	return err
}
