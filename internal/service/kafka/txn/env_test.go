package txn

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/offset"
)

// env is a coordinator and calls of it that have to succeed.
type env struct {
	testing.TB
	*Coordinator
	o   Options
	ids []store.PartitionID
}

// newEnv has two partitions.
func newEnv(t *testing.T, change func(o *Options)) *env {
	t.Helper()
	e := &env{TB: t, o: Options{Store: storetest.NewModel(), Logger: slog.New(slog.DiscardHandler)}}
	if change != nil {
		change(&e.o)
	}
	e.partitions(2)
	e.start()
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func (e *env) start() {
	e.Helper()
	c, err := New(context.Background(), e.o)
	if err != nil {
		e.Fatal(err)
	}
	e.Coordinator = c
}

// restart is a new process on the same store.
func (e *env) restart() {
	e.Helper()
	if err := e.Close(); err != nil {
		e.Fatal(err)
	}
	e.start()
}

func (e *env) update(fn func(tx store.Tx) error) {
	e.Helper()
	if _, err := e.o.Store.Update(context.Background(), fn); err != nil {
		e.Fatalf("Update: %v", err)
	}
}

func (e *env) partitions(n int) {
	e.Helper()
	e.update(func(tx store.Tx) error {
		for range n {
			id, err := tx.NextID("partition")
			if err != nil {
				return err
			}
			if err := tx.CreatePartition(store.PartitionID(id), 0, store.Retention{}); err != nil {
				return err
			}
			e.ids = append(e.ids, store.PartitionID(id))
		}
		return nil
	})
}

// client is a producer that goes by the rules of one transaction version.
type client struct {
	*env
	Ident
	v2   bool
	next map[store.PartitionID]int32
}

// timeout is that of clients.
const timeout = time.Minute

func (e *env) client(id string, v2 bool) *client {
	e.Helper()
	c := &client{env: e, v2: v2}
	p, code := e.Init(context.Background(), InitRequest{ID: id, Timeout: timeout})
	if code != kafkaapi.None {
		e.Fatalf("Init of %q: got %s", id, code)
	}
	c.became(id, p)
	return c
}

func (c *client) became(id string, p Producer) {
	if p.ID != c.Producer || p.Epoch != c.Epoch || c.next == nil {
		c.next = map[store.PartitionID]int32{} // a new epoch begins with 0
	}
	c.Ident = Ident{id, p.ID, p.Epoch}
}

// add does what a client under version 1 does before it appends.
func (c *client) add(ids ...store.PartitionID) {
	c.Helper()
	if code := c.AddPartitions(context.Background(), c.Ident, ids); code != kafkaapi.None {
		c.Fatalf("AddPartitions of %+v: got %s", c.Ident, code)
	}
}

// try appends one record as the broker does. The code is the coordinator's, the error the store's.
func (c *client) try(id store.PartitionID, value string) (kafkaapi.Code, error) {
	t, code := c.Admit(Admission{Ident: c.Ident, V2: c.v2})
	if code != kafkaapi.None {
		return code, nil
	}
	defer t.Release()
	if code := t.Check(id); code != kafkaapi.None {
		return code, nil
	}
	res, err := c.o.Store.Append(context.Background(), []store.AppendRequest{c.batch(id, value)})
	if err == nil {
		err = res[0].Err
	}
	return kafkaapi.None, err
}

func (c *client) batch(id store.PartitionID, value string) store.AppendRequest {
	var b batch.Builder
	b.Start(nil, 1)
	b.Add(&batch.Record{Value: []byte(value), Timestamp: 1})
	return store.AppendRequest{Partition: id, Batch: b.Finish(batch.Fields{
		Attributes: batch.AttrTransactional, FirstTimestamp: 1, MaxTimestamp: 1,
		ProducerID: int64(c.Producer), ProducerEpoch: c.Epoch, BaseSequence: c.next[id],
	})}
}

func (c *client) append(id store.PartitionID, value string) {
	c.Helper()
	if !c.v2 {
		c.add(id)
	}
	if code, err := c.try(id, value); code != kafkaapi.None || err != nil {
		c.Fatalf("append of %q by %+v: got %s, %v", value, c.Ident, code, err)
	}
	c.next[id]++
}

// wantAppend is refused by the coordinator.
func (c *client) wantAppend(id store.PartitionID, want kafkaapi.Code) {
	c.Helper()
	if code, err := c.try(id, "late"); code != want || err != nil {
		c.Fatalf("append by %+v: got %s, %v; want %s", c.Ident, code, err, want)
	}
}

func (c *client) end(commit bool) {
	c.Helper()
	p, code := c.End(context.Background(), c.Ident, commit, c.v2)
	if code != kafkaapi.None {
		c.Fatalf("End of %+v, commit %v: got %s", c.Ident, commit, code)
	}
	c.became(c.ID, p)
}

func (c *client) wantEnd(commit bool, want kafkaapi.Code) {
	c.Helper()
	if p, code := c.End(context.Background(), c.Ident, commit, c.v2); code != want {
		c.Fatalf("End of %+v, commit %v: got %+v, %s; want %s", c.Ident, commit, p, code, want)
	}
}

// offsets commits some of group g.
func (c *client) offsets(entries ...offset.Entry) {
	c.Helper()
	if !c.v2 {
		if code := c.AddOffsets(context.Background(), c.Ident, "g"); code != kafkaapi.None {
			c.Fatalf("AddOffsets of %+v: got %s", c.Ident, code)
		}
	}
	if code := c.CommitOffsets(context.Background(), OffsetCommit{Ident: c.Ident, Group: "g", Offsets: entries, V2: c.v2}); code != kafkaapi.None {
		c.Fatalf("CommitOffsets of %+v: got %s", c.Ident, code)
	}
}

func at(index int32, n int64) offset.Entry {
	return offset.Entry{Partition: offset.Partition{Topic: 1, Index: index}, Offset: n, LeaderEpoch: -1}
}

// group shows the offsets of group g, unstable ones with a star.
func (e *env) group() string {
	e.Helper()
	var shown []string
	err := e.o.Store.View(context.Background(), func(tx store.ReadTx) error {
		found, err := offset.Fetch(tx, "g", []offset.Partition{{Topic: 1}, {Topic: 1, Index: 1}}, true)
		shown = shown[:0]
		for _, f := range found {
			star := ""
			if f.Unstable {
				star = "*"
			}
			shown = append(shown, fmt.Sprint(f.Offset, star))
		}
		return err
	})
	if err != nil {
		e.Fatal(err)
	}
	return strings.Join(shown, " ")
}

// committed is the records of a partition that a reader of committed ones is given, in order.
func (e *env) committed(id store.PartitionID) []string {
	e.Helper()
	values, err := readCommitted(e.o.Store, id)
	if err != nil {
		e.Fatal(err)
	}
	return values
}

func readCommitted(s store.Store, id store.PartitionID) ([]string, error) {
	h, err := s.Head(context.Background(), id)
	if err != nil {
		return nil, err
	}
	return readCommittedUpTo(s, id, h.LastStable)
}

// eachBatch reads the batches of a partition that begin below an offset, with their values.
func eachBatch(s store.Store, id store.PartitionID, end store.Offset, isolation store.Isolation,
	fn func(res *store.ReadResult, h *batch.Header, b []byte, values []string) error,
) error {
	for from := store.Offset(0); from < end; {
		res, err := s.Read(context.Background(), store.ReadRequest{Partition: id, From: from, MaxBytes: 1 << 20, Isolation: isolation})
		if err != nil {
			return err
		}
		if len(res.Batches) == 0 {
			res.Release()
			return fmt.Errorf("partition %d: nothing at %d, asked for all below %d", id, from, end)
		}
		for _, b := range res.Batches {
			if from = b.Next; b.Base >= end {
				break
			}
			h, values, err := opened(b.Bytes)
			if err == nil {
				err = fn(&res, &h, b.Bytes, values)
			}
			if err != nil {
				res.Release()
				return err
			}
		}
		res.Release()
	}
	return nil
}

// opened is a batch's header and its values; none of a marker.
func opened(b []byte) (h batch.Header, values []string, err error) {
	if h, err = batch.Verify(b); err != nil || h.Control() {
		return h, nil, err
	}
	for r, err := range batch.Records(b, batch.Limits{}) {
		if err != nil {
			return h, nil, err
		}
		values = append(values, string(r.Value))
	}
	return h, values, nil
}

func aborted(res *store.ReadResult, h *batch.Header) bool {
	return slices.ContainsFunc(res.Aborted, func(a store.Aborted) bool {
		return int64(a.Producer) == h.ProducerID && a.First <= store.Offset(h.BaseOffset) && store.Offset(h.BaseOffset) <= a.Last
	})
}

func (e *env) want(id store.PartitionID, want ...string) {
	e.Helper()
	if got := e.committed(id); !slices.Equal(got, want) {
		e.Fatalf("committed records of partition %d: got %q, want %q", id, got, want)
	}
}

func (e *env) wantState(id string, want State) Description {
	e.Helper()
	d, code := e.Describe(context.Background(), id)
	if code != kafkaapi.None || d.State != want {
		e.Fatalf("Describe of %q: got %+v, %s; want state %s", id, d, code, want)
	}
	return d
}

// stable is the last stable offset's distance from the end: 0 when nothing is open.
func (e *env) stable(id store.PartitionID) store.Offset {
	e.Helper()
	h, err := e.o.Store.Head(context.Background(), id)
	if err != nil {
		e.Fatal(err)
	}
	return h.Next - h.LastStable
}
