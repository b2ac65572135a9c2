package wirejson

import (
	"strconv"
	"strings"

	"millrace/internal/api"
	"millrace/internal/service/dynamodb/value"
)

// Decoder reads a body. The zero Decoder reads nothing; Reset gives it a body. It keeps its memory from one to the next
// and is not safe for concurrent use.
type Decoder struct {
	data    []byte
	pos     int
	first   bool // just after '{' or '[': no comma comes before the next
	err     *api.Error
	invalid *value.Error
	unnamed unnamed
	unknown bool   // a value has a member that is no type
	texts   []byte // strings that had escapes; grows by new arrays, so earlier ones stay
	blob    []byte // what a B is decoded into before it is copied
	build   value.Builder
}

// maxKept is the largest memory a Decoder keeps for the next body: more than an item needs.
const maxKept = 1 << 20

// Reset begins with a body, which must not change while what was read is in use. What was read before is gone.
func (d *Decoder) Reset(body []byte) {
	d.data, d.pos, d.first, d.err, d.invalid, d.unnamed, d.unknown = body, 0, false, nil, nil, 0, false
	if cap(d.texts) > maxKept {
		d.texts = nil
	}
	if cap(d.blob) > maxKept {
		d.blob = nil
	}
	d.texts = d.texts[:0]
	d.build.Reset()
}

// End is the error of what was read; without one nothing but white space may be left.
func (d *Decoder) End() *api.Error {
	if d.err == nil && (d.peek() != 0 || d.pos < len(d.data)) {
		d.malformed()
	}
	return d.err
}

// Err is the first error so far.
func (d *Decoder) Err() *api.Error { return d.err }

// Invalid is the first thing that was wrong with values since it was asked last; nil when nothing was. Such a value's
// bytes are of no use.
func (d *Decoder) Invalid() *value.Error {
	e := d.invalid
	d.invalid = nil
	return e
}

func (d *Decoder) note(e *value.Error) {
	if d.invalid == nil {
		d.invalid = e
	}
}

// Body begins the body, which must be a structure.
func (d *Decoder) Body() (ok bool) {
	d.first = true
	return d.take('{')
}

// Open begins a structure that is a member of a structure; shape is its name in the model. ok is false when there is
// null, and after an error.
func (d *Decoder) Open(shape string) (ok bool) { return d.open(shape, textField) }

// OpenElem is Open for a structure in a list or map.
func (d *Decoder) OpenElem(shape string) (ok bool) { return d.open(shape, textValue) }

func (d *Decoder) open(shape, single string) bool {
	switch c := d.peek(); c {
	case '{':
		d.pos++
		d.first = true
		return true
	case 'n':
		d.literal("null")
	case '[':
		d.fail(textCollection + "class " + model + shape)
	default:
		d.wrong(c, "", single)
	}
	return false
}

// OpenMap begins a map from names to the Java class, e.g. "com.amazonaws.dynamodb.v20120810.AttributeValue", which a list
// in its place is told.
func (d *Decoder) OpenMap(class string) (ok bool) {
	switch c := d.peek(); c {
	case '{':
		d.pos++
		d.first = true
		return true
	case 'n':
		d.literal("null")
	case '[':
		d.fail(textCollection + "java.util.Map<java.lang.String, " + class + ">")
	default:
		d.wrong(c, "", textField)
	}
	return false
}

// OpenList begins a list; More comes before each element.
func (d *Decoder) OpenList() (ok bool) {
	switch c := d.peek(); c {
	case '[':
		d.pos++
		d.first = true
		return true
	case 'n':
		d.literal("null")
	default:
		d.wrong(c, "", textField)
	}
	return false
}

// Member is the name of the next member of a structure or entry of a map; ok is false behind the last one.
func (d *Decoder) Member() (name string, ok bool) {
	if !d.next('}') {
		return "", false
	}
	if d.peek() != '"' {
		d.malformed()
		return "", false
	}
	b := d.text()
	if !d.take(':') {
		return "", false
	}
	return alias(b), true
}

// More says whether another element of a list comes.
func (d *Decoder) More() bool { return d.next(']') }

// next takes the end of what is open, or the comma before what follows.
func (d *Decoder) next(end byte) bool {
	first := d.first
	d.first = false
	switch c := d.peek(); {
	case c == end:
		d.pos++
		return false
	case first && c != 0:
		return true
	case c == ',' && !first:
		d.pos++
		return true
	}
	d.malformed()
	return false
}

// String reads a string; ok is false when there is null, and after an error.
func (d *Decoder) String() (s string, ok bool) {
	switch c := d.peek(); c {
	case '"':
		b := d.text()
		return alias(b), d.err == nil
	case 'n':
		d.literal("null")
	default:
		d.wrong(c, "class java.lang.String", "")
	}
	return "", false
}

// Bool reads true or false, or one of the texts that AWS takes for them; ok is false when there is null, and after an error.
func (d *Decoder) Bool() (b, ok bool) {
	switch c := d.peek(); c {
	case 't':
		return true, d.literal("true")
	case 'f':
		return false, d.literal("false")
	case 'n':
		d.literal("null")
	case '"':
		switch strings.ToUpper(string(d.text())) {
		case "TRUE", "1", "YES":
			return true, d.err == nil
		case "FALSE", "0", "NO":
			return false, d.err == nil
		}
		d.fail(textToken)
	default:
		d.wrong(c, "class java.lang.Boolean", "")
	}
	return false, false
}

// Int reads an Integer of 32 bits: fractions are cut off, what is out of range becomes the nearest in range. ok is false when
// there is null, and after an error.
func (d *Decoder) Int() (i int32, ok bool) {
	switch c := d.peek(); {
	case c == 'n':
		d.literal("null")
		return 0, false
	case c == '-' || c-'0' <= 9:
		text, _ := d.number()
		if d.err != nil {
			return 0, false
		}
		f, err := strconv.ParseFloat(alias(text), 64)
		if err != nil && f == 0 {
			return 0, true
		}
		return int32(max(min(f, 1<<31-1), -1<<31)), true
	default:
		d.wrong(c, "class java.lang.Integer", "")
		return 0, false
	}
}
