package dynamodb

import (
	"bytes"
	"maps"
	"testing"

	"millrace/internal/api"
	"millrace/internal/core/store"
)

// FuzzOperations sends any body to any operation: it is answered, and what is wrong is the client's fault.
func FuzzOperations(f *testing.F) {
	for _, line := range scripted(f) {
		f.Add(line[0], []byte(line[1]))
	}
	c := start(f)
	c.create("tab", "pk:S")
	c.create("sorted", "h:N", "r:B")
	operations := maps.Clone(Bind(c.svc).Operations)
	maps.Copy(operations, BindStreams(c.svc).Operations)
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		op := operations[name]
		if op == nil {
			return
		}
		one := &caller{t: t, account: c.account, region: c.region, svc: c.svc}
		if _, err := call(one.ctx(), op, body); err != nil {
			if e := api.AsError(err); e.Status >= 500 {
				t.Errorf("%s %q: %v", name, body, err)
			}
		}
	})
}

// FuzzTableRecord reads any bytes as the record of a table: what is one is written as it was read, or as the same table.
func FuzzTableRecord(f *testing.F) {
	c := start(f)
	c.indexed("seed", modelIndexes)
	err := c.svc.store.View(c.ctx(), func(tx store.ReadTx) error {
		raw, _, err := tx.Get(tableKey(place{account: c.account, region: c.region, table: "seed"}))
		f.Add(raw)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		table, err := decodeTable(raw)
		if err != nil {
			return
		}
		once := encodeTable(table)
		again, err := decodeTable(once)
		if err != nil {
			t.Fatalf("%x was read, but not what was written of it, %x: %v", raw, once, err)
		}
		if twice := encodeTable(again); !bytes.Equal(once, twice) {
			t.Errorf("%x: written as %x, then as %x", raw, once, twice)
		}
	})
}

// FuzzFill reads any bytes as how far an index is filled.
func FuzzFill(f *testing.F) {
	p := place{account: "000000000000", region: "us-east-2", table: "seed"}
	f.Add(choreKey(choreFill, 1, 2), encodeFill(p, nil))
	f.Add(choreKey(choreFill, 1, 2), encodeFill(p, itemPrefix(1)))
	f.Fuzz(func(t *testing.T, key, v []byte) {
		one, err := decodeFill(key, v)
		if err != nil {
			return
		}
		again, err := decodeFill(key, encodeFill(one.place, one.from))
		if err != nil || again.place != one.place || !bytes.Equal(again.from, one.from) {
			t.Errorf("%x: got %+v, %v, want %+v", v, again, err, one)
		}
	})
}
