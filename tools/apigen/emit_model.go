package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tableShape is one entry of the shape table; struct entries carry the members their Go type has.
type tableShape struct {
	id      string // constant without its "shape" prefix
	goType  string // of a struct
	name    string
	s       *shape
	members []member
}

// table lists the shapes that codecs need: all that operations reach, an empty input or output where
// the model has none, and the extra members of exceptions.
func (u *unit) table() []tableShape {
	var out []tableShape
	for _, name := range u.reached {
		s := u.m.Shapes[name]
		out = append(out, tableShape{u.id(name), u.goName[name], name, s, u.dataMembers(s)})
	}
	for _, op := range u.ops {
		if u.m.Operations[op].Input == nil {
			n := op + "Input"
			out = append(out, tableShape{n, n, n, &shape{Type: "structure"}, nil})
		}
	}
	for _, e := range u.exceptions() {
		if extra := extraMembers(u.m.Shapes[e]); len(extra) > 0 {
			n := exported(e) + "Fields"
			out = append(out, tableShape{n, n, e, &shape{Type: "structure"}, extra})
		}
	}
	return out
}

// id is the name of a shape's constant: the Go type's where it has one.
func (u *unit) id(name string) string { return u.goName[name] }

func (u *unit) emitModel(p *printer) error {
	p.uses("millrace/internal/api")
	p.uses("reflect")
	p.uses("sync")
	table := u.table()
	p.f("// Positions in the table of shapes.\nconst (\n")
	for i, t := range table {
		if i == 0 {
			p.f("shape%s = iota\n", t.id)
			continue
		}
		p.f("shape%s\n", t.id)
	}
	p.f("allShapes // how many there are\n)\n\n")
	for _, name := range slices.Sorted(maps.Keys(u.alias)) {
		p.f("const shape%s = shape%s\n\n", name, u.id(u.alias[name]))
	}
	p.f("// java is the package of the classes in AWS's texts.\nconst java = \"com.amazonaws.%s.v%s.\"\n\n",
		u.m.Metadata.signingName(), strings.ReplaceAll(u.m.Metadata.APIVersion, "-", ""))
	p.f("// shapes makes the table once; its entries point at each other.\n")
	p.f("var shapes = sync.OnceValue(func() []api.Shape {\n\ts := make([]api.Shape, allShapes)\n")
	for _, t := range table {
		line, err := u.shapeLiteral(t)
		if err != nil {
			return err
		}
		p.f("s[shape%s] = %s\n", t.id, line)
	}
	p.f("return s\n})\n")
	return nil
}

func (u *unit) shapeLiteral(t tableShape) (string, error) {
	if u.m.Shapes[t.name] != nil && u.raw(t.name) {
		return fmt.Sprintf("api.Shape{Name: %q, Kind: api.KindJSON}", t.name), nil
	}
	kind, err := kindOf(t.s)
	if err != nil {
		return "", fmt.Errorf("shape %s: %w", t.name, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "api.Shape{Name: %q, Kind: %s", t.name, kind)
	if t.s.Min != nil {
		fmt.Fprintf(&b, ", Min: %d, HasMin: true", int64(*t.s.Min))
	}
	if t.s.Max != nil {
		fmt.Fprintf(&b, ", Max: %d, HasMax: true", int64(*t.s.Max))
	}
	if t.s.Pattern != "" {
		fmt.Fprintf(&b, ", Pattern: %q", t.s.Pattern)
	}
	if values := u.enumOrder(t); len(values) > 0 {
		fmt.Fprintf(&b, ", Enum: %#v", values)
	}
	if t.s.Key != nil {
		fmt.Fprintf(&b, ", Key: &s[shape%s], Elem: &s[shape%s]", u.id(t.s.Key.Shape), u.id(t.s.Value.Shape))
	}
	if t.s.Member != nil {
		fmt.Fprintf(&b, ", Elem: &s[shape%s]", u.id(t.s.Member.Shape))
	}
	u.queryNames(&b, t.s)
	if t.s.Type == "structure" {
		if t.s.Union {
			b.WriteString(", Union: true")
		}
		fmt.Fprintf(&b, ", Type: reflect.TypeFor[%s](), Java: java + %q", t.goType, t.name)
		if u.svc.java8 {
			b.WriteString(", Open: true")
		}
		u.memberLiterals(&b, t)
	}
	b.WriteString("}")
	return b.String(), nil
}

// queryNames writes what the query protocol calls the parts of a list or map, where that is not the usual.
func (u *unit) queryNames(b *strings.Builder, s *shape) {
	if !u.m.speaks("query") {
		return
	}
	if s.Flattened {
		b.WriteString(", Flat: true")
	}
	for _, part := range []struct {
		field string
		ref   *ref
	}{{"ElemName", s.Member}, {"KeyName", s.Key}, {"ElemName", s.Value}} {
		if part.ref != nil && part.ref.LocationName != "" {
			fmt.Fprintf(b, ", %s: %q", part.field, part.ref.LocationName)
		}
	}
}

func (u *unit) memberLiterals(b *strings.Builder, t tableShape) {
	if len(t.members) == 0 {
		return
	}
	names := make([]string, len(t.members))
	b.WriteString(", Members: []api.Member{\n")
	for i, mem := range t.members {
		names[i] = mem.name
		s := u.m.Shapes[mem.Shape]
		shape := "&s[shape" + u.id(mem.Shape) + "]"
		if s.EventStream {
			shape = "{Name: " + fmt.Sprintf("%q", mem.Shape) + ", Kind: api.KindStream, Elem: " + shape + "}"
		}
		if strings.HasPrefix(shape, "{") {
			shape = "&api.Shape" + shape
		}
		fmt.Fprintf(b, "{Name: %q, Shape: %s, Index: %d", mem.name, shape, i)
		if slices.Contains(t.s.Required, mem.name) {
			b.WriteString(", Required: true")
		}
		if s.Sensitive {
			b.WriteString(", Sensitive: true")
		}
		if mem.LocationName != "" && u.m.speaks("query") {
			fmt.Fprintf(b, ", QueryName: %q", mem.LocationName)
		}
		b.WriteString("},\n")
	}
	order := make([]string, 0, len(names))
	for _, i := range reportOrder(names, u.svc.java8) {
		order = append(order, fmt.Sprint(i))
	}
	fmt.Fprintf(b, "}, Order: []uint8{%s}", strings.Join(order, ", "))
}

func (u *unit) enumOrder(t tableShape) []string {
	if o := u.svc.enumOrder[t.name]; o != nil {
		return o
	}
	return t.s.Enum
}

func kindOf(s *shape) (string, error) {
	kind := map[string]string{
		"string": "String", "character": "String", "blob": "Blob", "boolean": "Bool", "integer": "Int32",
		"long": "Int64", "float": "Float32", "double": "Float64", "timestamp": "Timestamp",
		"list": "List", "map": "Map", "structure": "Struct",
	}[s.Type]
	if kind == "" {
		return "", fmt.Errorf("type %q is not known", s.Type)
	}
	return "api.Kind" + kind, nil
}
