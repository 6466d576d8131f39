package tweets_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/virga-mesh/virga/examples/retwis/tweets"
	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/node"
	"github.com/virga-mesh/virga/sdk"
	"github.com/virga-mesh/virga/sdk/fn"
	"github.com/virga-mesh/virga/sdk/meshtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// natives are the functions, in every node of a test's mesh.
func natives() meshtest.Option {
	var options []node.Option
	for _, f := range tweets.Functions() {
		options = append(options, node.HandleRaw(mesh.FuncRef{Namespace: mesh.DefaultNamespace, Name: f.Name}, f.Raw, mesh.Limits{}))
	}
	return meshtest.Nodes(options...)
}

// caller calls the functions at one level, through one node.
type caller struct {
	client *sdk.Client
	level  mesh.Consistency
}

func call[In, Out any](ctx context.Context, c caller, name string, in In) (Out, error) {
	f := sdk.Func[In, Out](c.client, name)
	f.Options.Consistency = c.level
	return f.Call(ctx, in)
}

func (c caller) signUp(ctx context.Context, name string) error {
	_, err := call[string, tweets.User](ctx, c, tweets.SignUpFunc, name)
	return err
}

func (c caller) follow(ctx context.Context, user string, others ...string) error {
	_, err := call[tweets.FollowRequest, fn.None](ctx, c, tweets.FollowFunc, tweets.FollowRequest{User: user, Others: others})
	return err
}

func (c caller) post(ctx context.Context, user, text, replyTo string) (tweets.Tweet, error) {
	return call[tweets.PostRequest, tweets.Tweet](ctx, c, tweets.PostFunc, tweets.PostRequest{User: user, Text: text, ReplyTo: replyTo})
}

func (c caller) timeline(ctx context.Context, user string, n int) (tweets.Timeline, error) {
	return call[tweets.TimelineRequest, tweets.Timeline](ctx, c, tweets.TimelineFunc, tweets.TimelineRequest{User: user, N: n})
}

// mustPost ends the test on an error.
func (c caller) mustPost(t *testing.T, user, text, replyTo string) tweets.Tweet {
	t.Helper()
	tweet, err := c.post(t.Context(), user, text, replyTo)
	if err != nil {
		t.Fatal(err)
	}
	return tweet
}

// people gives a caller of a mesh of three where these have signed up.
func people(t *testing.T, names ...string) caller {
	t.Helper()
	c := caller{meshtest.New(t, 3, natives()).Client(0), mesh.CausalSession}
	for _, name := range names {
		if err := c.signUp(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestATimelineHasTheNewestOfThoseFollowedAndRepliesWithTheirOriginal(t *testing.T) {
	ctx, c := t.Context(), people(t, "ada", "bob", "carol", "dan")
	if err := c.follow(ctx, "ada", "bob", "carol"); err != nil {
		t.Fatal(err)
	}
	old := c.mustPost(t, "dan", "one", "")
	own := c.mustPost(t, "ada", "two", "")
	reply := c.mustPost(t, "bob", "three", old.ID)
	last := c.mustPost(t, "carol", "four", "")
	got, err := c.timeline(ctx, "ada", 10)
	want := tweets.Timeline{User: "ada", Entries: []tweets.Entry{{Tweet: last}, {Tweet: reply, Original: &old}, {Tweet: own}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	if got, err := c.timeline(ctx, "ada", 1); err != nil || len(got.Entries) != 1 || got.Entries[0].Tweet != last {
		t.Errorf("the newest one is %+v, %v", got, err)
	}
	if got, err := c.timeline(ctx, "carol", 0); err != nil || len(got.Entries) != 1 {
		t.Errorf("who follows nobody sees %+v, %v", got, err)
	}
}

func TestFollowingEnds(t *testing.T) {
	ctx, c := t.Context(), people(t, "ada", "bob", "carol")
	if err := c.follow(ctx, "ada", "bob", "carol"); err != nil {
		t.Fatal(err)
	}
	stop := tweets.FollowRequest{User: "ada", Others: []string{"bob"}, Stop: true}
	if _, err := call[tweets.FollowRequest, fn.None](ctx, c, tweets.FollowFunc, stop); err != nil {
		t.Fatal(err)
	}
	if _, err := c.post(ctx, "ada", "hello", ""); err != nil {
		t.Fatal(err)
	}
	got, err := call[string, tweets.Profile](ctx, c, tweets.ProfileFunc, "ada")
	if err != nil || got.Name != "ada" || got.Since == 0 || got.Tweets != 1 || !reflect.DeepEqual(got.Follows, []string{"carol"}) {
		t.Errorf("the profile is %+v, %v", got, err)
	}
	names, err := call[fn.None, []string](ctx, c, tweets.NamesFunc, fn.None{})
	if want := []string{"ada", "bob", "carol"}; err != nil || !reflect.DeepEqual(names, want) {
		t.Errorf("the names are %v, %v", names, err)
	}
}

func TestWhatCannotBeReadIsCountedAndMarked(t *testing.T) {
	ctx, c := t.Context(), people(t, "ada", "bob")
	original := c.mustPost(t, "ada", "one", "")
	reply := c.mustPost(t, "bob", "two", original.ID)
	if err := c.client.Delete(ctx, "retwis/tweet/"+original.ID); err != nil {
		t.Fatal(err)
	}
	got, err := c.timeline(ctx, "bob", 10)
	want := tweets.Timeline{User: "bob", Entries: []tweets.Entry{{Tweet: reply, OriginalMissing: true}}, Violations: 1}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("a reply without its original: %+v, %v", got, err)
	}
	if got, err := c.timeline(ctx, "ada", 10); err != nil || got.Missing != 1 || len(got.Entries) != 0 || got.Violations != 0 {
		t.Errorf("a list with what cannot be read: %+v, %v", got, err)
	}
}

func TestARunThatIsMadeAgainPostsOnce(t *testing.T) {
	ctx, c := t.Context(), people(t, "ada")
	post := sdk.Func[tweets.PostRequest, tweets.Tweet](c.client, tweets.PostFunc)
	post.Options.RunID = mesh.NewRunID()
	for range 2 {
		if _, err := post.Call(ctx, tweets.PostRequest{User: "ada", Text: "once"}); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.timeline(ctx, "ada", 10); err != nil || len(got.Entries) != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestBadInput(t *testing.T) {
	ctx, c := t.Context(), people(t, "ada", "bob")
	post := func(r tweets.PostRequest) error {
		_, err := call[tweets.PostRequest, tweets.Tweet](ctx, c, tweets.PostFunc, r)
		return err
	}
	timeline := func(user string, n int) error { _, err := c.timeline(ctx, user, n); return err }
	profile := func(name string) error {
		_, err := call[string, tweets.Profile](ctx, c, tweets.ProfileFunc, name)
		return err
	}
	const unknownTweet = "00000000000000-000000000000"
	for _, bad := range []struct {
		err  error
		kind mesh.ErrorKind
		want string
	}{
		{c.signUp(ctx, ""), mesh.Invalid, "expected 1 to 30"},
		{c.signUp(ctx, "Ada"), mesh.Invalid, "of a-z"},
		{c.signUp(ctx, "a/b"), mesh.Invalid, "of a-z"},
		{c.signUp(ctx, strings.Repeat("a", 31)), mesh.Invalid, "expected 1 to 30"},
		{c.signUp(ctx, "ada"), mesh.Conflict, "taken"},
		{profile("zoe"), mesh.NotFound, "no user zoe"},
		{profile("?"), mesh.Invalid, "the name"},
		{timeline("zoe", 1), mesh.NotFound, "no user zoe"},
		{timeline("ada", -1), mesh.Invalid, "expected 1 to 100"},
		{timeline("ada", 101), mesh.Invalid, "expected 1 to 100"},
		{c.follow(ctx, "ada"), mesh.Invalid, "0 users"},
		{c.follow(ctx, "ada", make([]string, 101)...), mesh.Invalid, "101 users"},
		{c.follow(ctx, "ada", "ada"), mesh.Invalid, "oneself"},
		{c.follow(ctx, "ada", "bob", "zoe"), mesh.NotFound, "no user zoe"},
		{c.follow(ctx, "zoe", "ada"), mesh.NotFound, "no user zoe"},
		{post(tweets.PostRequest{User: "zoe", Text: "x"}), mesh.NotFound, "no user zoe"},
		{post(tweets.PostRequest{User: "ada", Text: " \n"}), mesh.Invalid, "not blanks alone"},
		{post(tweets.PostRequest{User: "ada", Text: strings.Repeat("ä", 281)}), mesh.Invalid, "281 characters"},
		{post(tweets.PostRequest{User: "ada", Text: "x", ReplyTo: unknownTweet}), mesh.NotFound, "no tweet " + unknownTweet},
		{post(tweets.PostRequest{User: "ada", Text: "x", ReplyTo: "y"}), mesh.Invalid, "not the id of a tweet"},
		{post(tweets.PostRequest{User: "ada", Text: "x", At: 1}), mesh.Invalid, "within 1h0m0s of now"},
	} {
		if !errors.Is(bad.err, bad.kind) || !strings.Contains(bad.err.Error(), bad.want) {
			t.Errorf("got %v, want %v with %q", bad.err, bad.kind, bad.want)
		}
	}
	if err := post(tweets.PostRequest{User: "ada", Text: strings.Repeat("ä", 280)}); err != nil {
		t.Errorf("a tweet as long as can be: %v", err)
	}
	if got, err := call[string, tweets.Profile](ctx, c, tweets.ProfileFunc, "ada"); err != nil || len(got.Follows) != 0 {
		t.Errorf("what failed has changed whom ada follows: %+v, %v", got, err)
	}
}
