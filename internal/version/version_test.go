package version

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.modified", Value: "true"}}
	for _, c := range []struct {
		name, want string
		info       debug.BuildInfo
	}{
		{"a released module", "v1.2.3", debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}}},
		{"a clone with changes", "devel 0123456789ab+changes", debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: revision}},
		{"a clone", "devel 0123456789ab", debug.BuildInfo{Settings: revision[:1]}},
		{"go run", "devel", debug.BuildInfo{}},
	} {
		if got := describe(&c.info); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if String() == "" {
		t.Error("this build has no version")
	}
}
