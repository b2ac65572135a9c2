package dynamodb

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// TestRandomWritesAgreeWithAMap writes, counts up and deletes items at random, alone and in transactions, on a store that is
// closed and opened again in between, and compares what a scan shows with a map.
func TestRandomWritesAgreeWithAMap(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) { randomWritesAgreeWithAMap(t, form) })
	}
}

func randomWritesAgreeWithAMap(t *testing.T, form string) {
	t.Helper()
	const seed = 7
	rnd := rand.New(rand.NewPCG(seed, seed))
	st := newStore(t, "embedded")
	c := startOn(t, st, -1)
	reopen := func() {
		if err := c.svc.Close(); err != nil {
			t.Fatal(err)
		}
		st.reopen()
		c = startOn(t, st, -1)
	}
	c.create("model", "h:N", "r:S")
	c.as(form, "model")
	model := map[string]int{} // of a key to its counter
	for i := range 2000 {
		h, r := rnd.IntN(4), string(rune('a'+rnd.IntN(6)))
		key := fmt.Sprintf(`"h":{"N":"%d"},"r":{"S":"%s"}`, h, r)
		n, there := model[key]
		switch rnd.IntN(10) {
		case 0, 1, 2:
			v := rnd.IntN(100)
			put(c, "model", fmt.Sprintf(`{%s,"n":{"N":"%d"}}`, key, v))
			model[key] = v
		case 3, 4, 5:
			_, err := c.svc.UpdateItem(c.ctx(), &dynamodbapi.UpdateItemInput{
				TableName: "model", Key: api.JSON("{" + key + "}"), UpdateExpression: new("ADD n :one"), ConditionExpression: new("attribute_exists(h)"),
				ExpressionAttributeValues: api.JSON(`{":one":{"N":"1"}}`),
			})
			if there != (err == nil) {
				t.Fatalf("seed %d, step %d: update of %s, which is there %v: got %v", seed, i, key, there, err)
			}
			if there {
				model[key] = n + 1
			}
		case 6, 7:
			if _, err := c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: "model", Key: api.JSON("{" + key + "}")}); err != nil {
				t.Fatal(err)
			}
			delete(model, key)
		case 8:
			other := fmt.Sprintf(`"h":{"N":"%d"},"r":{"S":"z"}`, h)
			_, err := c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{TransactItems: []dynamodbapi.TransactWriteItem{
				{Delete: &dynamodbapi.Delete{TableName: "model", Key: api.JSON("{" + key + "}"), ConditionExpression: new("n >= :n"), ExpressionAttributeValues: api.JSON(`{":n":{"N":"50"}}`)}},
				{Put: &dynamodbapi.Put{TableName: "model", Item: api.JSON("{" + other + `,"n":{"N":"1"}}`)}},
			}})
			if moves := there && n >= 50; moves != (err == nil) {
				t.Fatalf("seed %d, step %d: transaction on %s with %d: got %v", seed, i, key, n, err)
			} else if moves {
				delete(model, key)
				model[other] = 1
			}
		case 9:
			if i%20 == 0 {
				reopen()
				c.as(form, "model")
			}
			compare(t, c, model, i)
		}
	}
	compare(t, c, model, -1)
}

func compare(t *testing.T, c *caller, model map[string]int, step int) {
	t.Helper()
	var got, want []string
	in := &dynamodbapi.ScanInput{TableName: "model", Limit: new(int32(5)), ProjectionExpression: new("h, r, n")}
	for {
		out, err := c.svc.Scan(c.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Items {
			got = append(got, string(item))
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	for _, key := range slices.Sorted(maps.Keys(model)) {
		var h int
		var r string
		if _, err := fmt.Sscanf(key, `"h":{"N":"%d"},"r":{"S":"%1s"}`, &h, &r); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf(`{"h":{"N":"%d"},"n":{"N":"%d"},"r":{"S":"%s"}}`, h, model[key], r))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("step %d:\ngot  %v\nwant %v", step, got, want)
	}
}
