package nemesis

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// folder makes one with files of the sizes given.
func folder(t *testing.T, sizes map[string]int) string {
	t.Helper()
	dir := t.TempDir()
	for name, size := range sizes {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contentOf(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTruncateShortensTheNewestLog(t *testing.T) {
	dir := folder(t, map[string]int{"000002.log": 100, "000005.log": 100, "000009.log": 0, "000007.sst": 100})
	if _, err := truncate(dir, rand.New(rand.NewPCG(1, 1))); err != nil {
		t.Fatal(err)
	}
	if newest := len(contentOf(t, dir, "000005.log")); newest >= 100 {
		t.Errorf("the newest log has %d bytes of 100", newest)
	}
	if older := len(contentOf(t, dir, "000002.log")) + len(contentOf(t, dir, "000007.sst")); older != 200 {
		t.Errorf("other files have %d bytes of 200", older)
	}
}

func TestFlipChangesOneBit(t *testing.T) {
	for seed := range uint64(20) {
		dir := folder(t, map[string]int{"000002.log": 50, "000003.sst": 50})
		if _, err := flip(dir, rand.New(rand.NewPCG(seed, 0))); err != nil {
			t.Fatal(err)
		}
		all := append(contentOf(t, dir, "000002.log"), contentOf(t, dir, "000003.sst")...)
		if zero := bytes.Count(all, []byte{0}); zero != 99 {
			t.Errorf("seed %d: %d bytes of 100 are as they were", seed, zero)
		}
	}
}

func TestAnEmptyStoreIsNotDamaged(t *testing.T) {
	for _, damage := range []func(string, *rand.Rand) (string, error){truncate, flip} {
		if note, err := damage(folder(t, map[string]int{"000002.log": 0}), rand.New(rand.NewPCG(1, 1))); err != nil || note == "" {
			t.Errorf("it says %q, %v", note, err)
		}
	}
}
