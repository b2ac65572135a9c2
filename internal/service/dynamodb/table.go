package dynamodb

import (
	"slices"
	"time"

	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

// state is where a table is in its life.
type state uint8

// The states. Permanent.
const (
	stateActive   state = 1
	stateCreating state = 2
	stateUpdating state = 3
	stateDeleting state = 4
)

// billing says how a table's capacity is paid for. Permanent.
type billing uint8

const (
	provisioned billing = 0
	onDemand    billing = 1
)

// class is a table's storage class. Permanent.
type class uint8

const (
	classUnset      class = 0 // standard, and not shown
	classStandard   class = 1
	classInfrequent class = 2
)

// throughput is what may change while a table is updating.
type throughput struct {
	billing     billing
	read, write int64 // units; 0 on demand
}

// table is a table's record in the catalogue. It is never changed once it was read or written: a change is made on a clone.
type table struct {
	num     uint64
	id      [16]byte
	state   state
	due     int64 // ms: when the state ends; 0 when it does not
	created int64 // ms

	attributes []expr.KeyAttribute // AttributeDefinitions, in their order
	hash, sort string              // key attributes; sort may be ""

	throughput
	next                 *throughput // what it becomes when the update ends
	increased, decreased int64       // ms; 0: never
	decreases            int64       // on the day of decreased
	onDemandSince        int64       // ms; 0: never
	class                class
	classChanged         int64 // ms; 0: never
	classBefore          int64 // ms: the change before that one
	maxRead, maxWrite    int64 // on demand; 0: no limit
	warmRead, warmWrite  int64 // 0: as tables begin
	nextRead, nextWrite  int64 // what they become when their change ends; 0: as they are
	protected            bool
	tags                 []tag
	ttl                  timeToLive
	sse                  sse
	dataKey              uint64 // that values are sealed under from now on; 0: they are not
	vault                *vault // not in the record

	indexes   []*index // global and local, as they were asked for
	lastIndex uint32   // the number that an index was given last
	delayed   bool     // not in the record: rows of global indexes are written for readers that lag behind

	capture *captured    // nil: changes are not captured
	stream  *tableStream // nil: none is enabled
	latest  int64        // ms: label of the newest stream; 0: never one
}

func (t *table) clone() *table {
	c := *t
	c.attributes, c.tags = slices.Clone(t.attributes), slices.Clone(t.tags)
	c.indexes = slices.Clone(t.indexes) // each of them is changed on a clone of its own
	if t.next != nil {
		next := *t.next
		c.next = &next
	}
	return &c
}

// keys are the key attributes: one or two.
func (t *table) keys() []expr.KeyAttribute {
	keys := make([]expr.KeyAttribute, 0, 2)
	keys = append(keys, t.attribute(t.hash))
	if t.sort != "" {
		keys = append(keys, t.attribute(t.sort))
	}
	return keys
}

func (t *table) attribute(name string) expr.KeyAttribute {
	for _, a := range t.attributes {
		if a.Name == name {
			return a
		}
	}
	return expr.KeyAttribute{Name: name}
}

// schema is the table's for key conditions.
func (t *table) schema() expr.KeySchema {
	keys := t.keys()
	return expr.KeySchema{Partition: keys[:1], Sort: keys[1:]}
}

// keyNames are the names of the key attributes.
func (t *table) keyNames() []string {
	if t.sort == "" {
		return []string{t.hash}
	}
	return []string{t.hash, t.sort}
}

// serves says that items can be read and written: to AWS's data plane a table in another state is not there.
func (t *table) serves() bool { return t.state == stateActive || t.state == stateUpdating }

// finish ends a state whose time has come; false when the table goes.
func (t *table) finish(now int64) bool {
	switch t.state {
	case stateDeleting:
		return false
	case stateUpdating:
		if t.next != nil {
			t.apply(*t.next, now)
		}
	case stateActive, stateCreating:
	}
	t.warmRead, t.warmWrite = max(t.warmRead, t.nextRead), max(t.warmWrite, t.nextWrite)
	t.nextRead, t.nextWrite = 0, 0
	t.finishIndexes(now)
	t.sse.settle()
	t.state, t.due, t.next = stateActive, 0, nil
	return true
}

// apply changes the throughput and notes when it did.
func (t *table) apply(next throughput, now int64) {
	t.warmRead, t.warmWrite = t.warm() // it stays ready for the most that it ever had
	if next.billing == onDemand {
		if t.billing != onDemand {
			t.onDemandSince = now
		}
		t.throughput = throughput{billing: onDemand}
		return
	}
	if t.billing == provisioned && t.decreasesTo(next) {
		t.decreases++
	}
	t.throughput = next
}

// decreasesTo says whether other throughput is a decrease.
func (t *table) decreasesTo(next throughput) bool {
	return t.billing == provisioned && next.billing == provisioned && (next.read < t.read || next.write < t.write)
}

// begin notes a change of throughput, which is shown from then on; a decrease counts when it is done.
//
// Errors: LimitExceededException.
func (t *table) begin(next throughput, now int64) error {
	if t.billing == provisioned && next.billing == provisioned && (next.read > t.read || next.write > t.write) {
		t.increased = now
	}
	if t.decreasesTo(next) {
		if err := t.admitDecrease(now); err != nil {
			return err
		}
		t.decreases, t.decreased = t.decreasesToday(now), now
	}
	t.next = &next
	return nil
}

// decreasesToday counts them by days of UTC.
func (t *table) decreasesToday(now int64) int64 { return decreasesOn(now, t.decreased, t.decreases) }

// decreasesOn is how many of the decreases, of which the last was at decreased, were on the day of now.
func decreasesOn(now, decreased, decreases int64) int64 {
	day := (24 * time.Hour).Milliseconds()
	if decreased/day != now/day {
		return 0
	}
	return decreases
}

// keyKind is the type of a key attribute as AttributeDefinitions names it.
func keyKind(name string) value.Kind {
	switch k := value.ParseKind(name); k {
	case value.KindS, value.KindN, value.KindB:
		return k
	default:
		return value.KindNone
	}
}
