package crash

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"millrace/test/load"
)

const (
	// batchMax is how many records a writer puts at once: enough for several shards.
	batchMax = 12
	// One record in largeEvery has up to largeMax, so that some span blocks of the journal and some groups
	// are large.
	largeEvery = 50
	largeMax   = 20_000
)

// writer puts records until the server is gone.
type writer struct {
	name    string
	history *History
	streams []string
	random  *rand.Rand
	count   int           // of records sent so far, over all runs
	fill    int           // bound of the data of most records
	pause   time.Duration // between puts; 0: none
	budget  *atomic.Int64
}

// run writes over a connection of its own until that breaks, which is how it ends, or the budget of bytes is
// used up. A refusal is an error.
func (w *writer) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed before the first call
	}
	defer c.close()
	for w.budget.Load() > 0 {
		if w.random.IntN(2) == 0 {
			err = w.putRecord(c)
		} else {
			err = w.putRecords(c)
		}
		if refused, ok := errors.AsType[*load.StatusError](err); ok {
			return fmt.Errorf("writer %s was refused: %w", w.name, refused)
		}
		if err != nil {
			return nil // the kill: what was under way has no answer
		}
		if w.pause > 0 {
			time.Sleep(w.pause)
		}
	}
	return nil
}

// next makes a record that was never sent before and notes that it is on its way.
func (w *writer) next(stream string) Sent {
	w.count++
	id := w.name + "-" + strconv.Itoa(w.count)
	fill := w.random.IntN(w.fill)
	if w.random.IntN(largeEvery) == 0 {
		fill = w.random.IntN(largeMax)
	}
	// The filler differs from record to record, so that bytes of one are not mistaken for another's.
	piece := strconv.FormatUint(w.random.Uint64(), 36)
	data := id + " " + strings.Repeat(piece, fill/len(piece)+1)
	w.budget.Add(-int64(len(data)))
	return Sent{ID: id, Stream: stream, Key: "key-" + strconv.Itoa(w.random.IntN(1000)), Data: data, At: w.history.Now()}
}

func (w *writer) stream() string { return w.streams[w.random.IntN(len(w.streams))] }

func (w *writer) putRecord(c *client) error {
	s := w.next(w.stream())
	w.history.Send(s)
	var out entry
	err := c.call("PutRecord", object{"StreamName": s.Stream, "PartitionKey": s.Key, "Data": []byte(s.Data)}, &out)
	if err != nil {
		return err
	}
	w.history.Ack(out.ack(s, w.history.Now()))
	return nil
}

// entry is an answer for one record.
type entry struct {
	ShardID        string
	SequenceNumber string
	ErrorCode      string
}

func (e entry) ack(s Sent, at int64) Ack {
	return Ack{ID: s.ID, Position: Position{Shard{s.Stream, e.ShardID}, e.SequenceNumber}, At: at}
}

func (w *writer) putRecords(c *client) error {
	stream := w.stream()
	var sends []Sent
	var records []object
	for range 1 + w.random.IntN(batchMax) {
		s := w.next(stream)
		sends = append(sends, s)
		records = append(records, object{"PartitionKey": s.Key, "Data": []byte(s.Data)})
	}
	w.history.Send(sends...)
	var out struct{ Records []entry }
	if err := c.call("PutRecords", object{"StreamName": stream, "Records": records}, &out); err != nil {
		return err
	}
	if len(out.Records) != len(sends) {
		return &load.StatusError{Status: 200, Body: fmt.Sprintf("%d entries for %d records", len(out.Records), len(sends))}
	}
	at := w.history.Now()
	for i, e := range out.Records {
		if e.ErrorCode == "" {
			w.history.Ack(e.ack(sends[i], at))
		}
	}
	return nil
}
