package embedded

import (
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/clock"
	"millrace/internal/core/datakey"
	"millrace/internal/core/fault"
)

// Options of a store. The zero value of every field but Dir works.
type Options struct {
	Dir    string       // the folder; made when it is not there
	FS     vfs.FS       // default: the operating system's. MemFS for a store in memory
	Clock  clock.Clock  // default: the real one
	Logger *slog.Logger // default: slog.Default

	// Fatal is called once when a sync has failed, with what was to be written in an unknown state.
	// It should end the process; the default does, with code 3. When it returns, all calls get
	// store.ErrUnknownOutcome or store.ErrStopped.
	Fatal func(error)

	// LockWait is how long Open waits for another process to give the folder up: one that was killed holds it until the system
	// has cleaned up behind it. Default: not at all.
	LockWait time.Duration

	JournalFileBytes int64 // size of a journal file; 1 MiB … 1 GiB, default 64 MiB
	FirstFileBytes   int64 // size of the very first one, small so that start is instant; default 4 MiB
	MaxUnmovedBytes  int64 // journal not yet in segments, beyond which writers wait; default 1 GiB
	MoveAfterBytes   int64 // journal not yet in segments, beyond which the mover works; default 512 MiB, at most half of MaxUnmovedBytes

	// MaxUnmovedEntries bounds the batches in the unmoved journal, each 64 bytes of memory; default 1,000,000.
	MaxUnmovedEntries int64

	// MoveBufferBytes is what the mover gathers batches of many partitions in while it works. It reads the journal once for each
	// time that this goes into what it moves; default 64 MiB, at most half of MoveAfterBytes or 16 MiB.
	MoveBufferBytes int64

	TailCacheBytes  int64 // newest groups kept in memory for readers; default 16 MiB
	MaxQueuedBytes  int64 // of requests that wait for their group, beyond which callers wait; default 64 MiB
	MemtableBytes   int64 // of Pebble; default 16 MiB
	BlockCacheBytes int64 // of Pebble; default 32 MiB
	MaxOpenFiles    int   // segments and Pebble's tables kept open; default 512
	BallastBytes    int64 // room kept so that a full disk can be cleaned up; default 64 MiB, -1 for none

	// AdoptBatchBytes is the mean size of batches from which on a journal file stays where it is
	// and becomes part of the partitions' storage, instead of being rewritten; default 16 KiB.
	AdoptBatchBytes int64

	// RootKey wraps the data keys that batches are sealed with; nil: sealed batches can be neither written nor read.
	RootKey *datakey.Root

	// CompactionKeys is how many keys one pass of compaction remembers; a partition with more new ones takes several.
	// Each is 24 bytes in a table that is three quarters full and doubles; default 786,432: 24 MiB.
	CompactionKeys int

	Faults *fault.Set // faults that tests plant; nil for none
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = clock.Real()
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Fatal == nil {
		logger := o.Logger
		o.Fatal = func(err error) {
			logger.Error("the store cannot tell what is on disk; stopping", "error", err)
			os.Exit(3)
		}
	}
	for _, d := range []struct {
		field *int64
		value int64
	}{
		{&o.JournalFileBytes, 64 << 20},
		{&o.FirstFileBytes, 4 << 20},
		{&o.MaxUnmovedBytes, 1 << 30},
		{&o.MoveAfterBytes, 512 << 20},
		{&o.MaxUnmovedEntries, 1_000_000},
		{&o.MoveBufferBytes, 64 << 20},
		{&o.TailCacheBytes, 16 << 20},
		{&o.MaxQueuedBytes, 64 << 20},
		{&o.MemtableBytes, 16 << 20},
		{&o.BlockCacheBytes, 32 << 20},
		{&o.BallastBytes, 64 << 20},
		{&o.AdoptBatchBytes, 16 << 10},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if o.MaxOpenFiles == 0 {
		o.MaxOpenFiles = 512
	}
	if o.CompactionKeys <= 0 {
		o.CompactionKeys = 786_432
	}
	o.FirstFileBytes = min(o.FirstFileBytes, o.JournalFileBytes)
	o.MoveAfterBytes = min(o.MoveAfterBytes, o.MaxUnmovedBytes/2) // else writers wait for a mover that sees no work
	o.MoveBufferBytes = min(o.MoveBufferBytes, max(o.MoveAfterBytes/2, 16<<20))
	return o
}
