package txn

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"testing"

	"millrace/internal/core/store"
)

func example() *record {
	return &record{
		producer: 7, previous: 3, epoch: 2, lastEpoch: 1, ended: 1, state: PrepareAbort, timeout: 60_000,
		start: 1000, updated: 2000, ending: 7, endingEpoch: 2,
		partitions: []store.PartitionID{4, 5, 300}, groups: []string{"g", "h"},
	}
}

// A record is permanent: what a version of this program has written is read by every later one.
func TestRecordKeepsItsEncoding(t *testing.T) {
	const want = "01030e06040202c0a907d00fa01f0e0403" + "0401a702" + "0201670168"
	if got := hex.EncodeToString(example().encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b, _ := hex.DecodeString(want)
	r, err := decodeRecord(b)
	if err != nil || !reflect.DeepEqual(r, example()) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func FuzzRecord(f *testing.F) {
	f.Add(example().encode())
	f.Add((&record{producer: 1, previous: -1, lastEpoch: -1, ended: -1, ending: -1, endingEpoch: -1}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeRecord(b)
		if err != nil {
			return
		}
		again, err := decodeRecord(r.encode())
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%x: got %+v, then %+v, %v", b, r, again, err)
		}
		if v := encodeIdempotent(r.start); len(v) != 9 {
			t.Errorf("got %x", v)
		}
		if created, err := decodeIdempotent(b); err == nil && !bytes.Equal(encodeIdempotent(created), b) {
			t.Errorf("%x is not what it decodes to", b)
		}
	})
}
