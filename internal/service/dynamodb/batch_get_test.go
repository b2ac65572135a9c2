package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

func TestBatchGetItemEndsBeforeTheItemThatDoesNotFit(t *testing.T) {
	c := start(t)
	c.create("large", "pk:S")
	const size, fit = 400_000, maxBatchBytes / 400_000
	keys := []api.JSON{}
	for i := range fit + 2 {
		key := fmt.Sprintf(`"pk":{"S":"%02d"}`, i)
		put(c, "large", `{`+key+`,"x":{"S":"`+strings.Repeat("x", size-len("pk00x"))+`"}}`)
		keys = append(keys, api.JSON("{"+key+"}"))
	}
	out, err := c.svc.BatchGetItem(c.ctx(), &dynamodbapi.BatchGetItemInput{
		RequestItems:           map[string]dynamodbapi.KeysAndAttributes{"large": {Keys: keys, ConsistentRead: new(true)}},
		ReturnConsumedCapacity: new(dynamodbapi.ReturnConsumedCapacityTotal),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, left := len(out.Responses["large"]), len(out.UnprocessedKeys["large"].Keys); n != fit || left != 2 {
		t.Errorf("%d items and %d keys left, want %d and 2", n, left, fit)
	}
	if got, want := *out.ConsumedCapacity[0].CapacityUnits, readUnits(size, true)*fit+1; got != want {
		t.Errorf("%v units, want %v: those of the items, and one for what did not fit", got, want)
	}
}
