package dynamodb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// withStream makes an active table with a stream and returns the stream's ARN.
func (c *caller) withStream(in *dynamodbapi.CreateTableInput, view dynamodbapi.StreamViewType) string {
	c.t.Helper()
	in.StreamSpecification = &dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: &view}
	out, err := c.svc.CreateTable(c.ctx(), in)
	if err != nil {
		c.t.Fatal(err)
	}
	c.await(in.TableName, dynamodbapi.TableStatusActive)
	return *out.TableDescription.LatestStreamArn
}

// shards are all shards of a stream.
func (c *caller) shards(arn string) []dynamodbstreamsapi.Shard {
	c.t.Helper()
	var all []dynamodbstreamsapi.Shard
	in := &dynamodbstreamsapi.DescribeStreamInput{StreamArn: arn, Limit: new(int32(3))}
	for {
		out, err := c.svc.DescribeStream(c.ctx(), in)
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, out.StreamDescription.Shards...)
		if in.ExclusiveStartShardId = out.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all
		}
	}
}

// fromHorizon begins at a shard's first record.
func (c *caller) fromHorizon(arn, shard string) *string {
	c.t.Helper()
	out, err := c.svc.GetShardIterator(c.ctx(), &dynamodbstreamsapi.GetShardIteratorInput{StreamArn: arn, ShardId: shard, ShardIteratorType: dynamodbstreamsapi.ShardIteratorTypeTrimHorizon})
	if err != nil {
		c.t.Fatal(err)
	}
	return out.ShardIterator
}

// iterate gives the records of a shard from its beginning: to its end, or until there are none.
func (c *caller) iterate(arn, shard string, fn func(*dynamodbstreamsapi.Record)) (ended bool) {
	c.t.Helper()
	in := &dynamodbstreamsapi.GetRecordsInput{ShardIterator: *c.fromHorizon(arn, shard), Limit: new(int32(7))}
	for {
		page, err := c.svc.GetRecords(c.ctx(), in)
		if err != nil {
			c.t.Fatal(err)
		}
		for i := range page.Records {
			fn(&page.Records[i])
		}
		if page.NextShardIterator == nil {
			return true
		}
		if len(page.Records) == 0 {
			return false
		}
		in.ShardIterator = *page.NextShardIterator
	}
}

// replay reads a stream with both images from its beginning, shard after shard as their lineage demands, and holds each change against what the
// ones before have left. It returns the items that are left, by key, and how many changes there were.
func (c *caller) replay(arn string) (items map[string]string, changes int) {
	c.t.Helper()
	items = map[string]string{}
	seen := map[string]bool{}
	lastOf, done := map[string]string{}, map[string]bool{}
	for _, sh := range c.shards(arn) {
		last := ""
		if sh.ParentShardId != nil {
			if last = lastOf[*sh.ParentShardId]; !done[*sh.ParentShardId] {
				c.t.Fatalf("shard %s comes before its parent %s has ended", *sh.ShardId, *sh.ParentShardId)
			}
		}
		if start := *sh.SequenceNumberRange.StartingSequenceNumber; start <= last {
			c.t.Fatalf("shard %s begins at %s, its parent had %s", *sh.ShardId, start, last)
		}
		done[*sh.ShardId] = c.iterate(arn, *sh.ShardId, func(r *dynamodbstreamsapi.Record) {
			d := r.Dynamodb
			key, number := string(d.Keys), *d.SequenceNumber
			if number <= last || seen[*r.EventID] || number < *sh.SequenceNumberRange.StartingSequenceNumber {
				c.t.Fatalf("shard %s: %s after %s, event %s", *sh.ShardId, number, last, *r.EventID)
			}
			last, seen[*r.EventID] = number, true
			before, there := items[key]
			want := dynamodbstreamsapi.OperationTypeModify
			switch {
			case !there:
				want = dynamodbstreamsapi.OperationTypeInsert
			case d.NewImage == nil:
				want = dynamodbstreamsapi.OperationTypeRemove
			}
			if *r.EventName != want || string(d.OldImage) != before || string(d.NewImage) == before {
				c.t.Fatalf("%s of %s at %s: from %s to %s, it was %q", *r.EventName, key, number, d.OldImage, d.NewImage, before)
			}
			items[key] = string(d.NewImage)
			if d.NewImage == nil {
				delete(items, key)
			}
			changes++
		})
		if end := sh.SequenceNumberRange.EndingSequenceNumber; end != nil && (last != "" && *end < last || !done[*sh.ShardId]) {
			c.t.Fatalf("shard %s ends at %s, read to %s, ended %v", *sh.ShardId, *end, last, done[*sh.ShardId])
		}
		lastOf[*sh.ShardId] = last
	}
	return items, changes
}

// agree holds what a stream has left against the table.
func (c *caller) agree(table string, items map[string]string) {
	c.t.Helper()
	out, err := c.svc.Scan(c.ctx(), &dynamodbapi.ScanInput{TableName: table})
	if err != nil {
		c.t.Fatal(err)
	}
	left := map[string]bool{}
	for _, image := range items {
		left[image] = true
	}
	for _, item := range out.Items {
		if !left[string(item)] {
			c.t.Errorf("the table has %s, the stream does not lead there", item)
		}
	}
	if len(out.Items) != len(items) {
		c.t.Errorf("the table has %d items, the stream leads to %d", len(out.Items), len(items))
	}
}

// randomWrite makes one random write of items of a table, numbered by step; it may change nothing, or fail on a condition.
func (c *caller) randomWrite(rnd *rand.Rand, table string, step int) {
	c.t.Helper()
	key := func() string {
		return fmt.Sprintf(`"h":{"N":"%d"},"r":{"S":"%c"}`, rnd.IntN(20), 'a'+rnd.IntN(3))
	}
	item := func(k string) api.JSON { return api.JSON(fmt.Sprintf(`{%s,"n":{"N":"%d"}}`, k, step)) }
	var err error
	switch k := key(); rnd.IntN(6) {
	case 0, 1:
		_, err = c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: table, Item: item(k)})
	case 2:
		_, err = c.svc.UpdateItem(c.ctx(), &dynamodbapi.UpdateItemInput{
			TableName: table, Key: api.JSON("{" + k + "}"), UpdateExpression: new("ADD n :n SET s = :s"),
			ExpressionAttributeValues: api.JSON(fmt.Sprintf(`{":n":{"N":"%d"},":s":{"S":"%d"}}`, rnd.IntN(2), step/10)),
		})
	case 3:
		_, err = c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: table, Key: api.JSON("{" + k + "}")})
	case 4:
		in := &dynamodbapi.BatchWriteItemInput{RequestItems: map[string][]dynamodbapi.WriteRequest{}}
		seen := map[string]bool{}
		for range 5 {
			k := key()
			if seen[k] {
				continue
			}
			seen[k] = true
			w := dynamodbapi.WriteRequest{PutRequest: &dynamodbapi.PutRequest{Item: item(k)}}
			if rnd.IntN(3) == 0 {
				w = dynamodbapi.WriteRequest{DeleteRequest: &dynamodbapi.DeleteRequest{Key: api.JSON("{" + k + "}")}}
			}
			in.RequestItems[table] = append(in.RequestItems[table], w)
		}
		_, err = c.svc.BatchWriteItem(c.ctx(), in)
	case 5:
		other := fmt.Sprintf(`"h":{"N":"%d"},"r":{"S":"z"}`, rnd.IntN(20))
		_, err = c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{TransactItems: []dynamodbapi.TransactWriteItem{
			{Delete: &dynamodbapi.Delete{TableName: table, Key: api.JSON("{" + k + "}"), ConditionExpression: new("attribute_exists(h)")}},
			{Put: &dynamodbapi.Put{TableName: table, Item: item(other)}},
		}})
		if e := api.AsError(err); err != nil && e.Code == "TransactionCanceledException" {
			err = nil
		}
	}
	if err != nil {
		c.t.Fatalf("step %d: %v", step, err)
	}
}

// TestReplayOfAStreamIsItsTable writes at random on the embedded store, which is closed and opened again in between, while shards are rotated
// and split all the time.
func TestReplayOfAStreamIsItsTable(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) { replayOfAStreamIsItsTable(t, form) })
	}
}

func replayOfAStreamIsItsTable(t *testing.T, form string) {
	t.Helper()
	const seed = 11
	rnd := rand.New(rand.NewPCG(seed, seed))
	fs := vfs.NewMem()
	var st *embedded.Store
	var c *caller
	stop := func() {
		if err := errors.Join(c.svc.Close(), st.Close()); err != nil {
			t.Fatal(err)
		}
	}
	reopen := func() {
		if st != nil {
			stop()
		}
		var err error
		st, err = embedded.Open(embedded.Options{RootKey: storetest.RootKey, Dir: "streams", FS: fs, BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		svc, err := New(Options{RootKey: storetest.RootKey, Store: st, StateDelay: -1, StreamRotation: 20 * time.Millisecond, StreamSplitRate: 300})
		if err != nil {
			t.Fatal(err)
		}
		c = &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
	}
	reopen()
	arn := c.withStream(input("replay", "h:N", "r:S"), dynamodbapi.StreamViewTypeNewAndOldImages)
	c.as(form, "replay")
	for step := range 1500 {
		c.randomWrite(rnd, "replay", step)
		if step%400 == 399 {
			reopen()
			c.as(form, "replay")
			items, changes := c.replay(arn)
			c.agree("replay", items)
			t.Logf("seed %d, step %d: %d changes in %d shards", seed, step, changes, len(c.shards(arn)))
		}
	}
	items, _ := c.replay(arn)
	c.agree("replay", items)
	if n := len(c.shards(arn)); n < 10 {
		t.Errorf("got %d shards: rotation and splits were not tested", n)
	}
	stop()
}

// TestWritersDoNotNoticeSplits has writers on all items while their partitions are split under them.
func TestWritersDoNotNoticeSplits(t *testing.T) {
	svc, err := New(Options{Store: storetest.NewModel(), StateDelay: -1, StreamRotation: 5 * time.Millisecond, StreamSplitRate: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = svc.Close() })
	c := &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
	in := input("busy", "h:N", "r:S")
	in.BillingMode, in.ProvisionedThroughput = nil, &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 1, WriteCapacityUnits: 1}
	arn := c.withStream(in, dynamodbapi.StreamViewTypeNewAndOldImages)
	if n := len(c.shards(arn)); n != 1 {
		t.Fatalf("a provisioned table has %d shards, want 1", n)
	}
	var stop atomic.Bool
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; !stop.Load(); i++ {
				item := fmt.Sprintf(`{"h":{"N":"%d"},"r":{"S":"%d"},"n":{"N":"%d"}}`, i%10, w, i)
				if _, err := svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: "busy", Item: api.JSON(item)}); err != nil && api.AsError(err).Code != "ProvisionedThroughputExceededException" {
					t.Error(err)
				}
			}
		})
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(c.shards(arn)) < 8 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	stop.Store(true)
	writers.Wait()
	items, _ := c.replay(arn)
	c.agree("busy", items)
	if n := len(c.shards(arn)); n < 8 {
		t.Errorf("got %d shards, want 8 at least", n)
	}
}

// manualStore is a model whose clock a test moves.
func manualStore() (store.Store, *atomic.Int64) {
	now := &atomic.Int64{}
	now.Store(1_000_000_000_000)
	return storetest.NewModel(storetest.WithModelClock(now.Load)), now
}

// TestReadersGetEachChangeOnceWhileShardsRotate follows a stream from its beginning while it is written and its shards rotate all the time.
func TestReadersGetEachChangeOnceWhileShardsRotate(t *testing.T) {
	st, err := embedded.Open(embedded.Options{Dir: "rotating", FS: vfs.NewMem(), BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	svc, err := New(Options{Store: st, StateDelay: -1, StreamRotation: time.Millisecond, StreamSplitRate: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(svc.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	c := &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
	arn := c.withStream(input("rotating", "h:N"), dynamodbapi.StreamViewTypeKeysOnly)
	const writers, each = 4, 1500
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				item := fmt.Sprintf(`{"h":{"N":"%d"},"n":{"N":"%d"}}`, w*16+i%16, i)
				if _, err := svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: "rotating", Item: api.JSON(item)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() {
		writing.Wait()
		close(written)
	}()
	seen, at := map[string]bool{}, map[string]*string{} // where each shard is read next; nil: to its end
	follow := func() {
		for _, sh := range c.shards(arn) {
			next, begun := at[*sh.ShardId]
			if sh.ParentShardId != nil && !begun {
				if parent, known := at[*sh.ParentShardId]; !known || parent != nil {
					continue // not read to its end
				}
			}
			if !begun {
				next = c.fromHorizon(arn, *sh.ShardId)
			}
			for next != nil {
				page, err := svc.GetRecords(c.ctx(), &dynamodbstreamsapi.GetRecordsInput{ShardIterator: *next})
				if err != nil {
					t.Fatal(err)
				}
				for i := range page.Records {
					if id := *page.Records[i].EventID; seen[id] {
						t.Errorf("shard %s: event %s again", *sh.ShardId, id)
					} else {
						seen[id] = true
					}
				}
				if next = page.NextShardIterator; len(page.Records) == 0 {
					break
				}
			}
			at[*sh.ShardId] = next
		}
	}
	for done := false; !done; {
		select {
		case <-written:
			done = true
		default:
		}
		follow()
	}
	deadline := time.Now().Add(20 * time.Second)
	for len(seen) < writers*each && time.Now().Before(deadline) {
		follow() // children of what has ended since
	}
	if len(seen) != writers*each {
		t.Errorf("got %d changes, want %d", len(seen), writers*each)
	}
	if n := len(c.shards(arn)); n < 20 {
		t.Errorf("got %d shards: rotation was not tested", n)
	}
}
