package fetch

import "sync"

// budget bounds what the answers on their way hold. Requests that find no room wait in order; the request at the front
// goes on when there is room for what it wants, or nothing else is held: so each goes on some time, also one that wants
// more than there is.
type budget struct {
	all int64

	mu          sync.Mutex
	free        int64 // below 0 by batches that were larger than what their readers had reserved
	first, last *Request
	closed      bool // all go on at once
}

// modest is what a request gets at most while more than half of the budget is held: enough to keep a connection busy, so
// that those who catch up with large answers leave room for those who read at the end.
const modest = 4 << 20

// take reserves n bytes for a request, or fewer when much is held. On false it is called again by a worker, with the bytes.
func (b *budget) take(r *Request, n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n = min(n, b.all); n > b.free-b.all/2 {
		n = min(n, modest)
	}
	if b.first == nil && n <= b.free || b.closed {
		b.free -= n
		r.held = n
		return true
	}
	r.want = n
	if b.last == nil {
		b.first = r
	} else {
		b.last.next = r
	}
	b.last = r
	return false
}

// release gives n bytes back, or takes more if n is below 0.
func (b *budget) release(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free += n
	b.serve()
}

// serve lets those go on for whom there is room. The caller holds mu.
func (b *budget) serve() {
	for r := b.first; r != nil && (r.want <= b.free || b.closed); r = b.first {
		if b.first = r.next; b.first == nil {
			b.last = nil
		}
		r.next = nil
		b.free -= r.want
		r.held, r.want = r.want, 0
		r.f.workers.give(r)
	}
}

func (b *budget) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.serve()
}
