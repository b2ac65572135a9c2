package store

import "context"

// Store keeps keys and partitions. All methods may be called by many goroutines at once.
type Store interface {
	// View runs fn on one consistent snapshot of keys and heads. fn does no I/O of its own, may
	// run more than once, and ends within 10 s (ErrSnapshotTooOld): pages use one View each.
	View(ctx context.Context, fn func(ReadTx) error) error

	// Update runs fn on a snapshot and commits what it wrote, atomically with its appends, if
	// nothing that it read has changed; else fn runs again. fn does no I/O of its own and keeps
	// nothing of tx. Nothing is written when fn returns an error: Update returns that error.
	//
	// Serializable; durable when it returns.
	//
	// Errors: fn's own, those of the rules (ErrClosed, ErrProducerFenced, ErrNoPartition, ...),
	// ErrNoDataKey, ErrContention after 10 tries, ErrTooLarge, ErrFull, ErrOverloaded, ErrUnknownOutcome,
	// ErrStopped, ctx.Err().
	Update(ctx context.Context, fn func(Tx) error) (Commit, error)

	// Append adds records to many partitions, outside of a transaction. Each partition succeeds or
	// fails for itself: there is one result for each request, in the same order. Requests are not
	// kept after return. After ctx is done an append that is not yet in a group is refused.
	//
	// Durable when it returns.
	//
	// Errors of the whole call: ErrTooLarge, ErrFull, ErrOverloaded, ErrUnknownOutcome,
	// ErrStopped, ctx.Err(). Errors of a partition: ErrNoPartition, ErrClosed, ErrProducerFenced,
	// ErrUnknownProducer, ErrOutOfSequence, ErrInvalidTxn, ErrInvalidBatch, ErrTooLarge, ErrNoDataKey,
	// *datakey.RootKeyError.
	Append(ctx context.Context, req []AppendRequest) ([]AppendResult, error)

	// AppendAsync is Append that does not wait: done is called exactly once, with what Append would have
	// returned. Appends are decided in the order of their calls. It blocks only while the queue is full.
	// req and all that it points to must not change until then.
	//
	// done is called by the goroutine that answers everybody (or before AppendAsync returns): it
	// must not block and must not call the store. The results belong to it.
	AppendAsync(ctx context.Context, req []AppendRequest, done func([]AppendResult, error))

	// Read returns batches from the one that holds or follows req.From, at least one unless req.From
	// is at the end (then none). Batches that are stored sealed come plain.
	//
	// Errors: ErrNoPartition, *TrimmedError, ErrOffsetOutOfRange, *CorruptError, *datakey.RootKeyError,
	// ErrStopped.
	Read(ctx context.Context, req ReadRequest) (ReadResult, error)

	// Seek returns the base offset of the first batch whose time is at least ms since 1970, and
	// whether there is one; without one the offset is Next.
	//
	// Errors: ErrNoPartition, *CorruptError, ErrStopped.
	Seek(ctx context.Context, id PartitionID, ms int64, by SeekBy) (Offset, bool, error)

	// Head returns a partition's head as of the last commit.
	//
	// Errors: ErrNoPartition, ErrStopped.
	Head(ctx context.Context, id PartitionID) (Head, error)

	// Stat returns a partition's size and age.
	//
	// Errors: ErrNoPartition, ErrStopped.
	Stat(ctx context.Context, id PartitionID) (Stat, error)

	// Partitions lists ids upwards of from, which is one of them, at most limit.
	Partitions(ctx context.Context, from PartitionID, limit int) ([]PartitionID, error)

	// Watch calls fn for every later commit that changes one of the partitions, in order of commits,
	// until cancel is called. fn must not block and must call neither the store nor a cancel. A commit that
	// finished before Watch returned may not be told: register first, then read.
	Watch(ids []PartitionID, fn func(Event)) (cancel func())

	// Now is store time in ms since 1970. It never goes back, and after a restart is not before any commit.
	Now() int64

	// Close stops the store cleanly: accepted work is finished, waiting work gets ErrStopped.
	Close() error
}

// ReadTx reads one snapshot. Slices it returns belong to the caller.
type ReadTx interface {
	// Get returns a key's value; false when there is none.
	Get(key []byte) ([]byte, bool, error)
	// GetMany returns values in the order of keys, nil for those without one; one round trip.
	GetMany(keys [][]byte) ([][]byte, error)
	// Scan returns at most limit (1 to MaxScanKeys) pairs with from <= key < to, in order, or from the
	// last one backwards. A nil to means the end of from's family.
	Scan(from, to []byte, limit int, reverse bool) ([]KV, error)
	// Head returns those fields of a partition's head that are asked for; the others are zero.
	// A transaction depends only on those. Errors: ErrNoPartition.
	Head(id PartitionID, fields HeadField) (Head, error)
	// Producer returns a producer; false when there is none. One tracked read with all its open
	// partitions: an append that extends its transaction conflicts.
	Producer(id ProducerID) (Producer, bool, error)
	// Now is store time, ms since 1970: the only clock for leases, expiry and tokens.
	Now() int64
}

// Tx reads a snapshot and gathers what to write. A transaction reads its own writes, except for
// appends, partition changes and ordered keys, which exist when it is committed.
type Tx interface {
	ReadTx

	Set(key, value []byte) error
	Delete(key []byte) error
	// DeleteRange deletes at most limit (1 to MaxScanKeys) keys with from <= key < to and returns the
	// key to go on from, nil when the range is empty.
	DeleteRange(from, to []byte, limit int) (next []byte, err error)
	// SetOrdered sets prefix + suffix, where the suffix is assigned at commit: key order is
	// commit order, and no reader sees a later one before an earlier one.
	SetOrdered(prefix, value []byte) error
	// NextID gives out the next number of a named counter, from 1, never twice.
	NextID(counter string) (uint64, error)

	// CreatePartition makes an empty partition with offsets from 0. The id was never used before.
	CreatePartition(id PartitionID, epoch int32, retention Retention) error
	// ClosePartition ends a partition: it can be read, but takes no more records.
	ClosePartition(id PartitionID) error
	// TrimPartition moves the first offset up to to, at most to Next; lower is a no-op.
	TrimPartition(id PartitionID, to Offset) error
	// SetEpoch raises the leader epoch.
	SetEpoch(id PartitionID, epoch int32) error
	SetRetention(id PartitionID, retention Retention) error
	// SetCompaction says how a partition is compacted, also one that the transaction creates.
	SetCompaction(id PartitionID, compaction Compaction) error
	// ForgetAborted has a partition forget the aborted transactions whose markers stand before to. It is for drivers:
	// nothing of those transactions but the markers may be left.
	ForgetAborted(id PartitionID, to Offset) error
	DeletePartition(id PartitionID) error

	// Append adds records in this commit. The result is filled when Update has returned nil. One
	// request that fails (ErrClosed, ...) fails the transaction.
	Append(req AppendRequest) (*AppendResult, error)

	// InitProducer creates a producer or raises its epoch, which fences everybody with a lower one.
	// The producer has no open transaction.
	InitProducer(id ProducerID, epoch int16) error
	// EndTransaction appends the markers of the open transaction to at most limit of its partitions
	// and returns how many remain: then the caller goes on in further transactions. It is a no-op
	// with 0 when no transaction is open. The epoch is the current one.
	EndTransaction(id ProducerID, epoch int16, commit bool, limit int) (remain int, err error)
	// DeleteProducer forgets a producer without an open transaction, everywhere.
	DeleteProducer(id ProducerID) error
}
