package store

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// How Pebble is set up. The memory tier holds what is hot, so the engine's
// own caches are small.
const (
	blockCacheBytes = 32 << 20
	memTableBytes   = 16 << 20
	maxOpenFiles    = 512
	filterBits      = 10 // of the Bloom filters, per key: 1 % false positives
)

// engineOptions configures Pebble on fs, with its write-ahead log in logDir.
func engineOptions(fs vfs.FS, logDir string, log *slog.Logger, fail *failure, onCorruption func(pebble.DataCorruptionInfo)) *pebble.Options {
	opts := &pebble.Options{
		FS:     fs,
		WALDir: logDir,
		// The last format before log records tell how much of the log is
		// synced. That would be wrong here (see logFS), and turn the torn
		// end of a log, after a loss of power, into corruption.
		FormatMajorVersion:          pebble.FormatColumnarBlocks,
		CacheSize:                   blockCacheBytes,
		MemTableSize:                memTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		MaxOpenFiles:                maxOpenFiles,
		Merger:                      cellMerger(log),
		Logger:                      engineLog{log: log, fail: fail},
		EventListener: &pebble.EventListener{
			DataCorruption: onCorruption,
			BackgroundError: func(err error) {
				if pebble.IsCorruptionError(err) {
					return // onCorruption was told, and the engine tries again
				}
				fail.set("writing tables", err)
			},
		},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	return opts
}
