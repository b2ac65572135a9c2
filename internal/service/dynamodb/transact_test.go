package dynamodb

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
)

// TestTransfersKeepTheSum moves amounts between accounts from many goroutines, while snapshots of all accounts are read.
func TestTransfersKeepTheSum(t *testing.T) {
	const accounts, movers, moves = 5, 4, 50
	c := start(t)
	c.create("accounts", "pk:N")
	for i := range accounts {
		put(c, "accounts", fmt.Sprintf(`{"pk":{"N":"%d"},"v":{"N":"100"}}`, i))
	}
	move := func(from, to int) error {
		in := &dynamodbapi.TransactWriteItemsInput{}
		for _, leg := range []struct {
			account int
			by      string
		}{{from, "-7"}, {to, "7"}} {
			in.TransactItems = append(in.TransactItems, dynamodbapi.TransactWriteItem{Update: &dynamodbapi.Update{
				TableName: "accounts", Key: api.JSON(fmt.Sprintf(`{"pk":{"N":"%d"}}`, leg.account)), UpdateExpression: "ADD v :by",
				ConditionExpression: new("v >= :least"), ExpressionAttributeValues: api.JSON(`{":by":{"N":"` + leg.by + `"},":least":{"N":"7"}}`),
			}})
		}
		_, err := c.svc.TransactWriteItems(c.ctx(), in)
		return err
	}
	var all sync.WaitGroup
	for m := range movers {
		all.Go(func() {
			for i := range moves {
				err := move((m+i)%accounts, (m+i+1+i%3)%accounts)
				if err != nil && !errors.Is(err, dynamodbapi.TransactionCanceledException("", nil)) {
					t.Errorf("move: %v", err)
				}
			}
		})
	}
	all.Go(func() {
		for range moves {
			if got := sum(c, accounts); got != 100*accounts {
				t.Errorf("sum: got %d, want %d", got, 100*accounts)
			}
		}
	})
	all.Wait()
	if got := sum(c, accounts); got != 100*accounts {
		t.Errorf("sum at the end: got %d, want %d", got, 100*accounts)
	}
}

func sum(c *caller, accounts int) (total int) {
	in := &dynamodbapi.TransactGetItemsInput{}
	for i := range accounts {
		in.TransactItems = append(in.TransactItems, dynamodbapi.TransactGetItem{Get: &dynamodbapi.Get{
			TableName: "accounts", Key: api.JSON(`{"pk":{"N":"` + strconv.Itoa(i) + `"}}`), ProjectionExpression: new("v"),
		}})
	}
	out, err := c.svc.TransactGetItems(c.ctx(), in)
	if err != nil {
		c.t.Errorf("TransactGetItems: %v", err)
		return 0
	}
	for _, r := range out.Responses {
		var n int
		if _, err := fmt.Sscanf(string(r.Item), `{"v":{"N":"%d"}}`, &n); err != nil {
			c.t.Errorf("account %s: %v", r.Item, err)
		}
		total += n
	}
	return total
}

func TestTokensThatEndedAreForgotten(t *testing.T) {
	st := newStore(t, "model")
	c := startOn(t, st, -1)
	p := place{account: "000000000000", region: "us-east-2"}
	key := tokenKey(p, "ended")
	if _, err := st.Update(t.Context(), func(tx store.Tx) error {
		if err := tx.Set(key, present); err != nil {
			return err
		}
		return tx.Set(tokenEnd(tx.Now()-1, key), present)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Update(t.Context(), func(tx store.Tx) error { return remember(tx, tokenKey(p, "kept"), [32]byte{}) }); err != nil {
		t.Fatal(err)
	}
	if err := c.svc.forgetTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := st.View(t.Context(), func(tx store.ReadTx) error {
		kvs, err := tx.Scan([]byte{byte(store.FamilyTable), kindToken}, []byte{byte(store.FamilyTable), kindEnd + 1}, 10, false)
		if len(kvs) != 2 {
			t.Errorf("keys: got %d, want those of the token that has not ended: 2", len(kvs))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
