package dynamodb

import (
	"sync"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

func TestCounterOnOneItemLosesNothingAndRefusesNobody(t *testing.T) {
	c := startOn(t, newStore(t, "embedded"), -1)
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
