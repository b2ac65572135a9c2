package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"millrace/test/load"
)

// replay follows the stream of the table across crashes and keeps what the table must hold by it. Each record says what was there
// before: a record that is missing, comes twice or comes too early does not fit onto what the ones before it have made.
type replay struct {
	arn     string
	shards  []*followed // parents before their children
	items   map[string]item
	events  map[string]bool
	records int
}

func newReplay() *replay { return &replay{items: map[string]item{}, events: map[string]bool{}} }

// followed is how far a shard was read.
type followed struct {
	id, parent string
	after      string // sequence number; empty: nothing was read
	ended      bool
}

// change is a record of a stream.
type change struct {
	EventID   string `json:"eventID"`
	EventName string `json:"eventName"`
	Dynamodb  struct {
		Keys, OldImage, NewImage item
		SequenceNumber           string
	} `json:"dynamodb"`
}

// streams calls the operations of DynamoDB Streams.
func (c *client) streams(op string, in object, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(op, out, func() (*load.Request, error) { return c.signer.Streams(op, body) })
}

// run follows the stream until the server is gone.
func (r *replay) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed already
	}
	defer c.close()
	for {
		if _, err = r.readOn(c); err != nil {
			if _, wrong := errors.AsType[*wrongError](err); wrong {
				return err
			}
			_, _, err = outcome(err)
			return err // nil: killed
		}
	}
}

// wrongError is a record that does not fit.
type wrongError struct{ text string }

func (e *wrongError) Error() string { return e.text }

// compare reads the stream to its end, while nobody writes, and holds the table against it.
func (r *replay) compare(c *client, table []item) error {
	for {
		n, err := r.readOn(c)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
	}
	for _, it := range table {
		if pk := it["pk"].S; !reflect.DeepEqual(r.items[pk], it) {
			return fmt.Errorf("after %d records of the stream item %s is %v, in the table it is %v", r.records, pk, r.items[pk], it)
		}
	}
	if len(r.items) != len(table) {
		return fmt.Errorf("after %d records of the stream there are %d items, in the table there are %d", r.records, len(r.items), len(table))
	}
	return nil
}

// readOn reads one page of every shard whose parent was read, and returns how many records there were.
func (r *replay) readOn(c *client) (n int, err error) {
	if err := r.lookForShards(c); err != nil {
		return 0, err
	}
	ended := map[string]bool{}
	for _, s := range r.shards {
		ended[s.id] = s.ended
	}
	for _, s := range r.shards {
		if parent, known := ended[s.parent]; s.ended || known && !parent {
			continue
		}
		got, err := r.readPage(c, s)
		if err != nil {
			return n, err
		}
		if n += got; s.ended {
			n++ // its children are to be read
		}
	}
	return n, nil
}

func (r *replay) lookForShards(c *client) error {
	if r.arn == "" {
		var out struct {
			Table struct{ LatestStreamArn string }
		}
		if err := c.table("DescribeTable", object{"TableName": tableName}, &out); err != nil {
			return err
		}
		r.arn = out.Table.LatestStreamArn
	}
	in := object{"StreamArn": r.arn}
	if len(r.shards) > 0 {
		in["ExclusiveStartShardId"] = r.shards[len(r.shards)-1].id
	}
	var out struct {
		StreamDescription struct {
			Shards []struct {
				ID     string `json:"ShardId"`
				Parent string `json:"ParentShardId"`
			}
		}
	}
	if err := c.streams("DescribeStream", in, &out); err != nil {
		return err
	}
	for _, s := range out.StreamDescription.Shards {
		r.shards = append(r.shards, &followed{id: s.ID, parent: s.Parent})
	}
	return nil
}

// readPage applies the next page of a shard.
func (r *replay) readPage(c *client, s *followed) (n int, err error) {
	in := object{"StreamArn": r.arn, "ShardId": s.id, "ShardIteratorType": "TRIM_HORIZON"}
	if s.after != "" {
		in["ShardIteratorType"], in["SequenceNumber"] = "AFTER_SEQUENCE_NUMBER", s.after
	}
	var at struct{ ShardIterator string }
	if err := c.streams("GetShardIterator", in, &at); err != nil {
		return 0, err
	}
	var page struct {
		Records           []change
		NextShardIterator string
	}
	if err := c.streams("GetRecords", object{"ShardIterator": at.ShardIterator}, &page); err != nil {
		return 0, err
	}
	for i := range page.Records {
		if err := r.apply(&page.Records[i]); err != nil {
			return n, err
		}
		s.after = page.Records[i].Dynamodb.SequenceNumber
	}
	s.ended = page.NextShardIterator == ""
	return len(page.Records), nil
}

// apply makes one change.
func (r *replay) apply(c *change) error {
	d := &c.Dynamodb
	pk := d.Keys["pk"].S
	wrong := func(format string, args ...any) error {
		return &wrongError{fmt.Sprintf("record %d of the stream, %s of %s at %s: ", r.records, c.EventName, pk, d.SequenceNumber) + fmt.Sprintf(format, args...)}
	}
	want := "MODIFY"
	switch {
	case d.OldImage == nil:
		want = "INSERT"
	case d.NewImage == nil:
		want = "REMOVE"
	}
	switch {
	case r.events[c.EventID]:
		return wrong("event %s is there twice", c.EventID)
	case c.EventName != want:
		return wrong("its images make it %s", want)
	case !reflect.DeepEqual(d.OldImage, r.items[pk]):
		return wrong("it stands on %v, the records before it make %v", short(d.OldImage), short(r.items[pk]))
	case reflect.DeepEqual(d.OldImage, d.NewImage):
		return wrong("it changes nothing")
	}
	r.events[c.EventID] = true
	r.records++
	if d.NewImage == nil {
		delete(r.items, pk)
		return nil
	}
	r.items[pk] = d.NewImage
	return nil
}

// short is an item for a message.
func short(it item) string {
	text := fmt.Sprint(it)
	return text[:min(len(text), 300)] + strings.Repeat("…", min(1, len(text)/300))
}
