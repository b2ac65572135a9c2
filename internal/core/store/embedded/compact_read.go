package embedded

import (
	"errors"
	"io"

	"millrace/internal/core/datakey"
	"millrace/internal/core/segment"
	"millrace/internal/core/store"
)

// each goes through the batches of a run, in order, from the partition's start on, until fn returns false. next is the
// batch after e, nil for the last one.
//
// Errors: errMoved, *store.CorruptError, fn's own, that of the mover's end.
func (p *pass) each(r *run, fn func(e, next *segment.Entry) (more bool, err error)) error {
	f, err := p.s.sealedOf(r)
	if err != nil {
		return err
	}
	defer p.s.segments.release(f)
	x, ok := f.index(p.id, r.base)
	if !ok {
		return f.lacks()
	}
	p.file.open(f.reader(), f.path)
	cursor := x.Find(int64(max(r.base, p.start)))
	e, ok := cursor.Next()
	for ok {
		if err := p.s.mover.ctx.Err(); err != nil {
			return err
		}
		after, more := cursor.Next()
		if cursor.Err() != nil {
			break
		}
		next := &after
		if !more {
			next = nil
		}
		if goOn, err := fn(&e, next); err != nil || !goOn {
			return err
		}
		e, ok = after, more
	}
	return corrupt(cursor.Err())
}

// stored reads a batch of the run that each is at, as it is stored. It is good until the next call.
func (p *pass) stored(e *segment.Entry) ([]byte, error) {
	b, err := segment.ReadStored(&p.file, p.file.path, *e, p.bufs[0][:0])
	if err != nil {
		return nil, corrupt(err)
	}
	p.bufs[0] = b
	return b, nil
}

// plain reads a batch and opens it when it is sealed. It is good until the next call.
func (p *pass) plain(e *segment.Entry) ([]byte, error) {
	b, err := p.stored(e)
	if err != nil {
		return nil, err
	}
	return p.unseal(e, b)
}

// unseal opens stored bytes, which stay as they are.
func (p *pass) unseal(e *segment.Entry, stored []byte) ([]byte, error) {
	switch e.Encoding {
	case segment.Plain:
		return stored, nil
	case segment.Sealed:
	default:
		return nil, p.damaged(e, "it is stored in a way that this binary does not know")
	}
	key, err := p.s.committedKey(e.KeyID)
	if err != nil {
		return nil, err
	}
	b, err := datakey.Open(key, p.place(e), &e.Nonce, p.bufs[1][:0], stored)
	if err != nil {
		return nil, p.damaged(e, err.Error())
	}
	p.bufs[1] = b
	return b, nil
}

func (p *pass) place(e *segment.Entry) datakey.Place {
	return datakey.Place{Partition: p.id, Base: store.Offset(e.Base), Count: e.Count}
}

func (p *pass) damaged(e *segment.Entry, reason string) error {
	return &store.CorruptError{File: p.file.path, Offset: e.Pos, Reason: reason}
}

// windowSize is how much of a file is read at once: small batches cost no call each.
const windowSize = 1 << 20

// window reads a file from front to back in large pieces.
type window struct {
	from io.ReaderAt
	path string
	at   int64
	buf  []byte // what the file has from at on
}

func (w *window) open(from io.ReaderAt, path string) {
	w.from, w.path, w.buf = from, path, w.buf[:0]
}

// ReadAt implements io.ReaderAt.
func (w *window) ReadAt(b []byte, at int64) (int, error) {
	if at < w.at || at+int64(len(b)) > w.at+int64(len(w.buf)) {
		if len(b) >= windowSize {
			return w.from.ReadAt(b, at)
		}
		if w.buf == nil {
			w.buf = make([]byte, windowSize)
		}
		n, err := w.from.ReadAt(w.buf[:windowSize], at)
		w.at, w.buf = at, w.buf[:n]
		if err != nil && !errors.Is(err, io.EOF) {
			w.buf = w.buf[:0]
			return 0, err
		}
	}
	n := copy(b, w.buf[at-w.at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
