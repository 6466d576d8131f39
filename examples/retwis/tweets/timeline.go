package tweets

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/virga-mesh/virga/mesh"
	"github.com/virga-mesh/virga/sdk/fn"
)

// How many tweets a timeline has.
const (
	DefaultCount = 20
	MaxCount     = 100
)

// TimelineRequest asks for the newest N tweets that a user sees. 0: 20.
type TimelineRequest struct {
	User string `json:"user"`
	N    int    `json:"n,omitempty"`
}

// Timeline is what a user sees: the newest tweets of those whom they follow,
// and of their own, the newest first.
type Timeline struct {
	User    string  `json:"user"`
	Entries []Entry `json:"entries"`
	// Violations is how many of the entries are replies whose original cannot
	// be read: what a reader sees of reads that are not causal.
	Violations int `json:"violations"`
	// Missing is how many tweets their authors' posts list that cannot be
	// read: a timeline has no entries for them.
	Missing int `json:"missing"`
}

// Entry is a tweet as a timeline has it.
type Entry struct {
	Tweet    Tweet  `json:"tweet"`
	Original *Tweet `json:"original,omitempty"` // of a reply
	// OriginalMissing marks a reply whose original cannot be read.
	OriginalMissing bool `json:"original_missing,omitempty"`
}

// ReadTimeline gives a user's timeline. A user that does not exist is a
// NotFound error.
func ReadTimeline(ctx context.Context, r TimelineRequest) (Timeline, error) {
	n, err := checkCount(r.N)
	if err != nil {
		return Timeline{}, err
	}
	if _, err := readUser(ctx, r.User); err != nil {
		return Timeline{}, err
	}
	authors, err := elements(ctx, followsKey(r.User))
	if err != nil {
		return Timeline{}, err
	}
	ids, err := newestOf(ctx, append(authors, r.User), n)
	if err != nil {
		return Timeline{}, err
	}
	timeline := Timeline{User: r.User, Entries: make([]Entry, 0, len(ids))}
	for _, id := range ids {
		if err := timeline.add(ctx, id); err != nil {
			return Timeline{}, err
		}
	}
	return timeline, nil
}

// newestOf gives the ids of the newest n tweets of some authors, the newest first.
func newestOf(ctx context.Context, authors []string, n int) ([]string, error) {
	var ids []string
	for _, author := range authors {
		posts, err := newest(ctx, author, n)
		if err != nil {
			return nil, err
		}
		ids = append(ids, posts...)
	}
	slices.SortFunc(ids, func(a, b string) int { return strings.Compare(b, a) })
	return ids[:min(n, len(ids))], nil
}

// newest gives the ids of the newest n tweets of one author, the oldest first.
// All ids are as long, so that the order of a set is that of time.
func newest(ctx context.Context, author string, n int) ([]string, error) {
	posts, err := fn.Read(ctx, postsKey(author))
	if errors.Is(err, mesh.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	encoded := slices.Collect(posts.Elements())
	encoded = encoded[max(0, len(encoded)-n):]
	ids := make([]string, len(encoded))
	for i, element := range encoded {
		id, err := mesh.DecodeValue([]byte(element))
		if err != nil {
			return nil, err
		}
		ids[i] = string(id.Data)
	}
	return ids, nil
}

// add reads a tweet and, of a reply, its original.
func (t *Timeline) add(ctx context.Context, id string) error {
	tweet, err := readTweet(ctx, id)
	if errors.Is(err, mesh.NotFound) {
		t.Missing++
		return nil
	}
	if err != nil {
		return err
	}
	entry := Entry{Tweet: tweet}
	if tweet.ReplyTo != "" {
		original, err := readTweet(ctx, tweet.ReplyTo)
		switch {
		case err == nil:
			entry.Original = &original
		case errors.Is(err, mesh.NotFound):
			entry.OriginalMissing = true
			t.Violations++
		default:
			return err
		}
	}
	t.Entries = append(t.Entries, entry)
	return nil
}
