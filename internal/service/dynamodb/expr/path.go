package expr

import (
	"strconv"
	"strings"

	"millrace/internal/service/dynamodb/value"
)

// Step is one step of a document path: into a map by name, or into a list by index.
type Step struct {
	Name  string
	Index int // -1 for a step by name
}

func byName(name string) Step { return Step{name, -1} }

// IsIndex says that the step is into a list.
func (s Step) IsIndex() bool { return s.Index >= 0 }

// Path is a document path with its aliases resolved; its first step is the name of an attribute.
type Path []Step

// Root is the attribute that the path begins with.
func (p Path) Root() string { return p[0].Name }

// String is the path as AWS's texts show it: [a, [1], b].
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, s := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.IsIndex() {
			b.WriteString("[" + strconv.Itoa(s.Index) + "]")
		} else {
			b.WriteString(s.Name)
		}
	}
	b.WriteByte(']')
	return b.String()
}

// Source is what expressions read attributes from: an item in memory, or one in its stored form.
type Source interface {
	// Get is the value of an attribute; ok is false when there is none.
	Get(name string) (v value.Value, ok bool)
}

// lookup is the value at p in src, of KindNone when there is none.
func (p Path) lookup(src Source) value.Value {
	v, _ := src.Get(p[0].Name)
	for _, s := range p[1:] {
		v = s.into(v)
		if v.IsNone() {
			break
		}
	}
	return v
}

// into is the value that the step leads to from v, of KindNone when there is none.
func (s Step) into(v value.Value) value.Value {
	if s.IsIndex() {
		if elems := v.List(); s.Index < len(elems) {
			return elems[s.Index]
		}
		return value.Value{}
	}
	child, _ := v.Map().Get(s.Name)
	return child
}
