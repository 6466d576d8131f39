package catalog

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/virga-mesh/virga/mesh"
)

func TestAnAliasNamesAVersionUntilItIsMovedOrRemoved(t *testing.T) {
	c := open(t)
	deploy(t, c, "square", "v1", "one")
	deploy(t, c, "square", "v2", "two")
	alias := func(alias, version string) {
		t.Helper()
		if err := c.Alias(t.Context(), function("square", version), alias); err != nil {
			t.Error(err)
		}
	}
	resolves := func(alias, version string) {
		t.Helper()
		info, err := c.Function(t.Context(), function("square", alias))
		if err != nil || info.Ref.Version != version {
			t.Errorf("%s is %s, %v, want %s", alias, info.Ref.Version, err, version)
		}
	}
	alias("prod", "v1")
	resolves("prod", "v1")
	resolves("", "v2")
	alias("canary", "prod") // what it names now
	alias("prod", "v2")
	resolves("prod", "v2")
	resolves("canary", "v1")
	v, err := c.Versions(t.Context(), function("square", ""))
	if err != nil || !maps.Equal(v.Aliases, map[string]string{"prod": "v2", "canary": "v1"}) {
		t.Errorf("Versions = %+v, %v", v, err)
	}
	if err := c.Use(t.Context(), function("square", "canary")); err != nil {
		t.Error(err)
	}
	resolves("", "v1")
	alias("prod", "")
	_, err = c.Function(t.Context(), function("square", "prod"))
	if !errors.Is(err, mesh.NotFound) || !strings.Contains(err.Error(), "there are v1, v2; aliases canary") {
		t.Errorf("a removed alias gave %v", err)
	}
}

func TestAliasesThatAreRefused(t *testing.T) {
	c := open(t)
	deploy(t, c, "square", "v1", "one")
	for i := range MaxAliases {
		if err := c.Alias(t.Context(), function("square", "v1"), fmt.Sprint("a", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, version, alias string
		kind                 mesh.ErrorKind
		says                 string
	}{
		{"cube", "v1", "prod", mesh.NotFound, "no such function"},
		{"square", "v9", "a1", mesh.NotFound, "there are v1"},
		{"square", "v1", "not a name", mesh.Invalid, "expected 1 to"},
		{"square", "v1", "v1", mesh.Invalid, "a version has this name"},
		{"square", "v1", "native", mesh.Invalid, "no version is called"},
		{"square", "v1", "0123456789ab", mesh.Invalid, "hexadecimal"},
		{"square", "v1", "prod", mesh.Invalid, "at most 100"},
		{"square", "", "prod", mesh.NotFound, "no such alias"},
	} {
		err := c.Alias(t.Context(), function(test.name, test.version), test.alias)
		if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v gave %v", test, err)
		}
	}
}
