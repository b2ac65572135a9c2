package crash

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"

	"millrace/test/load"
)

// registers is how many items the register workers share: few, so that calls meet.
const registers = 6

func registerKey(i int) string { return fmt.Sprint("register-", i) }

// registerWorker reads and writes single items. It lives through all crashes; ops is its part of the history.
type registerWorker struct {
	name   string
	clock  func() int64
	random *rand.Rand
	writes int
	known  [registers]string // what it saw last, to ask for in conditions
	ops    []RegisterOp
}

// run works until the server is gone.
func (w *registerWorker) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed already
	}
	defer c.close()
	for {
		i := w.random.IntN(registers)
		op := RegisterOp{Key: registerKey(i), Call: w.clock()}
		var dead bool
		switch w.random.IntN(4) {
		case 0, 1:
			dead, err = w.read(c, &op)
		case 2:
			dead, err = w.put(c, &op)
		default:
			needs := w.known[i]
			op.Needs = &needs
			dead, err = w.swap(c, &op)
		}
		if op.Outcome != Unknown {
			op.Return = w.clock()
		}
		if op.Saw != nil {
			w.known[i] = *op.Saw
		}
		if op.Writes && op.Outcome == Done {
			w.known[i] = op.New
		}
		w.ops = append(w.ops, op)
		if dead || err != nil {
			return err
		}
	}
}

func (w *registerWorker) read(c *client, op *RegisterOp) (dead bool, err error) {
	got, err := c.get(op.Key)
	op.Outcome, dead, err = outcome(err)
	if op.Outcome == Done {
		op.Saw = new(got["v"].S)
	}
	return dead, err
}

// value is one that nobody has written.
func (w *registerWorker) value(op *RegisterOp) attribute {
	w.writes++
	op.Writes, op.New = true, fmt.Sprint(w.name, "-", w.writes)
	return text(op.New)
}

func (w *registerWorker) put(c *client, op *RegisterOp) (dead bool, err error) {
	var out struct{ Attributes item }
	err = c.table("PutItem", object{
		"TableName": tableName, "Item": item{"pk": text(op.Key), "v": w.value(op)}, "ReturnValues": "ALL_OLD",
	}, &out)
	op.Outcome, dead, err = outcome(err)
	if op.Outcome == Done {
		op.Saw = new(out.Attributes["v"].S)
	}
	return dead, err
}

// swap writes if the item holds what op needs. A refusal says what it holds instead.
func (w *registerWorker) swap(c *client, op *RegisterOp) (dead bool, err error) {
	in := object{
		"TableName": tableName, "Key": key(op.Key), "UpdateExpression": "SET v = :new", "ConditionExpression": "v = :old",
		"ExpressionAttributeValues": item{":new": w.value(op), ":old": text(*op.Needs)},
		"ReturnValues":              "UPDATED_OLD", "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
	}
	if *op.Needs == "" {
		in["ConditionExpression"], in["ExpressionAttributeValues"] = "attribute_not_exists(v)", item{":new": text(op.New)}
	}
	var out struct{ Attributes item }
	answer := c.table("UpdateItem", in, &out)
	op.Outcome, dead, err = outcome(answer)
	switch op.Outcome {
	case Done:
		op.Saw = new(out.Attributes["v"].S)
	case Refused:
		if status, ok := errors.AsType[*load.StatusError](answer); ok && err == nil {
			var refusal struct{ Item item }
			if err := json.Unmarshal([]byte(status.Body), &refusal); err != nil {
				return dead, err
			}
			op.Saw = new(refusal.Item["v"].S)
		}
	case Unknown:
	}
	return dead, err
}
