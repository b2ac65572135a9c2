package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/core/batch"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// compareSteps is how many random calls one comparison makes.
const compareSteps = 60

// runCompare makes the same random calls, one after the other, on the driver and on the model.
func runCompare(t *testing.T, c *config) {
	reopen := append([]namedReopen{{name: ""}}, c.reopen...)
	for _, r := range reopen {
		t.Run("SameCallsSameAnswersAsTheModel"+r.name, func(t *testing.T) {
			for seed := range max(1, c.seeds/10) {
				e := newEnv(t, c.open(t))
				m := newEnv(t, NewModel())
				compare(e, m, uint64(seed), func() {
					if r.fn != nil {
						e.s = r.fn(t, e.s)
					}
				})
				if err := e.s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			}
		})
	}
}

func compare(e, m *env, seed uint64, reopen func()) {
	e.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	var past []string
	for i := range compareSteps {
		contents := rng.Uint64()
		got, want := calls(e, contents), calls(m, contents)
		past = append(past, want)
		if got != want {
			e.Fatalf("seed %d, call %d: got\n%s\nthe model answers\n%s\nbefore that:\n%s", seed, i, got, want, strings.Join(past[:i], "\n"))
		}
		if rng.IntN(15) == 0 {
			reopen()
		}
		if i%20 == 19 {
			if got, want := e.dump(), m.dump(); got != want {
				e.Fatalf("seed %d, after call %d the store holds\n%s\nthe model\n%s\nafter:\n%s", seed, i, got, want, strings.Join(past, "\n"))
			}
		}
	}
}

// calls makes one random call and writes down what came back.
func calls(e *env, contents uint64) string {
	rng := rand.New(rand.NewPCG(contents, 2))
	switch rng.IntN(8) {
	case 0, 1:
		return randomAppend(e, rng)
	case 2:
		return randomRead(e, rng)
	case 3:
		return randomView(e, rng)
	default:
		return randomUpdate(e, contents)
	}
}

func randomPartition(rng *rand.Rand) store.PartitionID { return store.PartitionID(1 + rng.IntN(8)) }

// randomRequest is sealed under one of the first data keys now and then: some do not exist yet.
func randomRequest(rng *rand.Rand) store.AppendRequest {
	req := randomRecords(rng)
	if rng.IntN(2) == 0 {
		req.Key = uint64(rng.IntN(4))
	}
	return req
}

func randomRecords(rng *rand.Rand) store.AppendRequest {
	id := randomPartition(rng)
	switch rng.IntN(4) {
	case 0:
		return loose(id, "l", fmt.Sprint(rng.IntN(100)))
	case 1:
		return plain("p", fmt.Sprint(rng.IntN(100))).to(id)
	case 2:
		m := producedBy(store.ProducerID(rng.IntN(3)), int16(rng.IntN(2)), int32(rng.IntN(3)))
		m.txn = rng.IntN(2) == 0
		return m.to(id)
	default:
		return inTxn(store.ProducerID(rng.IntN(3)), int32(rng.IntN(4)), "t").to(id)
	}
}

func randomAppend(e *env, rng *rand.Rand) string {
	var req []store.AppendRequest
	for range 1 + rng.IntN(4) {
		req = append(req, randomRequest(rng))
	}
	res, err := e.s.Append(e.ctx, req)
	var out strings.Builder
	fmt.Fprintf(&out, "append %v:", err)
	for i, r := range res {
		fmt.Fprintf(&out, " [%d: %s]", req[i].Partition, result(r))
	}
	return out.String()
}

// result leaves out times, which are not the model's.
func result(r store.AppendResult) string {
	return fmt.Sprintf("base %d start %d repeat %v err %v", r.Base, r.Start, r.Repeat, r.Err)
}

func headText(h store.Head) string {
	return fmt.Sprintf("start %d next %d stable %d epoch %d closed %v retention %v", h.Start, h.Next, h.LastStable, h.Epoch, h.Closed, h.Retention)
}

func randomRead(e *env, rng *rand.Rand) string {
	req := store.ReadRequest{Partition: randomPartition(rng), From: store.Offset(rng.IntN(12)), MaxBytes: rng.IntN(300), Isolation: store.Isolation(rng.IntN(2))}
	res, err := readCopy(e, req)
	return fmt.Sprintf("read %+v: error %v, head %s, %d batches, aborted %v", req, err, headText(res.Head), min(1, len(res.Batches)), len(res.Aborted) > 0 && len(res.Batches) == 0)
}

func randomView(e *env, rng *rand.Rand) string {
	from, to, limit, reverse := key("%d", rng.IntN(20)), key("%d", rng.IntN(20)), 1+rng.IntN(5), rng.IntN(2) == 0
	fields, id := store.HeadField(rng.IntN(int(store.FieldAll)+1))&^store.FieldNext, randomPartition(rng)
	out := fmt.Sprintf("view of %q to %q, head %d %06b:", from, to, id, fields)
	err := e.s.View(e.ctx, func(tx store.ReadTx) error {
		found, err := tx.Scan(from, to, limit, reverse)
		h, err2 := tx.Head(id, fields)
		p, ok, err3 := tx.Producer(store.ProducerID(rng.IntN(3)))
		out += fmt.Sprintf("%q %v, %s %v, %v %v %v", found, err, headText(h), err2, p, ok, err3)
		return nil
	})
	return out + fmt.Sprint(" error ", err)
}

func randomUpdate(e *env, contents uint64) string {
	var out string
	var results []*store.AppendResult
	_, err := e.s.Update(e.ctx, func(tx store.Tx) error {
		rng := rand.New(rand.NewPCG(contents, 3))
		out, results = "update:", nil
		var errs []error
		for range 1 + rng.IntN(4) {
			text, err := randomStep(tx, rng, &results)
			out += fmt.Sprintf(" (%s: %v)", text, err)
			errs = append(errs, err)
		}
		if rng.IntN(10) == 0 {
			return errors.New("fn fails")
		}
		if rng.IntN(3) == 0 {
			return errors.Join(errs...)
		}
		return nil // a rule's answer must not depend on fn passing it on
	})
	for _, r := range results {
		if err == nil {
			out += " [" + result(*r) + "]"
		}
	}
	return out + fmt.Sprint(" error ", err)
}

// randomStep makes one call in a transaction.
func randomStep(tx store.Tx, rng *rand.Rand, results *[]*store.AppendResult) (string, error) {
	k, id, producer := key("%d", rng.IntN(20)), randomPartition(rng), store.ProducerID(rng.IntN(3))
	epoch := int16(rng.IntN(2))
	switch n := rng.IntN(23); n {
	case 0, 1, 2:
		return fmt.Sprintf("set %q", k), tx.Set(k, fmt.Append(nil, rng.IntN(100)))
	case 3:
		return fmt.Sprintf("delete %q", k), tx.Delete(k)
	case 4:
		next, err := tx.DeleteRange(k, key("9"), 1+rng.IntN(3))
		return fmt.Sprintf("delete range from %q: %q", k, next), err
	case 5:
		v, ok, err := tx.Get(k)
		return fmt.Sprintf("get %q: %q %v", k, v, ok), err
	case 6:
		found, err := tx.Scan(k, nil, 1+rng.IntN(5), rng.IntN(2) == 0)
		return fmt.Sprintf("scan from %q: %q", k, found), err
	case 7:
		return "ordered", tx.SetOrdered([]byte{byte(store.FamilySetting), 'o'}, fmt.Append(nil, rng.IntN(100)))
	case 8:
		id, err := tx.NextID("n")
		return fmt.Sprint("id ", id), err
	case 9, 10, 11:
		n, err := tx.NextID("partition") // an id is never used again
		return fmt.Sprint("create ", n), errors.Join(err, tx.CreatePartition(store.PartitionID(n), int32(rng.IntN(3)), store.Retention{}))
	case 12:
		if rng.IntN(3) > 0 {
			return fmt.Sprint("epoch ", id), tx.SetEpoch(id, int32(rng.IntN(4)))
		}
		return fmt.Sprint("close ", id), tx.ClosePartition(id)
	case 13:
		to := store.Offset(rng.IntN(6))
		return fmt.Sprint("trim ", id, " to ", to), tx.TrimPartition(id, to)
	case 14:
		if rng.IntN(3) == 0 {
			return fmt.Sprint("compaction ", id), tx.SetCompaction(id, store.Compaction{Enabled: rng.IntN(2) == 0, MinLagMillis: 1 << 40})
		}
		return fmt.Sprint("retention ", id), tx.SetRetention(id, store.Retention{Bytes: int64(rng.IntN(10))})
	case 15:
		if rng.IntN(3) > 0 {
			return "nothing", nil
		}
		return fmt.Sprint("delete partition ", id), tx.DeletePartition(id)
	case 16, 17:
		res, err := tx.Append(randomRequest(rng))
		*results = append(*results, res)
		return "append", err
	case 18:
		return fmt.Sprint("init ", producer, " ", epoch), tx.InitProducer(producer, epoch)
	case 20:
		id, err := datakey.Create(tx, RootKey)
		return fmt.Sprint("data key ", id), err
	case 21:
		id, err := datakey.Create(tx, RootKey) // and used at once
		req := randomRecords(rng)
		req.Key = id
		res, err2 := tx.Append(req)
		*results = append(*results, res)
		return fmt.Sprint("append under new data key ", id), errors.Join(err, err2)
	case 19:
		remain, err := tx.EndTransaction(producer, epoch, rng.IntN(2) == 0, 1+rng.IntN(3))
		return fmt.Sprint("end ", producer, " ", epoch, ": ", remain), err
	default:
		return fmt.Sprint("delete producer ", producer), tx.DeleteProducer(producer)
	}
}

// dump is everything a store holds but times.
func (e *env) dump() string {
	e.Helper()
	var b strings.Builder
	for _, kv := range e.scan(key(""), nil) {
		fmt.Fprintf(&b, "%q=%q ", kv.Key, kv.Value)
	}
	for _, kv := range e.scan([]byte{byte(store.FamilySetting)}, nil) {
		fmt.Fprintf(&b, "ordered %q ", kv.Value)
	}
	ids, err := e.s.Partitions(e.ctx, 0, 100)
	fmt.Fprintf(&b, "\npartitions %v %v\n", ids, err)
	for _, id := range ids {
		h := e.head(id)
		st, err := e.s.Stat(e.ctx, id)
		fmt.Fprintf(&b, "%d: %s, %d bytes, %d batches, error %v:", id, headText(h), st.Bytes, st.Batches, err)
		for _, x := range e.readBatches(id, h.Start, 1000, store.ReadUncommitted) {
			bh := header(e, x)
			marker, _ := batch.MarkerType(x.Bytes)
			fmt.Fprintf(&b, " %d-%d key %d epoch %d producer %d/%d/%d attributes %x %v;", x.Base, x.Next, x.Key, bh.LeaderEpoch, bh.ProducerID, bh.ProducerEpoch, bh.BaseSequence, bh.Attributes, marker)
			for _, r := range e.records([]store.Batch{x}) {
				fmt.Fprintf(&b, " %q", r.Value)
			}
		}
		committed := e.read(store.ReadRequest{Partition: id, From: h.Start, MaxBytes: 1 << 20, Isolation: store.ReadCommitted})
		fmt.Fprintf(&b, " committed: %d batches, aborted %v\n", len(committed.Batches), committed.Aborted)
	}
	e.view(func(tx store.ReadTx) error {
		for p := range store.ProducerID(3) {
			x, ok, err := tx.Producer(p)
			fmt.Fprintf(&b, "producer %d: %v %v %v\n", p, x, ok, err)
		}
		return nil
	})
	return b.String()
}
