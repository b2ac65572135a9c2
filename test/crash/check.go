package crash

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
)

// Verdict is what the checker found.
type Verdict struct {
	Acknowledged int // records with an answer
	Unanswered   int // records that were sent and never answered, of which some are there
	Kept         int // unanswered records that are there
	Problems     []string
}

// problemsMax keeps a report readable: the first problems tell the story.
const problemsMax = 20

// Check compares a history with what it must be:
//
//   - every acknowledged record is there, once, in the shard and at the sequence number of its answer,
//     with its key and its bytes;
//   - every record that is there was sent, and is there once;
//   - sequence numbers of a shard rise in the order of reading;
//   - a record sent after another one was acknowledged stands behind it in their shard;
//   - what a reader saw at any time is still there, in that order, without holes.
//
// A record that was sent and not answered may be there or not.
func Check(h *History) Verdict {
	c := checker{sent: map[string]Sent{}, found: map[string]Position{}, acked: map[string]Ack{}}
	for _, s := range h.Sends {
		c.sent[s.ID] = s
	}
	for _, a := range h.Acks {
		c.ack(a)
	}
	final := map[Shard][]Found{}
	for _, r := range h.Final {
		if _, twice := final[r.Shard]; twice {
			c.problem("%v was read twice at the end", r.Shard)
		}
		final[r.Shard] = r.Records
		c.shard(r)
	}
	c.acknowledged()
	c.realTime()
	for _, r := range h.Runs {
		c.prefix(r, final[r.Shard])
	}
	c.verdict.Acknowledged = len(c.acked)
	c.verdict.Unanswered = len(c.sent) - len(c.acked)
	for id := range c.found {
		if _, ok := c.acked[id]; !ok {
			c.verdict.Kept++
		}
	}
	return c.verdict
}

type checker struct {
	sent    map[string]Sent
	acked   map[string]Ack
	found   map[string]Position
	verdict Verdict
}

func (c *checker) problem(format string, args ...any) {
	if len(c.verdict.Problems) < problemsMax {
		c.verdict.Problems = append(c.verdict.Problems, fmt.Sprintf(format, args...))
	}
}

func (c *checker) ack(a Ack) {
	if _, ok := c.sent[a.ID]; !ok {
		c.problem("record %s was acknowledged and never sent", a.ID)
	}
	if before, twice := c.acked[a.ID]; twice {
		c.problem("record %s was acknowledged at %v and at %v", a.ID, before.Position, a.Position)
	}
	c.acked[a.ID] = a
}

// shard checks one shard as it was read at the end: order, origin, repeats.
func (c *checker) shard(r Run) {
	last := new(big.Int)
	for i, f := range r.Records {
		n, err := sequenceNumber(f.Sequence)
		if err != nil {
			c.problem("%v record %d: %v", r.Shard, i, err)
			continue
		}
		if n.Cmp(last) <= 0 {
			c.problem("%v record %d: sequence number %v after %v", r.Shard, i, n, last)
		}
		last = n
		c.origin(Position{r.Shard, f.Sequence}, f)
	}
}

func (c *checker) origin(at Position, f Found) {
	id, _, _ := strings.Cut(f.Data, " ")
	s, ok := c.sent[id]
	if !ok || s.Data != f.Data || s.Key != f.Key || s.Stream != at.Shard.Stream {
		c.problem("%v holds what was never sent: key %q, data %.60q", at, f.Key, f.Data)
		return
	}
	if before, twice := c.found[id]; twice {
		c.problem("record %s is at %v and at %v", id, before, at)
	}
	c.found[id] = at
}

// acknowledged checks that each answer was kept.
func (c *checker) acknowledged() {
	for _, id := range slices.Sorted(maps.Keys(c.acked)) {
		want := c.acked[id].Position
		if got, ok := c.found[id]; !ok {
			c.problem("record %s, acknowledged at %v, is lost", id, want)
		} else if got != want {
			c.problem("record %s, acknowledged at %v, is at %v", id, want, got)
		}
	}
}

// realTime checks each shard for a record that stands before one whose answer had come before it was sent.
func (c *checker) realTime() {
	type event struct {
		id       string
		sequence *big.Int
		sent     int64
		acked    int64
	}
	shards := map[Shard][]event{}
	for id, at := range c.found {
		n, err := sequenceNumber(at.Sequence)
		if err != nil {
			continue // reported by shard
		}
		e := event{id: id, sequence: n, sent: c.sent[id].At, acked: math.MaxInt64}
		if a, ok := c.acked[id]; ok {
			e.acked = a.At
		}
		shards[at.Shard] = append(shards[at.Shard], e)
	}
	for shard, events := range shards {
		slices.SortFunc(events, func(a, b event) int { return cmp.Or(a.sequence.Cmp(b.sequence), cmp.Compare(a.id, b.id)) })
		earliest := event{acked: math.MaxInt64} // the first answer among the records behind
		for _, e := range slices.Backward(events) {
			if earliest.acked < e.sent {
				c.problem("%v: record %s stands before %s, which was acknowledged before it was sent", shard, e.id, earliest.id)
			}
			if e.acked < earliest.acked {
				earliest = e
			}
		}
	}
}

// prefix checks that what a reader saw is, without holes, what stands there in the end.
func (c *checker) prefix(r Run, final []Found) {
	at := 0
	if r.From != "" {
		i := slices.IndexFunc(final, func(f Found) bool { return f.Sequence == r.From })
		if i < 0 {
			c.problem("%v: a reader went on after %s, which is not there any more", r.Shard, r.From)
			return
		}
		at = i + 1
	}
	for i, f := range r.Records {
		if at+i >= len(final) {
			c.problem("%v: a reader saw %s %.40q, which is not there any more", r.Shard, f.Sequence, f.Data)
			return
		}
		if final[at+i] != f {
			c.problem("%v: a reader saw %s %.40q where %s %.40q stands", r.Shard, f.Sequence, f.Data,
				final[at+i].Sequence, final[at+i].Data)
			return
		}
	}
}
