package crash

import (
	"fmt"
	"math/rand/v2"
)

const (
	accounts     = 5
	startBalance = 1000
)

func accountKey(i int) string { return fmt.Sprint("account-", i) }

func receiptKey(id string) string { return "receipt-" + id }

// transferWorker moves amounts between accounts. A transfer without an answer is sent again, with the same token, in the next life.
type transferWorker struct {
	name      string
	random    *rand.Rand
	transfers []Transfer
	resent    int
}

// run works until the server is gone.
func (w *transferWorker) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed already
	}
	defer c.close()
	for {
		if n := len(w.transfers); n == 0 || w.transfers[n-1].Outcome != Unknown {
			from := w.random.IntN(accounts)
			to := (from + 1 + w.random.IntN(accounts-1)) % accounts
			id := fmt.Sprint(w.name, "-", n)
			w.transfers = append(w.transfers, Transfer{ID: id, From: accountKey(from), To: accountKey(to), Amount: 1 + w.random.IntN(startBalance/2)})
		} else {
			w.resent++
		}
		t := &w.transfers[len(w.transfers)-1]
		var dead bool
		if t.Outcome, dead, err = outcome(c.table("TransactWriteItems", t.request(), nil)); dead || err != nil {
			return err
		}
	}
}

// request takes from an account what it has, gives it to another, and counts up the receipt.
func (t *Transfer) request() object {
	add := func(pk, member string, n int, condition string) object {
		part := object{
			"TableName": tableName, "Key": key(pk), "UpdateExpression": "ADD " + member + " :n",
			"ExpressionAttributeValues": item{":n": number(n)},
		}
		if condition != "" {
			part["ConditionExpression"] = condition
			part["ExpressionAttributeValues"] = item{":n": number(n), ":least": number(-n)}
		}
		return object{"Update": part}
	}
	return object{"ClientRequestToken": t.ID, "TransactItems": []object{
		add(t.From, "balance", -t.Amount, "balance >= :least"),
		add(t.To, "balance", t.Amount, ""),
		add(receiptKey(t.ID), "times", 1, ""),
	}}
}

// sumOfAccounts reads all accounts in one transaction.
func sumOfAccounts(c *client) (int, error) {
	var gets []object
	for i := range accounts {
		gets = append(gets, object{"Get": object{"TableName": tableName, "Key": key(accountKey(i))}})
	}
	var out struct{ Responses []struct{ Item item } }
	if err := c.table("TransactGetItems", object{"TransactItems": gets}, &out); err != nil {
		return 0, err
	}
	sum := 0
	for _, r := range out.Responses {
		sum += r.Item["balance"].int()
	}
	return sum, nil
}
