package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/dynamodb/value"
)

func mustItem(tb testing.TB, body string) value.Item {
	tb.Helper()
	var r reader
	item := r.item(api.JSON(body))
	if r.err != nil {
		tb.Fatalf("item %s: %v", body, r.err)
	}
	return item
}

// awaitIndex returns when an index is in a state; "" means gone.
func (c *caller) awaitIndex(table, name string, want dynamodbapi.IndexStatus) {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for c.indexStatus(table, name) != want {
		if time.Now().After(deadline) {
			c.t.Fatalf("index %s is %q, want %q", name, c.indexStatus(table, name), want)
		}
		time.Sleep(time.Millisecond)
	}
}

// keysIn counts the keys of a range of the store.
func (c *caller) keysIn(from, to []byte) (n int) {
	c.t.Helper()
	err := c.svc.store.View(c.ctx(), func(tx store.ReadTx) error {
		kvs, err := tx.Scan(from, to, store.MaxScanKeys, false)
		n = len(kvs)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// TestIndexIsFilledUnderWritersAndRestarts adds an index to a table while writers change its items, and closes and opens the store while
// it is filled. Each writer has items of its own, so that at the end every one is known.
func TestIndexIsFilledUnderWritersAndRestarts(t *testing.T) {
	const items, writers = 3000, 4
	st := newStore(t, "embedded")
	c := startOn(t, st, -1)
	c.create("filled", "h:S", "r:N")
	known := map[string]thing{}
	for i := 0; i < items; i += 25 {
		var batch []dynamodbapi.WriteRequest
		for j := i; j < i+25; j++ {
			x := thing{"h": fmt.Sprint("h", j), "r": "0", "g": fmt.Sprint("g", j%7), "l": "old"}
			known[x["h"]] = x
			batch = append(batch, dynamodbapi.WriteRequest{PutRequest: &dynamodbapi.PutRequest{Item: api.JSON(x.json(allNames...))}})
		}
		if _, err := c.svc.BatchWriteItem(c.ctx(), &dynamodbapi.BatchWriteItemInput{RequestItems: map[string][]dynamodbapi.WriteRequest{"filled": batch}}); err != nil {
			t.Fatal(err)
		}
	}
	filled := modelIndex{name: "filled-index", hash: []string{"g"}, sort: []string{"l"}, shown: []string{"g", "h", "l", "r"}}
	if err := c.addIndex("filled", filled); err != nil {
		t.Fatal(err)
	}
	for round := range 4 {
		c.writeAll(known, writers, round)
		_ = c.svc.Close()
		st.reopen()
		c = startOn(t, st, -1)
	}
	c.awaitIndex("filled", filled.name, dynamodbapi.IndexStatusActive)
	byKey := map[string]thing{}
	for _, x := range known {
		byKey[x.json("h", "r")] = x
	}
	c.compareIndex(rand.New(rand.NewPCG(1, 1)), "filled", &filled, byKey, "after it was filled")
}

// writeAll changes some items, each writer its own, and returns when all have.
func (c *caller) writeAll(known map[string]thing, writers, round int) {
	c.t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	for w := range writers {
		group.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(round), uint64(w)))
			for range 100 {
				h := fmt.Sprint("h", rnd.IntN(3200)/writers*writers+w)
				x := thing{"h": h, "r": "0", "g": fmt.Sprint("g", rnd.IntN(9)), "l": fmt.Sprint("new", round)}
				var err error
				if rnd.IntN(4) == 0 {
					x = nil
					_, err = c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: "filled", Key: api.JSON(thing{"h": h, "r": "0"}.json("h", "r"))})
				} else {
					_, err = c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: "filled", Item: api.JSON(x.json(allNames...))})
				}
				if err != nil {
					c.t.Errorf("writer %d: %v", w, err)
					return
				}
				mu.Lock()
				if known[h] = x; x == nil {
					delete(known, h)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
}

func TestRowsGoWithTheirIndexAndTheirTable(t *testing.T) {
	c := start(t)
	c.indexed("rows", modelIndexes)
	for i := range 1200 {
		put(c, "rows", thing{"h": fmt.Sprint(i % 50), "r": fmt.Sprint(i), "g": "x", "l": "k", "d": "1"}.json(allNames...))
	}
	all := func() int { return c.keysIn(indexPrefix(1, 0), indexPrefix(2, 0)) }
	if got, want := all(), 4*1200+50; got != want {
		t.Fatalf("got %d keys of indexes, want %d", got, want)
	}
	if err := c.dropIndex("rows", "byG"); err != nil {
		t.Fatal(err)
	}
	c.awaitIndex("rows", "byG", "")
	c.awaitKeys(all, 3*1200+50)
	c.await("rows", dynamodbapi.TableStatusActive)
	if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "rows"}); err != nil {
		t.Fatal(err)
	}
	c.awaitKeys(all, 0)
	c.awaitKeys(func() int {
		return c.keysIn([]byte{byte(store.FamilyTable), kindChore}, []byte{byte(store.FamilyTable), kindChore + 1})
	}, 0)
}

func (c *caller) awaitKeys(count func() int, want int) {
	c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for count() != want {
		if time.Now().After(deadline) {
			c.t.Fatalf("got %d keys, want %d", count(), want)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTableIsNotDeletedWhileAnIndexIsMade(t *testing.T) {
	c := startOn(t, newStore(t, "model"), time.Hour)
	c.svc.opts.StateDelay = 0
	c.create("busy", "h:S", "r:N")
	c.svc.opts.StateDelay = time.Hour
	if err := c.addIndex("busy", laterIndex); err != nil {
		t.Fatal(err)
	}
	_, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "busy"})
	const inUse = "Attempt to change a resource which is still in use: "
	wantError(t, err, "ResourceInUseException", inUse+"Cannot delete table while indexes are being created, updated, or deleted.")
	wantError(t, c.dropIndex("busy", "later"), "ResourceInUseException",
		inUse+"Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the index is active. Table: busy Index: later")
	other := laterIndex
	other.name = "other"
	wantError(t, c.addIndex("busy", other), "LimitExceededException", textOneOnline)
	_, err = c.svc.Query(c.ctx(), &dynamodbapi.QueryInput{
		TableName: "busy", IndexName: new("later"), KeyConditionExpression: new("l = :l"), ExpressionAttributeValues: api.JSON(`{":l":{"S":"x"}}`),
	})
	wantError(t, err, "ValidationException", "Cannot read from backfilling global secondary index: later")
}

func TestItemCollectionEndsAtTenGigabytes(t *testing.T) {
	c := start(t)
	c.indexed("full", modelIndexes)
	put(c, "full", `{"h":{"S":"a"},"r":{"N":"1"},"p":{"S":"12345"}}`)
	_, err := c.svc.store.Update(c.ctx(), func(tx store.Tx) error {
		t, err := c.svc.readTable(tx, place{account: c.account, region: c.region, table: "full"})
		if err != nil {
			return err
		}
		at, _ := t.keyOf(mustItem(c.t, `{"h":{"S":"a"},"r":{"N":"1"}}`))
		w := change{table: t, at: at}
		return w.collect(tx, maxCollection-100)
	})
	if err != nil {
		t.Fatal(err)
	}
	large := `{"h":{"S":"a"},"r":{"N":"2"},"p":{"S":"` + strings.Repeat("x", 200) + `"}}`
	_, err = c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: "full", Item: api.JSON(large)})
	wantError(t, err, "ItemCollectionSizeLimitExceededException", textCollection)
	_, err = c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{TransactItems: []dynamodbapi.TransactWriteItem{
		{Put: &dynamodbapi.Put{TableName: "full", Item: api.JSON(large)}},
	}})
	wantError(t, err, "TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [ItemCollectionSizeLimitExceeded]")
	out, err := c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{
		TableName: "full", Item: api.JSON(`{"h":{"S":"a"},"r":{"N":"1"}}`), ReturnItemCollectionMetrics: new(dynamodbapi.ReturnItemCollectionMetricsSize),
	})
	if err != nil || fmt.Sprint(out.ItemCollectionMetrics.SizeEstimateRangeGB) != "[9 10]" {
		t.Errorf("a smaller item: got %+v, %v, want sizes from 9 to 10 GB", out, err)
	}
}

// TestDelayedIndexIsReadAsItWas moves, changes, adds and deletes rows and looks at each moment a delay later.
func TestDelayedIndexIsReadAsItWas(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) { delayedIndexIsReadAsItWas(t, form) })
	}
}

func delayedIndexIsReadAsItWas(t *testing.T, form string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		const delay, moment = 2 * time.Second, 500 * time.Millisecond
		svc, err := New(Options{RootKey: storetest.RootKey, Store: storetest.NewModel(), StateDelay: -1, IndexDelay: delay})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = svc.Close() }()
		c := &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
		c.indexed("late", modelIndexes[:3])
		c.as(form, "late")
		time.Sleep(2 * delay)
		rnd := rand.New(rand.NewPCG(3, 3))
		items := map[string]thing{}
		var moments []map[string]thing
		for range 60 {
			for range rnd.IntN(4) {
				x := thing{"h": "a", "r": fmt.Sprint(rnd.IntN(5)), "g": []string{"", "x", "y"}[rnd.IntN(3)], "d": fmt.Sprint(1 + rnd.IntN(3)), "l": "k"}
				if key := x.json("h", "r"); rnd.IntN(4) == 0 {
					if _, err := c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: "late", Key: api.JSON(key)}); err != nil {
						t.Fatal(err)
					}
					delete(items, key)
				} else {
					put(c, "late", x.json(allNames...))
					items[key] = x
				}
			}
			moments = append(moments, maps.Clone(items))
			time.Sleep(moment / 2)
			seen := map[string]thing{}
			if n := len(moments) - 1 - int(delay/moment); n >= 0 {
				seen = moments[n]
			}
			for i := range modelIndexes[:3] {
				c.compareIndex(rnd, "late", &modelIndexes[i], seen, fmt.Sprint("moment ", len(moments)))
			}
			time.Sleep(moment - moment/2)
		}
		time.Sleep(3 * indexIdle)
		synctest.Wait()
		if n := c.keysIn([]byte{byte(store.FamilyTable), kindChore}, []byte{byte(store.FamilyTable), kindChore + 1}); n != 0 {
			t.Errorf("got %d earlier rows that nobody looks at, want none", n)
		}
	})
}

func TestIndexRecordsComeBack(t *testing.T) {
	ix := &index{
		name: "name", num: 7, hash: []string{"a", "b"}, sort: []string{"c"}, project: projectInclude, include: []string{"p", "q"}, state: stateCreating,
		backfilling: true, online: true, throughput: throughput{provisioned, 1, 2}, next: &throughput{provisioned, 3, 4},
		increased: 5, decreased: 6, decreases: 7, maxRead: 8, maxWrite: 9, warmRead: 10, warmWrite: 11,
	}
	got := decodeIndex(encodeIndex(ix))
	if fmt.Sprintf("%+v", got.next) != fmt.Sprintf("%+v", ix.next) {
		t.Errorf("next: got %+v, want %+v", got.next, ix.next)
	}
	got.next, ix.next = nil, nil
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", ix); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

// BenchmarkMoveIndexKey moves items from key to key of an index, in tables of different sizes: the cost must not depend on them.
func BenchmarkMoveIndexKey(b *testing.B) {
	for _, items := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprint(items), func(b *testing.B) {
			c := startOn(b, newStore(b, "embedded"), -1)
			c.t = b
			c.indexed("moves", modelIndexes[:1])
			load(b, c, items)
			rnd := rand.New(rand.NewPCG(1, 1))
			for i := 0; b.Loop(); i++ {
				_, err := c.svc.UpdateItem(c.ctx(), &dynamodbapi.UpdateItemInput{
					TableName: "moves", Key: api.JSON(fmt.Sprintf(`{"h":{"S":"%d"},"r":{"N":"0"}}`, rnd.IntN(items))), UpdateExpression: new("SET g = :g"),
					ExpressionAttributeValues: api.JSON(fmt.Sprintf(`{":g":{"S":"to-%d"}}`, i)),
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFillIndex adds an index to a table of 100,000 items; an operation is an item.
func BenchmarkFillIndex(b *testing.B) {
	const items = 100_000
	c := startOn(b, newStore(b, "embedded"), -1)
	c.create("moves", "h:S", "r:N")
	load(b, c, items)
	began := time.Now()
	if err := c.addIndex("moves", modelIndexes[0]); err != nil {
		b.Fatal(err)
	}
	c.awaitIndex("moves", modelIndexes[0].name, dynamodbapi.IndexStatusActive)
	b.ReportMetric(float64(time.Since(began).Nanoseconds())/items, "ns/item")
}

// load puts items, many at once.
func load(b *testing.B, c *caller, items int) {
	b.Helper()
	ctx, cancel := context.WithCancelCause(c.ctx())
	defer cancel(nil)
	var group sync.WaitGroup
	const loaders = 16
	for w := range loaders {
		group.Go(func() {
			for i := w * 25; i < items && ctx.Err() == nil; i += loaders * 25 {
				var batch []dynamodbapi.WriteRequest
				for j := i; j < min(i+25, items); j++ {
					item := fmt.Sprintf(`{"h":{"S":"%d"},"r":{"N":"0"},"g":{"S":"from-%d"},"p":{"S":"%s"}}`, j, j, strings.Repeat("p", 100))
					batch = append(batch, dynamodbapi.WriteRequest{PutRequest: &dynamodbapi.PutRequest{Item: api.JSON(item)}})
				}
				in := &dynamodbapi.BatchWriteItemInput{RequestItems: map[string][]dynamodbapi.WriteRequest{"moves": batch}}
				_, err := c.svc.BatchWriteItem(ctx, in)
				for errors.Is(err, dynamodbapi.ProvisionedThroughputExceededException("", nil)) {
					_, err = c.svc.BatchWriteItem(ctx, in)
				}
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		b.Fatal(err)
	}
}
