package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// ItemCount and TableSizeBytes are counted when somebody asks, so that writes carry nothing for them. What fits on one page is
// counted at once and is exact. For what is larger the last count is shown, which is durable, and a new one is begun in the background
// if that one is old: AWS shows a count that is up to six hours old. Before the first one is done, what is on the page is shown.

const (
	// countItems and countBytes bound what is counted while a caller waits: a few milliseconds.
	countItems = 1000
	countBytes = 1 << 20
	// countRun bounds the items of one read of the counter, and countRunBytes what they may come to by the size of those before.
	countRun      = 1000
	countRunBytes = 4 << 20
	// countFresh is how long a count of something larger is shown at least, and countRest how many times as long as it
	// took: asking all the time costs one part in twenty of a processor.
	countFresh = 5 * time.Second
	countRest  = 20
	// countJobs bounds what waits to be counted; what is beyond is counted when it is asked for again.
	countJobs = 1000
	// countIdle is how long the counter sleeps unless it is poked.
	countIdle = time.Hour
)

// tally is how many items there are and how large they are, as AWS counts bytes.
type tally struct{ items, bytes int64 }

// count is a tally that was made earlier.
type count struct {
	tally
	at, took int64 // ms: when it was done, how long it ran
}

const countVersion = 1

// countKey is where the count of the keys with a prefix is kept.
func countKey(prefix []byte) []byte {
	return append([]byte{byte(store.FamilyTable), kindUpkeep, upkeepCount}, prefix...)
}

func (c *count) encode() []byte {
	v := []byte{countVersion}
	for _, n := range c.fields() {
		v = binary.AppendUvarint(v, uint64(*n))
	}
	return v
}

func (c *count) fields() [4]*int64 { return [...]*int64{&c.items, &c.bytes, &c.at, &c.took} }

// decodeCount reads what encode wrote.
//
// Errors: *store.CorruptError.
func decodeCount(v []byte) (*count, error) {
	d := field.Reader{B: v}
	version, c := d.Byte(), &count{}
	for _, at := range c.fields() {
		if *at = int64(d.Uvarint()); *at < 0 {
			d.Fail()
		}
	}
	if !d.Done() || version != countVersion {
		return nil, corrupt("count of items")
	}
	return c, nil
}

// counting is a count that is being made.
type counting struct {
	vault  *vault
	place  place // of the table
	num    uint64
	prefix []byte // of the keys that are counted
	from   []byte
	began  time.Time
	tally
}

// run counts the next items; false when there are no more.
func (c *counting) run(tx store.ReadTx, limit int) (bool, error) {
	kvs, err := c.vault.scan(tx, c.from, after(c.prefix), limit, false)
	if err != nil {
		return false, err
	}
	for _, kv := range kvs {
		c.items++
		c.bytes += int64(sizeOf(kv.Value))
	}
	if len(kvs) < limit {
		return false, nil
	}
	c.from = append(bytes.Clone(kvs[len(kvs)-1].Key), 0)
	return true, nil
}

// nextRun is how many items the next read may take.
func (c *counting) nextRun() int {
	if c.items == 0 {
		return firstRun
	}
	return int(min(max(countRunBytes/max(c.bytes/c.items, 1), firstRun), countRun))
}

// after is the first key behind all with a prefix that ends in a number.
func after(prefix []byte) []byte {
	to := bytes.Clone(prefix)
	binary.BigEndian.PutUint64(to[len(to)-8:], binary.BigEndian.Uint64(to[len(to)-8:])+1)
	return to
}

// tally is what is shown of the items of a table whose keys begin with prefix: itemPrefix, or that of an index.
//
// Errors: those of the store.
func (s *Service) tally(ctx context.Context, p place, t *table, prefix []byte) (tally, error) {
	var shown tally
	exact, stale := false, false
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		raw, ok, err := tx.Get(countKey(prefix))
		if err != nil {
			return err
		}
		var last *count
		if ok {
			if last, err = decodeCount(raw); err != nil {
				return err
			}
		}
		shown, exact, stale = tally{}, false, true
		if last == nil || last.items <= 2*countItems && last.bytes <= 2*countBytes {
			if shown, exact, err = countPage(tx, s.vault, prefix); err != nil || exact {
				return err
			}
		}
		if last != nil {
			shown = last.tally
			stale = tx.Now()-last.at >= max(countFresh.Milliseconds(), countRest*last.took)
		}
		return nil
	})
	if err == nil && !exact && stale {
		s.counter.ask(&counting{vault: s.vault, place: p, num: t.num, prefix: prefix, from: prefix})
		s.counts.Poke()
	}
	return shown, err
}

// countPage counts what fits on a page, and says whether that is all.
func countPage(tx store.ReadTx, v *vault, prefix []byte) (tally, bool, error) {
	c := counting{vault: v, prefix: prefix, from: prefix}
	for c.items < countItems && c.bytes < countBytes {
		more, err := c.run(tx, int(min(int64(c.nextRun()), countItems-c.items)))
		if err != nil || !more {
			return c.tally, err == nil, err
		}
	}
	return c.tally, false, nil
}

// describeCounts adds the counts to a description of a table.
//
// Errors: those of the store.
func (s *Service) describeCounts(ctx context.Context, p place, t *table, d *dynamodbapi.TableDescription) error {
	items, err := s.tally(ctx, p, t, itemPrefix(t.num))
	d.ItemCount, d.TableSizeBytes = &items.items, &items.bytes
	if err != nil {
		return err
	}
	return s.describeIndexCounts(ctx, p, t, d)
}

// counter is what this node counts in the background. Its zero value is ready.
type counter struct {
	mu   sync.Mutex           // guards what follows
	jobs map[string]*counting // by prefix
}

// ask adds a job, unless it is there.
func (c *counter) ask(job *counting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.jobs == nil {
		c.jobs = map[string]*counting{}
	}
	if c.jobs[string(job.prefix)] == nil && len(c.jobs) < countJobs {
		c.jobs[string(job.prefix)] = job
	}
}

// next is some job; nil when there is none.
func (c *counter) next() *counting {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, job := range c.jobs {
		return job
	}
	return nil
}

func (c *counter) done(job *counting) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.jobs, string(job.prefix))
}
