package tweets

import "github.com/virga-mesh/virga/sdk/fn"

// The names under which the functions are offered.
const (
	SignUpFunc   = "retwis-signup"
	NamesFunc    = "retwis-names"
	FollowFunc   = "retwis-follow"
	PostFunc     = "retwis-post"
	TimelineFunc = "retwis-timeline"
	ProfileFunc  = "retwis-profile"
)

// Functions are those of the application, for a worker, or a node, to offer.
func Functions() []fn.Function {
	return []fn.Function{
		{Name: SignUpFunc, Raw: fn.Wrap(SignUp)},
		{Name: NamesFunc, Raw: fn.Wrap(Names)},
		{Name: FollowFunc, Raw: fn.Wrap(Follow)},
		{Name: PostFunc, Raw: fn.Wrap(Post)},
		{Name: TimelineFunc, Raw: fn.Wrap(ReadTimeline)},
		{Name: ProfileFunc, Raw: fn.Wrap(ReadProfile)},
	}
}
