package main

import (
	"archive/zip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newBuilder has a pin file and an empty folder.
func newBuilder(t *testing.T) builder {
	t.Helper()
	b := builder{root: t.TempDir(), build: t.TempDir(), pins: t.TempDir(), dir: filepath.Join(t.TempDir(), "part")}
	if err := os.WriteFile(filepath.Join(b.pins, "requirements.txt"), []byte("thing==1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAPartIsBuiltAgainOnlyWhenItsPinsChange(t *testing.T) {
	b, built := newBuilder(t), 0
	p := part{name: "thing", recipe: 1, build: func(context.Context, builder) error { built++; return nil }}
	prepare := func(want int, why string) {
		t.Helper()
		if err := b.prepare(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if built != want {
			t.Errorf("%s: built %d times, want %d", why, built, want)
		}
	}
	prepare(1, "new")
	prepare(1, "unchanged")
	if err := os.WriteFile(filepath.Join(b.pins, "requirements.txt"), []byte("thing==2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	prepare(2, "another pin")
	p.recipe = 2
	prepare(3, "another recipe")
	if err := os.Remove(filepath.Join(b.dir, ".stamp")); err != nil {
		t.Fatal(err)
	}
	prepare(4, "a run that was cut short")
}

func TestFetchNamesTheRegistryThatDoesNotAnswer(t *testing.T) {
	b := newBuilder(t)
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pause := fetchPause
	fetchPause = 0
	t.Cleanup(func() { fetchPause = pause })
	err := b.fetch(t.Context(), "the registry of things", "go", "no-such-command")
	for _, want := range []string{"the registry of things", "3 tries", "unknown command"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	err = b.fetch(t.Context(), "the registry of things", "no-such-program")
	if err == nil || !strings.Contains(err.Error(), "no-such-program is missing on this machine") {
		t.Errorf("got %v, want the program that is missing", err)
	}
}

func TestExtractTakesTheEntryWithTheSuffix(t *testing.T) {
	archive, out := filepath.Join(t.TempDir(), "a.jar"), filepath.Join(t.TempDir(), "out")
	f, err := os.Create(archive)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	for name, text := range map[string]string{"META-INF/MANIFEST.MF": "no", "server.txz": "yes"} {
		e, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := extract(archive, ".txz", out); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(out); err != nil || string(got) != "yes" {
		t.Errorf("got %q, %v, want yes", got, err)
	}
	if err := extract(archive, ".gz", out); err == nil {
		t.Error("an entry that is not there was extracted")
	}
}
