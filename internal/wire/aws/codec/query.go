package codec

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/internal/api"
)

// maxAction bounds what is kept of a name that may be none: the longest of AWS's operations has 56 characters.
const maxAction = 128

// Action says which operation the body of a request in the query protocol is for, and of which version of the API.
// Both are empty in a body that is not one.
func Action(body []byte) (action, version string) {
	for len(body) > 0 {
		var one []byte
		one, body, _ = bytes.Cut(body, []byte("&"))
		name, value, _ := bytes.Cut(one, []byte("="))
		switch {
		case action == "" && string(name) == "Action":
			action = string(value[:min(len(value), maxAction)])
		case version == "" && string(name) == "Version":
			version = string(value[:min(len(value), maxAction)])
		}
	}
	return action, version
}

// DecodeQuery reads application/x-www-form-urlencoded, AWS's query protocol, into the struct that in points to. What
// is left of the form (Action, Version, unknown names) is passed over.
//
// Source: Smithy, "AWS query protocol" (read 2026-11).
func DecodeQuery(body []byte, shape *api.Shape, in any) *api.Error {
	return Memory(nil).DecodeQuery(body, shape, in)
}

// DecodeQuery is the function of that name, within m.
func (m Memory) DecodeQuery(body []byte, shape *api.Shape, in any) *api.Error {
	d := queryDecoder{budget: newBudget(len(body), m)}
	n := countParams(body)
	if err := d.spend(n * paramSize); err != nil {
		return err
	}
	params, err := parseForm(body, n)
	if err != nil {
		return malformed("")
	}
	sortParams(params)
	return d.structure(shape, params, 0, reflect.ValueOf(in).Elem())
}

// malformed is AWS's answer to a parameter that cannot be read.
func malformed(text string) *api.Error { return api.ClientError("MalformedInput", text) }

// queryDecoder walks shapes and sorted parameters side by side. All params given to its methods agree in their name up
// to at, which is where the part of the path begins that the method looks at.
type queryDecoder struct {
	depth  int
	budget budget
}

func (d *queryDecoder) spend(n int) *api.Error {
	return d.budget.spend(n, func() *api.Error { return malformed("") })
}

func (d *queryDecoder) structure(s *api.Shape, params []param, at int, val reflect.Value) *api.Error {
	if d.depth++; d.depth > maxDepth {
		return malformed("")
	}
	defer func() { d.depth-- }()
	var seen uint64
	for len(params) > 0 {
		same, rest, part, next := group(params, at)
		params = rest
		i := findCalled(s, part)
		if i < 0 {
			continue
		}
		set, err := d.member(&s.Members[i], same, next, val.Field(s.Members[i].Index))
		if err != nil {
			return err
		}
		if set {
			seen |= 1 << uint(i)
		}
	}
	noteMissing(s, val, seen)
	return nil
}

func findCalled(s *api.Shape, name string) int {
	for i := range s.Members {
		if s.Members[i].Called() == name && s.Members[i].Shape.Kind != api.KindStream {
			return i
		}
	}
	return -1
}

// member reads a member; false when the parameters hold nothing that fits it.
func (d *queryDecoder) member(m *api.Member, params []param, at int, field reflect.Value) (bool, *api.Error) {
	scalar := m.Shape.Kind != api.KindList && m.Shape.Kind != api.KindMap && m.Shape.Kind != api.KindStruct
	if scalar && !isLeaf(params, at) {
		return false, nil
	}
	if field.Kind() == reflect.Pointer {
		if err := d.spend(int(field.Type().Elem().Size())); err != nil {
			return false, err
		}
		p := reflect.New(field.Type().Elem())
		field.Set(p)
		field = p.Elem()
	}
	return true, d.value(m.Shape, params, at, field)
}

// isLeaf tells whether the first of params is the value itself: its name ends before at.
func isLeaf(params []param, at int) bool { return len(params) > 0 && len(params[0].name) < at }

func (d *queryDecoder) value(s *api.Shape, params []param, at int, val reflect.Value) *api.Error {
	switch s.Kind {
	case api.KindStruct:
		return d.structure(s, params, at, val)
	case api.KindList:
		return d.list(s, params, at, val)
	case api.KindMap:
		return d.entries(s, params, at, val)
	default:
		if !isLeaf(params, at) {
			return malformed(dictFound)
		}
		return d.scalar(s.Kind, params[0].value, val)
	}
}

// inside takes away the level that lists and maps have which are not flat.
func inside(s *api.Shape, name string, params []param, at int) ([]param, int) {
	if s.Flat {
		return params, at
	}
	for len(params) > 0 {
		same, rest, part, next := group(params, at)
		if part == name {
			return same, next
		}
		params = rest
	}
	return nil, 0
}

func (d *queryDecoder) list(s *api.Shape, params []param, at int, val reflect.Value) *api.Error {
	name := s.ElemName
	if name == "" {
		name = "member"
	}
	val.Set(reflect.MakeSlice(val.Type(), 0, 0))
	params, at = inside(s, name, params, at)
	size := int(val.Type().Elem().Size())
	for n := 0; len(params) > 0; {
		same, rest, part, next := group(params, at)
		params = rest
		if !isNumber(part) || s.HasMax && int64(n) > s.Max {
			continue
		}
		if err := d.spend(size); err != nil {
			return err
		}
		val.Grow(1)
		val.SetLen(n + 1)
		if err := d.value(s.Elem, same, next, val.Index(n)); err != nil {
			return err
		}
		n++
	}
	return nil
}

func (d *queryDecoder) entries(s *api.Shape, params []param, at int, val reflect.Value) *api.Error {
	keyName, elemName := s.KeyName, s.ElemName
	if keyName == "" {
		keyName = "key"
	}
	if elemName == "" {
		elemName = "value"
	}
	typ := val.Type()
	val.Set(reflect.MakeMap(typ))
	params, at = inside(s, "entry", params, at)
	for len(params) > 0 {
		same, rest, part, next := group(params, at)
		params = rest
		if !isNumber(part) {
			continue
		}
		if err := d.spend(mapEntrySize + int(typ.Key().Size()+typ.Elem().Size())); err != nil {
			return err
		}
		key, elem := reflect.New(typ.Key()).Elem(), reflect.New(typ.Elem()).Elem()
		for len(same) > 0 {
			one, others, part, after := group(same, next)
			same = others
			var err *api.Error
			switch part {
			case keyName:
				err = d.value(s.Key, one, after, key)
			case elemName:
				err = d.value(s.Elem, one, after, elem)
			}
			if err != nil {
				return err
			}
		}
		val.SetMapIndex(key, elem)
	}
	return nil
}

// scalar reads a single value. Strings are copies, so that none keeps the whole form alive.
func (d *queryDecoder) scalar(k api.Kind, text string, val reflect.Value) *api.Error {
	switch k {
	case api.KindString:
		if !utf8.ValidString(text) {
			return malformed("")
		}
		val.SetString(strings.Clone(text))
	case api.KindBlob:
		b, err := decodeBase64([]byte(text))
		if err != nil {
			return malformed(err.Message)
		}
		val.SetBytes(b)
	case api.KindBool:
		switch strings.ToLower(text) {
		case "true", "1":
			val.SetBool(true)
		case "false", "0":
		default:
			return unconvertible(text, "Boolean")
		}
	case api.KindInt32, api.KindInt64:
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, val.Type().Bits())
		if err != nil {
			return unconvertible(text, "Integer")
		}
		val.SetInt(n)
	case api.KindFloat32, api.KindFloat64:
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil && f == 0 {
			return unconvertible(text, "Double")
		}
		val.SetFloat(f)
	case api.KindTimestamp:
		t, ok := isoTime(text)
		if !ok {
			return malformed("timestamp must follow ISO8601")
		}
		*val.Addr().Interface().(*time.Time) = t
	default:
		return malformed("")
	}
	return nil
}

func unconvertible(text, kind string) *api.Error {
	return malformed("'" + api.Clip(text) + "' can not be converted to a " + kind)
}

// isoTime reads the forms of ISO 8601 that SDKs write, and seconds since 1970.
func isoTime(text string) (time.Time, bool) {
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "20060102T150405Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return millis(t.UnixMilli()), true
		}
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return seconds(number{f: f}), true
	}
	return time.Time{}, false
}
