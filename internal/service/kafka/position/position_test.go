package position

import (
	"math"
	"math/rand/v2"
	"testing"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/service/kafka/logtest"
)

func at(times ...int64) []batch.Record {
	var records []batch.Record
	for _, ms := range times {
		records = append(records, batch.Record{Value: []byte("v"), Timestamp: ms})
	}
	return records
}

func TestTimeIsFoundByBatchAndThenByRecord(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		id := logtest.Partition(t, s)
		logtest.Append(t, s, id, logtest.Batch(logtest.Fields{}, at(10, 12, 11)...))
		logtest.Append(t, s, id, logtest.Batch(logtest.Fields{Gzip: true}, at(5, 30, 20)...))
		logtest.Append(t, s, id, logtest.Batch(logtest.Fields{}, at(15)...))
		for ms, want := range map[int64]Found{
			0: {0, 10, 0}, 10: {0, 10, 0}, 11: {1, 12, 0}, 12: {1, 12, 0}, 13: {4, 30, 0}, 30: {4, 30, 0}, 31: {Offset: -1},
		} {
			got, ok, err := ByTime(t.Context(), s, id, ms, store.OffsetMax)
			if err != nil || ok != (want.Offset >= 0) || ok && got != want {
				t.Errorf("first record at %d: got %+v, %v, %v; want %+v", ms, got, ok, err, want)
			}
		}
		if got, ok, err := ByTime(t.Context(), s, id, 13, 4); ok || err != nil {
			t.Errorf("first record at 13 before offset 4: got %+v, %v, %v; want none", got, ok, err)
		}
		if got, ok, err := Latest(t.Context(), s, id, store.OffsetMax); !ok || err != nil || got != (Found{4, 30, 0}) {
			t.Errorf("record with the largest time: got %+v, %v, %v; want offset 4 at 30", got, ok, err)
		}
	})
}

func TestTimeIsFoundFromTheStartOnInsideABatch(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		id := logtest.Partition(t, s)
		logtest.Append(t, s, id, logtest.Batch(logtest.Fields{}, at(10, 11, 12)...))
		logtest.Update(t, s, func(tx store.Tx) error { return tx.TrimPartition(id, 1) })
		if got, ok, err := ByTime(t.Context(), s, id, 0, store.OffsetMax); !ok || err != nil || got.Offset != 1 {
			t.Errorf("first record: got %+v, %v, %v; want offset 1", got, ok, err)
		}
	})
}

func TestBatchThatCannotBeOpenedIsAnsweredAsAWhole(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		id := logtest.Partition(t, s)
		b := logtest.Batch(logtest.Fields{}, at(10, 20)...)
		b[22] |= byte(batch.Zstd)
		logtest.Resum(b)
		logtest.Append(t, s, id, b)
		if got, ok, err := ByTime(t.Context(), s, id, 15, store.OffsetMax); !ok || err != nil || got != (Found{0, 20, 0}) {
			t.Errorf("record at 15: got %+v, %v, %v; want offset 0 at 20", got, ok, err)
		}
	})
}

func TestPartitionWithoutRecordsHasNoTimes(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		id := logtest.Partition(t, s)
		if got, ok, err := ByTime(t.Context(), s, id, 0, store.OffsetMax); ok || err != nil {
			t.Errorf("by time: got %+v, %v, %v; want none", got, ok, err)
		}
		if got, ok, err := Latest(t.Context(), s, id, store.OffsetMax); ok || err != nil {
			t.Errorf("latest: got %+v, %v, %v; want none", got, ok, err)
		}
	})
}

func TestLargestIsFoundFromAnyHintInFewSteps(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	hints := []int64{-1, 0, 1, 5, 1 << 40, math.MaxInt64}
	for range 500 {
		want := random.Int64() >> random.IntN(63)
		for _, hint := range append(hints, want, want+random.Int64N(1000)-500) {
			calls := 0
			got, ok, err := largest(hint, func(ms int64) (bool, error) {
				calls++
				if ms < 0 {
					t.Fatalf("hint %d: asked for %d", hint, ms)
				}
				return ms <= want, nil
			})
			if got != want || !ok || err != nil || calls > 130 {
				t.Fatalf("hint %d: got %d, %v, %v in %d steps; want %d in at most 130", hint, got, ok, err, calls, want)
			}
		}
	}
	for _, hint := range hints {
		if got, ok, err := largest(hint, func(int64) (bool, error) { return false, nil }); ok || err != nil {
			t.Fatalf("hint %d of none: got %d, %v, %v", hint, got, ok, err)
		}
	}
}

func TestLeaderEpochEndsWhereTheNextBegins(t *testing.T) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) {
		id := logtest.Partition(t, s)
		epoch := func(e int32) {
			logtest.Update(t, s, func(tx store.Tx) error { return tx.SetEpoch(id, e) })
		}
		epoch(2)
		for range 5 {
			logtest.Append(t, s, id, logtest.Values(logtest.Fields{}, 0, "a", "b"))
		}
		epoch(4)
		for range 3 {
			logtest.Append(t, s, id, logtest.Values(logtest.Fields{}, 0, "a"))
		}
		epoch(7)
		for asked, want := range map[int32][2]int64{
			-1: {-1, -1}, 0: {0, 0}, 1: {1, 0}, 2: {2, 10}, 3: {2, 10}, 4: {4, 13}, 5: {4, 13}, 6: {4, 13}, 7: {7, 13}, 8: {-1, -1},
		} {
			e, end, err := EpochEnd(t.Context(), s, id, asked)
			if err != nil || int64(e) != want[0] || int64(end) != want[1] {
				t.Errorf("end of epoch %d: got epoch %d, offset %d, %v; want %v", asked, e, end, err, want)
			}
		}
	})
}
