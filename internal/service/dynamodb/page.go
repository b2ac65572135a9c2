package dynamodb

import (
	"bytes"
	"slices"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

const (
	// maxPage is how many bytes of items a page evaluates before it ends: the item that passes it is on the page. Source: API
	// reference, Query (read 2026-11); what is done with that item, dynalite.
	maxPage = 1 << 20

	// A page reads items in runs: the first is small, the next are what the rest of the page takes by the size of those before,
	// within bounds that keep a run of the largest items at 13 MB.
	firstRun   = 32
	largestRun = 1000
)

// page is what Query and Scan do with a range of keys.
type page struct {
	vault    *vault
	from, to []byte // keys of the store; what has been read is cut off
	reverse  bool
	limit    int // items evaluated; 0: as many as there are
	filter   expr.Condition
	show     expr.Projection
	form     bool   // whole items stay in their stored form
	count    bool   // items are counted and not shown
	past     past   // what rows were, of an index that is shown as it was
	fetch    *table // the items of the rows are read from this table, of which a local index is; nil: rows are shown as they are

	items   []api.JSON // nil when they are only counted; an empty list is sent, where nil is not
	matched int32
	scanned int32
	size    int    // bytes evaluated
	fetches []int  // sizes of the items that were read for rows
	whole   int    // their sum
	last    []byte // the item evaluated last
	more    bool   // the page ended before the range
}

// read evaluates items until the page or the range ends. It may run more than once on one page.
//
// Errors: those of the store, value.ErrCorrupt.
func (p *page) read(tx store.ReadTx) error {
	p.items, p.matched, p.scanned, p.size, p.last, p.more = nil, 0, 0, 0, nil, false
	p.fetches, p.whole = nil, 0
	if !p.count {
		p.items = []api.JSON{}
	}
	from, to, run := p.from, p.to, firstRun
	for bytes.Compare(from, to) < 0 {
		if p.limit > 0 {
			run = min(run, p.limit-int(p.scanned))
		}
		kvs, err := p.vault.scan(tx, from, to, run, p.reverse)
		if err != nil {
			return err
		}
		low, high := from, to // of this run
		if len(kvs) == run {
			if last := kvs[run-1].Key; p.reverse {
				low, to = last, last
			} else {
				from = append(bytes.Clone(last), 0)
				high = from
			}
		}
		if err := p.take(tx, p.past.in(low, high, kvs, p.reverse)); err != nil || p.more {
			return err
		}
		if len(kvs) < run {
			return nil
		}
		run = p.nextRun()
	}
	return nil
}

// take evaluates a run, until the page ends.
func (p *page) take(tx store.ReadTx, kvs []store.KV) error {
	if !p.count && p.filter.IsZero() {
		p.items = slices.Grow(p.items, len(kvs))
	}
	if p.fetch == nil {
		for i := range kvs {
			if err := p.evaluate(kvs[i].Value, kvs[i].Value); err != nil || p.more {
				return err
			}
		}
		return nil
	}
	rows := make([][]byte, len(kvs))
	for i, kv := range kvs {
		rows[i] = kv.Value
	}
	items, err := p.fetched(tx, rows)
	if err != nil {
		return err
	}
	for i := range rows {
		if err := p.evaluate(rows[i], items[i]); err != nil || p.more {
			return err
		}
	}
	return nil
}

func (p *page) nextRun() int {
	read := p.size + p.whole
	average := max(read/max(int(p.scanned), 1), 1)
	return min(max((maxPage-read)/average+1, firstRun), largestRun)
}

// evaluate takes the next row and the item that it stands for, which is the row itself unless it was fetched.
func (p *page) evaluate(row, stored []byte) error {
	view, err := value.Open(row)
	if err != nil {
		return err
	}
	p.scanned++
	p.size += view.Size()
	if p.fetch != nil {
		n := sizeOf(stored)
		p.fetches, p.whole = append(p.fetches, n), p.whole+n
	}
	p.last = row
	p.more = int(p.scanned) == p.limit || p.size+p.whole >= maxPage
	is, err := holds(p.filter, stored)
	if err != nil || !is {
		return err
	}
	p.matched++
	if p.count {
		return nil
	}
	if p.form && p.fetch == nil && p.show.IsZero() {
		p.items = append(p.items, row) // which was opened above
		return nil
	}
	item, err := shown(p.form, p.show, stored)
	p.items = append(p.items, item)
	return err
}

// lastKey is LastEvaluatedKey; nil when the range was read to its end.
func (p *page) lastKey(g target) (api.JSON, error) {
	if !p.more {
		return nil, nil
	}
	view, err := value.Open(p.last)
	if err != nil {
		return nil, err
	}
	key, err := g.keyItem(view)
	if err != nil {
		return nil, err
	}
	return wirejson.AppendItemValue(nil, key), nil
}

// startAfter cuts off what a page before has read, up to and with key.
func (p *page) startAfter(key []byte) {
	if p.reverse {
		if bytes.Compare(key, p.to) < 0 {
			p.to = key
		}
		return
	}
	if next := append(bytes.Clone(key), 0); bytes.Compare(next, p.from) > 0 {
		p.from = next
	}
}

// queryRange is the range of keys that a plan means.
func (g target) queryRange(plan *expr.KeyPlan) (from, to []byte, ok bool) {
	prefix, _ := g.bounds()
	base, ok := keyenc.AppendKey(prefix, plan.Partition, plan.Prefix)
	if !ok {
		return nil, nil, false
	}
	with := func(v value.Value) []byte {
		k, fits := keyenc.Append(bytes.Clone(base), v)
		ok = ok && fits
		return k
	}
	from, to = base, keyenc.After(base)
	switch plan.Op {
	case expr.RangeAll:
	case expr.RangeLess:
		to = with(plan.High)
	case expr.RangeAtMost:
		to = keyenc.After(with(plan.High))
	case expr.RangeGreater:
		from = keyenc.After(with(plan.Low))
	case expr.RangeAtLeast:
		from = with(plan.Low)
	case expr.RangeBetween:
		from, to = with(plan.Low), keyenc.After(with(plan.High))
	case expr.RangeBeginsWith:
		from = keyenc.AppendPrefix(bytes.Clone(base), plan.Low.Str())
		to = keyenc.After(from)
	}
	return from, to, ok
}

// selection is what Query and Scan say about what they show.
type selection struct {
	what       *dynamodbapi.Select
	attributes []string
	projection *string
	index      *string
	consistent bool
}

// check refuses combinations, in the current form of check.go, which Scan had last.
//
// Source: nubo-db dynamodb-conformance, tests/tier1/scan/select.test.ts; moto 5.2.5 of October 2026, tests/test_dynamodb/test_dynamodb_select.py,
// which runs against the service (read 2026-11)
func (s selection) check() error {
	named := ""
	switch {
	case s.attributes != nil:
		named = "AttributesToGet"
	case s.projection != nil:
		named = "ProjectionExpression"
	}
	shown := ""
	switch what := text(s.what); what {
	case string(dynamodbapi.SelectAllAttributes), string(dynamodbapi.SelectAllProjectedAttributes):
		shown = what
	case string(dynamodbapi.SelectCount):
		shown = "only the Count"
	case string(dynamodbapi.SelectSpecificAttributes):
		if named == "" {
			return errInvalid(textOne + "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
		}
	}
	switch {
	case shown != "" && named != "":
		return errInvalid(textOne + "Cannot specify the " + named + " when choosing to get " + shown)
	case shown == string(dynamodbapi.SelectAllProjectedAttributes) && s.index == nil:
		return errInvalid(textOne + "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
	}
	return nil
}

func (s selection) counts() bool { return text(s.what) == string(dynamodbapi.SelectCount) }

const textStart = "The provided starting key is invalid"

// start is the key of the store that ExclusiveStartKey means.
//
// Errors: ValidationException.
func (t *table) start(key value.Item) ([]byte, error) {
	at, bad := t.keyOf(key)
	if bad != nil {
		return nil, errInvalid(textStart + ": " + bad.Message)
	}
	return at, nil
}
