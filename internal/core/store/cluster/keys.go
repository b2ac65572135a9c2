package cluster

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/jackc/pgx/v5"

	"millrace/internal/core/store"
)

// indexedSize is how many bytes of a key are indexed: PostgreSQL refuses entries over 2,704. A longer
// key is stored under its first indexedSize bytes and a hash of the whole, with the whole beside it.
const indexedSize = 2000

func indexKey(key []byte) []byte {
	if len(key) <= indexedSize {
		return key
	}
	sum := sha256.Sum256(key)
	return append(slices.Clone(key[:indexedSize]), sum[:]...)
}

// fullKey is what stands beside a long key; nil for others.
func fullKey(key []byte) []byte {
	if len(key) <= indexedSize {
		return nil
	}
	return key
}

// indexBounds are bounds of the index that hold all of [from, to), and for long bounds some more: all keys
// with the same first bytes.
func indexBounds(from, to []byte) (low, high []byte) {
	low, high = from[:min(len(from), indexedSize)], to
	if len(to) > indexedSize {
		high = append(slices.Clone(to[:indexedSize]), bytes.Repeat([]byte{0xff}, sha256.Size+1)...)
	}
	return low, high
}

// scan reads a range in the order of full keys. Keys that share their first indexedSize bytes stand
// together in the index, but in order of their hashes: they are gathered and sorted.
type scan struct {
	snap     *snapshot
	from, to []byte
	limit    int
	reverse  bool

	found []store.KV
	same  []store.KV // long keys with the same beginning, not yet sorted
}

// row is a row of store_keys.
type row struct{ key, full, value []byte }

// The page's order is part of the statement so that both are prepared.
const (
	scanUp   = "SELECT key, full_key, value FROM store_keys WHERE domain = 1 AND key >= $1 AND key < $2 AND value IS NOT NULL ORDER BY key LIMIT $3"
	scanDown = "SELECT key, full_key, value FROM store_keys WHERE domain = 1 AND key >= $1 AND key < $2 AND value IS NOT NULL ORDER BY key DESC LIMIT $3"
)

func (c *scan) run() error {
	low, high := indexBounds(c.from, c.to)
	for len(c.found) < c.limit && bytes.Compare(low, high) < 0 {
		if err := c.snap.tooOld(); err != nil {
			return err
		}
		want := c.limit - len(c.found) + 1
		page, err := c.page(low, high, want)
		if err != nil {
			return err
		}
		for i := range page {
			c.add(&page[i])
		}
		if len(page) < want {
			break
		}
		last := page[len(page)-1].key
		if c.reverse {
			high = last
		} else {
			low = append(slices.Clone(last), 0)
		}
	}
	c.flush()
	c.found = c.found[:min(c.limit, len(c.found))]
	return nil
}

func (c *scan) page(low, high []byte, limit int) ([]row, error) {
	sql := scanUp
	if c.reverse {
		sql = scanDown
	}
	rows, err := c.snap.conn.Query(c.snap.ctx, sql, low, high, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (x row, err error) {
		err = r.Scan(&x.key, &x.full, &x.value)
		return x, err
	})
}

func (c *scan) add(x *row) {
	if x.full == nil {
		c.flush()
		if bytes.Compare(x.key, c.from) >= 0 { // it may be what a long from begins with
			c.found = append(c.found, store.KV{Key: x.key, Value: x.value})
		}
		return
	}
	if len(c.same) > 0 && !bytes.Equal(c.same[0].Key[:indexedSize], x.full[:indexedSize]) {
		c.flush()
	}
	if bytes.Compare(x.full, c.from) >= 0 && bytes.Compare(x.full, c.to) < 0 {
		c.same = append(c.same, store.KV{Key: x.full, Value: x.value})
	}
}

// flush puts the gathered long keys in order.
func (c *scan) flush() {
	slices.SortFunc(c.same, func(a, b store.KV) int {
		if c.reverse {
			a, b = b, a
		}
		return bytes.Compare(a.Key, b.Key)
	})
	c.found = append(c.found, c.same...)
	c.same = nil
}

// lookback answers which of a request's reads have changed: in the database, asked once, and in the
// group being decided.
type lookback struct {
	inDatabase bool
	pending    []store.KeyChange
}

var _ store.Conflicts = (*lookback)(nil)

func (l *lookback) KeyChangedSince(key []byte, _ uint64) bool {
	return l.inDatabase || slices.ContainsFunc(l.pending, func(c store.KeyChange) bool { return bytes.Equal(c.Key, key) })
}

func (l *lookback) RangeChangedSince(r store.Range, _ uint64) bool {
	return l.inDatabase || slices.ContainsFunc(l.pending, func(c store.KeyChange) bool {
		return bytes.Compare(c.Key, r.From) >= 0 && bytes.Compare(c.Key, r.To) < 0
	})
}
