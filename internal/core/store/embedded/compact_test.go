package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"millrace/internal/core/batch"
	"millrace/internal/core/fault"
	"millrace/internal/core/store"
)

func TestCompactionKeepsTheLastRecordOfEachKeyWhereItWas(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(0, "a=1", "b=1", "c=1")
	k.put(0, "a=2", "=none", "d=1")
	k.put(0, "b=2")
	k.compact()
	want := "2 c=1 | 3 a=2 5 d=1 | 6 b=2"
	k.want("once", want)
	if h := k.head(k.id); h.Start != 0 || h.Next != 7 {
		t.Errorf("head: %+v", h)
	}
	k.put(0, "c=2")
	k.want("with more in the journal", want+" | 7 c=2")
	k.compact()
	want = "3 a=2 5 d=1 | 6 b=2 | 7 c=2"
	k.want("twice", want)
	k.stop()
	if _, err := Check(k.opts, func(string) {}); err != nil {
		t.Errorf("Check: %v", err)
	}
	k.rig = openRig(t, k.opts)
	k.want("after a start", want)
}

func TestCompactionNeverPassesTheLastStableOffset(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(0, "a=1")
	k.put(0, "a=2")
	k.put(1, "a=open")
	k.put(0, "a=3")
	k.put(0, "a=4")
	k.compact()
	k.want("with an open transaction", "1 a=2 | 2 a=open | 3 a=3 | 4 a=4")
	k.end(1, true)
	k.compact()
	k.want("when it is committed", "4 a=4 | 5 commit of 1 +")
}

func TestCompactionNeverMergesControlBatches(t *testing.T) {
	k := openKeyed(t, store.Compaction{DeleteMillis: 100}, nil)
	for p := store.ProducerID(1); p <= 3; p++ { // markers of one type have the same key
		k.put(p, fmt.Sprintf("key %d=v", p))
	}
	k.end(1, true)
	k.end(2, false)
	k.end(3, true)
	k.put(0, "z=1")
	k.compact()
	want := "0 key 1=v | 2 key 3=v | 3 commit of 1 | 4 abort of 2 + | 5 commit of 3 | 6 z=1"
	k.want("once", want)
	k.put(0, "z=2")
	k.now.Advance(99 * time.Millisecond)
	k.compact()
	want = strings.Replace(want, "6 z=1", "7 z=2", 1)
	k.want("before the horizon", want)
}

func TestMarkerGoesWhenItsRecordsAreGoneAndItsHorizonHasPassed(t *testing.T) {
	k := openKeyed(t, store.Compaction{DeleteMillis: 100}, nil)
	k.put(1, "a=1")
	k.end(1, true)
	k.put(2, "b=1")
	k.end(2, false)
	k.put(0, "z=1")
	k.compact()
	k.want("first", "0 a=1 | 1 commit of 1 | 3 abort of 2 + | 4 z=1")
	k.now.Advance(200 * time.Millisecond)
	k.put(0, "a=2")
	k.compact()
	k.want("a commit without records has its horizon, an abort has passed its own", "1 commit of 1 + | 4 z=1 | 5 a=2")
	k.now.Advance(100 * time.Millisecond)
	k.pass()
	k.want("without anything new", "4 z=1 | 5 a=2")
}

// A consumer that is told of an aborted transaction takes what the producer commits later for aborted, up to the marker.
func TestMarkerStaysWhileItsTransactionIsRemembered(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(1, "a=aborted")
	k.end(1, false)
	k.put(1, "b=1")
	k.end(1, true)
	k.settle()
	for range 2 { // as after a crash before the state has forgotten it
		p := newPass(k.Store, k.id)
		p.cut = true
		if err := p.run(); err != nil {
			t.Fatal(err)
		}
		k.want("not forgotten", "1 abort of 1 + | 2 b=1 | 3 commit of 1")
	}
	k.pass()
	k.pass()
	k.want("forgotten", "2 b=1 | 3 commit of 1")
}

func TestRunsThatTheMoverReplacesAreLeftToIt(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(0, "a=1")
	k.put(1, "a=aborted")
	k.end(1, false)
	k.put(0, "a=2")
	k.settle()
	k.mover.mu.Lock()
	round := k.mover.round
	k.mover.mu.Unlock()
	k.mover.signal()
	<-round // the one that has moved is over, and has given up its claims
	k.mu.Lock()
	k.claims.move(k.id, 0)
	k.mu.Unlock()
	if p := k.pass(); !p.cut {
		t.Error("the pass was not cut")
	}
	k.want("while the mover has them", "0 a=1 | 1 a=aborted | 2 abort of 1 | 3 a=2")
	if got := k.applied.Aborted(k.id, 0, store.OffsetMax); len(got) != 1 {
		t.Errorf("aborted transactions: %v; want the one whose record is still there", got)
	}
	k.mu.Lock()
	k.claims.moved()
	k.mu.Unlock()
	k.pass()
	k.want("afterwards", "2 abort of 1 + | 3 a=2")
}

func TestTombstoneStaysUntilItsHorizon(t *testing.T) {
	k := openKeyed(t, store.Compaction{DeleteMillis: 100}, nil)
	k.put(0, "a=1", "b=1")
	k.put(0, "a", "c=1")
	k.put(0, "b=2")
	k.compact()
	k.want("once", "2 a 3 c=1 + | 4 b=2")
	k.now.Advance(99 * time.Millisecond)
	k.pass()
	k.want("before the horizon", "2 a 3 c=1 + | 4 b=2")
	k.now.Advance(time.Millisecond)
	if id, ok := newCompactor(k.Store).choose(); !ok || id != k.id {
		t.Errorf("a tombstone whose horizon has passed makes nothing due: %v", ok)
	}
	k.pass()
	k.want("after it", "3 c=1 + | 4 b=2")
	if id, ok := newCompactor(k.Store).choose(); ok {
		t.Errorf("partition %d is due again", id)
	}
}

func TestTombstonesAreGatheredAndDoNotHoldUpOthers(t *testing.T) {
	k := openKeyed(t, store.Compaction{DeleteMillis: 60_000}, nil)
	c := newCompactor(k.Store)
	due := func(when string, want bool) {
		t.Helper()
		if _, ok := c.choose(); ok != want {
			t.Errorf("%s: due is %v, want %v", when, ok, want)
		}
	}
	delete1 := func(key string) { // and the horizon of its tombstone passes
		k.put(0, key)
		k.put(0, "z="+key)
		k.settle()
		k.pass()
		k.now.Advance(time.Minute)
	}
	delete1("a")
	due("a horizon has passed", true)
	if err := c.compact(k.id); err != nil {
		t.Fatal(err)
	}
	k.want("without it", "1 z=a")
	delete1("b")
	due("another one, a minute later", true)
	c.gather[k.id] = c.s.Now() + 10_000
	due("another one, before more are gathered", false)
	k.put(0, "z=new")
	k.settle()
	due("with a new record", true)
	if err := c.compact(k.id); err != nil {
		t.Fatal(err)
	}
	k.want("with both gone", "4 z=new")
	k.put(0, "z=newer")
	k.settle()
	due("at once", false)
	k.now.Advance(compactEvery)
	due("after a rest", true)
}

func TestRecordsOfAbortedTransactionsGoAndAreForgotten(t *testing.T) {
	k := openKeyed(t, store.Compaction{DeleteMillis: 0}, nil)
	k.put(1, "a=aborted")
	k.put(0, "a=1")
	k.end(1, false)
	k.put(1, "b=committed")
	k.end(1, true)
	k.compact()
	k.want("once", "1 a=1 | 2 abort of 1 + | 3 b=committed | 4 commit of 1")
	res, err := k.Read(context.Background(), store.ReadRequest{Partition: k.id, MaxBytes: 1 << 20, Isolation: store.ReadCommitted})
	if err != nil || len(res.Aborted) != 0 {
		t.Errorf("aborted transactions: %v, %v; want none, since nothing of them is left", res.Aborted, err)
	}
	k.pass()
	k.want("the marker follows", "1 a=1 | 3 b=committed | 4 commit of 1")
	k.stop()
	k.rig = openRig(t, k.opts)
	if got := k.applied.Aborted(k.id, 0, store.OffsetMax); len(got) != 0 {
		t.Errorf("after a start: %v", got)
	}
}

func TestAbortedTransactionOverAPartlyCompactedRangeIsStillTold(t *testing.T) {
	k := openKeyed(t, store.Compaction{MinLagMillis: 1000}, nil)
	k.put(1, "a=aborted")
	k.put(0, "b=1")
	k.now.Advance(time.Second)
	k.put(1, "c=aborted")
	k.end(1, false)
	k.compact()
	k.want("the older part", "1 b=1 | 2 c=aborted | 3 abort of 1")
	res, err := k.Read(context.Background(), store.ReadRequest{Partition: k.id, MaxBytes: 1 << 20, Isolation: store.ReadCommitted})
	if want := (store.Aborted{Producer: 1, First: 0, Last: 3}); err != nil || len(res.Aborted) != 1 || res.Aborted[0] != want {
		t.Errorf("got %v, %v, want %v", res.Aborted, err, want)
	}
}

func TestYoungBatchesAreLeftAlone(t *testing.T) {
	k := openKeyed(t, store.Compaction{MinLagMillis: 1000}, nil)
	k.put(0, "a=1")
	k.put(0, "a=2")
	k.now.Advance(time.Second)
	k.put(0, "a=3")
	k.compact()
	k.want("once", "1 a=2 | 2 a=3")
	k.now.Advance(time.Second)
	k.pass()
	k.want("later", "2 a=3")
}

// A reader who waits before records that are not committed, and everything before them went, has to find something.
func TestLastBatchStaysSoThatReadersGoOn(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(0, "a=1")
	k.put(1, "b=1")
	k.end(1, false)
	k.put(0, "=none")
	k.put(2, "c=open")
	k.compact()
	k.want("once", "0 a=1 | 2 abort of 1 + | 3 =none | 4 c=open")
	for from, want := range []store.Offset{0, 2, 2, 3} {
		res, err := k.Read(context.Background(), store.ReadRequest{Partition: k.id, From: store.Offset(from), Isolation: store.ReadCommitted})
		if err != nil || len(res.Batches) != 1 || res.Batches[0].Base != want {
			t.Errorf("read from %d: %d batches, %v; want the one at %d", from, len(res.Batches), err, want)
		}
	}
	k.end(2, true)
	k.compact()
	k.want("when more is committed", "0 a=1 | 4 c=open | 5 commit of 2")
}

func TestMoreKeysThanFitTakeSeveralPasses(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, func(o *Options) { o.CompactionKeys = 4 })
	for round := range 3 {
		for key := range 10 {
			k.put(0, fmt.Sprintf("%d=%d", key, round))
		}
	}
	passes := 1
	for k.compact(); k.pass().from < 30; passes++ {
		if passes > 30 {
			t.Fatal("it does not end")
		}
	}
	k.want("in the end", "20 0=2 | 21 1=2 | 22 2=2 | 23 3=2 | 24 4=2 | 25 5=2 | 26 6=2 | 27 7=2 | 28 8=2 | 29 9=2")
	if passes < 7 {
		t.Errorf("30 records of 10 keys took %d passes of 4 keys", passes)
	}
}

func TestSealedBatchesAreSealedAgain(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.seal(k.id)
	k.put(0, "a=secret 1", "b=secret 2")
	k.put(0, "a=secret 3")
	k.compact()
	k.want("read", "1 b=secret 2 | 2 a=secret 3")
	k.stop()
	for _, name := range k.files(segmentsDir, ".seg") {
		f, err := k.opts.FS.Open(k.path(segmentsDir, name))
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, _ := f.Read(b)
		if strings.Contains(string(b[:n]), "secret") {
			t.Errorf("%s shows what is sealed", name)
		}
	}
	if _, err := Check(k.opts, func(string) {}); err != nil {
		t.Errorf("Check: %v", err)
	}
}

func TestBatchThatDoesNotOpenStaysAsItIs(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(0, "a=1")
	var b batch.Builder
	b.Start(nil, 1)
	b.Add(&batch.Record{Key: []byte("a"), Value: []byte("2")})
	bad := b.Finish(batch.Fields{ProducerID: batch.NoProducer, ProducerEpoch: batch.NoProducer, BaseSequence: batch.NoProducer})
	bad[22] |= byte(batch.Zstd) // what it is not
	batch.SetMaxTimestamp(bad, 0)
	if res, err := k.Append(context.Background(), []store.AppendRequest{{Partition: k.id, Batch: bad}}); err != nil || res[0].Err != nil {
		t.Fatal(res, err)
	}
	k.put(0, "a=3")
	k.compact()
	res, err := k.Read(context.Background(), store.ReadRequest{Partition: k.id, MaxBytes: 1 << 20})
	if err != nil || len(res.Batches) != 2 || res.Batches[0].Base != 1 || res.Batches[1].Base != 2 {
		t.Errorf("got %d batches, %v; want those at 1 and 2", len(res.Batches), err)
	}
}

func TestCompactionSwitchedOffAndOnLosesNothing(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.put(0, "a=1")
	k.put(0, "a=2")
	k.compact()
	k.update(func(tx store.Tx) error { return tx.SetCompaction(k.id, store.Compaction{}) })
	k.put(0, "a=3")
	k.settle()
	k.put(0, "a=4")
	k.settle()
	if _, ok := newCompactor(k.Store).choose(); ok {
		t.Error("a partition that is not compacted any more is due")
	}
	k.want("off", "1 a=2 | 2 a=3 | 3 a=4")
	k.update(func(tx store.Tx) error { return tx.SetCompaction(k.id, store.Compaction{Enabled: true}) })
	k.pass()
	k.want("on", "3 a=4")
}

func TestFullDiskLeavesWhatIsThere(t *testing.T) {
	fs := &ruleFS{FS: fault.NewTorn()}
	k := openKeyed(t, store.Compaction{}, func(o *Options) { o.FS = fs })
	k.put(0, "a=1")
	k.put(0, "a=2")
	k.settle()
	files := k.files(segmentsDir, ".seg")
	for _, op := range []fault.Op{fault.OpCreate, fault.OpWrite, fault.OpSync} {
		fs.set(func(o fault.Op, path string) error {
			if o == op && strings.HasSuffix(path, ".seg") {
				return errNoRoom
			}
			return nil
		})
		if err := newPass(k.Store, k.id).run(); !errors.Is(err, errNoRoom) {
			t.Errorf("%v: got %v, want %v", op, err, errNoRoom)
		}
		k.want(fmt.Sprint(op), "0 a=1 | 1 a=2")
		if got := k.files(segmentsDir, ".seg"); fmt.Sprint(got) != fmt.Sprint(files) {
			t.Errorf("%v: files %v are left, want %v", op, got, files)
		}
	}
	fs.set(nil)
	k.pass()
	k.want("with room", "1 a=2")
}

func TestTrimAndDeletionBesideCompactionFreeTheFiles(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	for i := range 10 {
		k.put(0, fmt.Sprintf("%d=%d", i%3, i))
	}
	k.compact()
	k.want("compacted", "7 1=7 | 8 2=8 | 9 0=9")
	if st, err := k.Stat(context.Background(), k.id); err != nil || st.Batches != 3 {
		t.Errorf("stat: %+v, %v", st, err)
	}
	if at, ok, err := k.Seek(context.Background(), k.id, 0, store.SeekTimestamp); at != 7 || !ok || err != nil {
		t.Errorf("seek: %d, %v, %v; want the first that is left", at, ok, err)
	}
	k.update(func(tx store.Tx) error { return tx.TrimPartition(k.id, 8) })
	k.put(0, "x=1")
	k.compact()
	k.want("trimmed", "8 2=8 | 9 0=9 | 10 x=1")
	k.update(func(tx store.Tx) error { return tx.DeletePartition(k.id) })
	await(t, "no segment to be left", func() bool { return len(k.files(segmentsDir, ".seg")) == 0 })
}

func TestRetentionTrimsWhatIsCompacted(t *testing.T) {
	k := openKeyed(t, store.Compaction{}, nil)
	k.update(func(tx store.Tx) error { return tx.SetRetention(k.id, store.Retention{Millis: 60_000}) })
	k.put(0, "a=1", "b=1")
	k.put(0, "a=2")
	k.now.Advance(time.Minute)
	k.put(0, "c=1")
	k.put(0, "c=2")
	k.compact()
	k.want("before", "1 b=1 | 2 a=2 | 4 c=2")
	k.now.Advance(30 * time.Second)
	if n, err := store.ApplyRetention(context.Background(), k.Store); n != 1 || err != nil {
		t.Fatalf("retention: %d partitions, %v", n, err)
	}
	k.want("what is old has gone", "4 c=2")
	k.put(0, "c=3")
	k.compact()
	k.want("compacted again", "5 c=3")
	if st, err := k.Stat(context.Background(), k.id); err != nil || st.Batches != 1 || st.FirstAppend != k.now.Now().UnixMilli() {
		t.Errorf("stat: %+v, %v", st, err)
	}
}

// TestQuietPartitionIsCompactedSoon needs the loop: a partition that says so is moved out of the journal and compacted.
func TestQuietPartitionIsCompactedSoon(t *testing.T) {
	for name, with := range map[string]store.Compaction{
		"by age of the newest":  {RollMillis: 1},
		"by their size":         {RollBytes: 1},
		"by the largest age":    {MaxLagMillis: 1, DirtyMin: 1_000_000},
		"not before it is time": {RollMillis: 3_600_000},
	} {
		t.Run(name, func(t *testing.T) {
			k := openKeyed(t, with, func(o *Options) { o.Clock = o.Clock.(handClock).Manual })
			k.put(0, "a=1")
			k.put(0, "a=2")
			k.now.Advance(10 * time.Second)
			if with.RollMillis > 1 {
				c := newCompactor(k.Store)
				c.round()
				k.want("left alone", "0 a=1 | 1 a=2")
				return
			}
			await(t, "compaction", func() bool {
				k.now.Advance(compactEvery)
				return k.list() == "1 a=2"
			})
		})
	}
}
