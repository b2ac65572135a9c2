// Package blob is the contract of object stores: what is written once, whole, and read in ranges.
//
// Objects never change. A name is never used for other bytes, not even after it was deleted, so a reader
// may cache an object for ever and a retry of a Put is harmless. No name is also another's folder ("a"
// and "a/b"). Whoever stores objects picks names that keep these promises; drivers do not check them.
//
// Drivers: blob/local (a folder), blob/mem (for tests and for stores in memory). Each runs the suite in
// blob/blobtest.
package blob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// MaxPutSize is the most bytes of one Put; more goes through an Upload. 64 MiB is the largest
	// transaction, which travels as one object.
	MaxPutSize = 64<<20 + 1<<20
	// MinPartSize is the least bytes of a part that is not the last; S3 refuses less.
	MinPartSize = 5 << 20
	// MaxParts bounds an upload, as S3 does.
	MaxParts = 10_000
	// MaxList bounds one List, as S3 does.
	MaxList = 1000
	// MaxName bounds a name: half of S3's 1,024 bytes, so that a configured prefix fits before it.
	MaxName = 512
)

// To compare with errors.Is.
var (
	ErrNotFound = errors.New("blob: no such object")
	ErrExists   = errors.New("blob: object exists")
	ErrRange    = errors.New("blob: range is not inside the object")
	ErrName     = errors.New("blob: name is not allowed")
	ErrTooLarge = errors.New("blob: too large")
	ErrPart     = errors.New("blob: part is too small, or one too many")
)

// Store keeps objects. All methods are safe for concurrent use and obey ctx. What Put or Complete
// returned nil for is durable and seen by every later call. After another error than those named an
// object may or may not be there.
type Store interface {
	// Put writes a whole object; data is not kept. With ifAbsent it fails with ErrExists when the
	// name is taken: of several that race, one succeeds. Without, it replaces the object, which
	// holds the same bytes already.
	//
	// Errors: ErrExists, ErrName, ErrTooLarge (MaxPutSize).
	Put(ctx context.Context, name string, data []byte, ifAbsent bool) error

	// GetRange appends length bytes from offset on to dst; length -1 means to the end.
	//
	// Errors: ErrNotFound, ErrRange (the object does not have all of them), ErrName.
	GetRange(ctx context.Context, name string, offset, length int64, dst []byte) ([]byte, error)

	// Head tells an object's size and age. Errors: ErrNotFound, ErrName.
	Head(ctx context.Context, name string) (Info, error)

	// List returns objects whose names begin with prefix and sort after after, in byte order of their
	// names, at most limit (up to MaxList). It may return fewer; the last page is the empty one.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)

	// Delete removes an object; one that is not there is fine. Errors: ErrName.
	Delete(ctx context.Context, name string) error

	// NewUpload begins an object that is written in parts and seen only when complete.
	//
	// Errors: ErrName.
	NewUpload(ctx context.Context, name string) (Upload, error)

	// Close ends background work. Uploads that are open stay incomplete.
	Close() error
}

// Upload is one object being written. It belongs to one goroutine.
type Upload interface {
	// Write adds the next part, at least MinPartSize bytes unless it is the last; data is not kept.
	//
	// Errors: ErrPart.
	Write(ctx context.Context, data []byte) error
	// Complete makes the object; ifAbsent as in Put. An upload without parts makes an empty one.
	//
	// Errors: ErrExists, after which the upload is gone.
	Complete(ctx context.Context, ifAbsent bool) error
	// Abort drops what was written. After Complete it does nothing.
	Abort(ctx context.Context) error
}

// Info is what is known of an object without reading it.
type Info struct {
	Name     string
	Size     int64
	Modified time.Time // by the store's clock; for display, never for decisions
}

// CheckName says why a name is not allowed, as an ErrName. Names are folders and a last part between
// slashes; each is 1 to 200 bytes of a-z, 0-9, '.', '_', '-' and '=', does not begin or end with a dot and is
// no device name of Windows. So every name is a file name on every system, also where case is ignored,
// and needs no escaping in a URL.
func CheckName(name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("%w: %d bytes", ErrName, len(name))
	}
	for part := range strings.SplitSeq(name, "/") {
		if !allowed(part) {
			return fmt.Errorf("%w: %q", ErrName, name)
		}
	}
	return nil
}

func allowed(part string) bool {
	if part == "" || len(part) > 200 || part[0] == '.' || part[len(part)-1] == '.' {
		return false
	}
	for _, c := range []byte(part) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("._-=", rune(c)) {
			return false
		}
	}
	stem, _, _ := strings.Cut(part, ".")
	if slices.Contains([]string{"con", "prn", "aux", "nul"}, stem) {
		return false
	}
	return len(stem) != 4 || !strings.HasPrefix(stem, "com") && !strings.HasPrefix(stem, "lpt") || stem[3] < '0' || stem[3] > '9'
}

// CheckList bounds limit to 1…MaxList.
func CheckList(limit int) int { return min(max(limit, 1), MaxList) }
