// Package mem keeps objects in memory: for tests, and for a store that runs in memory.
package mem

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"millrace/internal/core/blob"
	"millrace/internal/core/clock"
)

// Store is a blob.Store in memory. Objects last as long as it does.
type Store struct {
	clock   clock.Clock
	mu      sync.RWMutex // guards objects
	objects map[string]object
}

type object struct {
	data     []byte // never changes
	modified time.Time
}

var _ blob.Store = (*Store)(nil)

// New returns an empty store that takes the age of objects from c.
func New(c clock.Clock) *Store { return &Store{clock: c, objects: map[string]object{}} }

// Put implements blob.Store.
func (s *Store) Put(ctx context.Context, name string, data []byte, ifAbsent bool) error {
	if len(data) > blob.MaxPutSize {
		return blob.ErrTooLarge
	}
	if err := check(ctx, name); err != nil {
		return err
	}
	return s.put(name, slices.Clone(data), ifAbsent)
}

func (s *Store) put(name string, data []byte, ifAbsent bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.objects[name]; ok && ifAbsent {
		return fmt.Errorf("%w: %s", blob.ErrExists, name)
	}
	s.objects[name] = object{data, s.clock.Now()}
	return nil
}

func check(ctx context.Context, name string) error {
	if err := blob.CheckName(name); err != nil {
		return err
	}
	return ctx.Err()
}

func (s *Store) find(ctx context.Context, name string) (object, error) {
	if err := check(ctx, name); err != nil {
		return object{}, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objects[name]
	if !ok {
		return object{}, fmt.Errorf("%w: %s", blob.ErrNotFound, name)
	}
	return o, nil
}

// GetRange implements blob.Store.
func (s *Store) GetRange(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error) {
	o, err := s.find(ctx, name)
	if err != nil {
		return nil, err
	}
	size := int64(len(o.data))
	if length == -1 {
		length = size - offset
	}
	if offset < 0 || length < 0 || length > size || offset > size-length {
		return nil, fmt.Errorf("%w: %d at %d of %s, which has %d", blob.ErrRange, length, offset, name, size)
	}
	return append(dst, o.data[offset:offset+length]...), nil
}

// Head implements blob.Store.
func (s *Store) Head(ctx context.Context, name string) (blob.Info, error) {
	o, err := s.find(ctx, name)
	if err != nil {
		return blob.Info{}, err
	}
	return blob.Info{Name: name, Size: int64(len(o.data)), Modified: o.modified}, nil
}

// List implements blob.Store.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]blob.Info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []blob.Info
	for _, name := range slices.Sorted(maps.Keys(s.objects)) {
		if len(page) == blob.CheckList(limit) {
			break
		}
		if name > after && strings.HasPrefix(name, prefix) {
			o := s.objects[name]
			page = append(page, blob.Info{Name: name, Size: int64(len(o.data)), Modified: o.modified})
		}
	}
	return page, nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := check(ctx, name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
	return nil
}

// NewUpload implements blob.Store.
func (s *Store) NewUpload(ctx context.Context, name string) (blob.Upload, error) {
	if err := check(ctx, name); err != nil {
		return nil, err
	}
	return &upload{store: s, name: name}, nil
}

// Close implements blob.Store.
func (s *Store) Close() error { return nil }

type upload struct {
	store *Store
	name  string
	data  []byte
	parts blob.Parts
}

func (u *upload) Write(ctx context.Context, data []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.parts.Add(len(data)); err != nil {
		return err
	}
	u.data = append(u.data, data...)
	return nil
}

func (u *upload) Complete(ctx context.Context, ifAbsent bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.parts.End(); err != nil {
		return err
	}
	return u.store.put(u.name, u.data, ifAbsent)
}

func (u *upload) Abort(context.Context) error {
	_ = u.parts.End() // no more parts, whatever came before
	u.data = nil
	return nil
}
