package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestParityNamesTestsThatExist keeps docs/parity.md true as far as a machine
// can: its form, and that what it names is there.
func TestParityNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../docs/parity.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "\nid | status | test\n")
	if !found {
		t.Fatal("no header line")
	}
	row := regexp.MustCompile(`^([A-Z]\d+) \| (done|part|open) \|(?: (\S+)(?: (\S+))?)?$`)
	seen := map[string]bool{}
	for line := range strings.Lines(table) {
		fields := row.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		switch {
		case fields == nil:
			t.Errorf("%q: expected id | status | test", line)
			continue
		case seen[fields[1]]:
			t.Errorf("%s is there twice", fields[1])
		case (fields[2] == "open") != (fields[3] == ""):
			t.Errorf("%s: expected a test unless it is open", fields[1])
		}
		seen[fields[1]] = true
		if path, test := fields[3], fields[4]; path != "" && !namesTest(t, path, test) {
			t.Errorf("%s: there is no %s %s", fields[1], path, test)
		}
	}
}

// namesTest reports whether the package at path has the test, or whether path is a command.
func namesTest(t *testing.T, path, test string) bool {
	t.Helper()
	if test == "" {
		info, err := os.Stat(filepath.Join("../..", path))
		return err == nil && info.Mode()&0o111 != 0
	}
	files, err := filepath.Glob(filepath.Join("../..", path, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(code), "\nfunc "+test+"(") {
			return true
		}
	}
	return false
}
