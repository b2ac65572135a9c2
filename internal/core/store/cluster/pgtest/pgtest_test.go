package pgtest

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestBinariesComeFromPartsThenFromTheNewestPackage(t *testing.T) {
	parts, system := t.TempDir(), t.TempDir()
	put := func(elem ...string) string {
		dir := filepath.Join(elem...)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "initdb"), nil, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	check := func(want string) {
		t.Helper()
		if got, err := binaries(parts, system); got != want || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if got, err := binaries(parts, system); !errors.Is(err, errNone) {
		t.Errorf("without any: got %q, %v; want %v", got, err, errNone)
	}
	check(put(system, "15", "bin"))
	check(put(system, "17", "bin"))
	put(system, "16", "bin")
	check(filepath.Join(system, "17", "bin"))
	check(put(parts, "postgres", "bin"))
}
