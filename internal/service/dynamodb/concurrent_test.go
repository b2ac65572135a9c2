package dynamodb

import (
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store/embedded"
)

func TestCounterOnOneItemLosesNothingAndRefusesNobody(t *testing.T) {
	st, err := embedded.Open(embedded.Options{Dir: "counter", FS: vfs.NewMem(), BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	c := startOn(t, st, -1)
	c.create("counter", "pk:S")
	const callers, each = 64, 50
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range each {
				_, err := c.svc.UpdateItem(c.ctx(), &dynamodbapi.UpdateItemInput{
					TableName: "counter", Key: api.JSON(`{"pk":{"S":"a"}}`), UpdateExpression: new("ADD n :one"),
					ExpressionAttributeValues: api.JSON(`{":one":{"N":"1"}}`),
				})
				if err != nil {
					t.Errorf("update: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	out, err := c.svc.GetItem(c.ctx(), &dynamodbapi.GetItemInput{TableName: "counter", Key: api.JSON(`{"pk":{"S":"a"}}`)})
	if want := `{"n":{"N":"3200"},"pk":{"S":"a"}}`; err != nil || string(out.Item) != want {
		t.Errorf("got %s, %v, want %s", out.Item, err, want)
	}
}
