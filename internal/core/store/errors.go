package store

import (
	"errors"
	"fmt"
)

// Errors to compare with errors.Is.
var (
	ErrNoPartition      = errors.New("store: no such partition")
	ErrPartitionExists  = errors.New("store: partition exists")
	ErrClosed           = errors.New("store: partition is closed")
	ErrProducerFenced   = errors.New("store: producer has a newer epoch")
	ErrUnknownProducer  = errors.New("store: no such producer")
	ErrOutOfSequence    = errors.New("store: producer's sequence number is not the next one")
	ErrInvalidTxn       = errors.New("store: batch does not fit the producer's open transaction")
	ErrInvalidBatch     = errors.New("store: not one well-formed batch")
	ErrNoDataKey        = errors.New("store: no such data key")
	ErrTooLarge         = errors.New("store: request is over a limit of the store")
	ErrReservedKey      = errors.New("store: key is empty or in the driver's family")
	ErrContention       = errors.New("store: transaction lost to others too often; try again")
	ErrFull             = errors.New("store: no room for the journal: free disk space or shorten retention; reads go on")
	ErrOverloaded       = errors.New("store: too many bytes are waiting to be written; try again")
	ErrUnknownOutcome   = errors.New("store: it is not known whether the request was committed")
	ErrStopped          = errors.New("store: store is closed")
	ErrOffsetOutOfRange = errors.New("store: offset is beyond the end of the partition")
	ErrSnapshotTooOld   = errors.New("store: view was open for longer than 10 s; read in pages")
)

// TrimmedError is a read before the first offset that still exists.
type TrimmedError struct{ Asked, First Offset }

func (e *TrimmedError) Error() string {
	return fmt.Sprintf("store: offset %d was trimmed, the first is %d", e.Asked, e.First)
}

// CorruptError names damage in stored data: which file, where, and what is wrong.
type CorruptError struct {
	File   string
	Offset int64
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("store: %s is damaged at byte %d: %s", e.File, e.Offset, e.Reason)
}

// LevelError is a store that a newer binary has written.
type LevelError struct{ Found, Readable Level }

func (e *LevelError) Error() string {
	return fmt.Sprintf("store: written at level %d, this binary reads up to %d: use the newer binary", e.Found, e.Readable)
}

// FamilyError is a store that holds keys of a family the binary does not know.
type FamilyError struct{ Found Family }

func (e *FamilyError) Error() string {
	return fmt.Sprintf("store: holds keys of the unknown family 0x%02x: use the newer binary that wrote them", byte(e.Found))
}

// LockedError is a store that another process holds.
type LockedError struct{ Path, Holder string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("store: %s is in use by %s: stop it, or choose another folder with --data", e.Path, e.Holder)
}
