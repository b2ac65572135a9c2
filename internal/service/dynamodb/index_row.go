package dynamodb

import (
	"bytes"
	"slices"
	"strings"

	"millrace/internal/api"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
)

// Texts are as errors.go says.
const (
	textEmptyIndexKey    = "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: "
	textEmptyIndexUpdate = "One or more parameter values are not valid. The update expression attempted to update a secondary index key to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty %s value."
)

// row is what an index has of an item; the zero row is nothing.
type row struct{ key, image []byte }

// row finds what the index has of a stored item. An item that lacks a key attribute, or has one that no key can have, is not in
// the index.
//
// Errors: value.ErrCorrupt.
func (ix *index) row(t *table, stored []byte) (row, error) {
	if stored == nil {
		return row{}, nil
	}
	view, err := value.Open(stored)
	if err != nil {
		return row{}, err
	}
	key := indexPrefix(t.num, ix.num)
	start := len(key)
	key = append(key, 0, 0)
	key, ok := t.appendKeys(key, &view, ix.hash, maxHashKey)
	if !ok {
		return row{}, nil
	}
	keyenc.PutHash(key[start:])
	if key, ok = t.appendKeys(key, &view, ix.sort, maxSortKey); !ok {
		return row{}, nil
	}
	for _, name := range t.keyNames() {
		raw, _ := view.Get(name)
		if key, ok = keyenc.AppendRaw(key, raw); !ok {
			return row{}, value.ErrCorrupt
		}
	}
	image, err := ix.image(t, stored)
	return row{key, image}, err
}

// touched says whether a change of an item changes what the index has of it.
//
// Errors: value.ErrCorrupt.
func (ix *index) touched(t *table, old, item []byte) (bool, error) {
	was, err := ix.row(t, old)
	if err != nil {
		return false, err
	}
	is, err := ix.row(t, item)
	return !was.same(is), err
}

func (r row) same(o row) bool { return bytes.Equal(r.key, o.key) && bytes.Equal(r.image, o.image) }

// appendKeys appends the components of key attributes which together have up to most bytes; false when they are no key.
func (t *table) appendKeys(key []byte, view *value.View, names []string, most int) ([]byte, bool) {
	size := 0
	for _, name := range names {
		raw, ok := view.Get(name)
		if !ok || raw.Kind() != t.attribute(name).Kind {
			return nil, false
		}
		if size += keySize(raw); raw.Size() == 0 || size > most {
			return nil, false
		}
		if key, ok = keyenc.AppendRaw(key, raw); !ok {
			return nil, false
		}
	}
	return key, true
}

// arm is what a write has cost an index.
type arm struct {
	index *index
	units float64
}

// indexRows writes what the indexes have of the item, where that changes, and notes what it costs.
//
// Errors: those of the store, value.ErrCorrupt, ItemCollectionSizeLimitExceededException.
func (c *change) indexRows(tx store.Tx) error {
	if len(c.table.indexes) == 0 {
		return nil
	}
	grown := int64(sizeOf(c.new) - sizeOf(c.old)) // of the item collection
	for _, ix := range c.table.indexes {
		if !ix.written() {
			continue
		}
		old, err := ix.row(c.table, c.old)
		if err != nil {
			return err
		}
		next, err := ix.row(c.table, c.new)
		if err != nil {
			return err
		}
		if ix.local {
			grown += int64(sizeOf(next.image) - sizeOf(old.image))
		}
		if c.table.delayed && !ix.local {
			if err := delayRows(tx, c.table, old, next); err != nil {
				return err
			}
		}
		units, err := replaceRow(tx, c.table, old, next)
		if err != nil {
			return err
		}
		if units > 0 {
			c.arms = append(c.arms, arm{ix, units})
		}
	}
	return c.collect(tx, grown)
}

// replaceRow puts a row in the place of another and returns what AWS bills: nothing when both are the same, a delete and a put
// when the key moves.
func replaceRow(tx store.Tx, t *table, old, next row) (units float64, err error) {
	if old.same(next) {
		return 0, nil
	}
	same := bytes.Equal(old.key, next.key)
	if old.key != nil && !same {
		if err := tx.Delete(old.key); err != nil {
			return 0, err
		}
		units += writeUnits(sizeOf(old.image))
	}
	if next.key == nil {
		return units, nil
	}
	if same {
		units = writeUnits(max(sizeOf(old.image), sizeOf(next.image)))
	} else {
		units += writeUnits(sizeOf(next.image))
	}
	return units, t.put(tx, next.key, next.image)
}

// checkIndexKeys refuses an item whose attributes cannot be the keys of the indexes that have them. What was in the item before the
// write and stays is let through: it may be older than the index, which does not have the item then.
//
// Errors: ValidationException.
func (t *table) checkIndexKeys(old, item []byte, update bool) error {
	if len(t.indexes) == 0 || item == nil {
		return nil
	}
	view, err := value.Open(item)
	if err != nil {
		return err
	}
	var before value.View
	if update && old != nil {
		if before, err = value.Open(old); err != nil {
			return err
		}
	}
	get := func(name string) (value.Raw, bool) {
		raw, ok := view.Get(name)
		was, had := before.Get(name)
		return raw, ok && (!had || !bytes.Equal(was, raw))
	}
	for _, ix := range t.byName() {
		if err := ix.checkKeys(t, get, update); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys goes through the key attributes; get says of one what the item has and whether that is new.
func (ix *index) checkKeys(t *table, get func(name string) (value.Raw, bool), update bool) error {
	for i, names := range [][]string{ix.hash, ix.sort} {
		size, anyNew := 0, false
		for _, name := range names {
			raw, isNew := get(name)
			if isNew {
				if err := ix.checkKey(t.attribute(name), raw, update); err != nil {
					return err
				}
			}
			anyNew = anyNew || isNew
			size += keySize(raw)
		}
		switch {
		case !anyNew:
		case i == 0 && size > maxHashKey:
			return errParameter(textLongHash)
		case i == 1 && size > maxSortKey:
			return errParameter(textLongSort)
		}
	}
	return nil
}

// keySize is what a key attribute counts of what a key may have: numbers nothing, as they are short.
func keySize(raw value.Raw) int {
	if k := raw.Kind(); k != value.KindS && k != value.KindB {
		return 0
	}
	return raw.Size()
}

func (ix *index) checkKey(a expr.KeyAttribute, raw value.Raw, update bool) *api.Error {
	if raw.Kind() != a.Kind {
		return errParameter("Type mismatch for Index Key " + a.Name + " Expected: " + a.Kind.String() + " Actual: " + raw.Kind().String() +
			" IndexName: " + ix.name)
	}
	if raw.Size() > 0 {
		return nil
	}
	kind := "string"
	if a.Kind == value.KindB {
		kind = "binary"
	}
	if update {
		return errInvalid(strings.Replace(textEmptyIndexUpdate, "%s", kind, 1))
	}
	return errInvalid(strings.Replace(textEmptyIndexKey, "%s", kind, 1) + ix.name + ", IndexKey: " + a.Name)
}

// isEmptyKey says that an error is about an empty key, which is never a reason why a transaction is cancelled but the error of the call.
func isEmptyKey(message string) bool {
	return slices.ContainsFunc([]string{textEmptyKey, textEmptyIndexKey, textEmptyIndexUpdate}, func(text string) bool {
		return strings.HasPrefix(message, text[:strings.Index(text, "%")])
	})
}
