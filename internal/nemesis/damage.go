package nemesis

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/virga-mesh/virga/mesh"
)

// truncate cuts a random part off the end of the newest log of a store, up to
// all of it, and says what it did.
func truncate(store string, chance *rand.Rand) (string, error) {
	logs, err := filesIn(store, ".log")
	if err != nil || len(logs) == 0 {
		return "whose logs were empty", err
	}
	newest := logs[len(logs)-1]
	size := newest.size - chance.Int64N(newest.size+1)
	if err := os.Truncate(newest.path, size); err != nil {
		return "", mesh.Errorf(mesh.Internal, "truncate", "%w", err)
	}
	return fmt.Sprintf("%s from %d to %d bytes", filepath.Base(newest.path), newest.size, size), nil
}

// flip changes one bit of a random file of a store, where large files are
// more likely, and says which.
func flip(store string, chance *rand.Rand) (string, error) {
	files, err := filesIn(store, "")
	if err != nil || len(files) == 0 {
		return "of nothing: the store was empty", err
	}
	total := int64(0)
	for _, f := range files {
		total += f.size
	}
	at := chance.Int64N(total)
	for _, f := range files {
		if at < f.size {
			return fmt.Sprintf("%s at byte %d of %d", filepath.Base(f.path), at, f.size), flipBit(f.path, at, chance.IntN(8))
		}
		at -= f.size
	}
	return "", mesh.Errorf(mesh.Internal, "flip", "byte %d is in no file", at)
}

func flipBit(path string, at int64, bit int) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return mesh.Errorf(mesh.Internal, "flip", "%w", err)
	}
	defer file.Close()
	var octet [1]byte
	if _, err = file.ReadAt(octet[:], at); err == nil {
		octet[0] ^= 1 << bit
		_, err = file.WriteAt(octet[:], at)
	}
	if err != nil {
		return mesh.Errorf(mesh.Internal, "flip", "%w", err)
	}
	return nil
}

type sizedFile struct {
	path string
	size int64
}

// filesIn lists the files in a folder and below that are not empty and whose
// names end so, in the order of their paths.
func filesIn(folder, ending string) (files []sizedFile, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || !strings.HasSuffix(path, ending) {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() > 0 {
			files = append(files, sizedFile{path, info.Size()})
		}
		return err
	})
	if err != nil {
		return nil, mesh.Errorf(mesh.Internal, "damage", "%w", err)
	}
	return files, nil
}
