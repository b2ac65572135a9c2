package storetest

import (
	"bytes"
	"fmt"
	"slices"

	"millrace/internal/core/store"
)

// longKeys differ only far behind, where a driver may cut them.
func longKeys(e *env) {
	prefix := bytes.Repeat([]byte("p"), 2100)
	keys := [][]byte{
		key("%s", prefix[:1998]), key("%s", prefix[:1999]), key("%s", prefix[:2000]),
		key("%sa", prefix), key("%sb", prefix), key("%sb\x00", prefix), key("%sc", prefix),
		key("%s%s", prefix, bytes.Repeat([]byte("z"), store.MaxKeySize-1-len(prefix))), key("q"),
	}
	e.update(func(tx store.Tx) error {
		for i := range keys {
			if err := tx.Set(keys[(i*4)%len(keys)], fmt.Append(nil, (i*4)%len(keys))); err != nil {
				return err
			}
		}
		return nil
	})
	for i, k := range keys {
		e.wantGet(k, fmt.Sprint(i))
	}
	e.update(func(tx store.Tx) error { return tx.Delete(keys[4]) })
	e.wantGet(keys[4], "-")
	for _, reverse := range []bool{false, true} {
		for limit := 1; limit <= 5; limit++ {
			e.view(func(tx store.ReadTx) error {
				found, err := tx.Scan(keys[2], keys[7], limit, reverse)
				want := []int{2, 3, 5, 6}
				if reverse {
					slices.Reverse(want)
				}
				want = want[:min(limit, len(want))]
				for i := range want {
					if len(found) != len(want) || !bytes.Equal(found[i].Key, keys[want[i]]) {
						e.Errorf("Scan of long keys, limit %d, reverse %v: got %d keys, want those of %v", limit, reverse, len(found), want)
						break
					}
				}
				return err
			})
		}
	}
}
