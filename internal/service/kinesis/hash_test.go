package kinesis

import (
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/api/kinesisapi"
)

// The numbers were computed by another implementation of MD5.
func TestPartitionKeysAreHashedByMD5(t *testing.T) {
	for key, want := range map[string]string{
		"":  "281949768489412648962353822266799178366",
		"a": "16955237001963240173058271559858726497",
	} {
		if got := hashOf(key).String(); got != want {
			t.Errorf("%q: got %s, want %s", key, got, want)
		}
	}
}

func TestTwoKeysAreHashedAsEachAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	key := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	for n := range maxShortKey + 1 {
		for range 20 {
			checkTwo(t, key(n), key(r.IntN(maxShortKey+1)))
		}
	}
}

func checkTwo(t *testing.T, a, b string) {
	t.Helper()
	gotA, gotB := hashTwo(a, b)
	if wantA, wantB := hashOf(a), hashOf(b); gotA != wantA || gotB != wantB {
		t.Fatalf("%q and %q: got %s and %s, want %s and %s", a, b, gotA, gotB, wantA, wantB)
	}
}

func FuzzHashTwo(f *testing.F) {
	f.Add("", strings.Repeat("k", maxShortKey))
	f.Fuzz(func(t *testing.T, a, b string) {
		checkTwo(t, a[:min(len(a), maxShortKey)], b[:min(len(b), maxShortKey)])
	})
}

func BenchmarkHashOf(b *testing.B) {
	for b.Loop() {
		_ = hashOf("partition-000001")
	}
}

func BenchmarkHashTwo(b *testing.B) {
	for b.Loop() {
		_, _ = hashTwo("partition-000001", "partition-000002")
	}
}

// Pairs, a last one alone, long keys and given hash keys in between.
func TestEveryRecordGoesToTheShardOfItsOwnKey(t *testing.T) {
	st := &stream{shards: newShards(7, 0)}
	st.routes = newRoutes(st.shards)
	var recs []kinesisapi.PutRecordsRequestEntry
	for i := range 101 {
		e := kinesisapi.PutRecordsRequestEntry{PartitionKey: new(strings.Repeat(string(rune('a'+i%26)), 1+i*2))}
		if i%5 == 4 {
			e.ExplicitHashKey = new(st.shards[i%7].start.String())
		}
		recs = append(recs, e)
	}
	for n := range len(recs) + 1 {
		x := &putScratch{pending: make([]int32, n)}
		for i := range x.pending {
			x.pending[i] = int32(i)
		}
		if err := x.route(st, recs[:n]); err != nil {
			t.Fatal(err)
		}
		for i, slot := range x.slots {
			want := st.routes.find(hashOf(*recs[i].PartitionKey))
			if recs[i].ExplicitHashKey != nil {
				want = int32(i % 7)
			}
			if slot != want {
				t.Errorf("record %d of %d, key of %d bytes: got shard %d, want %d", i, n, len(*recs[i].PartitionKey), slot, want)
			}
		}
	}
}
