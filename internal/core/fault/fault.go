// Package fault plants failures, so that tests can show that they would be noticed.
//
// Two kinds. A [Set] switches named bugs on inside the store's own code: each [Point] is a mistake that a
// correct store does not make, and the crash tests must catch every one. File systems break the ground
// beneath: [TornFS] is a disk that loses power, [CountFS] records the order of writes and syncs,
// [FullFS] runs out of room, [ErrFS] fails a sync. All are a vfs.FS, so that Pebble runs on them too.
//
// Production code carries a nil *Set: On is then a nil check.
package fault

import (
	"fmt"
	"sync/atomic"
)

// Point names one planted bug. The code that has it asks Set.On where the right thing would be done.
type Point string

// The bugs that crash tests must catch.
const (
	// SkipSync: a group is answered without any sync.
	SkipSync Point = "skip-sync"
	// AnswerBeforeSync: the answer goes out first, then the sync.
	AnswerBeforeSync Point = "answer-before-sync"
	// AnswerRefusalEarly: a refusal decided on a group that is not yet durable is answered at once.
	AnswerRefusalEarly Point = "answer-refusal-early"
	// ReuseOffsetAfterRecovery: recovery starts a partition at an offset that was already answered.
	ReuseOffsetAfterRecovery Point = "reuse-offset-after-recovery"
	// ApplyBeforeSync: key changes reach Pebble before their group is synced.
	ApplyBeforeSync Point = "apply-before-sync"
	// RecycleEarly: a journal file is used again before what it holds is durable elsewhere.
	RecycleEarly Point = "recycle-early"
	// DropGroupBesideTorn: recovery drops the good group before a torn one as well.
	DropGroupBesideTorn Point = "drop-group-beside-torn"
)

// Points lists all of them, in the order of their declaration.
func Points() []Point {
	return []Point{SkipSync, AnswerBeforeSync, AnswerRefusalEarly, ReuseOffsetAfterRecovery, ApplyBeforeSync, RecycleEarly, DropGroupBesideTorn}
}

// Set is the planted bugs that are switched on. A nil *Set is valid and has none. All methods are safe
// for concurrent use.
type Set struct {
	on atomic.Uint32 // one bit for each of Points
}

// New returns a set with points switched on.
func New(points ...Point) *Set {
	s := new(Set)
	for _, p := range points {
		s.Enable(p)
	}
	return s
}

// Enable switches p on. A point that is not one of Points panics: a test that enables nothing proves nothing.
func (s *Set) Enable(p Point) { s.on.Or(bit(p)) }

// Disable switches p off.
func (s *Set) Disable(p Point) { s.on.And(^bit(p)) }

// On reports whether p is switched on.
func (s *Set) On(p Point) bool {
	if s == nil {
		return false
	}
	return s.on.Load()&bit(p) != 0
}

func bit(p Point) uint32 {
	for i, known := range Points() {
		if p == known {
			return 1 << i
		}
	}
	panic(fmt.Sprintf("fault: unknown point %q", p))
}
