package crash

import (
	"errors"
	"fmt"
	"time"

	"millrace/test/load"
)

// readerPause is how long a reader at the end of its shard waits before it asks again.
const readerPause = 2 * time.Millisecond

// reader follows one shard, across crashes: each run goes on behind the last record of the one before.
type reader struct {
	history *History
	shard   Shard
	last    string // sequence number of the last record seen; empty at the beginning
}

// run reads until the connection breaks, and notes what it saw. A refusal is an error: what was seen
// must stay a place to go on from.
func (r *reader) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed before the first call
	}
	defer c.close()
	seen := Run{Shard: r.shard, From: r.last}
	err = r.follow(c, &seen)
	r.history.Saw(seen)
	if n := len(seen.Records); n > 0 {
		r.last = seen.Records[n-1].Sequence
	}
	if refused, ok := errors.AsType[*load.StatusError](err); ok {
		return fmt.Errorf("reader of %v after %s was refused: %w", r.shard, r.last, refused)
	}
	return nil
}

// follow returns with the error that ended it.
func (r *reader) follow(c *client, seen *Run) error {
	iterator, err := c.iterator(r.shard, r.last)
	for err == nil {
		var records []Found
		iterator, _, records, err = c.page(iterator)
		seen.Records = append(seen.Records, records...)
		if len(records) == 0 {
			time.Sleep(readerPause)
		}
	}
	return err
}

// readAll reads a shard from its beginning to its end, which nobody writes to any more.
func readAll(c *client, shard Shard) (Run, error) {
	run := Run{Shard: shard}
	iterator, err := c.iterator(shard, "")
	if err != nil {
		return run, err
	}
	for {
		next, behind, records, err := c.page(iterator)
		if err != nil {
			return run, err
		}
		run.Records = append(run.Records, records...)
		if next == "" || len(records) == 0 && behind == 0 {
			return run, nil // a closed shard has no next page
		}
		iterator = next
	}
}
