package embedded

import "sync/atomic"

// lostMarks says of each bucket which group last made a transaction lose there.
type lostMarks struct {
	at [buckets]atomic.Uint64
}

func (l *lostMarks) mark(bucket, seq uint64) { l.at[bucket].Store(seq) }

// lately tells whether a transaction that reads the key now would likely lose.
func (l *lostMarks) lately(bucket, seq uint64) bool {
	at := l.at[bucket].Load()
	return at != 0 && at+lostGroups > seq
}
