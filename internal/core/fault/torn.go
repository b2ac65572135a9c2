package fault

import (
	"math/rand/v2"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// sectorSize is what a disk writes whole: the smallest unit that a crash can tear. Pebble's own crashable
// MemFS loses 4 KiB blocks, and keeps for each either the newest or the synced bytes.
const sectorSize = 512

// TornFS is a disk in memory that can lose power. It is a whole vfs.FS: Pebble and the journal run on it.
//
// Each file has what its reader sees and, as a list of undone writes, how to get back to what was synced.
// [TornFS.Crash] builds the disk as it might be found after a crash now:
//
//   - what was synced is there; of each sector written since, any version it had since then is;
//   - a file that grew has any length from its synced one to the newest, with zeros where sectors were
//     lost: so a file that is recycled shows old bytes between new ones, as a real disk does;
//   - of the changes to directories not yet synced, a prefix is there, as file systems that journal their
//     metadata promise, and some of the later creations;
//   - after a failed sync ([TornFS.FailSync]) the unsynced writes stay visible and are never durable, also
//     when a later sync succeeds: that is how Linux drops dirty pages.
//
// A sync of a file does not make its name durable: that takes a sync of its directory. Crash may be
// called at any time; the old disk goes on as if nothing had happened.
type TornFS struct {
	mu   sync.Mutex // guards everything below, nodes included
	root *node
	// pending are the directory changes not yet synced, in order.
	pending []dirOp
	locked  map[string]bool
	ops     int64 // changes and syncs so far

	crashAt  int64 // Crash when ops reaches this; 0: not armed
	crashRNG *rand.Rand
	crashed  *TornFS

	failSync func(path string) bool // nil: syncs succeed
}

var _ vfs.FS = (*TornFS)(nil)

// NewTorn returns an empty disk.
func NewTorn() *TornFS {
	return &TornFS{root: newDir(), locked: map[string]bool{}}
}

// node is a file or a directory.
type node struct {
	isDir    bool
	children map[string]*node // a directory as it is seen
	durable  map[string]*node // a directory as it was synced

	data      []byte // a file as it is seen
	shared    bool   // data belongs to another disk too: copy before writing
	syncedLen int
	undo      []write // since the last sync, oldest first
	lossy     bool    // undo holds writes that a failed sync has lost
	nanos     int64   // modification time, counted in ops: only its order means something
}

// write is one change to a file and what it replaced.
type write struct {
	off, size int
	old       []byte // shorter than size where the file grew
	fate      fate
}

type fate uint8

const (
	unsynced fate = iota
	lost          // by a failed sync: never durable
	synced        // after such a one: always durable
)

// dirOp is one change that is durable whole or not at all: a rename has two parts.
type dirOp []dirChange

type dirChange struct {
	dir  *node
	name string
	to   *node // nil: the name goes
}

func newDir() *node {
	return &node{isDir: true, children: map[string]*node{}, durable: map[string]*node{}}
}

// step counts a change, after it was made, and crashes when a test asked for it here.
func (fs *TornFS) step() {
	fs.ops++
	if fs.crashAt == fs.ops {
		fs.crashed = fs.crash(fs.crashRNG)
	}
}

// Ops is the number of changes and syncs so far.
func (fs *TornFS) Ops() int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.ops
}

// CrashAt arms a crash right after change or sync number op (counted as Ops does); Crashed returns the
// disk it leaves. rng is used under the lock of fs at that moment.
func (fs *TornFS) CrashAt(op int64, rng *rand.Rand) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.crashAt, fs.crashRNG, fs.crashed = op, rng, nil
}

// Crashed is the disk after the crash that CrashAt armed, nil before. An answer seen while it is still
// nil was given before the crash.
func (fs *TornFS) Crashed() *TornFS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.crashed
}

// Crash returns the disk as a power loss at this moment may leave it; rng decides. Nothing is locked or
// open on it, and all that is on it counts as synced.
func (fs *TornFS) Crash(rng *rand.Rand) *TornFS {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.crash(rng)
}

// SyncAll makes everything durable, as pulling the plug minutes after the last write would find it.
func (fs *TornFS) SyncAll() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, op := range fs.pending {
		op.apply(func(d *node) map[string]*node { return d.durable })
	}
	fs.pending = nil
	seen := map[*node]bool{}
	var walk func(n *node)
	walk = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		if !n.isDir {
			n.sync()
		}
		for _, c := range n.children {
			walk(c)
		}
	}
	walk(fs.root)
}

// FailSync makes every sync of a path for which match is true fail with EIO from now on, and lose what it
// should have made durable; nil ends it.
func (fs *TornFS) FailSync(match func(path string) bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.failSync = match
}

func (op dirOp) apply(in func(*node) map[string]*node) {
	for _, c := range op {
		if c.to == nil {
			delete(in(c.dir), c.name)
		} else {
			in(c.dir)[c.name] = c.to
		}
	}
}

// change makes op visible and notes it as not yet durable.
func (fs *TornFS) change(op ...dirChange) {
	dirOp(op).apply(func(d *node) map[string]*node { return d.children })
	fs.pending = append(fs.pending, op)
	fs.step()
}

// syncDir makes the pending changes of d durable, and those that came before and share a directory with
// one of them: else a file renamed from a to b could be seen in both.
func (fs *TornFS) syncDir(d *node) {
	dirs := map[*node]bool{d: true}
	take := make([]bool, len(fs.pending))
	for i := len(fs.pending) - 1; i >= 0; i-- {
		for _, c := range fs.pending[i] {
			take[i] = take[i] || dirs[c.dir]
		}
		if take[i] {
			for _, c := range fs.pending[i] {
				dirs[c.dir] = true
			}
		}
	}
	kept := fs.pending[:0]
	for i, op := range fs.pending {
		if take[i] {
			op.apply(func(d *node) map[string]*node { return d.durable })
		} else {
			kept = append(kept, op)
		}
	}
	clear(fs.pending[len(kept):])
	fs.pending = kept
}

// writeAt replaces or adds bytes at off.
func (n *node) writeAt(p []byte, off int) {
	end := off + len(p)
	if n.shared {
		n.data = append(make([]byte, 0, max(end, len(n.data))), n.data...)
		n.shared = false
	}
	old := len(n.data)
	w := write{off: off, size: len(p)}
	if off < old {
		w.old = append([]byte(nil), n.data[off:min(end, old)]...)
	}
	n.undo = append(n.undo, w)
	if end > old {
		n.data = append(n.data, make([]byte, end-old)...)
	}
	copy(n.data[off:], p)
}

// sync makes the writes to n durable, except what an earlier sync has lost.
func (n *node) sync() {
	n.syncedLen = len(n.data)
	if !n.lossy {
		n.undo = nil
		return
	}
	for i := range n.undo {
		if n.undo[i].fate == unsynced {
			n.undo[i].fate = synced
		}
	}
}

// lose is a sync that fails.
func (n *node) lose() {
	for i := range n.undo {
		if n.undo[i].fate == unsynced {
			n.undo[i].fate, n.lossy = lost, true
		}
	}
}
