package store

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A seal is a file that a clean end leaves beside the engine's manifest, which
// lists the tables, with a checksum of it and of the names of the markers, which
// say which manifest it is. The engine takes a damaged end of the
// manifest for one that was torn by a loss of power, and would then go back
// to an earlier list and delete the tables that are not on it.
const sealName = "SEAL"

var (
	errSealBroken = errors.New("the list of tables is not what it was when the store was closed")
	errNoMarker   = errors.New("the marker of the manifest is missing")
)

// seal writes the seal, durably.
func seal(fs vfs.FS, dir string) error {
	sum, err := sumManifests(fs, dir)
	if err != nil {
		return err
	}
	file, err := fs.Create(fs.PathJoin(dir, sealName), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(sum))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return syncFolder(fs, dir)
}

// breakSeal removes the seal, durably, and reports whether there was one. If
// it does not fit the manifest, the error is errSealBroken.
func breakSeal(fs vfs.FS, dir string) (sealed bool, err error) {
	path := fs.PathJoin(dir, sealName)
	if _, err := fs.Stat(path); err != nil {
		return false, nil
	}
	want, err := readFile(fs, path)
	if err != nil {
		return false, err
	}
	sum, err := sumManifests(fs, dir)
	if err != nil {
		return false, err
	}
	if err := errors.Join(fs.Remove(path), syncFolder(fs, dir)); err != nil {
		return false, err
	}
	if string(want) != sum {
		return false, errSealBroken
	}
	return true, nil
}

// checkMarker gives an error if there is a manifest and nothing that marks it
// as the one in force: the engine would take the folder for a new one.
func checkMarker(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	manifest, marker := false, false
	for _, name := range names {
		manifest = manifest || strings.HasPrefix(name, "MANIFEST-")
		marker = marker || strings.HasPrefix(name, "marker.manifest.")
	}
	if manifest && !marker {
		return errNoMarker
	}
	return nil
}

// sumManifests gives the checksum of the manifests and the names of the markers.
func sumManifests(fs vfs.FS, dir string) (string, error) {
	names, err := fs.List(dir)
	if err != nil {
		return "", err
	}
	slices.Sort(names)
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, name := range names {
		if strings.HasPrefix(name, "marker.") {
			fmt.Fprintf(sum, "%s ", name)
		}
		if !strings.HasPrefix(name, "MANIFEST-") {
			continue
		}
		content, err := readFile(fs, fs.PathJoin(dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d ", name, len(content))
		_, _ = sum.Write(content)
	}
	return fmt.Sprintf("%08x\n", sum.Sum32()), nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	file, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}
