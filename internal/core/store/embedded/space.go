package embedded

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// space prepares journal files ahead, and keeps those that can be used again.
type space struct {
	s   *Store
	dir string

	mu      sync.Mutex
	ready   *journalFile   // prepared
	free    []*journalFile // to be used again
	busy    chan struct{}  // closed when the preparation under way ends; nil when there is none
	nextSeq uint64
	nextID  uint64
	lastErr error
	tried   time.Time
	ballast bool
	bulk    bool // files are adopted lately: new ones need not be zeroed
}

const (
	// keepFree is how many files wait to be used again; more are deleted. A round of the mover gives nine free at the default
	// sizes, and a file that was used need not be written ahead.
	keepFree = 9
	// retryAfter is how often a full disk is asked again.
	retryAfter = 250 * time.Millisecond
	// zeroStep is how much is written at once when a file is written ahead.
	zeroStep = 1 << 20
)

// next returns a prepared file with at least size bytes, and starts the preparation of another.
func (p *space) next(size int64) (*journalFile, error) {
	for {
		p.mu.Lock()
		if f := p.ready; f != nil && f.size >= size {
			p.ready = nil
			p.mu.Unlock()
			err := p.begin(f)
			p.prepare()
			return f, err
		}
		busy := p.busy
		p.mu.Unlock()
		if busy == nil {
			break
		}
		<-busy
	}
	p.mu.Lock()
	if p.lastErr != nil && time.Since(p.tried) < retryAfter {
		p.mu.Unlock()
		return nil, store.ErrFull
	}
	p.mu.Unlock()
	f, err := p.make(max(size, p.s.opts.JournalFileBytes))
	if p.note(err) != nil {
		return nil, store.ErrFull
	}
	if err := p.begin(f); err != nil {
		return nil, err
	}
	p.prepare()
	return f, nil
}

// note remembers that there is no room, or that there is again.
func (p *space) note(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil && p.lastErr == nil {
		p.s.log.Error("cannot make a journal file: writes are refused until there is room", "error", err)
	} else if err == nil && p.lastErr != nil {
		p.s.log.Info("there is room for the journal again")
	}
	p.lastErr, p.tried = err, time.Now()
	return err
}

// begin gives a file its number in the order of files, and a new id.
func (p *space) begin(f *journalFile) error {
	p.mu.Lock()
	p.nextSeq++
	seq := p.nextSeq
	p.mu.Unlock()
	if err := f.begin(seq); err != nil {
		err = fmt.Errorf("begin journal %s: %w", f.name, err)
		p.s.fail(err)
		return err
	}
	return nil
}

func (f *journalFile) begin(seq uint64) error {
	f.header = journal.FileHeader{Seq: seq, ID: randomID(), Size: f.size}
	f.end, f.firstSeq = journal.PageSize, 0
	f.used.Store(f.end)
	f.lastSeq.Store(0)
	f.batches.Store(0)
	f.batchBytes.Store(0)
	f.refs.Store(1)
	f.keepOut.Store(false)
	return journal.WriteFileHeader(f.file, f.header)
}

func randomID() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, says crypto/rand
	return binary.LittleEndian.Uint64(b[:])
}

// prepare makes the next file in the background.
func (p *space) prepare() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy != nil || p.ready != nil {
		return
	}
	select {
	case <-p.s.stopped:
		return
	default:
	}
	busy := make(chan struct{})
	p.busy = busy
	p.s.done.Go(func() {
		f, err := p.make(p.s.opts.JournalFileBytes)
		if err == nil {
			p.note(nil) //nolint:errcheck // returns what it is given
		} else {
			p.s.log.Warn("cannot prepare a journal file", "error", err)
		}
		p.mu.Lock()
		p.ready, p.busy = f, nil
		p.mu.Unlock()
		close(busy)
	})
}

// make returns a file of size bytes that is written ahead: one that was used before, or a new one.
func (p *space) make(size int64) (*journalFile, error) {
	p.mu.Lock()
	for i, f := range p.free {
		if f.size >= size {
			p.free = append(p.free[:i], p.free[i+1:]...)
			p.mu.Unlock()
			return f, nil
		}
	}
	p.nextID++
	id, bulk := p.nextID, p.bulk
	p.mu.Unlock()
	return p.create(id, size, !bulk)
}

func (p *space) create(id uint64, size int64, zero bool) (*journalFile, error) {
	fs := p.s.opts.FS
	name := fs.PathJoin(p.dir, journalName(id))
	file, err := fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	f := &journalFile{name: name, id: id, file: file, size: size, onFree: p.recycle}
	if err := p.fill(f, zero); err != nil {
		return nil, errors.Join(err, file.Close(), fs.Remove(name))
	}
	f.openDirect(fs)
	return f, nil
}

// fill reserves a file's bytes on the disk; zeroed ones are faster to write over than reserved ones.
func (p *space) fill(f *journalFile, zero bool) error {
	if err := f.file.Preallocate(0, f.size); err != nil {
		return err
	}
	if zero {
		if err := p.zero(f); err != nil {
			return err
		}
	}
	if err := f.file.Sync(); err != nil {
		return err
	}
	return syncDir(p.s.opts.FS, p.dir)
}

// zero writes a file ahead, past the page cache where that is possible: there it costs a tenth of the CPU, and nothing that is read
// has to go for it.
func (p *space) zero(f *journalFile) error {
	var out io.WriterAt = f.file
	if p.s.opts.FS == vfs.Default && f.size%journal.PageSize == 0 {
		if direct, err := journal.OpenDirect(f.name, false); err == nil {
			defer func() { _ = direct.Close() }() // the sync that follows tells of errors
			out = direct
		}
	}
	buf := journal.Aligned(zeroStep)[:min(zeroStep, f.size)]
	for at := int64(0); at < f.size; at += int64(len(buf)) {
		if _, err := out.WriteAt(buf[:min(int64(len(buf)), f.size-at)], at); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// recycle takes a file that nothing points to any more.
func (p *space) recycle(f *journalFile) {
	p.mu.Lock()
	keep := len(p.free) < keepFree && f.size == p.s.opts.JournalFileBytes
	if keep {
		p.free = append(p.free, f)
	}
	p.mu.Unlock()
	if !keep {
		p.remove(f)
	}
}

func (p *space) remove(f *journalFile) {
	if err := errors.Join(f.close(), p.s.opts.FS.Remove(f.name)); err != nil {
		p.s.log.Warn("remove journal file", "error", err)
	}
}

// close closes the files that are not in use. What was prepared is removed when the folder is opened again.
func (p *space) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	if p.ready != nil {
		errs = append(errs, p.ready.close())
	}
	for _, f := range p.free {
		errs = append(errs, f.close())
	}
	p.ready, p.free = nil, nil
	return errors.Join(errs...)
}

const ballastName = "ballast"

// keepBallast reserves room that giveBallast frees, so that Pebble can flush and the mover can free more.
func (p *space) keepBallast() {
	fs, size := p.s.opts.FS, p.s.opts.BallastBytes
	if size <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ballast {
		return
	}
	name := fs.PathJoin(p.s.opts.Dir, ballastName)
	if info, err := fs.Stat(name); err == nil && info.Size() == size {
		p.ballast = true
		return
	}
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		p.s.log.Warn("no room for the ballast", "error", err)
		return
	}
	err = errors.Join(f.Preallocate(0, size), f.Close())
	if err != nil {
		p.s.log.Warn("no room for the ballast", "error", err)
		return
	}
	p.ballast = true
}

func (p *space) giveBallast() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ballast {
		return
	}
	p.ballast = false
	if err := p.s.opts.FS.Remove(p.s.opts.FS.PathJoin(p.s.opts.Dir, ballastName)); err != nil {
		p.s.log.Warn("give up the ballast", "error", err)
	}
}

// full tells whether the last file could not be made.
func (p *space) full() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lastErr != nil
}

// setBulk is told whether journal files are adopted or used again: a file that will be adopted is written
// once, so zeros in it would be a second write.
func (p *space) setBulk(bulk bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bulk = bulk
}
