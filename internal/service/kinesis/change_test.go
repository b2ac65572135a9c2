package kinesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// split closes a shard and opens two children in the middle of it, behind the service's back, as
// another node does: two commits, and the copies in memory are not told.
func (c *caller) split(name string, index int32) {
	c.t.Helper()
	p := place{c.account, c.region, name}
	c.closeShard(p, index)
	c.openChildren(p, index)
}

// change gives a stream to fn in a transaction and saves its topic.
func (c *caller) change(p place, fn func(tx store.Tx, st *stream) error) {
	c.t.Helper()
	c.update(func(tx store.Tx) error {
		st, err := c.svc.readStream(tx, p)
		if err != nil {
			return err
		}
		if err := fn(tx, st); err != nil {
			return err
		}
		return c.svc.cat.Save(tx, st.topic)
	})
}

// closeShard is the first commit of a split.
func (c *caller) closeShard(p place, index int32) {
	c.t.Helper()
	c.change(p, func(tx store.Tx, st *stream) error {
		if err := tx.ClosePartition(st.shards[index].partition); err != nil {
			return err
		}
		st.shards[index].closed, st.shards[index].closedMS = true, tx.Now()
		return c.saveShard(tx, st, index)
	})
}

func (c *caller) saveShard(tx store.Tx, st *stream, index int32) error {
	sh := &st.shards[index]
	part := catalog.Partition{ID: sh.partition, Created: sh.createdMS, Attr: encodeShard(sh)}
	return c.svc.cat.SetPartitions(tx, st.topic, int(index), []catalog.Partition{part})
}

// openChildren is the second: the parent's last append is known now.
func (c *caller) openChildren(p place, index int32) {
	c.t.Helper()
	c.change(p, func(tx store.Tx, st *stream) error {
		parent := &st.shards[index]
		h, err := tx.Head(parent.partition, store.FieldNext)
		if err != nil {
			return err
		}
		parent.lastAppend = h.LastAppend
		if err := c.saveShard(tx, st, index); err != nil {
			return err
		}
		middle := hashKey{parent.start.hi/2 + parent.end.hi/2, 0}
		left := shard{start: parent.start, end: hashKey{middle.hi - 1, 1<<64 - 1}}
		right := shard{start: middle, end: parent.end}
		var parts []catalog.Partition
		for _, child := range []*shard{&left, &right} {
			child.parent, child.adjacent = index, noShard
			child.created = max(tx.Now()/1000, parent.created+1, h.LastAppend/1000+1)
			parts = append(parts, catalog.Partition{Created: tx.Now(), Attr: encodeShard(child)})
		}
		return c.svc.cat.AddPartitions(tx, st.topic, parts, store.Retention{})
	})
}

func TestPutThatMeetsAClosedShardGoesToItsChildren(t *testing.T) {
	c := start(t)
	c.create("s", 2)
	for i := range 20 {
		c.put("s", fmt.Sprint(i), "before")
	}
	c.split("s", 0)
	in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
	for i := range 100 {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: new(fmt.Sprint(i)), Data: []byte{byte(i)}})
	}
	out, err := c.svc.PutRecords(c.ctx(), in)
	if err != nil || *out.FailedRecordCount != 0 {
		t.Fatalf("PutRecords: %+v, %v", out, err)
	}
	st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "s"})
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int{}
	for i, e := range out.Records {
		used[*e.ShardId]++
		want := st.routes.open[st.routes.find(hashOf(fmt.Sprint(i)))].id
		if *e.ShardId != want {
			t.Errorf("record %d went to %s, want %s", i, *e.ShardId, want)
		}
	}
	if len(used) != 3 || used["shardId-000000000000"] != 0 {
		t.Errorf("records went to %v, want the two children and the other shard", used)
	}
}

// NextShardIterator is absent exactly when ChildShards are given: readers rely on it.
func TestClosedShardEndsWithItsChildren(t *testing.T) {
	c := start(t)
	c.create("s", 1)
	for i := range 5 {
		c.put("s", "k", fmt.Sprint(i))
	}
	at := c.oldest("s", "0")
	c.split("s", 0)
	for page := range 3 {
		out := c.get(at, 2)
		if last := page == 2; last != (out.NextShardIterator == nil) || last != (len(out.ChildShards) > 0) {
			t.Fatalf("page %d: next %v, children %+v", page, out.NextShardIterator, out.ChildShards)
		}
		if page < 2 {
			at = *out.NextShardIterator
			continue
		}
		var ids []string
		for _, ch := range out.ChildShards {
			ids = append(ids, ch.ShardId)
			if !slices.Equal(ch.ParentShards, []string{"shardId-000000000000"}) {
				t.Errorf("%s: parents %v", ch.ShardId, ch.ParentShards)
			}
		}
		if fmt.Sprint(ids) != "[shardId-000000000001 shardId-000000000002]" || len(out.Records) != 1 {
			t.Errorf("the end: %d records, children %v", len(out.Records), ids)
		}
	}
	latest := c.iterator(&kinesisapi.GetShardIteratorInput{StreamName: new("s"), ShardId: "0", ShardIteratorType: kinesisapi.ShardIteratorTypeLatest})
	if out := c.get(latest, 0); out.NextShardIterator != nil || len(out.ChildShards) != 2 {
		t.Errorf("LATEST of a closed shard: %+v", out)
	}
}

func TestShardFiltersFollowTheLifeOfShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), nil)
		defer func() { _ = c.svc.Close() }()
		c.create("s", 1)
		time.Sleep(time.Hour)
		between := time.Now()
		time.Sleep(time.Hour)
		c.split("s", 0)
		after := time.Now()
		list := func(f kinesisapi.ShardFilter) (got []int32) {
			t.Helper()
			out, err := c.svc.ListShards(c.ctx(), &kinesisapi.ListShardsInput{StreamName: new("s"), ShardFilter: &f})
			if err != nil {
				t.Fatalf("%s: %v", f.Type, err)
			}
			for _, sh := range out.Shards {
				index, _ := parseShardID(sh.ShardId)
				got = append(got, index)
				if ended := sh.SequenceNumberRange.EndingSequenceNumber != nil; ended != (index == 0) {
					t.Errorf("%s: ending number %v", sh.ShardId, sh.SequenceNumberRange.EndingSequenceNumber)
				}
				if index > 0 && (sh.ParentShardId == nil || *sh.ParentShardId != "shardId-000000000000") {
					t.Errorf("%s: parent %v", sh.ShardId, sh.ParentShardId)
				}
			}
			return got
		}
		check := func(when string, f kinesisapi.ShardFilter, want ...int32) {
			t.Helper()
			if got := list(f); !slices.Equal(got, want) {
				t.Errorf("%s, %s: got %v, want %v", when, f.Type, got, want)
			}
		}
		check("after the split", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeAtLatest}, 1, 2)
		check("after the split", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeAtTrimHorizon}, 0)
		check("after the split", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeFromTrimHorizon}, 0, 1, 2)
		check("before it", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeAtTimestamp, Timestamp: &between}, 0)
		check("at it", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeAtTimestamp, Timestamp: &after}, 1, 2)
		check("before it", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeFromTimestamp, Timestamp: &between}, 0, 1, 2)
		check("at it", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeFromTimestamp, Timestamp: &after}, 1, 2)
		check("after the first", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeAfterShardId, ShardId: new("shardId-000000000001")}, 2)
		time.Sleep(24 * time.Hour)
		check("a day later", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeFromTrimHorizon}, 1, 2)
		check("a day later", kinesisapi.ShardFilter{Type: kinesisapi.ShardFilterTypeAtTrimHorizon}, 1, 2)
	})
}

func TestRecordsOlderThanTheRetentionAreNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), nil)
		defer func() { _ = c.svc.Close() }()
		c.create("s", 1)
		if _, err := c.svc.IncreaseStreamRetentionPeriod(c.ctx(), &kinesisapi.IncreaseStreamRetentionPeriodInput{StreamName: new("s"), RetentionPeriodHours: 48}); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			c.put("s", "k", fmt.Sprint(i))
			time.Sleep(12 * time.Hour)
		}
		check := func(when, want string) {
			t.Helper()
			var got []string
			for _, r := range c.get(c.oldest("s", "0"), 0).Records {
				got = append(got, string(r.Data))
			}
			if fmt.Sprint(got) != want {
				t.Errorf("%s: got %v, want %s", when, got, want)
			}
		}
		check("after 48 hours of 48", "[0 1 2 3]")
		time.Sleep(time.Hour)
		check("after 49 hours of 48", "[1 2 3]")
		if _, err := c.svc.DecreaseStreamRetentionPeriod(c.ctx(), &kinesisapi.DecreaseStreamRetentionPeriodInput{StreamName: new("s"), RetentionPeriodHours: 24}); err != nil {
			t.Fatal(err)
		}
		check("with 24", "[3]")
		st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "s"})
		if err != nil {
			t.Fatal(err)
		}
		if h, err := c.svc.store.Head(t.Context(), st.shards[0].partition); err != nil || h.Retention.Millis != 24*3_600_000 {
			t.Errorf("retention in the store: %+v, %v", h, err)
		}
	})
}

// Two services on one store stand for two nodes.
func TestAnotherNodeSeesChangesWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := storetest.NewModel()
		a, b := startOn(t, st, nil), startOn(t, st, nil)
		defer func() { _, _ = a.svc.Close(), b.svc.Close() }()
		a.create("s", 1)
		it := b.oldest("s", "0")
		put := b.put("s", "k", "by b")
		if got := a.get(it, 0); len(got.Records) != 1 || got.Records[0].SequenceNumber != put.SequenceNumber {
			t.Errorf("a reads with b's iterator: %+v", got)
		}
		if _, err := a.svc.DeleteStream(a.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s")}); err != nil {
			t.Fatal(err)
		}
		_, err := b.svc.PutRecord(b.ctx(), &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("k"), Data: []byte("x")})
		wantError(t, err, "ResourceNotFoundException", "Stream s under account 000000000000 not found.")
		a.await("s", "")
		_, err = b.svc.GetRecords(b.ctx(), &kinesisapi.GetRecordsInput{ShardIterator: it})
		wantError(t, err, "ResourceNotFoundException", "Shard shardId-000000000000 in stream s under account 000000000000 does not exist")
		a.create("s", 3)
		time.Sleep(time.Second - time.Duration(time.Now().Nanosecond()) + 500*time.Millisecond)
		b.put("s", "k", "new")
		if _, err := a.svc.DeleteStream(a.ctx(), &kinesisapi.DeleteStreamInput{StreamName: new("s")}); err != nil {
			t.Fatal(err)
		}
		a.await("s", "")
		// b's copy is still of the deleted stream, whose partitions are gone.
		_, err = b.svc.GetRecords(b.ctx(), &kinesisapi.GetRecordsInput{ShardIterator: it})
		wantError(t, err, "ResourceNotFoundException", "Shard shardId-000000000000 in stream s under account 000000000000 does not exist")
		a.create("s", 3)
		if got := b.put("s", "k", "again"); got.SequenceNumber <= put.SequenceNumber {
			t.Errorf("number %s in the new stream is not above %s in the old one", got.SequenceNumber, put.SequenceNumber)
		}
	})
}

func TestSpreadingStreamIgnoresPartitionKeys(t *testing.T) {
	c := start(t)
	in := &kinesisapi.CreateStreamInput{
		StreamName: "s", RecordDistributionStrategy: new(kinesisapi.RecordDistributionStrategyAuto),
		StreamModeDetails: &kinesisapi.StreamModeDetails{StreamMode: kinesisapi.StreamModeOnDemand},
	}
	if _, err := c.svc.CreateStream(c.ctx(), in); err != nil {
		t.Fatal(err)
	}
	c.await("s", kinesisapi.StreamStatusActive)
	used := map[string]int{}
	for range 40 {
		used[c.put("s", "same", "x").ShardId]++
	}
	for id, n := range used {
		if n != 10 || len(used) != 4 {
			t.Errorf("%s got %d of 40 records; in all %v", id, n, used)
		}
	}
	if _, err := c.svc.PutRecord(c.ctx(), &kinesisapi.PutRecordInput{StreamName: new("s"), Data: []byte("without a key")}); err != nil {
		t.Errorf("a record without a key: %v", err)
	}
}

// failingStore refuses appends with an error.
type failingStore struct {
	store.Store
	err error
}

func (s *failingStore) Append(ctx context.Context, r []store.AppendRequest) ([]store.AppendResult, error) {
	if s.err != nil {
		return nil, s.err
	}
	return s.Store.Append(ctx, r)
}

func TestErrorsOfTheStoreReachClientsInAWSsWords(t *testing.T) {
	f := &failingStore{Store: storetest.NewModel()}
	c := startOn(t, f, nil)
	c.create("s", 1)
	for _, tc := range []struct {
		err           error
		code, message string
	}{
		{store.ErrOverloaded, codeThroughput, "Rate exceeded"},
		{store.ErrFull, "InternalFailure", store.ErrFull.Error()},
		{store.ErrStopped, "ServiceUnavailable", ""},
		{store.ErrUnknownOutcome, "InternalFailure", ""},
		{errors.New("disk on fire"), "InternalFailure", ""},
	} {
		f.err = fmt.Errorf("append: %w", tc.err)
		_, err := c.svc.PutRecord(c.ctx(), &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("k"), Data: []byte("x")})
		wantError(t, err, tc.code, tc.message)
		if !errors.Is(err, tc.err) {
			t.Errorf("%v: the cause is lost in %v", tc.err, err)
		}
	}
}
