package dynamodb

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
	"millrace/internal/service/dynamodb/wirejson"
)

// reader turns what a request says in JSON into values. Its first error is what is wrong with a value or its shape; after
// it everything it returns is of no use. What it returns lives as long as what it reads.
type reader struct {
	err  error // *api.Error, or *value.Error in need of the operation's wording
	deep bool  // values of expressions may nest one level deeper than an item may
}

// decoders are read with and given back: what was read is copied out of their memory, which is larger than most items.
var decoders = sync.Pool{New: func() any { return new(wirejson.Decoder) }}

func decoder(body api.JSON) *wirejson.Decoder {
	d := decoders.Get().(*wirejson.Decoder)
	d.Reset(body)
	return d
}

// release gives a decoder back without the body it read.
func release(d *wirejson.Decoder) {
	d.Reset(nil)
	decoders.Put(d)
}

// item reads a map of attribute values; nil when it is absent.
func (r *reader) item(body api.JSON) value.Item {
	stored := r.stored(body)
	if r.err != nil || stored == nil {
		return nil
	}
	item, err := value.Decode(stored)
	if err != nil {
		r.fail(err)
		return nil
	}
	if item == nil {
		item = value.Item{}
	}
	return item
}

// stored is item in its stored form, which lives as long as the body.
func (r *reader) stored(body api.JSON) []byte {
	if r.err != nil || body == nil {
		return nil
	}
	if body.IsForm() { // read with the body, and nothing was wrong with it
		return body
	}
	d := decoder(body)
	defer release(d)
	item := bytes.Clone(d.Item())
	r.end(d)
	return item
}

func (r *reader) end(d *wirejson.Decoder) {
	if err := d.End(); err != nil {
		r.fail(err)
	} else if err := d.Invalid(); err != nil {
		r.fail(err)
	}
}

// later gives back what is wrong with a value, for the caller to say when it is its turn; any other error fails at once.
func (r *reader) later(err error) error {
	if _, ok := errors.AsType[*value.Error](err); ok {
		return err
	}
	if err != nil {
		r.fail(err)
	}
	return nil
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// value reads one attribute value; the zero Value when it is absent.
func (r *reader) value(body api.JSON) value.Value {
	if r.err != nil || body == nil {
		return value.Value{}
	}
	d := decoder(body)
	defer release(d)
	raw := value.Raw(bytes.Clone(d.Value()))
	r.end(d)
	if r.err != nil || raw == nil {
		return value.Value{}
	}
	v, err := raw.Value()
	if err != nil {
		r.fail(err)
	}
	return v
}

func (r *reader) values(bodies []api.JSON) []value.Value {
	if bodies == nil {
		return nil
	}
	out := make([]value.Value, len(bodies))
	for i, b := range bodies {
		out[i] = r.value(b)
	}
	return out
}

// named reads ExpressionAttributeValues. What is wrong with a value is bad, of the value named key: it is for the caller to say
// when it is that error's turn.
func (r *reader) named(body api.JSON) (values value.Item, key string, bad *value.Error) {
	if r.err != nil || body == nil {
		return nil, "", nil
	}
	if body.IsForm() {
		return r.item(body), "", nil
	}
	d := decoder(body)
	defer release(d)
	if !d.OpenMap("com.amazonaws.dynamodb.v20120810.AttributeValue") {
		r.end(d)
		return nil, "", nil
	}
	deep := r.deep && nesting(body) <= maxDeeper
	attrs := []value.Attr{}
	for name, ok := d.Member(); ok; name, ok = d.Member() {
		raw := value.Raw(bytes.Clone(d.Elem()))
		wrong := d.Invalid()
		if wrong == value.ErrNesting && deep {
			attrs = append(attrs, value.Attr{Name: strings.Clone(name), Value: tooDeep})
			continue
		}
		if wrong != nil {
			if bad == nil {
				bad, key = wrong, strings.Clone(name)
			}
			continue
		}
		if d.Err() != nil {
			break
		}
		v, err := raw.Value()
		if err != nil {
			r.fail(err)
			break
		}
		attrs = append(attrs, value.Attr{Name: strings.Clone(name), Value: v})
	}
	r.end(d)
	return value.NewItem(attrs), key, bad
}

// maxDeeper is how deep the JSON of values may nest where they may be one level deeper than an item: each level has two brackets,
// and around them are the map of the values and what a set has.
//
// Source: paritysuite dynamodb-conformance, captures/2026-10-08-transact-write-rollout.json and
// tests/tier3/validation-ordering/deepRequests.test.ts (read 2026-11): a leaf below 32 maps is taken, one below 40 is not.
const maxDeeper = 2*value.MaxDepth + 3

// tooDeep stands for a value that is one level too deep for an item. It equals nothing that is stored, and an item that it is written to cannot be.
var tooDeep = func() value.Value {
	v := value.Map(nil)
	for range value.MaxDepth {
		v = value.Map(value.Item{{Name: "n", Value: v}})
	}
	return v
}()

// names makes ExpressionAttributeNames; nil when they are absent.
func names(in map[string]string) expr.Names {
	if in == nil {
		return nil
	}
	entries := make([]expr.Name, 0, len(in))
	for alias, name := range in {
		entries = append(entries, expr.Name{Alias: alias, Name: name})
	}
	return expr.NewNames(entries)
}

// expected reads Expected in the order of names, so that the same request has the same error.
func (r *reader) expected(in map[string]dynamodbapi.ExpectedAttributeValue) []expr.Expected {
	if in == nil {
		return nil
	}
	out := make([]expr.Expected, 0, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		e := in[name]
		x := expr.Expected{Attribute: name, Exists: e.Exists, Value: r.value(e.Value), Values: r.values(e.AttributeValueList)}
		if e.ComparisonOperator != nil {
			x.Operator = string(*e.ComparisonOperator)
		}
		out = append(out, x)
	}
	return out
}

// updates reads AttributeUpdates.
func (r *reader) updates(in map[string]dynamodbapi.AttributeValueUpdate) []expr.AttributeUpdate {
	if in == nil {
		return nil
	}
	out := make([]expr.AttributeUpdate, 0, len(in))
	for _, name := range slices.Sorted(maps.Keys(in)) {
		u := in[name]
		if name == "" {
			r.fail(value.ErrEmptyName)
		}
		x := expr.AttributeUpdate{Attribute: name, Value: r.value(u.Value)}
		if u.Action != nil {
			x.Action = string(*u.Action)
		}
		out = append(out, x)
	}
	return out
}

// comparisons reads KeyConditions and filters. What is wrong with a value is noted in its comparison.
func (r *reader) comparisons(in map[string]dynamodbapi.Condition) []expr.Comparison {
	if in == nil {
		return nil
	}
	out := make([]expr.Comparison, 0, len(in))
	for name, c := range in {
		var own reader
		values := own.values(c.AttributeValueList)
		out = append(out, expr.Comparison{Attribute: name, Operator: string(c.ComparisonOperator), Values: values, Bad: r.later(own.err)})
	}
	slices.SortFunc(out, func(a, b expr.Comparison) int { return cmp.Compare(a.Attribute, b.Attribute) })
	return out
}

func text[T ~string](s *T) string {
	if s == nil {
		return ""
	}
	return string(*s)
}

func isTrue(b *bool) bool { return b != nil && *b }
