package embedded

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"

	"millrace/internal/core/journal"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

const (
	// joinGap is how many bytes between two batches are read rather than skipped.
	joinGap = 4 << 10
	// joinMost is how much is read at once.
	joinMost = 1 << 20
	// pooledRead is the size of the buffers that are kept for reads from files: what readers ask for at once.
	pooledRead = 2 << 20
	// readTries is how often a read begins anew because a file went while it looked for it.
	readTries = 100
)

// piece is one batch on its way to a reader: where it is, and then its bytes.
type piece struct {
	batch  store.Batch
	stored journal.Stored
	chunk  *chunk
	at     int // in the chunk
	file   *journalFile
	path   string
	from   io.ReaderAt
}

// reading gathers pieces for one Read and what has to be given back afterwards.
type reading struct {
	s      *Store
	req    store.ReadRequest
	end    store.Offset // up to where the reader may see
	at     uint64       // partIndex.compacted when the pieces were looked up
	pieces []piece
	bytes  int
	sealed []*sealed
	buf    []byte // what was read from files
	plain  []byte // what was sealed in the tail cache
}

// Read implements store.Store.
func (s *Store) Read(ctx context.Context, req store.ReadRequest) (store.ReadResult, error) {
	if err := s.enter(ctx); err != nil {
		return store.ReadResult{}, err
	}
	defer s.leave()
	for range readTries {
		res, err := s.read(req)
		if errors.Is(err, errMoved) {
			continue
		}
		return res, err
	}
	return store.ReadResult{}, store.ErrContention
}

// errMoved: a file went between looking it up and opening it, because its batches are elsewhere now.
var errMoved = errors.New("store: batches have moved")

func (s *Store) read(req store.ReadRequest) (store.ReadResult, error) {
	r := &reading{s: s, req: req}
	head, run, err := r.find()
	if err != nil {
		r.release()
		return store.ReadResult{}, err
	}
	for run != nil && len(r.pieces) == 0 {
		if err := r.fromRun(run); err != nil {
			r.release()
			return store.ReadResult{}, err
		}
		if len(r.pieces) > 0 {
			break
		}
		r.req.From = run.next // the run ends in a hole
		if head, run, err = r.find(); err != nil {
			r.release()
			return store.ReadResult{}, err
		}
	}
	err = r.load()
	if err == nil {
		err = r.unseal()
	}
	if err != nil {
		r.release()
		return store.ReadResult{}, err
	}
	return r.result(head)
}

// find takes the head and, when the unmoved journal has what is asked for, the pieces; else it returns the run
// that has it.
func (r *reading) find() (store.Head, *run, error) {
	s := r.s
	s.mu.RLock()
	defer s.mu.RUnlock()
	h, ok := s.applied.Head(r.req.Partition)
	switch {
	case !ok:
		return h, nil, store.ErrNoPartition
	case r.req.From < h.Start:
		return h, nil, &store.TrimmedError{Asked: r.req.From, First: h.Start}
	case r.req.From > h.Next:
		return h, nil, store.ErrOffsetOutOfRange
	}
	r.end = h.Next
	if r.req.Isolation == store.ReadCommitted {
		r.end = h.LastStable
	}
	p := s.idx.parts.Get(r.req.Partition)
	if p == nil || r.req.From >= r.end {
		return h, nil, nil
	}
	r.at = p.compacted
	if i := p.findRun(r.req.From); i < len(p.runs) {
		found := p.runs[i]
		return h, &found, nil
	}
	return h, nil, r.fromTail(p)
}

// more tells whether a batch at base of n bytes is wanted too.
func (r *reading) more(base store.Offset, n uint32) bool {
	return base < r.end && (len(r.pieces) == 0 || r.bytes+int(n) <= r.req.MaxBytes)
}

// fromTail takes pieces from the unmoved journal. The caller holds mu.
func (r *reading) fromTail(p *partIndex) error {
	var file *journalFile
	for i := p.findTail(r.req.From); i < len(p.tail); i++ {
		e := &p.tail[i]
		if !r.more(e.base, e.length) {
			break
		}
		b := piece{
			batch:  store.Batch{Base: e.base, Next: e.next(), AppendTime: e.appendTime},
			stored: journal.Stored{Pos: int64(e.pos), Len: e.length, PlainLen: e.length, CRC: e.crc, Encoding: e.encoding},
		}
		if e.encoding == journal.Sealed {
			if err := p.sealingOf(&b); err != nil {
				return err
			}
		}
		if e.chunk != 0 {
			b.chunk, b.at = r.s.cache.hold(e.chunk), int(e.at)
		}
		if b.chunk == nil {
			if file == nil || file.number() != e.file {
				file = r.s.journalByNumber(e.file)
			}
			if file == nil || !file.hold() {
				return errMoved
			}
			b.file, b.from, b.path = file, file.file, file.name
		}
		r.pieces = append(r.pieces, b)
		r.bytes += int(e.length)
	}
	return nil
}

// journalByNumber finds an unmoved file. The caller holds mu.
func (s *Store) journalByNumber(number uint32) *journalFile {
	for _, f := range s.files {
		if f.number() == number {
			return f
		}
	}
	return nil
}

// sealedOf opens the file of a run that was found in the index.
//
// Errors: errMoved when the run has gone from the index since; *store.CorruptError when it has not and the file is
// not there: a file is deleted after its runs.
func (s *Store) sealedOf(in *run) (*sealed, error) {
	f, err := s.segments.get(in.file)
	if !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.idx.parts.Get(in.part); p != nil && slices.ContainsFunc(p.runs, func(o run) bool { return o.file == in.file }) {
		return nil, &store.CorruptError{File: s.sealedPath(in.file), Reason: "the file is missing"}
	}
	return nil, errMoved
}

// fromRun takes pieces from a sealed file.
func (r *reading) fromRun(found *run) error {
	f, err := r.s.sealedOf(found)
	if err != nil {
		return err
	}
	r.sealed = append(r.sealed, f)
	x, ok := f.index(r.req.Partition, found.base)
	if !ok {
		return f.lacks()
	}
	cursor := x.Find(int64(r.req.From))
	for e, ok := cursor.Next(); ok && r.more(store.Offset(e.Base), e.StoredLen); e, ok = cursor.Next() {
		r.pieces = append(r.pieces, piece{
			batch: store.Batch{Base: store.Offset(e.Base), Next: store.Offset(e.Next()), AppendTime: e.AppendTime},
			stored: journal.Stored{
				Pos: e.Pos, Len: e.StoredLen, PlainLen: e.PlainLen, CRC: e.CRC,
				Encoding: journal.Encoding(e.Encoding), KeyID: e.KeyID, Nonce: e.Nonce,
			},
			path: f.path, from: f.reader(),
		})
		r.bytes += int(e.StoredLen)
	}
	return corrupt(cursor.Err())
}

var readBuffers = sync.Pool{New: func() any { b := make([]byte, 0, pooledRead); return &b }}

// readBuffer is an empty buffer for n bytes; giveBuffer takes it back.
func readBuffer(n int) []byte {
	if n <= pooledRead {
		return (*readBuffers.Get().(*[]byte))[:0]
	}
	return make([]byte, 0, n)
}

func giveBuffer(b []byte) {
	if cap(b) == pooledRead {
		b = b[:0]
		readBuffers.Put(&b)
	}
}

// load gets the bytes of all pieces: slices of chunks, or read from files in as few reads as possible.
func (r *reading) load() error {
	m := &r.s.metrics
	m.reads.Add(1)
	m.readBytes.Add(int64(r.bytes))
	need := 0
	for i := range r.pieces {
		if p := &r.pieces[i]; p.chunk != nil {
			p.batch.Bytes = p.chunk.buf[p.at : p.at+int(p.stored.Len) : p.at+int(p.stored.Len)]
			m.cacheHits.Add(1)
		} else {
			need += int(p.stored.Len) + joinGap
			m.cacheMisses.Add(1)
		}
	}
	if need == 0 {
		return nil
	}
	r.buf = readBuffer(need)
	for i := 0; i < len(r.pieces); {
		if r.pieces[i].chunk != nil {
			i++
			continue
		}
		n, err := r.loadRun(r.pieces[i:])
		if err != nil && i > 0 {
			r.cut(i) // what comes before is good; the next read will name the damage
			return nil
		}
		if err != nil {
			return err
		}
		i += n
	}
	return nil
}

// loadRun reads the pieces that stand close behind each other in one file.
func (r *reading) loadRun(pieces []piece) (n int, err error) {
	first := &pieces[0]
	start, end := first.stored.Pos, first.stored.Pos+int64(first.stored.Len)
	for n = 1; n < len(pieces); n++ {
		p := &pieces[n]
		next := p.stored.Pos + int64(p.stored.Len)
		if p.chunk != nil || p.from != first.from || p.stored.Pos < end || p.stored.Pos-end > joinGap || next-start > joinMost {
			break
		}
		end = next
	}
	at := len(r.buf)
	r.buf = r.buf[:at+int(end-start)]
	if _, err := first.from.ReadAt(r.buf[at:], start); errors.Is(err, io.EOF) {
		return 0, &store.CorruptError{File: first.path, Offset: start, Reason: "the file ends inside of a batch"}
	} else if err != nil {
		return 0, err
	}
	for i := range pieces[:n] {
		p := &pieces[i]
		b := r.buf[at+int(p.stored.Pos-start):][:p.stored.Len:p.stored.Len]
		if err := journal.CheckStored(b, p.path, &p.stored, p.batch.Base); err != nil {
			if i > 0 {
				return i, nil
			}
			return 0, err
		}
		p.batch.Bytes = b
	}
	return n, nil
}

// cut gives up the pieces from i on.
func (r *reading) cut(i int) {
	for k := i; k < len(r.pieces); k++ {
		r.pieces[k].release()
	}
	r.pieces = r.pieces[:i]
}

// result also tells which of the transactions were aborted. They may be forgotten when compaction has dropped their
// records, which r may have found before that.
//
// Errors: errMoved.
func (r *reading) result(head store.Head) (store.ReadResult, error) {
	batches := make([]store.Batch, len(r.pieces))
	for i := range r.pieces {
		batches[i] = r.pieces[i].batch
	}
	var aborted []store.Aborted
	if r.req.Isolation == store.ReadCommitted && len(batches) > 0 {
		r.s.mu.RLock()
		p := r.s.idx.parts.Get(r.req.Partition)
		same := p != nil && p.compacted == r.at
		aborted = r.s.applied.Aborted(r.req.Partition, batches[0].Base, batches[len(batches)-1].Next)
		r.s.mu.RUnlock()
		if !same {
			r.release()
			return store.ReadResult{}, errMoved
		}
	}
	return store.NewReadResult(head, batches, aborted, r.release), nil
}

func (p *piece) release() {
	if p.chunk != nil {
		p.chunk.release()
	}
	if p.file != nil {
		p.file.release()
	}
}

func (r *reading) release() {
	r.cut(0)
	for _, f := range r.sealed {
		r.s.segments.release(f)
	}
	r.sealed = nil
	giveBuffer(r.buf)
	giveBuffer(r.plain)
	r.buf, r.plain = nil, nil
}

// Seek implements store.Store.
func (s *Store) Seek(ctx context.Context, id store.PartitionID, ms int64, by store.SeekBy) (store.Offset, bool, error) {
	if err := s.enter(ctx); err != nil {
		return 0, false, err
	}
	defer s.leave()
	for range readTries {
		at, ok, err := s.seek(id, ms, by)
		if errors.Is(err, errMoved) {
			continue
		}
		return at, ok, err
	}
	return 0, false, store.ErrContention
}

func (s *Store) seek(id store.PartitionID, ms int64, by store.SeekBy) (store.Offset, bool, error) {
	s.mu.RLock()
	h, ok := s.applied.Head(id)
	if !ok {
		s.mu.RUnlock()
		return 0, false, store.ErrNoPartition
	}
	p := s.idx.parts.Get(id)
	var in *run
	at, found := h.Next, false
	if p != nil {
		if in = p.seekRun(ms, by); in == nil {
			at, found = p.seekTail(ms, by, h.Next)
		}
	}
	s.mu.RUnlock()
	if in != nil {
		f, err := s.sealedOf(in)
		if err != nil {
			return 0, false, err
		}
		defer s.segments.release(f)
		x, ok := f.index(id, in.base)
		if !ok {
			return 0, false, f.lacks()
		}
		seek := x.SeekAppendTime
		if by == store.SeekTimestamp {
			seek = x.SeekTimestamp
		}
		var e segment.Entry
		if e, found, err = seek(ms); err != nil {
			return 0, false, corrupt(err)
		}
		at = store.Offset(e.Base)
	}
	if found && at < h.Start {
		at = h.Start
	}
	return at, found, nil
}

// seekRun returns a copy of the first run that has a batch of that time.
func (p *partIndex) seekRun(ms int64, by store.SeekBy) *run {
	for i := range p.runs {
		r := &p.runs[i]
		if by == store.SeekAppendTime && r.lastAppend >= ms || by == store.SeekTimestamp && r.maxTime >= ms {
			found := *r
			return &found
		}
	}
	return nil
}

func (p *partIndex) seekTail(ms int64, by store.SeekBy, next store.Offset) (store.Offset, bool) {
	for i := range p.tail {
		e := &p.tail[i]
		if by == store.SeekAppendTime && e.appendTime >= ms || by == store.SeekTimestamp && e.maxTime >= ms {
			return e.base, true
		}
	}
	return next, false
}

// SeekSize implements store.SizeSeeker.
func (s *Store) SeekSize(ctx context.Context, id store.PartitionID, size int64) (store.Offset, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	for range readTries {
		at, err := s.seekSize(id, size)
		if !errors.Is(err, errMoved) {
			return at, err
		}
	}
	return 0, store.ErrContention
}

func (s *Store) seekSize(id store.PartitionID, size int64) (store.Offset, error) {
	s.mu.RLock()
	h, ok := s.applied.Head(id)
	p := s.idx.parts.Get(id)
	if !ok || p == nil {
		s.mu.RUnlock()
		if !ok {
			return 0, store.ErrNoPartition
		}
		return h.Next, nil
	}
	left, _, _ := p.stat()
	for i := range p.runs {
		if left-p.runs[i].bytes > size {
			left -= p.runs[i].bytes
			continue
		}
		in := p.runs[i]
		s.mu.RUnlock()
		return s.seekSizeIn(&in, left, size)
	}
	defer s.mu.RUnlock()
	for i := range p.tail {
		if left <= size {
			return p.tail[i].base, nil
		}
		left -= int64(p.tail[i].length)
	}
	return h.Next, nil
}

// seekSizeIn goes through the one run whose end lies within size, and whose beginning may not.
func (s *Store) seekSizeIn(in *run, left, size int64) (store.Offset, error) {
	if left <= size {
		return in.base, nil
	}
	f, err := s.sealedOf(in)
	if err != nil {
		return 0, err
	}
	defer s.segments.release(f)
	x, ok := f.index(in.part, in.base)
	if !ok {
		return 0, f.lacks()
	}
	cursor := x.Find(int64(in.base))
	for e, ok := cursor.Next(); ok; e, ok = cursor.Next() {
		if left <= size {
			return store.Offset(e.Base), nil
		}
		left -= int64(e.StoredLen)
	}
	return in.next, corrupt(cursor.Err())
}
