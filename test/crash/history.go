package crash

import (
	"fmt"
	"math/big"
	"sync"
	"sync/atomic"
)

// Shard names one shard of one stream.
type Shard struct{ Stream, ID string }

// Position is where a record was said to be, or was found.
type Position struct {
	Shard    Shard
	Sequence string // decimal, as AWS writes it
}

// Sent is one record on its way. Records are unlike each other: the data begins with the id.
type Sent struct {
	ID     string
	Stream string
	Key    string
	Data   string
	At     int64 // moment before the request was sent
}

// Ack is an answer that gave a record a place.
type Ack struct {
	ID       string
	Position Position
	At       int64 // moment after the answer was read
}

// Found is one record as a reader got it.
type Found struct {
	Sequence string
	Key      string
	Data     string
}

// Run is what one reader saw of one shard, in the order of its pages. A run that goes on where another
// ended is a run of its own, with From set.
type Run struct {
	Shard   Shard
	From    string // sequence number after which it began; empty: the beginning of the shard
	Records []Found
}

// History is everything that happened. Its methods are safe for concurrent use; read the fields when all
// writers and readers have ended.
type History struct {
	clock atomic.Int64

	mu    sync.Mutex // guards the slices
	Sends []Sent
	Acks  []Ack
	Runs  []Run // of readers during the load
	Final []Run // of everything, at the end
}

// Now returns the next moment: every event has its own.
func (h *History) Now() int64 { return h.clock.Add(1) }

// Send notes records before their request goes out.
func (h *History) Send(records ...Sent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Sends = append(h.Sends, records...)
}

// Ack notes the places that an answer gave.
func (h *History) Ack(acks ...Ack) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Acks = append(h.Acks, acks...)
}

// Saw notes what a reader saw.
func (h *History) Saw(r Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Runs = append(h.Runs, r)
}

// sequenceNumber reads a decimal sequence number.
func sequenceNumber(text string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || n.Sign() < 0 {
		return nil, fmt.Errorf("%q is no sequence number", text)
	}
	return n, nil
}
