package crash

import (
	"errors"
	"fmt"
	"strconv"

	"millrace/test/load"
)

// tagger counts upward in a tag of a stream: changes of keys, beside the records.
type tagger struct {
	stream string
	sent   int // the last count that went out
	acked  int // the last count that was answered
}

const counterTag = "counter"

// run counts until the connection breaks.
func (g *tagger) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed before the first call
	}
	defer c.close()
	for {
		g.sent++
		err := c.call("AddTagsToStream", object{"StreamName": g.stream, "Tags": object{counterTag: strconv.Itoa(g.sent)}}, nil)
		if refused, ok := errors.AsType[*load.StatusError](err); ok {
			return fmt.Errorf("tagger was refused: %w", refused)
		}
		if err != nil {
			return nil
		}
		g.acked = g.sent
	}
}

// check reads the tag: it must be at least what was answered, and at most what was sent.
func (g *tagger) check(c *client) error {
	var out struct{ Tags []struct{ Key, Value string } }
	if err := c.call("ListTagsForStream", object{"StreamName": g.stream}, &out); err != nil {
		return err
	}
	got := 0
	for _, tag := range out.Tags {
		if tag.Key == counterTag {
			got, _ = strconv.Atoi(tag.Value) // no number is 0, and then too small
		}
	}
	if got < g.acked || got > g.sent {
		return fmt.Errorf("tag %s is %d; %d was acknowledged, %d was sent", counterTag, got, g.acked, g.sent)
	}
	g.acked = got // what was read is durable too
	return nil
}
