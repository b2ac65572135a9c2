package storetest

import (
	"fmt"

	"millrace/internal/core/store"
)

var retentionTests = []test{
	{"RetentionBySizeTrimsTheOldestBatches", func(e *env) {
		ids := e.partitions(3)
		size := int64(len(plain("0").bytes()))
		for i := range 10 {
			for _, id := range ids {
				e.add(store.Offset(i), plain(fmt.Sprint(i)).to(id))
			}
		}
		e.update(func(tx store.Tx) error { return tx.SetRetention(ids[0], store.Retention{Bytes: 4*size + 1}) })
		e.update(func(tx store.Tx) error { return tx.SetRetention(ids[1], store.Retention{Bytes: 10 * size}) })
		e.retain(1)
		e.wantValues(ids[0], store.ReadUncommitted, "6", "7", "8", "9")
		wantEqual(e, "start of a partition that is not too large", e.head(ids[1]).Start, 0)
		wantEqual(e, "start of a partition that keeps everything", e.head(ids[2]).Start, 0)
		e.retain(0)
		e.update(func(tx store.Tx) error { return tx.SetRetention(ids[0], store.Retention{Bytes: 1}) })
		e.retain(1)
		e.wantValues(ids[0], store.ReadUncommitted)
		wantEqual(e, "start", e.head(ids[0]).Start, 10)
	}},
	{"RetentionLeavesTheNewestAlone", func(e *env) {
		id := e.partition()
		e.update(func(tx store.Tx) error {
			return tx.SetRetention(id, store.Retention{Millis: 3_600_000, Bytes: 1 << 30})
		})
		e.add(0, loose(id, "a"))
		e.retain(0)
		e.wantValues(id, store.ReadUncommitted, "a")
	}},
}

// retain applies retention once and checks how many partitions it has trimmed.
func (e *env) retain(want int) {
	e.Helper()
	got, err := store.ApplyRetention(e.ctx, e.s)
	if err != nil || got != want {
		e.Fatalf("ApplyRetention: got %d, %v; want %d", got, err, want)
	}
}

func retentionByAge(e *env, now *int64, set func(int64)) {
	id := e.partition()
	e.update(func(tx store.Tx) error { return tx.SetRetention(id, store.Retention{Millis: 1000}) })
	start := *now
	for i := range 5 {
		set(start + int64(i)*300)
		e.add(store.Offset(i), loose(id, fmt.Sprint(i)))
	}
	e.retain(1) // 1200: the one at 0 is older than a second, that at 300 is not
	e.wantValues(id, store.ReadUncommitted, "1", "2", "3", "4")
	set(start + 1900)
	e.retain(1)
	e.wantValues(id, store.ReadUncommitted, "3", "4")
	set(start + 100_000)
	e.retain(1)
	e.wantValues(id, store.ReadUncommitted)
	e.retain(0)
	e.add(5, loose(id, "5"))
	e.wantValues(id, store.ReadUncommitted, "5")
}
