package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// unit is one service on its way to Go: the model, its Go names, and which shapes are used where.
type unit struct {
	svc     service
	source  string // for the header of each file
	m       *model
	ops     []string          // sorted
	goName  map[string]string // shape -> Go type, for structs and enums
	alias   map[string]string // PutRecordsInput -> shape, where two operations share a shape
	inputs  map[string]bool   // shapes a request can hold
	reached []string          // shapes an operation can reach, sorted; exceptions only by their members
	usedBy  map[string][]string
}

func newUnit(svc service, source string, m *model) (*unit, error) {
	u := &unit{
		svc: svc, source: source, m: m,
		ops:    slices.Sorted(maps.Keys(m.Operations)),
		goName: map[string]string{}, alias: map[string]string{},
		inputs: map[string]bool{}, usedBy: map[string][]string{},
	}
	if err := cmp.Or(u.relax(), u.checkRaw()); err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, op := range u.ops {
		o := m.Operations[op]
		if o.Input != nil {
			u.walk(o.Input.Shape, u.inputs)
			u.walk(o.Input.Shape, all)
		}
		if o.Output != nil {
			u.walk(o.Output.Shape, all)
		}
		for _, e := range o.Errors {
			for _, mem := range extraMembers(m.Shapes[e.Shape]) {
				u.walk(mem.Shape, all)
			}
		}
	}
	u.reached = slices.Sorted(maps.Keys(all))
	u.nameShapes()
	u.findUses()
	return u, u.checkNames()
}

// raw says that values of a shape stay JSON text.
func (u *unit) raw(name string) bool {
	if slices.Contains(u.svc.raw, name) {
		return true
	}
	v := u.m.Shapes[name].Value
	return v != nil && slices.Contains(u.svc.raw, v.Shape)
}

// checkRaw refuses a service that lists a shape its model does not have.
func (u *unit) checkRaw() error {
	for _, name := range u.svc.raw {
		if u.m.Shapes[name] == nil {
			return fmt.Errorf("%s: %s is no shape", u.svc.pkg, name)
		}
	}
	return nil
}

// relax makes the members optional that the service lists as such.
func (u *unit) relax() error {
	for _, o := range u.svc.optional {
		name, mem, _ := strings.Cut(o, ".")
		s := u.m.Shapes[name]
		if s == nil || !slices.Contains(s.Required, mem) {
			return fmt.Errorf("%s: %s is no required member", u.svc.pkg, o)
		}
		s.Required = slices.DeleteFunc(s.Required, func(r string) bool { return r == mem })
	}
	return nil
}

// walk collects shape and everything below it, but no exceptions.
func (u *unit) walk(name string, into map[string]bool) {
	s := u.m.Shapes[name]
	if into[name] || s.Exception {
		return
	}
	into[name] = true
	if u.raw(name) {
		return
	}
	for _, r := range []*ref{s.Member, s.Key, s.Value} {
		if r != nil {
			u.walk(r.Shape, into)
		}
	}
	for _, mem := range s.Members {
		u.walk(mem.Shape, into)
	}
}

// nameShapes gives Go names: a shape's own, except that the input and output of an operation are
// always <Operation>Input and <Operation>Output.
func (u *unit) nameShapes() {
	uses := map[string]int{}
	for _, s := range u.m.Shapes {
		for _, mem := range s.Members {
			uses[mem.Shape]++
		}
		for _, r := range []*ref{s.Member, s.Key, s.Value} {
			if r != nil {
				uses[r.Shape]++
			}
		}
	}
	for _, op := range u.ops {
		for _, r := range []*ref{u.m.Operations[op].Input, u.m.Operations[op].Output} {
			if r != nil {
				uses[r.Shape]++
			}
		}
	}
	name := func(r *ref, want string) {
		if r == nil || r.Shape == want {
			return
		}
		if uses[r.Shape] == 1 {
			u.goName[r.Shape] = want
		} else {
			u.alias[want] = r.Shape
		}
	}
	for _, op := range u.ops {
		name(u.m.Operations[op].Input, op+"Input")
		name(u.m.Operations[op].Output, op+"Output")
	}
	for _, s := range u.reached {
		if u.goName[s] == "" {
			u.goName[s] = exported(s)
		}
	}
}

// findUses notes for each struct which members hold it, for its comment.
func (u *unit) findUses() {
	for _, name := range u.reached {
		if u.raw(name) {
			continue
		}
		for _, mem := range u.m.Shapes[name].Members {
			s := mem.Shape
			for u.m.Shapes[s].Member != nil {
				s = u.m.Shapes[s].Member.Shape
			}
			if v := u.m.Shapes[s].Value; v != nil {
				s = v.Shape
			}
			u.usedBy[s] = append(u.usedBy[s], u.goName[name]+"."+exported(mem.name))
		}
	}
}

// checkNames refuses a model in which two things would get one Go name.
func (u *unit) checkNames() error {
	seen := map[string]string{"Service": "package", "Unimplemented": "package", "Bind": "package"}
	add := func(name, what string) error {
		if other, ok := seen[name]; ok {
			return fmt.Errorf("%s: %s and %s would both be called %s", u.svc.pkg, what, other, name)
		}
		seen[name] = what
		return nil
	}
	for _, s := range u.reached {
		sh := u.m.Shapes[s]
		if u.raw(s) || sh.Type != "structure" && len(sh.Enum) == 0 {
			continue
		}
		if err := add(u.goName[s], "shape "+s); err != nil {
			return err
		}
		for _, v := range sh.Enum {
			if err := add(u.goName[s]+enumConst(v), "value "+v+" of "+s); err != nil {
				return err
			}
		}
	}
	for _, e := range u.exceptions() {
		if err := add(exported(e), "exception "+e); err != nil {
			return err
		}
	}
	return nil
}

// exceptions lists the errors that operations can answer.
func (u *unit) exceptions() []string {
	set := map[string]bool{}
	for _, op := range u.ops {
		for _, e := range u.m.Operations[op].Errors {
			set[e.Shape] = true
		}
	}
	for _, name := range u.reached {
		for _, mem := range u.m.Shapes[name].Members {
			if u.m.Shapes[mem.Shape].Exception {
				set[mem.Shape] = true
			}
		}
	}
	// A service may name an error in no operation at all and answer it all the same.
	for name, s := range u.m.Shapes {
		if s.Exception {
			set[name] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// extraMembers are the members of an exception beside its message.
func extraMembers(s *shape) []member {
	var out []member
	for _, mem := range s.Members {
		if !strings.EqualFold(mem.name, "message") {
			out = append(out, mem)
		}
	}
	return out
}

// dataMembers are the members that hold data; the exceptions of an event stream travel as errors.
func (u *unit) dataMembers(s *shape) []member {
	var out []member
	for _, mem := range s.Members {
		if !u.m.Shapes[mem.Shape].Exception {
			out = append(out, mem)
		}
	}
	return out
}

// scalar says that a shape is a single value whose optional form is a pointer.
func scalar(s *shape) bool {
	switch s.Type {
	case "structure", "list", "map", "blob":
		return false
	}
	return true
}

// plainType is the Go type of a shape where it is always present: in lists, maps, required members.
func (u *unit) plainType(name string) string {
	if u.raw(name) {
		return "api.JSON"
	}
	s := u.m.Shapes[name]
	switch s.Type {
	case "string", "character":
		if len(s.Enum) > 0 {
			return u.goName[name]
		}
		return "string"
	case "blob":
		return "[]byte"
	case "boolean":
		return "bool"
	case "integer":
		return "int32"
	case "long":
		return "int64"
	case "float":
		return "float32"
	case "double":
		return "float64"
	case "timestamp":
		return "time.Time"
	case "list":
		return "[]" + u.plainType(s.Member.Shape)
	case "map":
		return "map[" + u.plainType(s.Key.Shape) + "]" + u.plainType(s.Value.Shape)
	}
	return u.goName[name]
}

// fieldType is the Go type of a member.
func (u *unit) fieldType(mem member, required bool) string {
	s := u.m.Shapes[mem.Shape]
	switch {
	case u.raw(mem.Shape):
		return "api.JSON"
	case s.EventStream:
		return "iter.Seq2[*" + u.goName[mem.Shape] + ", error]"
	case s.Type == "structure", scalar(s) && !required:
		return "*" + u.plainType(mem.Shape)
	}
	return u.plainType(mem.Shape)
}

// tracksMissing says that the struct needs a Missing set: a request can hold it, and it has required
// members that are plain values.
func (u *unit) tracksMissing(name string) bool {
	s := u.m.Shapes[name]
	if !u.inputs[name] {
		return false
	}
	return slices.ContainsFunc(s.Members, func(mem member) bool {
		return slices.Contains(s.Required, mem.name) && scalar(u.m.Shapes[mem.Shape])
	})
}

// exported is a model name as an exported Go name.
func exported(name string) string {
	r := []rune(strings.ReplaceAll(name, "-", "_"))
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

// enumConst is the part of a constant's name that stands for an enum value: AT_TIMESTAMP is
// AtTimestamp, IncomingBytes stays.
func enumConst(value string) string {
	parts := strings.FieldsFunc(value, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	var b strings.Builder
	for _, p := range parts {
		if strings.ToUpper(p) == p {
			p = strings.ToLower(p)
		}
		b.WriteString(exported(p))
	}
	return b.String()
}
