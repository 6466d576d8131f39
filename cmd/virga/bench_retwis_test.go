package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/internal/bench"
)

func TestUsersOfRetwisFollowOthersOnceThePopularMore(t *testing.T) {
	for _, users := range []int{minRetwisUsers, 60, 1000} {
		d := retwisData{users: users}
		followers := map[string]int{}
		for user := range users {
			others := d.followed(user)
			if !slices.Equal(others, d.followed(user)) {
				t.Fatalf("of %d: user %d follows others the second time", users, user)
			}
			if len(others) != min(retwisFollows, users/2) || slices.Contains(others, retwisUser(user)) {
				t.Fatalf("of %d: user %d follows %v", users, user, others)
			}
			slices.Sort(others)
			if len(slices.Compact(others)) != len(others) {
				t.Fatalf("of %d: user %d follows somebody twice", users, user)
			}
			for _, other := range others {
				followers[other]++
			}
		}
		if first, last := followers[retwisUser(0)], followers[retwisUser(users-1)]; users == 1000 && first < 10*last {
			t.Errorf("the most popular has %d followers, the least %d", first, last)
		}
	}
}

func testBenchRetwis(t *testing.T, program string) {
	report := benchReportOf(t, program, retwisSuite, "--users", "20")
	for _, level := range retwisLevels {
		for _, callers := range []int{1, 2} {
			at := slices.IndexFunc(report.Rows, func(r bench.Row) bool { return r.Name == retwisReads(level) && r.Callers == callers })
			if at < 0 || report.Rows[at].N == 0 || report.Rows[at].Violations == nil {
				t.Errorf("timelines at %v by %d callers were not measured", level, callers)
			}
			if !slices.ContainsFunc(report.Rows, func(r bench.Row) bool { return r.Name == retwisPosts(level) && r.Callers == callers }) {
				t.Errorf("posts at %v by %d callers were not measured", level, callers)
			}
		}
	}
	if !slices.ContainsFunc(report.Goals, func(g bench.Goal) bool { return strings.Contains(g.What, "violations") && g.Measured && g.Value == 0 }) {
		t.Errorf("the goals are %+v", report.Goals)
	}
}
