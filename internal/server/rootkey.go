package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// rootKeyName is the file of the data folder that its root key is kept in, when no other is configured.
const rootKeyName = "root.key"

// rootKey is the key that the data keys of a store are wrapped with, and where it is kept.
type rootKey struct {
	key  *datakey.Root
	path string // empty: nowhere, for a store in memory
	made bool   // by us just now: nothing is written yet
}

// rootKey reads the root key. One that the data folder has not got is made, and written by settle.
//
// Errors: those of the file; datakey.ErrRootText.
func (o *Options) rootKey(log *slog.Logger) (*rootKey, error) {
	r := &rootKey{path: o.RootKeyFile}
	switch {
	case r.path != "":
	case o.InMemory:
		r.key = datakey.NewRoot()
		return r, nil
	default:
		r.path = filepath.Join(o.Data, rootKeyName)
	}
	text, err := os.ReadFile(r.path)
	if errors.Is(err, fs.ErrNotExist) && o.RootKeyFile == "" {
		r.key, r.made = datakey.NewRoot(), true
		return r, nil
	}
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	if r.key, err = datakey.ParseRoot(string(text)); err != nil {
		return nil, fmt.Errorf("root key in %s: %w", r.path, err)
	}
	if info, err := os.Stat(r.path); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		log.Warn("others can read the root key: take their permissions away", "file", r.path, "mode", info.Mode().Perm().String())
	}
	return r, nil
}

// rootSetting is where a store keeps the id of its root key: 01 and 8 bytes.
var rootSetting = append([]byte{byte(store.FamilySetting)}, "root-key"...)

const rootSettingVersion = 1

// settle refuses a store whose data keys need another root key. Else it writes the key's file if there is none yet,
// and then notes its id in the store.
//
// Errors: those of the store and of the file; one that says which key is needed.
func (r *rootKey) settle(ctx context.Context, s store.Store) error {
	id := r.key.ID()
	want := append([]byte{rootSettingVersion}, id[:]...)
	known, err := r.check(ctx, s, want)
	if err != nil {
		return err
	}
	if r.made {
		if err := r.write(); err != nil {
			return fmt.Errorf("root key: %w", err)
		}
	}
	if known {
		return nil
	}
	_, err = s.Update(ctx, func(tx store.Tx) error { return tx.Set(rootSetting, want) })
	return err
}

// check tells whether the store knows the root key already.
func (r *rootKey) check(ctx context.Context, s store.Store, want []byte) (known bool, err error) {
	err = s.View(ctx, func(tx store.ReadTx) error {
		v, ok, err := tx.Get(rootSetting)
		if err != nil {
			return err
		}
		if known = ok && string(v) == string(want); known {
			return nil
		}
		used, err := tx.Scan([]byte{byte(store.FamilyDataKey)}, nil, 1, false)
		if err != nil || len(used) == 0 {
			return err
		}
		if len(v) != len(want) || v[0] != rootSettingVersion {
			return &store.CorruptError{File: "setting root-key", Reason: "not a value of a known version"}
		}
		return r.refused(datakey.RootID(v[1:]))
	})
	return known, err
}

func (r *rootKey) refused(need datakey.RootID) error {
	what := fmt.Sprintf("%s holds root key %s", r.path, r.key.ID())
	if r.made {
		what = r.path + " is missing"
	}
	return fmt.Errorf("the store has encrypted records, which root key %s opens, and %s: put the right file back, or name it with --root-key-file; "+
		"without it those records cannot be read", need, what)
}

// write keeps a key that was made just now. The caller has the data folder's lock, and the file was not there: nothing
// is ever written over. It appears whole or not at all.
func (r *rootKey) write() (err error) {
	part := r.path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what a crash has left
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(r.key.Text())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(r.path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has appeared meanwhile: start again (%w)", r.path, errors.Join(err, fs.ErrExist))
	}
	if err := os.Rename(part, r.path); err != nil {
		return err
	}
	dir, err := vfs.Default.OpenDir(filepath.Dir(r.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
