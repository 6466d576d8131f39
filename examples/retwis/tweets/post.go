package tweets

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// MaxText is the longest tweet in characters.
const MaxText = 280

// Tweet is what somebody said.
type Tweet struct {
	ID      string `json:"id"`
	User    string `json:"user"`
	Text    string `json:"text"`
	ReplyTo string `json:"reply_to,omitempty"` // the id of the original
	At      int64  `json:"at"`                 // microseconds since 1970
}

// PostRequest is what somebody says.
type PostRequest struct {
	User    string `json:"user"`
	Text    string `json:"text"`
	ReplyTo string `json:"reply_to,omitempty"` // the id of the tweet that this answers
	// At is when it was said, in microseconds since 1970, by the caller's
	// clock, which may be an hour off: then a run that is made again writes the
	// same tweet. 0: when the function runs.
	At int64 `json:"at,omitempty"`
}

// maxSkew is how far a caller's clock may be off.
const maxSkew = time.Hour

// Post adds a tweet. A user, or an original, that does not exist is a
// NotFound error.
func Post(ctx context.Context, r PostRequest) (Tweet, error) {
	if err := r.check(); err != nil {
		return Tweet{}, err
	}
	if _, err := readUser(ctx, r.User); err != nil {
		return Tweet{}, err
	}
	if r.ReplyTo != "" { // also has the reply depend on its original, where reads are causal
		_, err := readTweet(ctx, r.ReplyTo)
		if errors.Is(err, mesh.NotFound) {
			return Tweet{}, mesh.Errorf(mesh.NotFound, op, "there is no tweet %s to reply to", r.ReplyTo)
		}
		if err != nil {
			return Tweet{}, err
		}
	}
	tweet := Tweet{User: r.User, Text: r.Text, ReplyTo: r.ReplyTo, At: r.At}
	if tweet.At == 0 {
		tweet.At = time.Now().UnixMicro()
	}
	tweet.ID = newTweetID(tweet.At, fn.ID(ctx).Run)
	if err := fn.Put(ctx, tweetKey(tweet.ID), tweet); err != nil {
		return Tweet{}, err
	}
	return tweet, fn.Add(ctx, postsKey(r.User), tweet.ID)
}

func (r PostRequest) check() error {
	text := strings.TrimSpace(r.Text)
	if n := utf8.RuneCountInString(r.Text); text == "" || n > MaxText || !utf8.ValidString(text) {
		return mesh.Errorf(mesh.Invalid, op, "a tweet of %d characters: expected 1 to %d, not blanks alone", n, MaxText)
	}
	if off := time.Since(time.UnixMicro(r.At)); r.At != 0 && off.Abs() > maxSkew {
		return mesh.Errorf(mesh.Invalid, op, "a tweet of %d µs since 1970: expected a moment within %v of now", r.At, maxSkew)
	}
	if r.ReplyTo == "" {
		return nil
	}
	return checkTweetID(r.ReplyTo)
}

// The parts of a tweet's id.
const (
	momentDigits = 14 // of microseconds: until the year 4253
	runBytes     = 6
	tweetIDBytes = momentDigits + 1 + 2*runBytes
)

// newTweetID gives ids that are ordered by time, and the same one to the same
// run: "0006451f3c2a10-9b42c1d07e55".
func newTweetID(at int64, run mesh.RunID) string {
	return fmt.Sprintf("%0*x-%x", momentDigits, at, run[:runBytes])
}

func checkTweetID(id string) error {
	moment, run, _ := strings.Cut(id, "-")
	if _, err := hex.DecodeString(moment + run); err != nil || len(id) != tweetIDBytes || len(moment) != momentDigits {
		return mesh.Errorf(mesh.Invalid, op, "%q is not the id of a tweet: expected %d and %d hexadecimal digits, with - between", id, momentDigits, 2*runBytes)
	}
	return nil
}

// readTweet is a NotFound error where the tweet cannot be read.
func readTweet(ctx context.Context, id string) (Tweet, error) {
	return fn.Get[Tweet](ctx, tweetKey(id))
}
