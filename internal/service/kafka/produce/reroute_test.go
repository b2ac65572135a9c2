package produce

import (
	"crypto/md5" // as Kinesis routes
	"fmt"
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
)

// halves are two shards: of hash keys below 80…, and of the others up to the last one, or one before it with a gap.
func halves(t *testing.T, s store.Store, gap byte) Routes {
	ids := logtest.Partitions(t, s, 2)
	low, high := Route{Partition: ids[0]}, Route{Partition: ids[1]}
	for i := range low.Last {
		low.Last[i], high.Last[i] = 0xff, 0xff
	}
	low.Last[0], high.First[0], high.Last[0] = 0x7f, 0x80, 0xff-gap
	return NewRoutes([]Route{high, low})
}

// stored are the records of a shard: key, value, headers and time.
func (r *rig) stored(route Route) (got []string) {
	r.Helper()
	res, err := r.s.Read(r.Context(), store.ReadRequest{Partition: route.Partition, MaxBytes: 1 << 20})
	if err != nil {
		r.Fatal(err)
	}
	defer res.Release()
	for _, b := range res.Batches {
		if _, err := batch.Check(b.Bytes); err != nil {
			r.Fatalf("what is stored: %v", err)
		}
		for rec, err := range batch.Records(b.Bytes, batch.Limits{}) {
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s=%s %s %d", rec.Key, rec.Value, rec.Headers, rec.Timestamp-1_700_000_000_000))
		}
	}
	return got
}

func TestRecordsAreSpreadOverShardsByTheirKeys(t *testing.T) {
	onEach(t, func(r *rig) {
		routes := halves(r.T, r.s, 0)
		var records []batch.Record
		want := [2][]string{}
		for i := range 50 {
			rec := batch.Record{
				Key: fmt.Append(nil, "k", i%7), Value: fmt.Append(nil, i), Timestamp: 1_700_000_000_000 + int64(50-i),
				Headers: []batch.RecordHeader{{Key: []byte("h"), Value: fmt.Append(nil, i)}},
			}
			records = append(records, rec)
			half := md5.Sum(rec.Key)[0] >> 7
			want[half] = append(want[half], fmt.Sprintf("%s=%s %s %d", rec.Key, rec.Value, rec.Headers, 50-i))
		}
		ru := rules()
		ru.Reroute, ru.Routes = true, routes
		for _, gzip := range []bool{false, true} {
			r.wantBase(r.send(ru, logtest.Batch(logtest.Fields{Gzip: gzip}, records...)), -1)
		}
		for half, route := range routes {
			if got, want := fmt.Sprint(r.stored(route)), fmt.Sprint(append(want[half], want[half]...)); got != want {
				r.Errorf("shard %d:\ngot  %s\nwant %s", half, got, want)
			}
		}
		r.wantNext(0) // the partition that they were sent to
	})
}

func TestRecordsWithoutKeysGoToOneShardTogether(t *testing.T) {
	onEach(t, func(r *rig) {
		ru := rules()
		ru.Reroute, ru.Routes = true, halves(r.T, r.s, 0)
		for range 20 {
			r.wantBase(r.send(ru, logtest.Values(logtest.Fields{}, r.now(), "a", "b", "c")), -1)
		}
		a, b := len(r.stored(ru.Routes[0])), len(r.stored(ru.Routes[1]))
		if a+b != 60 || a%3 != 0 || a == 0 || b == 0 {
			r.Errorf("the shards have %d and %d records, want whole batches, 60 in all, and some in both", a, b)
		}
	})
}

func TestBatchesThatCannotBeSpreadAreRefusedWhole(t *testing.T) {
	onEach(t, func(r *rig) {
		var keyed []batch.Record
		for i := range 600 { // some are in the gap
			keyed = append(keyed, batch.Record{Key: fmt.Append(nil, i), Timestamp: r.now()})
		}
		large := make([]byte, mostPlain+1)
		for name, c := range map[string]struct {
			gap  byte
			b    []byte
			want kafkaapi.Code
		}{
			"a key that no shard takes":    {0x40, logtest.Batch(logtest.Fields{}, keyed...), kafkaapi.NotLeaderOrFollower},
			"of an idempotent producer":    {0, logtest.Values(logtest.Fields{Producer: 7}, r.now(), "a"), kafkaapi.PolicyViolation},
			"that is too large when it is": {0, logtest.Batch(logtest.Fields{Gzip: true}, batch.Record{Value: large, Timestamp: r.now()}), kafkaapi.MessageTooLarge},
		} {
			ru := rules()
			ru.Reroute, ru.Routes = true, halves(r.T, r.s, c.gap)
			got := r.send(ru, c.b)
			r.wantCode(got, c.want)
			if c.want == kafkaapi.PolicyViolation && got.Message != NumberedText {
				r.Errorf("%s: text: got %q", name, got.Message)
			}
			for _, route := range ru.Routes {
				if n := len(r.stored(route)); n != 0 {
					r.Errorf("%s: %d records are stored", name, n)
				}
			}
		}
		ru := rules()
		ru.Reroute, ru.Routes = true, NewRoutes(nil)
		r.wantCode(r.send(ru, logtest.Values(logtest.Fields{}, r.now(), "a")), kafkaapi.NotLeaderOrFollower)
	})
}

func TestAShardThatWasClosedJustNowMakesTheClientComeAgain(t *testing.T) {
	onEach(t, func(r *rig) {
		ru := rules()
		ru.Reroute, ru.Routes = true, halves(r.T, r.s, 0)
		logtest.Update(r.T, r.s, func(tx store.Tx) error { return tx.ClosePartition(ru.Routes[0].Partition) })
		var keyed []batch.Record
		for i := range 100 {
			keyed = append(keyed, batch.Record{Key: fmt.Append(nil, i), Timestamp: r.now()})
		}
		r.wantCode(r.send(ru, logtest.Batch(logtest.Fields{}, keyed...)), kafkaapi.NotLeaderOrFollower)
		logtest.Update(r.T, r.s, func(tx store.Tx) error { return tx.ClosePartition(r.id) })
		first := rules() // the copy of the topic does not know of any closed shard yet
		first.Reroute = true
		r.wantCode(r.send(first, logtest.Values(logtest.Fields{}, r.now(), "a")), kafkaapi.NotLeaderOrFollower)
	})
}

func TestShardRangeIsThatOfTheAttribute(t *testing.T) {
	attr := make([]byte, 80)
	attr[0], attr[2], attr[18] = 1, 0x12, 0x34
	if got, ok := catalog.ShardRange(&catalog.Partition{Attr: attr}); !ok || got.First[0] != 0x12 || got.Last[0] != 0x34 {
		t.Errorf("got %x, %v", got, ok)
	}
	for _, bad := range [][]byte{nil, attr[:33], append([]byte{2}, attr[1:]...)} {
		if got, ok := catalog.ShardRange(&catalog.Partition{Attr: bad}); ok {
			t.Errorf("%x: got %x", bad, got)
		}
	}
}
