package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"millrace/internal/core/blob"
)

// List implements blob.Store. It walks only folders that can hold names of the page.
func (s *Store) List(ctx context.Context, prefix, after string, limit int) ([]blob.Info, error) {
	l := lister{s: s, prefix: prefix, after: after, limit: blob.CheckList(limit)}
	if err := l.walk(ctx, ""); err != nil {
		return nil, err
	}
	return l.page, nil
}

type lister struct {
	s             *Store
	prefix, after string
	limit         int
	page          []blob.Info
}

// walk adds the objects of folder, "" or a name that ends in a slash.
func (l *lister) walk(ctx context.Context, folder string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := l.entries(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if len(l.page) == l.limit {
			return nil
		}
		if strings.HasSuffix(e.Name, "/") {
			if err := l.walk(ctx, e.Name); err != nil {
				return err
			}
		} else {
			l.page = append(l.page, e)
		}
	}
	return nil
}

// entries are the objects and folders in folder that matter, in the byte order of full names: a folder
// sorts with its slash, so that "a-b" stands before "a/b".
func (l *lister) entries(folder string) ([]blob.Info, error) {
	bases, err := l.s.fs.List(l.s.path(strings.TrimSuffix(folder, "/")))
	if isNotFound(err) {
		return nil, nil // removed since its parent was listed
	}
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	var found []blob.Info
	for _, base := range bases {
		name := folder + base
		if strings.HasPrefix(base, ".") || !l.wants(name) && !l.wantsFolder(name+"/") {
			continue
		}
		info, err := l.s.fs.Stat(l.s.path(name))
		switch {
		case errors.Is(err, os.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("list blobs: %w", err)
		case !info.IsDir() && l.wants(name):
			found = append(found, blob.Info{Name: name, Size: info.Size(), Modified: info.ModTime()})
		case info.IsDir() && l.wantsFolder(name+"/"):
			found = append(found, blob.Info{Name: name + "/"})
		}
	}
	slices.SortFunc(found, func(a, b blob.Info) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

func (l *lister) wants(name string) bool {
	return name > l.after && strings.HasPrefix(name, l.prefix)
}

// wantsFolder says whether a name below folder can be wanted.
func (l *lister) wantsFolder(folder string) bool {
	if !strings.HasPrefix(folder, l.prefix) && !strings.HasPrefix(l.prefix, folder) {
		return false
	}
	return folder > l.after || strings.HasPrefix(l.after, folder)
}
