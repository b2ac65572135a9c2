package dynamodb

import (
	"bytes"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
)

// target is what a Query or Scan reads: a table or one of its indexes.
type target struct {
	table *table
	index *index // nil: the table itself
}

// target finds what a request reads.
//
// Errors: ValidationException.
func (s selection) target(t *table) (target, error) {
	if s.index == nil {
		return target{table: t}, nil
	}
	ix := t.index(*s.index)
	switch {
	case ix == nil, ix.state == stateDeleting:
		return target{}, errInvalid("The table does not have the specified index: " + *s.index)
	case s.consistent && !ix.local:
		return target{}, errInvalid("Consistent reads are not supported on global secondary indexes")
	case ix.state == stateCreating:
		return target{}, errInvalid("Cannot read from backfilling global secondary index: " + ix.name)
	}
	return target{t, ix}, nil
}

// keyNames are the key attributes of what is read, which its filter cannot have.
func (g target) keyNames() []string {
	if g.index == nil {
		return g.table.keyNames()
	}
	return g.index.keyNames()
}

func (g target) schema() expr.KeySchema {
	if g.index == nil {
		return g.table.schema()
	}
	return g.index.schema(g.table)
}

// bounds are the first key of what is read, and the first behind it.
func (g target) bounds() (prefix, end []byte) {
	if g.index == nil {
		return itemPrefix(g.table.num), itemPrefix(g.table.num + 1)
	}
	return indexPrefix(g.table.num, g.index.num), indexPrefix(g.table.num, g.index.num+1)
}

// checkScalars refuses paths into keys of the table and of its indexes.
func (t *table) checkScalars(plan *expr.Plan) error {
	if err := plan.CheckScalars(false, t.keyNames()...); err != nil || len(t.indexes) == 0 {
		return err
	}
	return plan.CheckScalars(true, t.indexKeyNames()...)
}

// show decides what a page shows of an index, and whether it has to read items for it.
//
// Errors: ValidationException.
func (g target) show(pg *page, sel *selection, plan *expr.Plan) error {
	if g.index == nil || g.index.project == projectAll {
		return nil
	}
	all := text(sel.what) == string(dynamodbapi.SelectAllAttributes)
	if all && !g.index.local {
		return errParameter("Select type ALL_ATTRIBUTES is not supported for global secondary index " + g.index.name +
			" because its projection type is not ALL")
	}
	var missing []string
	note := func(p expr.Path) bool {
		if name := p.Root(); !g.index.projects(g.table, name) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return true
	}
	for _, p := range plan.Projection.Paths() {
		note(p)
	}
	if len(missing) > 0 && !g.index.local {
		return errParameter("Global secondary index " + g.index.name + " does not project [" + strings.Join(missing, ", ") + "]")
	}
	plan.Filter.Reads(note)
	if g.index.local && (all || len(missing) > 0) {
		pg.fetch = g.table
	}
	return nil
}

// checkStart sees that a starting key has the right number of attributes and the partition key of what is read: what AWS looks at before
// the key conditions of a Query.
//
// Errors: ValidationException.
func (g target) checkStart(start value.Item) error {
	if start == nil {
		return nil
	}
	keys := len(g.table.keys())
	if g.index != nil {
		keys = len(g.index.allKeys(g.table))
	}
	if len(start) != keys {
		return errInvalid(textStart)
	}
	return g.checkStartKeys(start, g.hashNames())
}

func (g target) hashNames() []string {
	if g.index == nil {
		return g.table.keyNames()[:1]
	}
	return g.index.hash
}

func (g target) sortNames() []string {
	if g.index == nil {
		return g.table.keyNames()[1:]
	}
	return g.index.sort
}

// checkStartWhole is checkStart with the sort key.
func (g target) checkStartWhole(start value.Item) error {
	if err := g.checkStart(start); err != nil {
		return err
	}
	return g.checkStartKeys(start, g.sortNames())
}

func (g target) checkStartKeys(start value.Item, names []string) error {
	for _, a := range g.table.keyKinds(names) {
		v, ok := start.Get(a.Name)
		if !ok {
			return errInvalid(textStart)
		}
		if v.Kind() != a.Kind {
			return errKeySchema()
		}
	}
	return nil
}

// start is the key of the store that ExclusiveStartKey means.
//
// Errors: ValidationException.
func (g target) start(start value.Item, query bool) ([]byte, error) {
	if query || g.index != nil {
		if err := g.checkStartWhole(start); err != nil {
			return nil, err
		}
	}
	if g.index == nil {
		return g.table.start(start)
	}
	var own []value.Attr
	for _, a := range g.table.keys() {
		v, _ := start.Get(a.Name) // when it is missing, keyOf says so
		own = append(own, value.Attr{Name: a.Name, Value: v})
	}
	if _, bad := g.table.keyOf(value.NewItem(own)); bad != nil {
		return nil, errInvalid(textStart + ": " + bad.Message)
	}
	key, bad := g.startRow(start)
	if bad != nil {
		return nil, errInvalid(textStart + ": " + bad.Message)
	}
	return key, nil
}

// startRow is the key of the row with the keys of a starting key.
func (g target) startRow(start value.Item) ([]byte, *api.Error) {
	part := func(names []string, sort bool) (out []value.Value, err *api.Error) {
		for _, name := range names {
			v, _ := start.Get(name)
			if err = checkKeyValue(name, v, sort); err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	}
	hash, bad := part(g.index.hash, false)
	if bad != nil {
		return nil, bad
	}
	sort, bad := part(g.index.sort, true)
	if bad != nil {
		return nil, bad
	}
	prefix, _ := g.bounds()
	key, ok := keyenc.AppendKey(prefix, hash, sort)
	for _, name := range g.table.keyNames() {
		v, _ := start.Get(name)
		if ok {
			key, ok = keyenc.Append(key, v)
		}
	}
	if !ok {
		return nil, errKeySchema()
	}
	return key, nil
}

// keyItem is LastEvaluatedKey: the key attributes of what is read, with those of the table.
//
// Errors: value.ErrCorrupt.
func (g target) keyItem(view value.View) (value.Item, error) {
	if g.index == nil {
		return g.table.keyItem(view)
	}
	return keyAttributes(view, g.index.allKeys(g.table))
}

// fetched reads the items of rows of a local index.
func (p *page) fetched(tx store.ReadTx, rows [][]byte) ([][]byte, error) {
	keys := make([][]byte, len(rows))
	for i, row := range rows {
		view, err := value.Open(row)
		if err != nil {
			return nil, err
		}
		key, bad := p.fetch.encodeKey(expr.NewStored(view))
		if bad != nil {
			return nil, value.ErrCorrupt
		}
		keys[i] = key
	}
	items, err := p.vault.getMany(tx, keys)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(items, func(item []byte) bool { return item == nil }) {
		return nil, corrupt("row of an index, of which there is no item")
	}
	return items, nil
}

// cost is what reading a page has cost: the table, and the index if it was read.
func (g target) cost(pg *page, consistent bool) cost {
	if g.index == nil {
		return cost{units: readUnits(pg.size, consistent)}
	}
	c := cost{arms: []arm{{g.index, readUnits(pg.size, consistent)}}}
	for _, size := range pg.fetches {
		c.units += readUnits(size, consistent)
	}
	return c
}

// within says whether a key is one of those that a page reads.
func (p *page) within(key []byte) bool {
	return bytes.Compare(key, p.from) >= 0 && bytes.Compare(key, p.to) < 0
}
