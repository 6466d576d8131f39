package node

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestASavedFileOutlivesALossOfPower(t *testing.T) {
	disk := vfs.NewCrashableMem()
	cfg := Config{DataDir: "/data", FS: disk}
	if err := cfg.file("credential.pem").Save([]byte("who I am")); err != nil {
		t.Fatal(err)
	}
	cfg.FS = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rand.New(rand.NewPCG(0, 0))})
	if content, err := cfg.file("credential.pem").Load(); err != nil || string(content) != "who I am" {
		t.Errorf("after a loss of power the file holds %q, %v", content, err)
	}
}
