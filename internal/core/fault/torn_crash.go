package fault

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// crash builds the disk after a crash; fs.mu is held.
func (fs *TornFS) crash(rng *rand.Rand) *TornFS {
	keep := [...]int{0, 20, 50, 80, 100}[rng.IntN(5)]
	c := &crasher{rng: rng, keep: keep, dirs: map[*node]map[string]*node{}, done: map[*node]*node{}}
	c.keepChanges(fs.pending)
	return &TornFS{root: c.node(fs.root), locked: map[string]bool{}}
}

// crasher decides what of a disk survives and copies it.
type crasher struct {
	rng  *rand.Rand
	keep int                        // of 100 sectors written since the last sync, how many survive
	dirs map[*node]map[string]*node // directories after the changes that survive
	done map[*node]*node            // copies so far: a file may have several names
}

func (c *crasher) lucky() bool { return c.rng.IntN(100) < c.keep }

// keepChanges applies a prefix of the changes, and some later creations of names that are free.
func (c *crasher) keepChanges(pending []dirOp) {
	n := c.rng.IntN(len(pending) + 1)
	switch c.keep {
	case 0:
		n = 0
	case 100:
		n = len(pending)
	}
	for _, op := range pending[:n] {
		op.apply(c.dir)
	}
	for _, op := range pending[n:] {
		if len(op) == 1 && op[0].to != nil && c.dir(op[0].dir)[op[0].name] == nil && c.lucky() {
			op.apply(c.dir)
		}
	}
}

func (c *crasher) dir(d *node) map[string]*node {
	m, ok := c.dirs[d]
	if !ok {
		m = maps.Clone(d.durable)
		c.dirs[d] = m
	}
	return m
}

func (c *crasher) node(n *node) *node {
	if got := c.done[n]; got != nil {
		return got
	}
	if !n.isDir {
		got := c.file(n)
		c.done[n] = got
		return got
	}
	got := newDir()
	c.done[n] = got
	entries := c.dir(n)
	for _, name := range slices.Sorted(maps.Keys(entries)) { // in order: one seed, one disk
		got.children[name] = c.node(entries[name])
	}
	got.durable = maps.Clone(got.children)
	return got
}

// file takes unsynced writes back, newest first, sector by sector, until luck keeps the version a sector
// has then.
func (c *crasher) file(n *node) *node {
	if len(n.undo) == 0 {
		n.shared = true
		return &node{data: n.data, shared: true, syncedLen: len(n.data), nanos: n.nanos}
	}
	data := slices.Clone(n.data)
	fixed := make([]bool, len(data)/sectorSize+1) // sectors whose version is decided
	end := n.syncedLen
	for _, w := range slices.Backward(n.undo) {
		for at := w.off; at < w.off+w.size; {
			s := at / sectorSize
			to := min((s+1)*sectorSize, w.off+w.size)
			if !fixed[s] {
				fixed[s] = c.survives(w.fate)
			}
			if fixed[s] {
				end = max(end, to)
			} else {
				restore(data[at:to], w, at)
			}
			at = to
		}
	}
	if c.keep > 0 && c.rng.IntN(4) == 0 {
		end = len(data) // the length was written, the sectors were not
	}
	return &node{data: data[:end:end], syncedLen: end, nanos: n.nanos}
}

func (c *crasher) survives(f fate) bool {
	switch f {
	case lost:
		return false
	case synced:
		return true
	default:
		return c.lucky()
	}
}

// restore puts what w replaced back into part, which is the file's bytes from at on.
func restore(part []byte, w write, at int) {
	clear(part)
	if from := at - w.off; from < len(w.old) {
		copy(part, w.old[from:])
	}
}
