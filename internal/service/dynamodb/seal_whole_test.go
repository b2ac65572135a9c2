package dynamodb

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// note is the note of a table's data key; nil when it has none.
func (c *caller) note(table string) (n *sealNote) {
	c.t.Helper()
	num := c.record(table).num
	err := c.svc.store.View(c.t.Context(), func(tx store.ReadTx) (err error) {
		n, err = readSealNote(tx, num)
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// sealedWhole waits until nothing of a table is still to be sealed.
func (c *caller) sealedWhole(table string) {
	c.t.Helper()
	c.eventually("table "+table+" is sealed whole", func() bool {
		n := c.note(table)
		return n == nil || len(n.next) == 0
	})
}

// plainValues counts the values of items and rows that stand plain in the store.
func (c *caller) plainValues(table string) (n, all int) {
	c.t.Helper()
	num := c.record(table).num
	for _, r := range [][2][]byte{{itemPrefix(num), itemPrefix(num + 1)}, {indexPrefix(num, 1), indexPrefix(num+1, 0)}} {
		err := c.svc.store.View(c.t.Context(), func(tx store.ReadTx) error {
			kvs, err := tx.Scan(r[0], r[1], store.MaxScanKeys, false)
			for _, kv := range kvs {
				if all++; !datakey.IsSealed(kv.Value) {
					n++
				}
			}
			return err
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	return n, all
}

// withRows makes a table with a stream, a local and a global index of which each item has rows.
func (c *caller) withRows(table string) (arn string) {
	c.t.Helper()
	in := input(table, "h:S", "r:N")
	in.AttributeDefinitions = append(in.AttributeDefinitions, dynamodbapi.AttributeDefinition{AttributeName: "n", AttributeType: "N"})
	keys := &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeKeysOnly)}
	in.LocalSecondaryIndexes = []dynamodbapi.LocalSecondaryIndex{{IndexName: "local", KeySchema: (&modelIndex{hash: []string{"h"}, sort: []string{"n"}}).keys(), Projection: keys}}
	in.GlobalSecondaryIndexes = []dynamodbapi.GlobalSecondaryIndex{{IndexName: "global", KeySchema: (&modelIndex{hash: []string{"n"}}).keys(), Projection: keys}}
	return c.withStream(in, dynamodbapi.StreamViewTypeNewAndOldImages)
}

// TestTableInUseIsSealedWholeAfterRestartsWhereverTheyEnded ends the process, as it were, after each commit of the worker.
func TestTableInUseIsSealedWholeAfterRestartsWhereverTheyEnded(t *testing.T) {
	const items = 2*sealSlice + 7
	for commits := range 9 {
		synctest.Test(t, func(t *testing.T) {
			st := storetest.NewModel()
			c := startOn(t, st, -1)
			arn := c.withRows("old")
			for i := range items {
				put(c, "old", fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"},"n":{"N":"1"},"v":{"S":"old"}}`, i))
			}
			_ = c.svc.Close()

			limp := &limping{Store: st}
			limp.left.Store(int64(commits) + 3) // the key of iterators, the region and the change itself
			c = startOn(t, limp, -1)
			if _, err := c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{TableName: "old", SSESpecification: &dynamodbapi.SSESpecification{Enabled: new(true)}}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			_ = c.svc.Close()
			if n, all := c.plainValues("old"); all != 3*items || commits == 0 && n != all {
				t.Errorf("after %d commits %d of %d values are plain, there should be %d", commits, n, all, 3*items)
			}

			c = startOn(t, st, -1)
			time.Sleep(time.Minute)
			synctest.Wait()
			if n, all := c.plainValues("old"); n != 0 || all != 3*items {
				t.Errorf("ended after %d commits and started again: %d of %d values are plain, want none of %d", commits, n, all, 3*items)
			}
			left, changes := c.replay(arn)
			if c.agree("old", left); changes != items {
				t.Errorf("the stream has %d changes, want those of %d items", changes, items)
			}
			_ = c.svc.Close()
		})
	}
}

// TestWritersAreNotHeldUpWhileTheirTableIsSealed has writers on all items.
func TestWritersAreNotHeldUpWhileTheirTableIsSealed(t *testing.T) {
	const items, rounds = 3 * sealSlice, 3
	c := startOn(t, newStore(t, "embedded"), -1)
	arn := c.withRows("busy")
	for i := range items {
		put(c, "busy", fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"},"n":{"N":"1"}}`, i))
	}
	var writers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range rounds * items {
				if i%2 != w {
					continue
				}
				_, err := c.svc.UpdateItem(c.ctx(), &dynamodbapi.UpdateItemInput{
					TableName: "busy", Key: api.JSON(fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"}}`, i%items)), UpdateExpression: new("ADD n :one"),
					ExpressionAttributeValues: api.JSON(`{":one":{"N":"1"}}`),
				})
				if err != nil {
					t.Errorf("item %d: %v", i%items, err)
				}
			}
		})
	}
	c.encrypt("busy", "alias/key")
	writers.Wait()
	c.sealedWhole("busy")
	if n, all := c.plainValues("busy"); n != 0 || all != 3*items {
		t.Errorf("%d of %d values are plain, want none of %d", n, all, 3*items)
	}
	left, changes := c.replay(arn)
	if c.agree("busy", left); changes != (rounds+1)*items {
		t.Errorf("the stream has %d changes, want %d", changes, (rounds+1)*items)
	}
	rows := queryAll(c, dynamodbapi.QueryInput{
		TableName: "busy", IndexName: new("global"), KeyConditionExpression: new("n = :n"), ExpressionAttributeValues: api.JSON(fmt.Sprintf(`{":n":{"N":"%d"}}`, rounds+1)),
	})
	if len(rows) != items {
		t.Errorf("%d items were added to by all, want %d", len(rows), items)
	}
}
