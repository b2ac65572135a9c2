package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

var appendTests = []test{
	{"OffsetsHaveNoGaps", func(e *env) {
		id := e.partition()
		e.add(0, loose(id, "a", "b", "c"))
		e.add(3, plain("d", "e").to(id))
		e.add(5, loose(id, "f"))
		e.wantValues(id, store.ReadUncommitted, "a", "b", "c", "d", "e", "f")
		h := e.head(id)
		if h.Start != 0 || h.Next != 6 || h.LastStable != 6 || h.LastAppend == 0 {
			e.Fatalf("head: got %+v", h)
		}
	}},
	{"OffsetsOfManyWritersHaveNoGapsAndNoRepeats", manyWriters},
	{"PartitionsOfOneAppendStandAlone", func(e *env) {
		ids := e.partitions(3)
		e.update(func(tx store.Tx) error { return tx.ClosePartition(ids[1]) })
		corrupt := plain("x").to(ids[2])
		corrupt.Batch = corrupt.Batch[:len(corrupt.Batch)-1]
		res := e.append(loose(ids[0], "a"), loose(ids[1], "b"), loose(99, "c"), corrupt, loose(ids[2], "d"), loose(ids[0], "e"),
			store.AppendRequest{Partition: ids[0]}, store.AppendRequest{Partition: ids[0], Batch: plain("y").bytes(), Records: []store.Record{{}}})
		for i, want := range []error{nil, store.ErrClosed, store.ErrNoPartition, store.ErrInvalidBatch, nil, nil, store.ErrInvalidBatch, store.ErrInvalidBatch} {
			if !errors.Is(res[i].Err, want) {
				e.Errorf("request %d: got %v, want %v", i, res[i].Err, want)
			}
		}
		e.wantValues(ids[0], store.ReadUncommitted, "a", "e")
		e.wantValues(ids[2], store.ReadUncommitted, "d")
	}},
	{"AppendOfNothingIsFine", func(e *env) { wantEqual(e, "results", len(e.append()), 0) }},
	{"FinishedBatchIsKeptAsItIsButForItsPlace", func(e *env) {
		id := e.partition()
		e.add(0, loose(id, "x"))
		e.update(func(tx store.Tx) error { return tx.SetEpoch(id, 5) })
		sent := plain("a", "b").to(id)
		original := bytes.Clone(sent.Batch)
		e.add(1, sent)
		if !bytes.Equal(sent.Batch, original) {
			e.Error("Append has changed the caller's bytes")
		}
		batch.SetBaseOffset(original, 1)
		batch.SetLeaderEpoch(original, 5)
		all := e.readBatches(id, 1, 1, store.ReadUncommitted)
		if len(all) != 1 || !bytes.Equal(all[0].Bytes, original) {
			e.Fatalf("got %x, want %x", all, original)
		}
	}},
	{"RequestsAreNotKept", func(e *env) {
		id := e.partition()
		req := loose(id, "aaaa")
		finished := plain("bbbb").to(id)
		e.append(req, finished)
		clear(req.Records[0].Value)
		clear(finished.Batch)
		e.wantValues(id, store.ReadUncommitted, "aaaa", "bbbb")
	}},
	{"LogAppendTimeIsWrittenIntoTheBatch", func(e *env) {
		id := e.partition()
		req := plain("a").to(id)
		req.LogAppendTime = true
		res := e.add(0, req)
		all := e.readBatches(id, 0, 1, store.ReadUncommitted)
		if h := header(e, all[0]); h.MaxTimestamp != res.AppendTime || !h.LogAppendTime() {
			e.Fatalf("got max timestamp %d, attributes %x; want append time %d", h.MaxTimestamp, h.Attributes, res.AppendTime)
		}
	}},
	{"RecordsHaveTheirAppendTimeAsTimestamp", func(e *env) {
		id := e.partition()
		res := e.add(0, loose(id, "a"))
		r := e.records(e.readBatches(id, 0, 1, store.ReadUncommitted))
		if len(r) != 1 || r[0].Timestamp != res.AppendTime || res.AppendTime == 0 {
			e.Fatalf("got %+v, want timestamp %d", r, res.AppendTime)
		}
	}},
	{"EmptyAndAbsentKeysAndValuesDiffer", func(e *env) {
		id := e.partition()
		e.append(store.AppendRequest{Partition: id, Records: []store.Record{{}, {Key: []byte{}}, {Value: []byte{}}, {Key: []byte("k"), Value: []byte("v")}}})
		var got []string
		for _, r := range e.records(e.readBatches(id, 0, 1, store.ReadUncommitted)) {
			got = append(got, fmt.Sprint(r.Key == nil, len(r.Key), r.Value == nil, len(r.Value)))
		}
		want := []string{"true 0 true 0", "false 0 true 0", "true 0 false 0", "false 1 false 1"}
		if !slices.Equal(got, want) {
			e.Fatalf("got %q, want %q", got, want)
		}
	}},
	{"LooseRecordsOfOneCallShareABatch", func(e *env) {
		ids := e.partitions(2)
		res := e.append(loose(ids[0], "a", "b"), loose(ids[1], "x"), loose(ids[0], "c"), loose(ids[0], "d", "e"))
		for i, want := range []store.Offset{0, 0, 2, 3} {
			wantEqual(e, fmt.Sprintf("offset of request %d", i), res[i].Base, want)
		}
		all := e.readBatches(ids[0], 0, 1<<20, store.ReadUncommitted)
		wantEqual(e, "batches", len(all), 1)
		e.wantValues(ids[0], store.ReadUncommitted, "a", "b", "c", "d", "e")
	}},
	{"LooseRecordsAreSplitAtOneMiB", func(e *env) {
		id := e.partition()
		value := string(make([]byte, 300<<10))
		res := e.append(loose(id, value, value), loose(id, value, value, value), loose(id, value, value))
		for i, want := range []store.Offset{0, 2, 5} {
			wantEqual(e, fmt.Sprintf("offset of request %d", i), res[i].Base, want)
		}
		all := e.readBatches(id, 0, 1, store.ReadUncommitted)
		wantEqual(e, "batches", len(all), 3)
		for _, b := range all {
			if len(b.Bytes) > store.LooseBatchSize {
				e.Errorf("batch at %d has %d bytes", b.Base, len(b.Bytes))
			}
		}
		wantEqual(e, "records", len(e.records(all)), 7)
	}},
	{"LooseRecordAboveOneMiBHasABatchOfItsOwn", func(e *env) {
		id := e.partition()
		e.append(loose(id, "a", string(make([]byte, 2<<20)), "b"), loose(id, "c"))
		var counts []int32
		for _, b := range e.readBatches(id, 0, 1, store.ReadUncommitted) {
			counts = append(counts, header(e, b).Count)
		}
		if !slices.Equal(counts, []int32{1, 1, 2}) {
			e.Fatalf("records of the batches: got %v", counts)
		}
	}},
	{"FinishedBatchBetweenLooseRecordsKeepsTheOrder", func(e *env) {
		id := e.partition()
		e.append(loose(id, "a"), plain("b").to(id), loose(id, "c"))
		e.wantValues(id, store.ReadUncommitted, "a", "b", "c")
	}},
	{"AppendsOfATransactionAreOneCommitWithItsKeys", func(e *env) {
		ids := e.partitions(2)
		var res [3]*store.AppendResult
		c := e.update(func(tx store.Tx) error {
			var errs [4]error
			res[0], errs[0] = tx.Append(loose(ids[0], "a", "b"))
			res[1], errs[1] = tx.Append(plain("x").to(ids[1]))
			res[2], errs[2] = tx.Append(loose(ids[0], "c"))
			errs[3] = tx.Set(key("a"), []byte("1"))
			return errors.Join(errs[:]...)
		})
		for i, want := range []store.Offset{0, 0, 2} {
			if res[i].Err != nil || res[i].Base != want || res[i].AppendTime != c.Time {
				e.Errorf("append %d: got %+v, want offset %d at %d", i, *res[i], want, c.Time)
			}
		}
		e.wantValues(ids[0], store.ReadUncommitted, "a", "b", "c")
	}},
	{"AppendTimesOfAPartitionNeverGoBack", func(e *env) {
		id := e.partition()
		var last int64
		for i := range 20 {
			res := e.add(store.Offset(i), loose(id, "x"))
			if res.AppendTime < last {
				e.Fatalf("append %d: time %d after %d", i, res.AppendTime, last)
			}
			last = res.AppendTime
		}
		wantEqual(e, "last append time of the head", e.head(id).LastAppend, last)
	}},
}

func header(e *env, b store.Batch) batch.Header {
	e.Helper()
	h, err := batch.ReadHeader(b.Bytes)
	if err != nil {
		e.Fatalf("batch at %d: %v", b.Base, err)
	}
	return h
}

func manyWriters(e *env) {
	ids := e.partitions(2)
	const workers, each = 8, 20
	var mu sync.Mutex
	at := map[string]string{} // place → value
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range each {
				res, err := e.s.Append(e.ctx, []store.AppendRequest{loose(ids[0], fmt.Sprintf("%d.%d", w, i)), plain(fmt.Sprintf("%d.%d", w, i), "second").to(ids[1])})
				if err != nil || res[0].Err != nil || res[1].Err != nil {
					e.Errorf("Append: got %+v, %v", res, err)
					return
				}
				mu.Lock()
				at[fmt.Sprint(0, res[0].Base)] = fmt.Sprintf("%d.%d", w, i)
				at[fmt.Sprint(1, res[1].Base)] = fmt.Sprintf("%d.%d", w, i)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	wantEqual(e, "different places", len(at), 2*workers*each)
	for p, id := range ids {
		for _, r := range e.records(e.readBatches(id, 0, 4096, store.ReadUncommitted)) {
			if want := at[fmt.Sprint(p, r.Offset)]; string(r.Value) != want && string(r.Value) != "second" {
				e.Fatalf("record of partition %d at %d: got %q, its writer was told %q", id, r.Offset, r.Value, want)
			}
		}
	}
	wantEqual(e, "next offset", e.head(ids[0]).Next, workers*each)
	wantEqual(e, "next offset", e.head(ids[1]).Next, 2*workers*each)
}
