package embedded

import (
	"cmp"
	"math/bits"
	"slices"

	"millrace/internal/core/store"
)

// How runs and files stay few, and how often a byte is written for it.
//
// A round over thousands of partitions makes a run of some KiB to 128 KiB for each, in shared files. When a partition has mergeRuns
// runs of a size class, the last ones, they are written again as one together with what a round brings: each class is
// four times the one before, so a byte is written at most once more for each class from its first to smallRun (within the
// class under 6 KiB once for each three runs: there is next to nothing to write), and a partition has at most
// mergeRuns-1 small runs of a class in a row: 9 in all.
//
// What is written again leaves a dead piece behind in its old shared file. A file goes with its last run. One that is more
// dead than alive is written again without the dead part, which is at most as much as died; and so are files that
// stayed small, thinFiles at once. So the dead are never much more than the living, a byte is written at most twice for
// each time that it would be otherwise, and most files are of full size.
const (
	// smallRun: runs from here on stay as they are, less than a round of the mover has of each of 4,000 partitions under an even
	// load: to merge these would cost several times what it costs to write them. Each run is some 100 bytes of memory, so that a
	// terabyte of them stays under 1.1 GB.
	smallRun   = 96 << 10
	firstClass = smallRun / 16 // where class 1 begins
	// mergeRuns is how many runs of a size class become one.
	mergeRuns = 4
	// maxSharedFile ends a shared file: retention frees whole files, and one that is half dead is read and written at once.
	maxSharedFile = 64 << 20
	// maxOwnRun: a run from here on gets a file of its own, at most 128 in a round of 512 MiB.
	maxOwnRun = 4 << 20
	// thinFiles is how many shared files that are small or mostly dead are written again together.
	thinFiles = 8
)

func (m *mover) sharedFile() int64 { return min(maxSharedFile, m.s.opts.JournalFileBytes) }
func (m *mover) ownRun() int64     { return min(maxOwnRun, m.s.opts.JournalFileBytes/16) }

// sizeClass of a run: 0 under 6 KiB, then each is four times as large; smallRun begins class 3.
func sizeClass(bytes int64) int { return (bits.Len64(uint64(bytes)/firstClass) + 1) / 2 }

// merged are the last runs of a partition that are written again together with added bytes, and the bytes of all that. What
// compaction has written is left to it.
func merged(runs []run, added int64) ([]run, int64) {
	from := len(runs)
	for {
		class, at, total := sizeClass(added), from, added
		for at > 0 {
			r := &runs[at-1]
			if r.file.kind == fileJournal || r.clean || r.bytes >= smallRun || sizeClass(r.bytes) > class {
				break
			}
			total += r.bytes
			at--
		}
		if from-at < mergeRuns-1 {
			return runs[from:], added
		}
		from, added = at, total
	}
}

// fileUse is what the mover knows of a sealed file.
type fileUse struct {
	runs int
	live int64 // bytes of its runs
	size int64 // of a shared file
}

// thin tells whether a shared file is small or mostly dead.
func (u *fileUse) thin(full int64) bool { return 2*u.live < u.size || u.size < full/4 }

// thinned picks shared files that are to be written again, once it is worth a round.
func (m *mover) thinned() map[fileID]bool {
	taken := m.s.compactedFiles()
	m.mu.Lock()
	defer m.mu.Unlock()
	var files []fileID
	var dead int64
	for id, u := range m.uses {
		if taken[id] {
			continue
		}
		if id.kind == fileShared && u.thin(m.sharedFile()) {
			files = append(files, id)
			dead += u.size - u.live
		}
	}
	if len(files) < thinFiles && dead < m.sharedFile() {
		return nil
	}
	slices.SortFunc(files, func(a, b fileID) int { return cmp.Compare(m.uses[a].live, m.uses[b].live) })
	picked := map[fileID]bool{}
	var live int64
	for _, id := range files {
		if live += m.uses[id].live; live > m.sharedFile() && len(picked) > 1 {
			break
		}
		picked[id] = true
	}
	return picked
}

// compactedFiles are those with runs that are being compacted.
func (s *Store) compactedFiles() map[fileID]bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	x := s.idx.parts.Get(s.claims.part)
	if x == nil {
		return nil
	}
	files := map[fileID]bool{}
	for i := range s.claims.compacting(s.claims.part, x) {
		files[x.runs[i].file] = true
	}
	return files
}

// thin writes the runs that are left in some shared files again.
func (p *movePlan) thin(files map[fileID]bool) (err error) {
	starts := p.claim(files)
	out := &runFiles{p: p}
	defer func() { err = withAbort(err, out) }()
	for i := range p.replaced {
		r := &p.replaced[i]
		if err := out.begin(r.part, r.bytes); err != nil {
			return err
		}
		if err := out.again(r, starts[r.part]); err != nil {
			return err
		}
	}
	return out.finish()
}

// claim takes the runs that are in some files, but for those that compaction has taken since, and returns where their
// partitions begin.
func (p *movePlan) claim(files map[fileID]bool) map[store.PartitionID]store.Offset {
	s := p.m.s
	starts := map[store.PartitionID]store.Offset{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, x := range s.idx.parts.All() {
		from := s.claims.compacting(id, x)
		for _, r := range x.runs[from:] {
			if !files[r.file] {
				continue
			}
			if _, ok := starts[id]; !ok {
				h, _ := s.applied.Head(id)
				starts[id] = h.Start
				s.claims.move(id, r.base)
			}
			p.replaced = append(p.replaced, r)
		}
	}
	slices.SortFunc(p.replaced, compareRuns)
	return starts
}
