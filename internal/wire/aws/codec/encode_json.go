package codec

import (
	"encoding/base64"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"millrace/internal/api"
	"millrace/internal/wire/jsonstring"
)

// AppendJSON appends out, a pointer to the struct that shape describes, as an awsJson answer. Absent
// members are left out; a required list is [] when nil.
func AppendJSON(dst []byte, shape *api.Shape, out any) []byte {
	return appendJSONStruct(dst, shape, reflect.ValueOf(out).Elem())
}

func appendJSONStruct(dst []byte, s *api.Shape, val reflect.Value) []byte {
	dst = append(dst, '{')
	open := len(dst)
	for i := range s.Members {
		m := &s.Members[i]
		field, ok := present(m, val)
		if !ok {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = AppendJSONString(dst, m.Name)
		dst = append(dst, ':')
		dst = appendJSONValue(dst, m.Shape, field)
	}
	return append(dst, '}')
}

// present gives the value of a member, behind its pointer, unless it is absent.
func present(m *api.Member, val reflect.Value) (reflect.Value, bool) {
	field := val.Field(m.Index)
	switch field.Kind() {
	case reflect.Pointer:
		return field.Elem(), !field.IsNil()
	case reflect.Slice, reflect.Map:
		return field, m.Required || !field.IsNil()
	default:
		return field, m.Shape.Kind != api.KindStream
	}
}

func appendJSONValue(dst []byte, s *api.Shape, val reflect.Value) []byte {
	switch s.Kind {
	case api.KindString:
		return AppendJSONString(dst, val.String())
	case api.KindBlob:
		dst = append(dst, '"')
		dst = base64.StdEncoding.AppendEncode(dst, val.Bytes())
		return append(dst, '"')
	case api.KindBool:
		return strconv.AppendBool(dst, val.Bool())
	case api.KindInt32, api.KindInt64:
		return strconv.AppendInt(dst, val.Int(), 10)
	case api.KindFloat32, api.KindFloat64:
		return appendJSONFloat(dst, val.Float())
	case api.KindTimestamp:
		return AppendJSONTime(dst, *val.Addr().Interface().(*time.Time))
	case api.KindList:
		dst = append(dst, '[')
		for i := range val.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONValue(dst, s.Elem, val.Index(i))
		}
		return append(dst, ']')
	case api.KindMap:
		return appendJSONMap(dst, s, val)
	case api.KindJSON:
		if val.Len() == 0 {
			return append(dst, "{}"...)
		}
		return append(dst, val.Bytes()...)
	default:
		return appendJSONStruct(dst, s, val)
	}
}

func appendJSONMap(dst []byte, s *api.Shape, val reflect.Value) []byte {
	dst = append(dst, '{')
	for i, k := range sortedKeys(val) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendJSONString(dst, k.String())
		dst = append(dst, ':')
		dst = appendJSONValue(dst, s.Elem, addressable(val.MapIndex(k)))
	}
	return append(dst, '}')
}

// sortedKeys makes answers the same from call to call.
func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

func addressable(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

// appendJSONFloat writes numbers as Java does, which is what AWS's answers have, and so with a fraction: clients of dynamic languages
// tell 1.0 from 1. What JSON cannot hold is written as the strings that Smithy defines for it.
func appendJSONFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return appendJavaFloat(dst, f)
}

// AppendJSONTime appends a time in seconds with up to three decimals, as AWS answers it.
func AppendJSONTime(dst []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms < 0 {
		dst = append(dst, '-')
		ms = -ms
	}
	dst = strconv.AppendInt(dst, ms/1000, 10)
	frac := ms % 1000
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+frac/100), byte('0'+frac/10%10), byte('0'+frac%10))
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// AppendJSONString appends s quoted. Bytes that are not UTF-8 become U+FFFD.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		if c < 0x20 || c == '"' || c == '\\' {
			dst = append(dst, s[start:i]...)
			dst = jsonstring.AppendEscape(dst, c)
			start = i + 1
		}
		i++
	}
	return append(append(dst, s[start:]...), '"')
}
