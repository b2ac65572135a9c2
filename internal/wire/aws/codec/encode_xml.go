package codec

import (
	"encoding/base64"
	"encoding/xml"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"millrace/internal/api"
)

// QueryAnswer is the answer of an operation in the query protocol.
type QueryAnswer struct {
	Operation string
	Namespace string // of the XML
	RequestID string
}

// AppendQuery appends an answer in the query protocol. shape and out are nil for operations without output.
func AppendQuery(dst []byte, a QueryAnswer, shape *api.Shape, out any) []byte {
	dst = append(dst, "<"+a.Operation+`Response xmlns="`+a.Namespace+"\">\n"...)
	if shape != nil {
		dst = openXML(dst, a.Operation+"Result")
		dst = appendXMLStruct(dst, shape, reflect.ValueOf(out).Elem())
		dst = append(closeXML(dst, a.Operation+"Result"), '\n')
	}
	dst = append(dst, "<ResponseMetadata><RequestId>"+a.RequestID+"</RequestId></ResponseMetadata>\n"...)
	return append(dst, "</"+a.Operation+"Response>\n"...)
}

func openXML(dst []byte, name string) []byte { return append(append(append(dst, '<'), name...), '>') }

func closeXML(dst []byte, name string) []byte {
	return append(append(append(dst, '<', '/'), name...), '>')
}

func appendXMLStruct(dst []byte, s *api.Shape, val reflect.Value) []byte {
	for i := range s.Members {
		m := &s.Members[i]
		if field, ok := present(m, val); ok {
			dst = appendXMLMember(dst, m.Called(), m.Shape, field)
		}
	}
	return dst
}

func appendXMLMember(dst []byte, name string, s *api.Shape, val reflect.Value) []byte {
	if s.Flat && s.Kind == api.KindList {
		for i := range val.Len() {
			dst = appendXMLMember(dst, name, s.Elem, val.Index(i))
		}
		return dst
	}
	if s.Flat && s.Kind == api.KindMap {
		return appendXMLEntries(dst, name, s, val)
	}
	dst = openXML(dst, name)
	dst = appendXMLValue(dst, s, val)
	return closeXML(dst, name)
}

func appendXMLValue(dst []byte, s *api.Shape, val reflect.Value) []byte {
	switch s.Kind {
	case api.KindString:
		return AppendXMLText(dst, val.String())
	case api.KindBlob:
		return base64.StdEncoding.AppendEncode(dst, val.Bytes())
	case api.KindBool:
		return strconv.AppendBool(dst, val.Bool())
	case api.KindInt32, api.KindInt64:
		return strconv.AppendInt(dst, val.Int(), 10)
	case api.KindFloat32, api.KindFloat64:
		return appendXMLFloat(dst, val.Float())
	case api.KindTimestamp:
		t := *val.Addr().Interface().(*time.Time)
		return t.UTC().AppendFormat(dst, "2006-01-02T15:04:05.999Z")
	case api.KindList:
		name := s.ElemName
		if name == "" {
			name = "member"
		}
		for i := range val.Len() {
			dst = appendXMLMember(dst, name, s.Elem, val.Index(i))
		}
		return dst
	case api.KindMap:
		return appendXMLEntries(dst, "entry", s, val)
	default:
		return appendXMLStruct(dst, s, val)
	}
}

func appendXMLEntries(dst []byte, name string, s *api.Shape, val reflect.Value) []byte {
	keyName, elemName := s.KeyName, s.ElemName
	if keyName == "" {
		keyName = "key"
	}
	if elemName == "" {
		elemName = "value"
	}
	for _, k := range sortedKeys(val) {
		dst = openXML(dst, name)
		dst = appendXMLMember(dst, keyName, s.Key, k)
		dst = appendXMLMember(dst, elemName, s.Elem, addressable(val.MapIndex(k)))
		dst = closeXML(dst, name)
	}
	return dst
}

// appendXMLFloat writes numbers as Java does, which is what AWS's answers have: 1.0, 2.5E10.
func appendXMLFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	return appendJavaFloat(dst, f)
}

// appendJavaFloat writes a finite number.
func appendJavaFloat(dst []byte, f float64) []byte {
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		form = 'E'
	}
	text := strconv.FormatFloat(f, form, -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "E")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	dst = append(dst, mantissa...)
	if exponent == "" {
		return dst
	}
	n, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	return strconv.AppendInt(append(dst, 'E'), int64(n), 10)
}

// AppendXMLText appends text with its escapes. What XML cannot hold becomes U+FFFD.
func AppendXMLText(dst []byte, text string) []byte {
	w := appender(dst)
	_ = xml.EscapeText(&w, []byte(text)) // an appender does not fail
	return w
}

type appender []byte

func (a *appender) Write(b []byte) (int, error) {
	*a = append(*a, b...)
	return len(b), nil
}
