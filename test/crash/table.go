package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"millrace/test/load"
)

// tableName is the one table of these runs, and byValue its index.
const (
	tableName = "things"
	byValue   = "by-value"
)

// attribute is a value as DynamoDB writes it.
type attribute struct {
	S string      `json:",omitempty"`
	N string      `json:",omitempty"`
	L []attribute `json:",omitempty"`
}

type item map[string]attribute

func text(s string) attribute { return attribute{S: s} }

func number(n int) attribute { return attribute{N: strconv.Itoa(n)} }

// int is the number of an attribute that was made by number; 0 when it is not there.
func (a attribute) int() int {
	n, _ := strconv.Atoi(a.N)
	return n
}

// ints is a list of numbers.
func (a attribute) ints() (all []int) {
	for _, e := range a.L {
		all = append(all, e.int())
	}
	return all
}

func key(pk string) item { return item{"pk": text(pk)} }

// table calls the operations of DynamoDB.
func (c *client) table(op string, in object, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(op, out, func() (*load.Request, error) { return c.signer.DynamoDB(op, body) })
}

// outcome is what an error of a call tells. dead: the connection is of no more use. A refusal that no workload expects is an
// error of the run.
func outcome(err error) (o Outcome, dead bool, unexpected error) {
	status, ok := errors.AsType[*load.StatusError](err)
	switch {
	case err == nil:
		return Done, false, nil
	case !ok:
		return Unknown, true, nil
	case status.Status >= 500:
		return Unknown, false, nil
	}
	for _, code := range []string{"ConditionalCheckFailedException", "TransactionCanceledException", "TransactionConflictException"} {
		if strings.Contains(status.Body, "#"+code+`"`) {
			return Refused, false, nil
		}
	}
	return Refused, false, fmt.Errorf("a refusal that should not be: %w", err)
}

// get is a consistent GetItem; nil when the item is not there.
func (c *client) get(pk string) (item, error) {
	var out struct{ Item item }
	err := c.table("GetItem", object{"TableName": tableName, "Key": key(pk), "ConsistentRead": true}, &out)
	return out.Item, err
}

// scan reads the table, or its index when that is named.
func (c *client) scan(index string) (all []item, err error) {
	in := object{"TableName": tableName}
	if index != "" {
		in["IndexName"] = index
	} else {
		in["ConsistentRead"] = true
	}
	for {
		var out struct {
			Items            []item
			LastEvaluatedKey item
		}
		if err := c.table("Scan", in, &out); err != nil {
			return nil, err
		}
		all = append(all, out.Items...)
		if out.LastEvaluatedKey == nil {
			return all, nil
		}
		in["ExclusiveStartKey"] = out.LastEvaluatedKey
	}
}
