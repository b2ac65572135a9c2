package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"time"

	"millrace/internal/api"
)

// timeForm writes a time in the way of one of the protocols that use CBOR.
type timeForm func([]byte, time.Time) []byte

// AppendCBOR appends out as an application/x-amz-cbor-1.1 answer: structures are maps that a break
// ends, as AWS writes them; times are tag 1 with integer milliseconds, as the Java SDK reads them.
func AppendCBOR(dst []byte, shape *api.Shape, out any) []byte {
	return appendCBORStruct(dst, shape, reflect.ValueOf(out).Elem(), AppendCBORTime)
}

// AppendRPC appends out as an answer of Smithy RPC v2 CBOR, which differs in its times: tag 1 with seconds.
func AppendRPC(dst []byte, shape *api.Shape, out any) []byte {
	return appendCBORStruct(dst, shape, reflect.ValueOf(out).Elem(), appendRPCTime)
}

func appendRPCTime(dst []byte, t time.Time) []byte {
	dst = append(dst, majorTag<<5|1)
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return AppendCBORInt(dst, ms/1000)
	}
	dst = append(dst, majorSimple<<5|info64)
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(float64(ms)/1000))
}

func appendCBORStruct(dst []byte, s *api.Shape, val reflect.Value, times timeForm) []byte {
	dst = OpenCBORMap(dst)
	for i := range s.Members {
		m := &s.Members[i]
		field, ok := present(m, val)
		if !ok {
			continue
		}
		dst = AppendCBORString(dst, m.Name)
		dst = appendCBORValue(dst, m.Shape, field, times)
	}
	return CloseCBORMap(dst)
}

func appendCBORValue(dst []byte, s *api.Shape, val reflect.Value, times timeForm) []byte {
	switch s.Kind {
	case api.KindString:
		return AppendCBORString(dst, val.String())
	case api.KindBlob:
		return append(AppendCBORBlobHead(dst, val.Len()), val.Bytes()...)
	case api.KindBool:
		if val.Bool() {
			return append(dst, majorSimple<<5|simpleTrue)
		}
		return append(dst, majorSimple<<5|simpleFalse)
	case api.KindInt32, api.KindInt64:
		return AppendCBORInt(dst, val.Int())
	case api.KindFloat32, api.KindFloat64:
		dst = append(dst, majorSimple<<5|info64)
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(val.Float()))
	case api.KindTimestamp:
		return times(dst, *val.Addr().Interface().(*time.Time))
	case api.KindList:
		dst = AppendCBORListHead(dst, val.Len())
		for i := range val.Len() {
			dst = appendCBORValue(dst, s.Elem, val.Index(i), times)
		}
		return dst
	case api.KindMap:
		dst = appendCBORHead(dst, majorMap, uint64(val.Len()))
		for _, k := range sortedKeys(val) {
			dst = AppendCBORString(dst, k.String())
			dst = appendCBORValue(dst, s.Elem, addressable(val.MapIndex(k)), times)
		}
		return dst
	default:
		return appendCBORStruct(dst, s, val, times)
	}
}

// OpenCBORMap begins a map of pairs that CloseCBORMap ends.
func OpenCBORMap(dst []byte) []byte { return append(dst, majorMap<<5|infoIndefinite) }

// CloseCBORMap ends the map that was opened last.
func CloseCBORMap(dst []byte) []byte { return append(dst, cborBreak) }

// AppendCBORListHead begins a list of n elements.
func AppendCBORListHead(dst []byte, n int) []byte { return appendCBORHead(dst, majorArray, uint64(n)) }

// AppendCBORBlobHead begins a blob whose n bytes follow.
func AppendCBORBlobHead(dst []byte, n int) []byte { return appendCBORHead(dst, majorBytes, uint64(n)) }

// AppendCBORTime appends a time as tag 1 with integer milliseconds.
func AppendCBORTime(dst []byte, t time.Time) []byte {
	return AppendCBORInt(append(dst, majorTag<<5|1), t.UnixMilli())
}

// AppendCBORString appends s as a text string. Bytes that are not UTF-8 become U+FFFD.
func AppendCBORString(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	dst = appendCBORHead(dst, majorText, uint64(len(s)))
	return append(dst, s...)
}

// AppendCBORInt appends a whole number.
func AppendCBORInt(dst []byte, i int64) []byte {
	if i < 0 {
		return appendCBORHead(dst, majorNegint, uint64(-1-i))
	}
	return appendCBORHead(dst, majorUint, uint64(i))
}

// appendCBORHead appends an item's first byte and argument in the shortest form.
func appendCBORHead(dst []byte, major byte, arg uint64) []byte {
	switch {
	case arg < info8:
		return append(dst, major<<5|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, major<<5|info8, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major<<5|info16), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major<<5|info32), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major<<5|info64), arg)
}
