package wirejson

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/segmentio/asm/base64"

	"millrace/internal/service/dynamodb/value"
	"millrace/internal/wire/jsonstring"
)

// AppendItem appends a stored item as a map of attribute values; to nil, with one allocation for most items. Attributes whose bytes are corrupt are written without
// a type.
//
// Errors: value.ErrCorrupt when item is no stored item.
func AppendItem(dst, item []byte) ([]byte, error) {
	v, err := value.Open(item)
	if err != nil {
		return dst, err
	}
	if dst == nil {
		dst = make([]byte, 0, len(item)+len(item)/4+attributeRoom*v.Len())
	}
	return appendMap(dst, &v.Elems), nil
}

// attributeRoom is what the quotes, braces and type of an attribute add to its stored form, about.
const attributeRoom = 10

func appendMap(dst []byte, e *value.Elems) []byte {
	dst = append(dst, '{')
	for i := range e.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		name, r := e.Attr(i)
		dst = AppendString(dst, name)
		dst = append(dst, ':')
		dst = AppendRaw(dst, r)
	}
	return append(dst, '}')
}

// AppendRaw appends a stored value.
func AppendRaw(dst []byte, r value.Raw) []byte {
	kind := r.Kind()
	switch kind {
	case value.KindS:
		dst = append(dst, `{"S":`...)
		dst = AppendString(dst, r.Str())
	case value.KindN:
		dst = append(dst, `{"N":"`...)
		dst = r.Number().AppendText(dst)
		dst = append(dst, '"')
	case value.KindB:
		dst = append(dst, `{"B":`...)
		dst = appendBlob(dst, r.Str())
	case value.KindBOOL:
		dst = appendBool(dst, r.Bool())
	case value.KindNULL:
		dst = append(dst, `{"NULL":true`...)
	case value.KindM:
		dst = append(dst, `{"M":`...)
		e := r.Elems()
		dst = appendMap(dst, &e)
	case value.KindNone:
		dst = append(dst, '{')
	default:
		dst = appendElems(dst, kind, r.Elems())
	}
	return append(dst, '}')
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, `{"BOOL":true`...)
	}
	return append(dst, `{"BOOL":false`...)
}

// appendElems appends a list or set.
func appendElems(dst []byte, kind value.Kind, e value.Elems) []byte {
	dst = append(dst, `{"`...)
	dst = append(dst, kind.String()...)
	dst = append(dst, `":[`...)
	for i := range e.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		b := e.At(i)
		switch kind {
		case value.KindL:
			dst = AppendRaw(dst, b)
		case value.KindNS:
			dst = append(dst, '"')
			if n, _, err := value.DecodeOrdered(b); err == nil {
				dst = n.AppendText(dst)
			}
			dst = append(dst, '"')
		case value.KindBS:
			dst = appendBlob(dst, alias(b))
		default:
			dst = AppendString(dst, alias(b))
		}
	}
	return append(dst, ']')
}

// AppendItemValue appends an item.
func AppendItemValue(dst []byte, item value.Item) []byte {
	dst = append(dst, '{')
	for i, a := range item {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, a.Name)
		dst = append(dst, ':')
		dst = AppendValue(dst, a.Value)
	}
	return append(dst, '}')
}

// AppendValue appends a value.
func AppendValue(dst []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.KindS:
		dst = append(dst, `{"S":`...)
		dst = AppendString(dst, v.Str())
	case value.KindN:
		dst = append(dst, `{"N":"`...)
		dst = v.Number().AppendText(dst)
		dst = append(dst, '"')
	case value.KindB:
		dst = append(dst, `{"B":`...)
		dst = appendBlob(dst, v.Str())
	case value.KindBOOL:
		dst = appendBool(dst, v.Bool())
	case value.KindNULL:
		dst = append(dst, `{"NULL":true`...)
	case value.KindM:
		dst = append(dst, `{"M":`...)
		dst = AppendItemValue(dst, v.Map())
	case value.KindNone:
		dst = append(dst, '{')
	default:
		dst = appendValueElems(dst, v)
	}
	return append(dst, '}')
}

func appendValueElems(dst []byte, v value.Value) []byte {
	dst = append(dst, `{"`...)
	dst = append(dst, v.Kind().String()...)
	dst = append(dst, `":[`...)
	start := len(dst)
	for _, e := range v.List() {
		dst = AppendValue(comma(dst, start), e)
	}
	for _, s := range v.Strings() {
		dst = comma(dst, start)
		if v.Kind() == value.KindBS {
			dst = appendBlob(dst, s)
		} else {
			dst = AppendString(dst, s)
		}
	}
	for _, n := range v.Numbers() {
		dst = append(comma(dst, start), '"')
		dst = append(n.AppendText(dst), '"')
	}
	return append(dst, ']')
}

// comma appends a comma unless nothing was appended since start.
func comma(dst []byte, start int) []byte {
	if len(dst) == start {
		return dst
	}
	return append(dst, ',')
}

func appendBlob(dst []byte, s string) []byte {
	n := base64.StdEncoding.EncodedLen(len(s))
	dst = slices.Grow(append(dst, '"'), n+1)
	at := len(dst)
	dst = dst[:at+n]
	base64.StdEncoding.Encode(dst[at:], bytesOf(s))
	return append(dst, '"')
}

// AppendString appends s, which is UTF-8, quoted.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for {
		n := plainLen(s)
		dst = append(dst, s[:n]...)
		if n == len(s) {
			return append(dst, '"')
		}
		dst = jsonstring.AppendEscape(dst, s[n])
		s = s[n+1:]
	}
}

// plainLen is how much of s stands for itself between quotes.
func plainLen(s string) int {
	b, i := bytesOf(s), 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		q, e := w^ones*'"', w^ones*'\\'
		if m := ((w-ones*0x20)&^w | (q-ones)&^q | (e-ones)&^e) & highs; m != 0 {
			return i + bits.TrailingZeros64(m)/8
		}
	}
	for ; i < len(b); i++ {
		if b[i] < 0x20 || b[i] == '"' || b[i] == '\\' {
			break
		}
	}
	return i
}
