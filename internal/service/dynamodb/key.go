package dynamodb

import (
	"strings"

	"millrace/internal/api"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/keyenc"
	"millrace/internal/service/dynamodb/value"
)

// Texts are as errors.go says. The one about partition keys lacks a space, as AWS's does.
const (
	textEmptyKey = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: "
	textLongHash = "Size of hashkey has exceeded the maximum size limit of2048 bytes"
	textLongSort = "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
)

// keyOfItem is where an item that is put belongs.
//
// Errors: ValidationException.
func (t *table) keyOfItem(item expr.Source) ([]byte, *api.Error) {
	for _, a := range t.keys() {
		v, ok := item.Get(a.Name)
		if !ok {
			return nil, errParameter("Missing the key " + a.Name + " in the item")
		}
		if v.Kind() != a.Kind {
			return nil, errParameter("Type mismatch for key " + a.Name + " expected: " + a.Kind.String() + " actual: " + v.Kind().String())
		}
	}
	return t.encodeKey(item)
}

// keyOfBatch is keyOfItem with one text for whatever does not fit.
func (t *table) keyOfBatch(item expr.Source) ([]byte, *api.Error) {
	for _, a := range t.keys() {
		if v, ok := item.Get(a.Name); !ok || v.Kind() != a.Kind {
			return nil, errKeySchema()
		}
	}
	return t.encodeKey(item)
}

// keyOf is where the item with a key is, which is exactly the key attributes.
//
// Errors: ValidationException.
func (t *table) keyOf(key value.Item) ([]byte, *api.Error) {
	keys := t.keys()
	if len(key) != len(keys) {
		return nil, errKeySchema()
	}
	for _, a := range keys {
		if v, ok := key.Get(a.Name); !ok || v.Kind() != a.Kind {
			return nil, errKeySchema()
		}
	}
	return t.encodeKey(key)
}

// encodeKey is the store's key of an item whose key attributes have the right types.
func (t *table) encodeKey(item expr.Source) ([]byte, *api.Error) {
	var parts [2]value.Value
	keys := t.keys()
	for i, a := range keys {
		v, _ := item.Get(a.Name)
		if err := checkKeyValue(a.Name, v, i > 0); err != nil {
			return nil, err
		}
		parts[i] = v
	}
	key, ok := keyenc.AppendKey(itemPrefix(t.num), parts[:1], parts[1:len(keys)])
	if !ok {
		return nil, errKeySchema()
	}
	return key, nil
}

func checkKeyValue(name string, v value.Value, sort bool) *api.Error {
	if err := checkEmptyKey(name, v); err != nil {
		return err
	}
	switch {
	case v.Kind() == value.KindN:
		return nil
	case !sort && v.Len() > maxHashKey:
		return errParameter(textLongHash)
	case sort && v.Len() > maxSortKey:
		return errParameter(textLongSort)
	}
	return nil
}

// checkEmptyKey refuses an S or B without bytes.
func checkEmptyKey(name string, v value.Value) *api.Error {
	switch {
	case v.Kind() == value.KindS && v.Len() == 0:
		return errInvalid(strings.Replace(textEmptyKey, "%s", "string", 1) + name)
	case v.Kind() == value.KindB && v.Len() == 0:
		return errInvalid(strings.Replace(textEmptyKey, "%s", "binary", 1) + name)
	}
	return nil
}

// keyItem is the key attributes of a stored item.
//
// Errors: value.ErrCorrupt.
func (t *table) keyItem(view value.View) (value.Item, error) { return keyAttributes(view, t.keys()) }

// keyAttributes is those attributes of a stored item, which has all of them.
//
// Errors: value.ErrCorrupt.
func keyAttributes(view value.View, keys []expr.KeyAttribute) (value.Item, error) {
	var attrs []value.Attr
	for _, a := range keys {
		raw, ok := view.Get(a.Name)
		if !ok {
			return nil, value.ErrCorrupt
		}
		v, err := raw.Value()
		if err != nil {
			return nil, err
		}
		attrs = append(attrs, value.Attr{Name: a.Name, Value: v})
	}
	return value.NewItem(attrs), nil
}
