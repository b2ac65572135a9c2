package hot

import (
	"maps"
	"slices"
	"strconv"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/wire/aws/codec"
)

// answers writes answers. Values are in the service's form or JSON already; what is around them is small and, but for names and counts,
// written by the general codec.
type answers struct {
	*api.Form // nil: values are JSON
}

// around is room for what stands around one value.
const around = 256

var shapes = dynamodbapi.Bind(dynamodbapi.Unimplemented{}).Operations

// shapeOf is the shape of a member of an operation's output.
func shapeOf(operation, member string) *api.Shape {
	for _, m := range shapes[operation].Output.Members {
		if m.Name == member {
			return m.Shape
		}
	}
	panic("hot: " + operation + " has no " + member)
}

var (
	capacityShape   = shapeOf("PutItem", "ConsumedCapacity")
	collectionShape = shapeOf("PutItem", "ItemCollectionMetrics")
)

// object is the writer of one; each member method writes nothing for what is absent.
type object struct {
	answers
	b    []byte
	some bool
}

func (a answers) begin(b []byte) object { return object{answers: a, b: append(b, '{')} }

func (o *object) end() []byte { return append(o.b, '}') }

// member begins a member; its name comes with quotes and colon.
func (o *object) member(name string) {
	if o.some {
		o.b = append(o.b, ',')
	}
	o.some = true
	o.b = append(o.b, name...)
}

func (o *object) value(name string, v api.JSON) {
	if v != nil {
		o.member(name)
		o.b = o.append(o.b, v)
	}
}

func (a answers) append(b []byte, v api.JSON) []byte {
	switch {
	case len(v) == 0:
		return append(b, "{}"...)
	case v.IsForm() && a.Form != nil:
		return a.Append(b, v)
	}
	return append(b, v...)
}

// size is about how many bytes append appends.
func (a answers) size(v api.JSON) int {
	if v.IsForm() && a.Form != nil {
		return a.Size(v)
	}
	return len(v)
}

func (o *object) items(name string, items []api.JSON) {
	if items != nil {
		o.member(name)
		o.b = o.appendItems(o.b, items)
	}
}

func (a answers) appendItems(b []byte, items []api.JSON) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.append(b, item)
	}
	return append(b, ']')
}

func (o *object) count(name string, n *int32) {
	if n != nil {
		o.member(name)
		o.b = strconv.AppendInt(o.b, int64(*n), 10)
	}
}

func (o *object) capacity(c *dynamodbapi.ConsumedCapacity) {
	if c != nil {
		o.member(`"ConsumedCapacity":`)
		o.b = codec.AppendJSON(o.b, capacityShape, c)
	}
}

func (o *object) capacities(cs []dynamodbapi.ConsumedCapacity) {
	if cs == nil {
		return
	}
	o.member(`"ConsumedCapacity":[`)
	for i := range cs {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = codec.AppendJSON(o.b, capacityShape, &cs[i])
	}
	o.b = append(o.b, ']')
}

func (o *object) collection(m *dynamodbapi.ItemCollectionMetrics) {
	if m != nil {
		o.member(`"ItemCollectionMetrics":`)
		o.b = codec.AppendJSON(o.b, collectionShape, m)
	}
}

func (o *object) strings(name string, texts []string) {
	if texts == nil {
		return
	}
	o.member(name)
	o.b = append(o.b, '[')
	for i, text := range texts {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendString(o.b, text)
	}
	o.b = append(o.b, ']')
}

func (o *object) text(name string, s *string) {
	if s != nil {
		o.member(name)
		o.b = appendString(o.b, *s)
	}
}

// entries writes a map in the order of names; one appends the value of a name.
func entries[V any](o *object, name string, m map[string]V, one func(b []byte, v V) []byte) {
	if m == nil {
		return
	}
	o.member(name)
	o.b = append(o.b, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(appendString(o.b, name), ':')
		o.b = one(o.b, m[name])
	}
	o.b = append(o.b, '}')
}
