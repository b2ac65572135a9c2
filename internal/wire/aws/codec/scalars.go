package codec

import (
	"math"
	"reflect"
	"strings"
	"time"

	"millrace/internal/api"
)

// mismatch chooses the text for a value that does not fit: a single one, a list or a map.
func mismatch(k kind, single, list, dict string) *api.Error {
	switch k {
	case kindList:
		return api.SerializationError(list)
	case kindMap:
		return api.SerializationError(dict)
	default:
		return api.SerializationError(single)
	}
}

const (
	listFound = "Start of list found where not expected"
	dictFound = "Start of structure or map found where not expected."
)

// conversion is the text for a value of kind k where target was wanted, e.g. "an Integer".
func conversion(k kind, target string) *api.Error {
	return mismatch(k, "class "+javaClass[k]+" can not be converted to "+target, listFound, dictFound)
}

// javaClass is what AWS's texts call a value of each kind.
//
// Source: kinesalite, validations/index.js.
var javaClass = map[kind]string{
	kindBool:   "java.lang.Boolean",
	kindNumber: "com.amazon.coral.value.json.numbers.TruncatingBigNumber",
	kindText:   "java.lang.String",
	kindBytes:  "java.nio.HeapByteBuffer",
}

func (d *decoder) text(k kind, val reflect.Value) *api.Error {
	if k != kindText {
		return conversion(k, "an String")
	}
	t, err := d.r.text()
	if err != nil {
		return syntax()
	}
	val.SetString(string(t))
	return nil
}

func (d *decoder) boolean(k kind, val reflect.Value) *api.Error {
	switch k {
	case kindBool:
		val.SetBool(d.r.boolean())
		return nil
	case kindText:
		t, err := d.r.text()
		if err != nil {
			return syntax()
		}
		b, ok := booleanWord(t)
		switch {
		case ok:
			val.SetBool(b)
			return nil
		case d.dynamo != nil:
			return api.SerializationError(dynamoToken)
		}
		return api.SerializationError("'" + api.Clip(strings.ToUpper(string(t))) + "' can not be converted to an Boolean")
	default:
		return conversion(k, "an Boolean")
	}
}

// booleanWord reads the texts that AWS takes for a boolean, in any case of letters.
func booleanWord(t []byte) (b, ok bool) {
	switch strings.ToUpper(string(t)) {
	case "TRUE", "1", "YES":
		return true, true
	case "FALSE", "0", "NO":
		return false, true
	}
	return false, false
}

const (
	minInt32 = -1 << 31
	maxInt32 = 1<<31 - 1
	minInt64 = -1 << 63
	maxInt64 = 1<<63 - 1
)

// integer reads a number as AWS does: fractions are cut off, values out of range become the nearest
// in range.
func (d *decoder) integer(k kind, val reflect.Value, name string, low, high int64) *api.Error {
	if k != kindNumber {
		return conversion(k, "an "+name)
	}
	n, err := d.r.number()
	if err != nil {
		return syntax()
	}
	val.SetInt(min(max(n.truncate(), low), high))
	return nil
}

// float also takes the strings that Smithy has for what JSON cannot write as a number.
func (d *decoder) float(k kind, val reflect.Value, name string) *api.Error {
	if k == kindText {
		t, err := d.r.text()
		if err != nil {
			return syntax()
		}
		f, ok := notFinite[string(t)]
		if !ok {
			return conversion(k, "an "+name)
		}
		val.SetFloat(f)
		return nil
	}
	if k != kindNumber {
		return conversion(k, "an "+name)
	}
	n, err := d.r.number()
	if err != nil {
		return syntax()
	}
	val.SetFloat(n.float())
	return nil
}

var notFinite = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1)}

func (d *decoder) timestamp(k kind, val reflect.Value) *api.Error {
	if k != kindNumber {
		return conversion(k, "milliseconds since epoch")
	}
	t, err := d.r.timestamp()
	if err != nil {
		return syntax()
	}
	*val.Addr().Interface().(*time.Time) = t
	return nil
}
