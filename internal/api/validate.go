package api

import (
	"fmt"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxViolations is how many violations AWS lists; it stops looking after the tenth.
const maxViolations = 10

// Validate checks in, a pointer to the struct that shape describes, against its model. It returns nil
// or a ValidationException that lists the violations in AWS's words and order:
//
//	2 validation errors detected: Value null at 'records' failed to satisfy constraint: Member must
//	not be null; Value '' at 'streamName' failed to satisfy constraint: Member must have length
//	greater than or equal to 1
//
// Source: kinesalite, validations/index.js and test/*.js (recorded against AWS).
func Validate(shape *Shape, in any) *Error { return Violations(Violated(shape, in)) }

// Violated are the violations that Validate lists, ten at most.
func Violated(shape *Shape, in any) []string {
	var v validator
	v.structure(shape, reflect.ValueOf(in).Elem())
	return v.found
}

// Violations is the ValidationException that lists constraints which failed, as Validate does; nil when there are none.
// It is for what a service finds beside its model.
func Violations(failed []string) *Error {
	if len(failed) == 0 {
		return nil
	}
	plural := "s"
	if len(failed) == 1 {
		plural = ""
	}
	return ClientError("ValidationException", fmt.Sprintf("%d validation error%s detected: %s",
		len(failed), plural, strings.Join(failed, "; ")))
}

type validator struct {
	found []string
	path  []step // to the value that is looked at; written down only for violations
}

// step is one part of a path.
type step struct {
	name  string // of a member, or key of an entry
	index int    // of a list's element, counted from 1; 0 otherwise
	entry bool   // name is a key
}

func (v *validator) push(s step) { v.path = append(v.path, s) }
func (v *validator) pop()        { v.path = v.path[:len(v.path)-1] }

// where is the path as AWS writes it: records.1.member.partitionKey.
func (v *validator) where() string {
	parts := make([]string, len(v.path))
	for i, s := range v.path {
		switch {
		case s.index > 0:
			parts[i] = fmt.Sprintf("%d.member", s.index)
		case s.entry:
			parts[i] = s.name + ".member"
		default:
			parts[i] = lowerFirst(s.name)
		}
	}
	return strings.Join(parts, ".")
}

func (v *validator) full() bool { return len(v.found) >= maxViolations }

// add notes a violation; value is the Java text of the value, already quoted unless it is null, and empty when it is not told.
func (v *validator) add(value, constraint string) {
	if !v.full() {
		if value != "" {
			value = Clip(value) + " "
		}
		v.found = append(v.found, "Value "+value+"at '"+v.where()+"' failed to satisfy constraint: "+constraint)
	}
}

// maxShown bounds how much of a client's value an error repeats: ten violations of one long value must
// not make an answer ten times the request. The longest value a model allows for a name is 2,048.
const maxShown = 8 << 10

// maxListed is how much of that a list takes, so that its end is still there behind the name of what holds it.
const maxListed = maxShown - 1<<10

// Clip cuts a value that is too long to be repeated in an error.
func Clip(value string) string {
	if len(value) <= maxShown {
		return value
	}
	return strings.ToValidUTF8(value[:maxShown], "") + "..."
}

func (v *validator) structure(s *Shape, val reflect.Value) {
	var missing Missing
	if t, ok := reflect.TypeAssert[Tracker](val.Addr()); ok {
		missing = *t.MissingMembers()
	}
	for _, i := range s.Order {
		if v.full() {
			return
		}
		m := &s.Members[i]
		if m.Shape.Kind == KindStream {
			continue
		}
		v.push(step{name: m.Name})
		v.member(m, val.Field(m.Index), missing)
		v.pop()
	}
}

func (v *validator) member(m *Member, field reflect.Value, missing Missing) {
	switch {
	case m.Plain() && missing.Has(m.Index), nillable(field) && field.IsNil():
		if m.Required {
			v.add("null", "Member must not be null")
		}
		return
	case field.Kind() == reflect.Pointer:
		field = field.Elem()
	}
	if !m.Shape.open() {
		v.value(m.Shape, field)
	}
}

// open says that every value of the shape is allowed.
func (s *Shape) open() bool {
	return s.Kind == KindJSON || s.Kind.scalar() && !s.HasMin && !s.HasMax && s.Pattern == "" && s.Enum == nil
}

func nillable(v reflect.Value) bool {
	k := v.Kind()
	return k == reflect.Pointer || k == reflect.Slice || k == reflect.Map
}

// shown is a value in quotes; it is empty for the data of applications and for lists of them, which AWS has come to keep out of its
// texts.
//
// Source: amazon-kinesis-producer, issue 680 (records.1.member.data); moto, tests of Kinesis's limits (records) (read 2026-11)
func (s *Shape) shown(val reflect.Value) string {
	if s.Kind == KindBlob || s.Kind == KindList && val.Len() > 0 && slices.ContainsFunc(s.Elem.Members, func(m Member) bool { return m.Shape.Kind == KindBlob }) {
		return ""
	}
	return "'" + javaText(s, val) + "'"
}

func (v *validator) value(s *Shape, val reflect.Value) {
	if s.Kind == KindStruct {
		v.structure(s, val)
		return
	}
	for _, text := range s.broken(val) {
		v.add(s.shown(val), text)
	}
	if s.Kind == KindList {
		v.list(s, val)
	}
	if s.Kind == KindMap {
		v.entries(s, val)
	}
}

// list checks the elements. Structures and lists are looked into; a broken single value is reported
// once, for the list.
func (v *validator) list(s *Shape, val reflect.Value) {
	if s.Elem.open() {
		return
	}
	for i := range val.Len() {
		if v.full() {
			return
		}
		e := val.Index(i)
		if !s.Elem.Kind.scalar() && s.Elem.Kind != KindBlob {
			v.push(step{index: i + 1})
			v.value(s.Elem, e)
			v.pop()
			continue
		}
		if len(s.Elem.broken(e)) > 0 {
			v.add("'"+javaText(s, val)+"'", "Member must satisfy constraint: ["+s.Elem.constraints()+"]")
			return
		}
	}
}

func (v *validator) entries(s *Shape, val reflect.Value) {
	keys := sortedKeys(val)
	if slices.ContainsFunc(keys, func(k reflect.Value) bool { return len(s.Key.broken(k)) > 0 }) {
		v.add("'"+javaText(s, val)+"'", "Map keys must satisfy constraint: ["+s.Key.constraints()+"]")
	}
	for _, k := range keys {
		if v.full() {
			return
		}
		e := val.MapIndex(k)
		if s.Elem.Kind == KindList && len(s.Elem.broken(e)) > 0 {
			v.add("'"+javaText(s, val)+"'", "Map value must satisfy constraint: ["+s.Elem.constraints()+"]")
			return
		}
		if !s.Elem.Kind.scalar() && s.Elem.Kind != KindBlob && s.Elem.Kind != KindJSON {
			v.push(step{name: k.String(), entry: true})
			v.value(s.Elem, addressable(e))
			v.pop()
			continue
		}
		if len(s.Elem.broken(e)) > 0 {
			v.add("'"+javaText(s, val)+"'", "Map value must satisfy constraint: ["+s.Elem.constraints()+"]")
			return
		}
	}
}

// addressable copies a map's element so that its methods with a pointer receiver can be called.
func addressable(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

// broken lists the constraints that one value breaks, in AWS's order; elements are not looked at.
func (s *Shape) broken(val reflect.Value) []string {
	var out []string
	switch s.Kind {
	case KindString:
		str := val.String()
		if s.Pattern != "" && !matches(s.Pattern, str) {
			out = append(out, s.patternText())
		}
		if s.HasMin || s.HasMax {
			out = s.lengthTexts(out, textLen(str))
		}
		if s.Enum != nil && !slices.Contains(s.Enum, str) {
			out = append(out, s.enumText())
		}
	case KindBlob, KindList, KindMap:
		out = s.lengthTexts(out, int64(val.Len()))
	case KindInt32, KindInt64:
		out = s.rangeTexts(out, val.Int() < s.Min, val.Int() > s.Max)
	case KindFloat32, KindFloat64:
		out = s.rangeTexts(out, val.Float() < float64(s.Min), val.Float() > float64(s.Max))
	case KindBool, KindTimestamp, KindStruct, KindStream, KindJSON: // have no constraints
	}
	return out
}

func (s *Shape) lengthTexts(out []string, n int64) []string {
	if s.HasMin && n < s.Min {
		out = append(out, s.minLengthText())
	}
	if s.HasMax && n > s.Max {
		out = append(out, s.maxLengthText())
	}
	return out
}

func (s *Shape) rangeTexts(out []string, under, over bool) []string {
	if s.HasMin && under {
		out = append(out, fmt.Sprintf("Member must have value greater than or equal to %d", s.Min))
	}
	if s.HasMax && over {
		out = append(out, fmt.Sprintf("Member must have value less than or equal to %d", s.Max))
	}
	return out
}

func (s *Shape) minLengthText() string {
	return fmt.Sprintf("Member must have length greater than or equal to %d", s.Min)
}

func (s *Shape) maxLengthText() string {
	return fmt.Sprintf("Member must have length less than or equal to %d", s.Max)
}

func (s *Shape) patternText() string {
	return "Member must satisfy regular expression pattern: " + s.Pattern
}

func (s *Shape) enumText() string {
	return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
}

// constraints lists all constraints of a list's or map's single values, broken or not, as AWS does.
func (s *Shape) constraints() string {
	var out []string
	number := s.Kind == KindInt32 || s.Kind == KindInt64 || s.Kind == KindFloat32 || s.Kind == KindFloat64
	if number {
		out = s.rangeTexts(out, true, true)
	} else {
		if s.HasMax {
			out = append(out, s.maxLengthText())
		}
		if s.HasMin {
			out = append(out, s.minLengthText())
		}
	}
	if s.Pattern != "" {
		out = append(out, s.patternText())
	}
	if s.Enum != nil {
		out = append(out, s.enumText())
	}
	return strings.Join(out, ", ")
}

// textLen is the length of a string as Java counts it, in UTF-16 units.
func textLen(s string) int64 {
	n := utf8.RuneCountInString(s)
	if n == len(s) {
		return int64(n)
	}
	for _, r := range s {
		if r > 0xFFFF {
			n++
		}
	}
	return int64(n)
}

// lowerFirst is a member's name as AWS's texts spell it: StreamName is streamName, ARN is aRN.
func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// Text is a value of shape as AWS's texts show it.
func Text(shape *Shape, v any) string { return javaText(shape, reflect.ValueOf(v)) }

// javaText is the value as the Java objects behind AWS's texts print themselves.
func javaText(s *Shape, val reflect.Value) string {
	switch s.Kind {
	case KindString:
		return val.String()
	case KindBlob:
		return fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", val.Len(), val.Len())
	case KindJSON:
		return attributeText(s, val.Bytes())
	case KindStruct:
		if s.Open {
			return openText(s, val)
		}
		return fmt.Sprintf("%s@%x", s.Java, javaHash(s.Name))
	case KindList:
		var parts []string
		for i, shown := 0, 0; i < val.Len(); i++ {
			part := javaText(s.Elem, val.Index(i))
			if shown += len(part) + 2; shown > maxListed {
				parts = append(parts, "...")
				break
			}
			parts = append(parts, part)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case KindMap:
		parts := make([]string, 0, val.Len())
		for _, k := range sortedKeys(val) {
			parts = append(parts, k.String()+"="+javaText(s.Elem, val.MapIndex(k)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return fmt.Sprint(val.Interface())
	}
}

// openText shows a structure with its members.
func openText(s *Shape, val reflect.Value) string {
	parts := make([]string, len(s.Members))
	for i := range s.Members {
		m := &s.Members[i]
		field := val.Field(m.Index)
		text := "null"
		if !nillable(field) || !field.IsNil() {
			text = javaText(m.Shape, reflect.Indirect(field))
		}
		parts[i] = lowerFirst(m.Name) + "=" + text
	}
	return s.Name + "(" + strings.Join(parts, ", ") + ")"
}

// javaHash stands for the identity hash Java prints after an object's class. AWS's differs from call
// to call; ours does not, so that answers can be compared.
func javaHash(name string) uint32 {
	var h uint32
	for i := range len(name) {
		h = bits.RotateLeft32(h, 5) ^ uint32(name[i])*0x9E3779B1
	}
	return h
}
