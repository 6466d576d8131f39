package mesh

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
)

func TestKeyValidate(t *testing.T) {
	long := strings.Repeat("x", MaxName)
	for _, c := range []struct {
		key Key
		ok  bool
	}{
		{Key{"default", "greeting"}, true},
		{Key{"default", "any text: \x01 é/.."}, true},
		{Key{"default", "a zero \x00 byte"}, false},
		{Key{"default", "not UTF-8: \xff"}, false},
		{Key{"a-b_c.9", long}, true},
		{Key{"default", ""}, false},
		{Key{"default", long + "x"}, false},
		{Key{"", "a"}, false},
		{Key{"a b", "a"}, false},
		{Key{"Upper", "a"}, false},
		{Key{"a\x00b", "a"}, false},
		{Key{strings.Repeat("n", MaxNamespace+1), "a"}, false},
	} {
		err := c.key.Validate()
		if (err == nil) != c.ok || (err != nil && !errors.Is(err, Invalid)) {
			t.Errorf("Validate(%q) = %v, want ok = %v", c.key, err, c.ok)
		}
	}
}

func TestKeyPathRoundTrip(t *testing.T) {
	for _, k := range []Key{{"default", "a"}, {"n", "with\nnewline"}, {"n", strings.Repeat("long", 200)}} {
		got, err := KeyFromPath(k.Path())
		if err != nil || got != k {
			t.Errorf("KeyFromPath(%q) = %v, %v", k.Path(), got, err)
		}
		if k.ID() != sha256.Sum256([]byte(k.Path())) {
			t.Errorf("ID of %v is not the SHA-256 of its path", k)
		}
	}
	if _, err := KeyFromPath("no separator"); !errors.Is(err, Invalid) {
		t.Errorf("a path without separator gave %v", err)
	}
}

func TestKeyIDDoesNotAllocate(t *testing.T) {
	k := Key{"default", "greeting"}
	if n := testing.AllocsPerRun(100, func() { _ = k.ID() }); n != 0 {
		t.Errorf("Key.ID allocates %v times", n)
	}
}

func FuzzKeyFromPath(f *testing.F) {
	f.Add("default\x00a")
	f.Add("\x00")
	f.Fuzz(func(t *testing.T, path string) {
		if k, err := KeyFromPath(path); err == nil && k.Path() != path {
			t.Errorf("%q reads as %v, which writes %q", path, k, k.Path())
		}
	})
}
