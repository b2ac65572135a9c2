package storetest

import (
	"errors"
	"fmt"
	"slices"

	"millrace/internal/core/batch"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// RootKey is the root key that stores under test are opened with.
var RootKey = datakey.NewRoot()

// key returns a key of a family that every binary knows.
func key(format string, args ...any) []byte {
	return append([]byte{byte(store.FamilyTopic)}, fmt.Sprintf(format, args...)...)
}

// update commits fn.
func (e *env) update(fn func(tx store.Tx) error) store.Commit {
	e.Helper()
	c, err := e.s.Update(e.ctx, fn)
	if err != nil {
		e.Fatalf("Update: %v", err)
	}
	return c
}

// refuses checks the error of an Update.
func (e *env) refuses(want error, fn func(tx store.Tx) error) {
	e.Helper()
	if c, err := e.s.Update(e.ctx, fn); !errors.Is(err, want) {
		e.Fatalf("Update: got %v, %v; want error %v", c, err, want)
	}
}

func (e *env) view(fn func(tx store.ReadTx) error) {
	e.Helper()
	if err := e.s.View(e.ctx, fn); err != nil {
		e.Fatalf("View: %v", err)
	}
}

func (e *env) set(k []byte, v string) store.Commit {
	e.Helper()
	return e.update(func(tx store.Tx) error { return tx.Set(k, []byte(v)) })
}

// get returns "-" for a key without a value.
func (e *env) get(k []byte) string {
	e.Helper()
	var got string
	e.view(func(tx store.ReadTx) error {
		v, ok, err := tx.Get(k)
		got = string(v)
		if !ok {
			got = "-"
		}
		return err
	})
	return got
}

func (e *env) wantGet(k []byte, want string) {
	e.Helper()
	if got := e.get(k); got != want {
		e.Fatalf("value of %q: got %q, want %q", k, got, want)
	}
}

// scan returns the values between from and to.
func (e *env) scan(from, to []byte) []store.KV {
	e.Helper()
	var found []store.KV
	e.view(func(tx store.ReadTx) (err error) {
		found, err = tx.Scan(from, to, store.MaxScanKeys, false)
		return err
	})
	return found
}

// partition creates a partition with the next id.
func (e *env) partition() store.PartitionID {
	e.Helper()
	return e.partitions(1)[0]
}

func (e *env) partitions(n int) []store.PartitionID {
	e.Helper()
	var ids []store.PartitionID
	e.update(func(tx store.Tx) error {
		ids = ids[:0]
		for range n {
			id, err := tx.NextID("partition")
			if err != nil {
				return err
			}
			ids = append(ids, store.PartitionID(id))
			if err := tx.CreatePartition(store.PartitionID(id), 0, store.Retention{}); err != nil {
				return err
			}
		}
		return nil
	})
	return ids
}

func (e *env) producer(id store.ProducerID, epoch int16) {
	e.Helper()
	e.update(func(tx store.Tx) error { return tx.InitProducer(id, epoch) })
}

// append makes one call and returns its results.
func (e *env) append(req ...store.AppendRequest) []store.AppendResult {
	e.Helper()
	res, err := e.s.Append(e.ctx, req)
	if err != nil {
		e.Fatalf("Append of %d requests: %v", len(req), err)
	}
	if len(res) != len(req) {
		e.Fatalf("Append: got %d results for %d requests", len(res), len(req))
	}
	return res
}

// add appends one request that has to succeed at an offset.
func (e *env) add(want store.Offset, req store.AppendRequest) store.AppendResult {
	e.Helper()
	res := e.append(req)[0]
	if res.Err != nil || res.Base != want {
		e.Fatalf("Append to partition %d: got offset %d, error %v; want offset %d", req.Partition, res.Base, res.Err, want)
	}
	return res
}

// addFails appends one request that has to be refused.
func (e *env) addFails(want error, req store.AppendRequest) {
	e.Helper()
	if res := e.append(req)[0]; !errors.Is(res.Err, want) {
		e.Fatalf("Append to partition %d: got %+v, want error %v", req.Partition, res, want)
	}
}

// loose is a request for records with these values.
func loose(id store.PartitionID, values ...string) store.AppendRequest {
	req := store.AppendRequest{Partition: id}
	for _, v := range values {
		req.Records = append(req.Records, store.Record{Value: []byte(v)})
	}
	return req
}

// made describes a finished batch.
type made struct {
	producer store.ProducerID
	epoch    int16
	seq      int32
	txn      bool
	time     int64 // timestamp of all records
	values   []string
}

// plain is a batch without a producer.
func plain(values ...string) made {
	return made{producer: store.NoProducer, epoch: -1, seq: -1, time: 1, values: values}
}

func (m made) bytes() []byte {
	var b batch.Builder
	b.Start(nil, m.time)
	for _, v := range m.values {
		b.Add(&batch.Record{Value: []byte(v), Timestamp: m.time})
	}
	var attrs int16
	if m.txn {
		attrs = batch.AttrTransactional
	}
	return b.Finish(batch.Fields{
		Attributes: attrs, FirstTimestamp: m.time, MaxTimestamp: m.time,
		ProducerID: int64(m.producer), ProducerEpoch: m.epoch, BaseSequence: m.seq,
	})
}

func (m made) to(id store.PartitionID) store.AppendRequest {
	return store.AppendRequest{Partition: id, Batch: m.bytes()}
}

// producedBy returns batches of one record each, value = its sequence number.
func producedBy(producer store.ProducerID, epoch int16, seq int32) made {
	return made{producer: producer, epoch: epoch, seq: seq, time: 1, values: []string{fmt.Sprint(seq)}}
}

func (e *env) head(id store.PartitionID) store.Head {
	e.Helper()
	h, err := e.s.Head(e.ctx, id)
	if err != nil {
		e.Fatalf("Head of partition %d: %v", id, err)
	}
	return h
}

// read returns the batches of one Read, copied, and what goes with them.
func (e *env) read(req store.ReadRequest) store.ReadResult {
	e.Helper()
	res, err := readCopy(e, req)
	if err != nil {
		e.Fatalf("Read of partition %d from %d: %v", req.Partition, req.From, err)
	}
	return res
}

func readCopy(e *env, req store.ReadRequest) (store.ReadResult, error) {
	res, err := e.s.Read(e.ctx, req)
	if err != nil {
		return store.ReadResult{}, err
	}
	defer res.Release()
	kept := slices.Clone(res.Batches)
	for i := range kept {
		kept[i].Bytes = slices.Clone(kept[i].Bytes)
	}
	return store.NewReadResult(res.Head, kept, res.Aborted, nil), nil
}

// readBatches reads everything after from in pieces of at most maxBytes, and checks each batch:
// its sum, its place, and that it follows the one before.
func (e *env) readBatches(id store.PartitionID, from store.Offset, maxBytes int, isolation store.Isolation) []store.Batch {
	e.Helper()
	var all []store.Batch
	for {
		res := e.read(store.ReadRequest{Partition: id, From: from, MaxBytes: maxBytes, Isolation: isolation})
		if len(res.Batches) == 0 {
			return all
		}
		for _, b := range res.Batches {
			h, err := batch.Verify(b.Bytes)
			if err != nil {
				e.Fatalf("batch of partition %d at %d: %v", id, b.Base, err)
			}
			if store.Offset(h.BaseOffset) != b.Base || store.Offset(h.NextOffset()) != b.Next {
				e.Fatalf("batch of partition %d says offsets %d to %d, the store %d to %d", id, h.BaseOffset, h.NextOffset(), b.Base, b.Next)
			}
			if n := len(all); n > 0 && (b.Base != all[n-1].Next || b.AppendTime < all[n-1].AppendTime) {
				e.Fatalf("batch of partition %d at %d (time %d) follows one that ends at %d (time %d)",
					id, b.Base, b.AppendTime, all[n-1].Next, all[n-1].AppendTime)
			}
			all = append(all, b)
		}
		from = all[len(all)-1].Next
	}
}

// records opens batches.
func (e *env) records(batches []store.Batch) []batch.Record {
	e.Helper()
	var all []batch.Record
	for _, b := range batches {
		for r, err := range batch.Records(b.Bytes, batch.Limits{}) {
			if err != nil {
				e.Fatalf("records of batch at %d: %v", b.Base, err)
			}
			all = append(all, r)
		}
	}
	return all
}

// values is what partition id holds from its start, as values; markers are shown as "commit" and "abort".
func (e *env) values(id store.PartitionID, isolation store.Isolation) []string {
	e.Helper()
	var all []string
	for _, b := range e.readBatches(id, e.head(id).Start, 1<<20, isolation) {
		marker, err := batch.MarkerType(b.Bytes)
		if err != nil {
			e.Fatalf("marker of batch at %d: %v", b.Base, err)
		}
		if marker != batch.MarkerNone {
			all = append(all, marker.String())
			continue
		}
		for _, r := range e.records([]store.Batch{b}) {
			all = append(all, string(r.Value))
		}
	}
	return all
}

func (e *env) wantValues(id store.PartitionID, isolation store.Isolation, want ...string) {
	e.Helper()
	if got := e.values(id, isolation); !slices.Equal(got, want) {
		e.Fatalf("records of partition %d with isolation %d: got %q, want %q", id, isolation, got, want)
	}
}

// wantEqual is for values that print well.
func wantEqual[T comparable](e *env, what string, got, want T) {
	e.Helper()
	if got != want {
		e.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
