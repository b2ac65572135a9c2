package crash

import (
	"fmt"
	"math/rand/v2"
)

// listsEach is how many lists each life of the server begins; it works on them and on those of the life before, so that lists
// stay short and yet live through a crash.
const listsEach = 4

func listKey(life, i int) string { return fmt.Sprintf("list-%d-%d", life, i) }

// listWorker reads lists and appends to them, alone and in transactions. It lives through all crashes; txns is its part of the history.
type listWorker struct {
	number int // no other worker has it
	clock  func() int64
	random *rand.Rand
	life   int
	writes int
	txns   []Txn
}

// run works until the server is gone.
func (w *listWorker) run(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed already
	}
	defer c.close()
	for {
		txn := Txn{Call: w.clock()}
		do := [...]func(*client, *Txn) (bool, error){w.readAll, w.append, w.decide, w.decide, w.appendOne}[w.random.IntN(5)]
		dead, err := do(c, &txn)
		if txn.Outcome != Unknown {
			txn.Return = w.clock()
		}
		w.txns = append(w.txns, txn)
		if dead || err != nil {
			return err
		}
	}
}

// some are n lists, in random order.
func (w *listWorker) some(n int) (keys []string) {
	for _, i := range w.random.Perm(2 * listsEach)[:n] {
		keys = append(keys, listKey(max(0, w.life-i/listsEach), i%listsEach))
	}
	if w.life == 0 { // there is no life before
		return keys[:1]
	}
	return keys
}

// element is one that nobody has appended.
func (w *listWorker) element() int {
	w.writes++
	return w.writes*100 + w.number
}

// readAll reads lists in one transaction.
func (w *listWorker) readAll(c *client, txn *Txn) (dead bool, err error) {
	reads, err := w.read(c, w.some(3))
	txn.Outcome, dead, err = outcome(err)
	if txn.Outcome == Done {
		txn.Reads = reads
	}
	return dead, err
}

func (w *listWorker) read(c *client, keys []string) (map[string][]int, error) {
	var gets []object
	for _, k := range keys {
		gets = append(gets, object{"Get": object{"TableName": tableName, "Key": key(k)}})
	}
	var out struct{ Responses []struct{ Item item } }
	if err := c.table("TransactGetItems", object{"TransactItems": gets}, &out); err != nil {
		return nil, err
	}
	reads := map[string][]int{}
	for i, r := range out.Responses {
		reads[keys[i]] = r.Item["l"].ints()
	}
	return reads, nil
}

// appending is the part of an update that appends e.
func appending(k string, e int) object {
	return object{
		"TableName": tableName, "Key": key(k), "UpdateExpression": "SET l = list_append(if_not_exists(l, :none), :e)",
		"ExpressionAttributeValues": object{":none": object{"L": []attribute{}}, ":e": attribute{L: []attribute{number(e)}}},
	}
}

// append appends to lists without reading them.
func (w *listWorker) append(c *client, txn *Txn) (dead bool, err error) {
	txn.Appends = map[string]int{}
	var writes []object
	for _, k := range w.some(1 + w.random.IntN(3)) {
		txn.Appends[k] = w.element()
		writes = append(writes, object{"Update": appending(k, txn.Appends[k])})
	}
	txn.Outcome, dead, err = outcome(c.table("TransactWriteItems", object{"TransactItems": writes}, nil))
	return dead, err
}

// appendOne appends to one list, and is told what it holds then.
func (w *listWorker) appendOne(c *client, txn *Txn) (dead bool, err error) {
	k := w.some(1)[0]
	e := w.element()
	txn.Appends = map[string]int{k: e}
	in := appending(k, e)
	in["ReturnValues"] = "UPDATED_NEW"
	var out struct{ Attributes item }
	txn.Outcome, dead, err = outcome(c.table("UpdateItem", in, &out))
	if txn.Outcome == Done && err == nil {
		list := out.Attributes["l"].ints()
		if len(list) == 0 || list[len(list)-1] != e {
			return dead, fmt.Errorf("%s: %d was appended, and the list is %v", k, e, list)
		}
		txn.Reads = map[string][]int{k: list[:len(list)-1]}
	}
	return dead, err
}

// decide reads lists, and appends to some of them if all are still as long: only then has it read anything.
func (w *listWorker) decide(c *client, txn *Txn) (dead bool, err error) {
	reads, err := w.read(c, w.some(3))
	if err != nil {
		txn.Outcome, dead, err = outcome(err)
		return dead, err
	}
	txn.Call = w.clock() // the reads count as of the commit
	txn.Reads, txn.Appends = reads, map[string]int{}
	var writes []object
	for k, list := range reads {
		part, member := object{"TableName": tableName, "Key": key(k), "ExpressionAttributeValues": object{}}, "ConditionCheck"
		if len(txn.Appends) == 0 || w.random.IntN(3) == 0 {
			txn.Appends[k] = w.element()
			part, member = appending(k, txn.Appends[k]), "Update"
		}
		part["ConditionExpression"] = "size(l) = :n"
		part["ExpressionAttributeValues"].(object)[":n"] = number(len(list))
		if len(list) == 0 {
			part["ConditionExpression"] = "attribute_not_exists(l)"
			delete(part["ExpressionAttributeValues"].(object), ":n")
		}
		if len(part["ExpressionAttributeValues"].(object)) == 0 {
			delete(part, "ExpressionAttributeValues")
		}
		writes = append(writes, object{member: part})
	}
	txn.Outcome, dead, err = outcome(c.table("TransactWriteItems", object{"TransactItems": writes}, nil))
	return dead, err
}
