package server

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// makeKey makes a data key in a server's store, as an encrypted stream does.
func makeKey(t *testing.T, s *Server, root *datakey.Root) {
	t.Helper()
	if _, err := s.store.Update(t.Context(), func(tx store.Tx) error {
		_, err := datakey.Create(tx, root)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func readRoot(t *testing.T, path string) *datakey.Root {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	root, err := datakey.ParseRoot(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return root
}

// stopped opens and closes a server on a folder; with use its store has a data key afterwards.
func stopped(t *testing.T, o Options, use bool) {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatalf("open %+v: %v", o, err)
	}
	if use {
		path := o.RootKeyFile
		if path == "" {
			path = filepath.Join(o.Data, rootKeyName)
		}
		makeKey(t, s, readRoot(t, path))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFirstStartMakesARootKeyThatStays(t *testing.T) {
	o := Options{Data: t.TempDir()}
	path := filepath.Join(o.Data, rootKeyName)
	stopped(t, o, true)
	first := readRoot(t, path)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("mode of %s: %v, %v; want 0600", path, info.Mode(), err)
	}
	stopped(t, o, true)
	if again := readRoot(t, path); again.ID() != first.ID() {
		t.Errorf("root key after another start: %v, was %v", again, first)
	}
	if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left beside it: %v, %v", left, err)
	}
}

func TestWhatACrashLeftOfARootKeyIsMadeAnew(t *testing.T) {
	o := Options{Data: t.TempDir()}
	path := filepath.Join(o.Data, rootKeyName)
	if err := os.WriteFile(path+".part", []byte("12"), 0o600); err != nil {
		t.Fatal(err)
	}
	stopped(t, o, true)
	readRoot(t, path)
}

func TestStoreWithoutItsRootKeyIsRefused(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, path string){
		"is missing": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"holds root key": func(t *testing.T, path string) {
			if err := os.WriteFile(path, datakey.NewRoot().Text(), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			o := Options{Data: t.TempDir()}
			path := filepath.Join(o.Data, rootKeyName)
			stopped(t, o, true)
			root := readRoot(t, path)
			spoil(t, path)
			_, err := Open(o)
			if err == nil {
				t.Fatal("Open succeeded")
			}
			for _, want := range []string{path, what, root.ID().String(), "--root-key-file"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to name %q", err, want)
				}
			}
			if _, err := os.Stat(path); what == "is missing" && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s was made: %v", path, err)
			}
			copied := filepath.Join(t.TempDir(), "copy")
			if err := os.WriteFile(copied, root.Text(), 0o600); err != nil {
				t.Fatal(err)
			}
			o.RootKeyFile = copied
			stopped(t, o, true)
		})
	}
}

func TestStoreWithoutSealedRecordsTakesAnotherRootKey(t *testing.T) {
	o := Options{Data: t.TempDir()}
	stopped(t, o, false)
	if err := os.Remove(filepath.Join(o.Data, rootKeyName)); err != nil {
		t.Fatal(err)
	}
	stopped(t, o, true)
	stopped(t, o, true)
}

func TestConfiguredRootKeyFileIsNeverMade(t *testing.T) {
	dir := t.TempDir()
	o := Options{Data: filepath.Join(dir, "data"), RootKeyFile: filepath.Join(dir, "key")}
	if _, err := Open(o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: got %v, want %v", err, fs.ErrNotExist)
	}
	if err := os.WriteFile(o.RootKeyFile, []byte("secret but no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(o); !errors.Is(err, datakey.ErrRootText) || strings.Contains(err.Error(), "secret") {
		t.Errorf("with a file that is no key: got %v, want %v", err, datakey.ErrRootText)
	}
	if err := os.WriteFile(o.RootKeyFile, datakey.NewRoot().Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	stopped(t, o, true)
	if _, err := os.Stat(filepath.Join(o.Data, rootKeyName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a key was made in the data folder too: %v", err)
	}
}

func TestRootKeyReachesNoLogAndNoMetric(t *testing.T) {
	var log bytes.Buffer
	o := Options{Data: t.TempDir(), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	path := filepath.Join(o.Data, rootKeyName)
	stopped(t, o, true)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	_, metrics := get(t, "http://"+s.Addresses().HTTP+"/metrics")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	secret := strings.TrimSpace(string(readRoot(t, path).Text()))
	if strings.Contains(log.String(), secret) || strings.Contains(metrics, secret) {
		t.Error("the root key is in the log or in the metrics")
	}
	if runtime.GOOS != "windows" && !strings.Contains(log.String(), "others can read the root key") {
		t.Errorf("no warning of a readable key in the log:\n%s", log.String())
	}
}
