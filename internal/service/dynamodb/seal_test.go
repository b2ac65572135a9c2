package dynamodb

import (
	"fmt"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// forms are the two ways in which tests of what is read run: on a plain table and on a sealed one.
var forms = []string{"plain", "sealed"}

// sealedAs asks for a new table in one of the forms.
func sealedAs(in *dynamodbapi.CreateTableInput, form string) *dynamodbapi.CreateTableInput {
	if form == "sealed" {
		in.SSESpecification = &dynamodbapi.SSESpecification{Enabled: new(true)}
	}
	return in
}

// encrypt puts a table under a KMS key, or under none when key is "".
func (c *caller) encrypt(table, key string) {
	c.t.Helper()
	spec := &dynamodbapi.SSESpecification{Enabled: new(key != "")}
	if key != "" {
		spec.SSEType, spec.KMSMasterKeyId = new(dynamodbapi.SSETypeKms), &key
	}
	if _, err := c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{TableName: table, SSESpecification: spec}); err != nil {
		c.t.Fatalf("UpdateTable of %s to key %q: %v", table, key, err)
	}
	c.await(table, dynamodbapi.TableStatusActive)
}

// rotate gives an encrypted table another data key.
func (c *caller) rotate(table string) {
	c.t.Helper()
	if err := c.svc.noteSealed(c.t.Context(), c.record(table).num, 1, 1); err != nil {
		c.t.Fatal(err)
	}
}

// as encrypts a table in the sealed form, and gives one that is encrypted another data key.
func (c *caller) as(form, table string) {
	c.t.Helper()
	switch {
	case form == "plain":
	case c.record(table).dataKey == 0:
		c.encrypt(table, "alias/"+table)
	default:
		c.rotate(table)
	}
}

// record is a table's record.
func (c *caller) record(name string) (t *table) {
	c.t.Helper()
	err := c.svc.store.View(c.t.Context(), func(tx store.ReadTx) (err error) {
		t, err = c.svc.readTable(tx, place{account: c.account, region: c.region, table: name})
		return err
	})
	if err != nil || t == nil {
		c.t.Fatalf("record of %s: %v, %v", name, t, err)
	}
	return t
}

// stored is what stands in the store under keys with a prefix.
func (c *caller) stored(prefix []byte) (kvs []store.KV) {
	c.t.Helper()
	err := c.svc.store.View(c.t.Context(), func(tx store.ReadTx) (err error) {
		kvs, err = tx.Scan(prefix, after(prefix), store.MaxScanKeys, false)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return kvs
}

// get is an item of the table of these tests; nil when there is none.
func (c *caller) get(key string) api.JSON {
	c.t.Helper()
	out, err := c.svc.GetItem(c.ctx(), &dynamodbapi.GetItemInput{TableName: expiring, Key: api.JSON(key)})
	if err != nil {
		c.t.Fatal(err)
	}
	return out.Item
}

// TestItemsAreReadWhateverTheyWereWrittenUnder goes through encryption, rotation, another KMS key and the end of encryption on a table in
// use, with a restart after each, and reads everything that was written before.
func TestItemsAreReadWhateverTheyWereWrittenUnder(t *testing.T) {
	st := newStore(t, "embedded")
	c := startOn(t, st, -1)
	in := input(expiring, "h:N", "r:S")
	in.LocalSecondaryIndexes = []dynamodbapi.LocalSecondaryIndex{{
		IndexName: "n", KeySchema: (&modelIndex{hash: []string{"h"}, sort: []string{"n"}}).keys(),
		Projection: &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeKeysOnly)},
	}}
	in.AttributeDefinitions = append(in.AttributeDefinitions, dynamodbapi.AttributeDefinition{AttributeName: "n", AttributeType: "N"})
	arn := c.withStream(in, dynamodbapi.StreamViewTypeNewAndOldImages)
	num := c.record(expiring).num
	last, seen := uint64(0), map[uint64]bool{}
	for i, x := range []struct {
		what   string
		do     func()
		sealed bool
	}{
		{"plain", func() {}, false},
		{"encrypted", func() { c.encrypt(expiring, "alias/first") }, true},
		{"rotated", func() { c.rotate(expiring) }, true},
		{"under another key", func() { c.encrypt(expiring, "alias/second") }, true},
		{"plain again", func() { c.encrypt(expiring, "") }, false},
		{"encrypted again", func() { c.encrypt(expiring, "alias/first") }, true},
	} {
		x.do()
		c.sealedWhole(expiring)
		put(c, expiring, fmt.Sprintf(`{"h":{"N":"1"},"r":{"S":"%d"},"n":{"N":"%d"},"v":{"S":"%s"}}`, i, i, x.what))
		put(c, expiring, fmt.Sprintf(`{"h":{"N":"1"},"r":{"S":"same"},"n":{"N":"%d"},"v":{"S":"%s"}}`, 100+i, x.what))
		now := c.record(expiring).dataKey
		if (now != 0) != x.sealed || x.sealed && (now == last || seen[now]) {
			t.Errorf("%s: data key %d, was %d", x.what, now, last)
		}
		last, seen[now] = now, true
		sealed := 0
		for _, kv := range c.stored(itemPrefix(num)) {
			if datakey.IsSealed(kv.Value) {
				sealed++
			}
		}
		if want := []int{0, 3, 4, 5, 4, 7}[i]; sealed != want {
			t.Errorf("%s: %d items are sealed, want %d", x.what, sealed, want)
		}
		_ = c.svc.Close()
		st.reopen()
		c = startOn(t, st, -1)
		items, changes := c.replay(arn)
		if c.agree(expiring, items); changes != 2*(i+1) || len(items) != i+2 {
			t.Errorf("%s: the stream has %d changes of %d items", x.what, changes, len(items))
		}
		rows := queryAll(c, dynamodbapi.QueryInput{
			TableName: expiring, IndexName: new("n"), KeyConditionExpression: new("h = :h"), ProjectionExpression: new("v"), ExpressionAttributeValues: api.JSON(`{":h":{"N":"1"}}`),
		})
		if len(rows) != i+2 || rows[i] != fmt.Sprintf(`{"v":{"S":"%s"}}`, x.what) || rows[0] != `{"v":{"S":"plain"}}` {
			t.Errorf("%s: got rows %v", x.what, rows)
		}
		if d := c.describe(expiring); *d.ItemCount != int64(i+2) || *d.TableSizeBytes < int64(10*(i+2)) {
			t.Errorf("%s: counted %d items of %d bytes", x.what, *d.ItemCount, *d.TableSizeBytes)
		}
	}
}

func TestASealedItemOpensOnlyUnderItsKeyAndRootKey(t *testing.T) {
	c := start(t)
	if _, err := c.svc.CreateTable(c.ctx(), sealedAs(input(expiring, "pk:S"), "sealed")); err != nil {
		t.Fatal(err)
	}
	c.await(expiring, dynamodbapi.TableStatusActive)
	c.create("plain", "pk:S")
	put(c, expiring, `{"pk":{"S":"a"},"v":{"S":"1"}}`)
	put(c, expiring, `{"pk":{"S":"b"},"v":{"S":"2"}}`)
	put(c, "plain", `{"pk":{"S":"a"}}`)
	read := func(c *caller, table, key string) error {
		_, err := c.svc.GetItem(c.ctx(), &dynamodbapi.GetItemInput{TableName: table, Key: api.JSON(`{"pk":{"S":"` + key + `"}}`)})
		return err
	}
	for _, root := range []*datakey.Root{nil, datakey.NewRoot()} {
		svc, err := New(Options{Store: c.svc.store, RootKey: root, StateDelay: -1})
		if err != nil {
			t.Fatal(err)
		}
		other := &caller{t: t, account: c.account, region: c.region, svc: svc}
		if e := api.AsError(read(other, expiring, "a")); e == nil || e.Code != "InternalServerError" {
			t.Errorf("with root key %v: got %v, want InternalServerError", root, e)
		}
		if _, err := svc.PutItem(other.ctx(), &dynamodbapi.PutItemInput{TableName: expiring, Item: api.JSON(`{"pk":{"S":"c"}}`)}); err == nil {
			t.Errorf("with root key %v: an item was written", root)
		}
		if err := read(other, "plain", "a"); err != nil {
			t.Errorf("with root key %v: a plain table: %v", root, err)
		}
		_ = svc.Close()
	}
	kvs := c.stored(itemPrefix(c.record(expiring).num))
	if len(kvs) != 2 || !datakey.IsSealed(kvs[0].Value) {
		t.Fatalf("got %d items in the store, want 2 that are sealed", len(kvs))
	}
	if _, err := c.svc.store.Update(t.Context(), func(tx store.Tx) error { return tx.Set(kvs[0].Key, kvs[1].Value) }); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, key := range []string{"a", "b"} {
		if e := api.AsError(read(c, expiring, key)); e != nil && e.Code == "InternalServerError" {
			failed++
		}
	}
	if failed != 1 {
		t.Errorf("%d of two items do not open, want the one that was moved", failed)
	}
	if _, err := c.svc.Scan(c.ctx(), &dynamodbapi.ScanInput{TableName: expiring}); err == nil {
		t.Error("a scan read the item that was moved")
	}
}
