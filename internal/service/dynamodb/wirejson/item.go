package wirejson

import (
	"github.com/segmentio/asm/base64"

	"millrace/internal/service/dynamodb/value"
)

// attributeValue is the class of values in AWS's texts.
const attributeValue = model + "AttributeValue"

// Item reads a map of attribute values into a stored item, which lives until Reset. It is nil when there is
// null, and after an error. What is wrong with values is told by Invalid.
func (d *Decoder) Item() []byte {
	if !d.OpenMap(attributeValue) {
		return nil
	}
	start := d.build.Len()
	c := d.build.Open(value.KindNone)
	d.entries(1)
	d.build.Close(c) //nolint:errcheck // only sets have errors
	d.named()
	if d.err != nil {
		return nil
	}
	end := d.build.Len()
	return d.build.Bytes()[start:end:end]
}

// Value reads an attribute value that is a member of a structure. It is nil when there is null, and after an error.
func (d *Decoder) Value() value.Raw {
	if d.peek() == 'n' {
		d.literal("null")
		return nil
	}
	return d.raw(textField)
}

// Elem reads an attribute value in a list or map; null there is a value without a type. It is nil after an error.
func (d *Decoder) Elem() value.Raw { return d.raw(textValue) }

func (d *Decoder) raw(single string) value.Raw {
	start := d.build.Len()
	d.value(1, single)
	d.named()
	if d.err != nil {
		return nil
	}
	end := d.build.Len()
	return value.Raw(d.build.Bytes()[start:end:end])
}

// entries reads the named values of a map that is open; they lie at depth.
func (d *Decoder) entries(depth int) {
	for name, ok := d.Member(); ok; name, ok = d.Member() {
		if d.tooMany() {
			continue
		}
		if name == "" {
			d.unnamed = max(d.unnamed, nestedUnnamed)
			if depth == 1 {
				d.unnamed = topUnnamed
			}
		}
		if len(name) > maxName {
			d.note(value.ErrAttributeName)
		}
		d.build.Name(name)
		d.build.Done(d.value(depth, textValue))
	}
}

// maxName is how many bytes the name of an attribute has at most. Source: ScyllaDB, test/alternator/test_limits.py, which ran against
// the service (read 2026-11).
const maxName = 65535

// unnamed says that an attribute without a name was read, and where. An item's own is what is said to be wrong with it, whatever
// else is; one inside of its values comes behind all the rest. Source: paritysuite dynamodb-conformance,
// tests/tier3/validation-ordering/deepRequests.test.ts (read 2026-11).
type unnamed uint8

const (
	nestedUnnamed unnamed = 1
	topUnnamed    unnamed = 2
)

// named ends an item or a value: all its attributes have names.
func (d *Decoder) named() {
	switch d.unnamed {
	case topUnnamed:
		d.invalid = value.ErrEmptyName
	case nestedUnnamed:
		d.note(value.ErrEmptyName)
	}
	d.unnamed = 0
}

// maxElems is how many elements may be open at once: each costs a byte, and an item has 409,600 at most. Past it they are
// only passed over, so that a body cannot take a multiple of its size.
const maxElems = 409_600 + 1 // one element of a set may be empty

func (d *Decoder) tooMany() bool {
	if d.build.Pending() <= maxElems {
		return false
	}
	d.note(value.ErrItemSize)
	d.Skip()
	return true
}

// value reads an attribute value that lies at depth into the builder and returns its size.
func (d *Decoder) value(depth int, single string) (size int) {
	switch c := d.peek(); {
	case c == '{':
	case c == 'n' && d.literal("null"):
		d.note(value.ErrNoKind)
		return 0
	case c == '[':
		d.fail(textCollection + "class " + attributeValue)
		return 0
	default:
		d.wrong(c, "", single)
		return 0
	}
	if depth > value.MaxDepth {
		d.note(value.ErrNesting)
		d.Skip()
		return 0
	}
	d.pos++
	d.first = true
	start, found, many := d.build.Len(), value.KindNone, false
	for name, ok := d.Member(); ok; name, ok = d.Member() {
		kind := kindOf(name)
		if kind == value.KindNone {
			d.unknown = true
			d.Skip()
			continue
		}
		if d.null() {
			continue
		}
		many = many || found != value.KindNone && kind != found
		found = kind
		d.build.Truncate(start)
		size = d.content(kind, depth)
	}
	switch {
	case found == value.KindNone:
		d.note(value.ErrNoKind)
	case many:
		d.note(value.ErrManyKinds)
	}
	return size
}

// kindOf is value.ParseKind, without a loop.
func kindOf(name string) value.Kind {
	switch name {
	case "S":
		return value.KindS
	case "N":
		return value.KindN
	case "B":
		return value.KindB
	case "BOOL":
		return value.KindBOOL
	case "NULL":
		return value.KindNULL
	case "M":
		return value.KindM
	case "L":
		return value.KindL
	case "SS":
		return value.KindSS
	case "NS":
		return value.KindNS
	case "BS":
		return value.KindBS
	}
	return value.KindNone
}

// content reads what the member for kind holds, which is not null.
func (d *Decoder) content(kind value.Kind, depth int) (size int) {
	switch kind {
	case value.KindS:
		if s, ok := d.String(); ok {
			return d.build.String(s)
		}
	case value.KindN:
		if s, ok := d.String(); ok {
			return d.build.Number(d.decimal(s))
		}
	case value.KindB:
		if s, ok := d.bytes(); ok {
			return d.build.Binary(s)
		}
	case value.KindBOOL:
		b, _ := d.Bool()
		return d.build.Bool(b)
	case value.KindNULL:
		if b, ok := d.Bool(); ok && !b {
			d.note(value.ErrNotNull)
		}
		return d.build.Null()
	case value.KindM:
		if d.OpenMap(attributeValue) {
			c := d.build.Open(kind)
			d.entries(depth + 1)
			return d.close(c)
		}
	case value.KindL:
		if d.OpenList() {
			c := d.build.Open(kind)
			for d.More() {
				if d.tooMany() {
					continue
				}
				d.build.Elem()
				d.build.Done(d.value(depth+1, textValue))
			}
			return d.close(c)
		}
	default:
		return d.set(kind)
	}
	return 0
}

func (d *Decoder) close(c value.Container) int {
	size, err := d.build.Close(c)
	if e, ok := err.(*value.Error); ok { //nolint:errorlint // Close returns no other error and wraps none
		d.note(e)
	}
	return size
}

// decimal is the number that s says.
func (d *Decoder) decimal(s string) value.Number {
	n, err := value.ParseNumber(s)
	if e, ok := err.(*value.Error); ok { //nolint:errorlint // ParseNumber returns no other error and wraps none
		d.note(e)
	}
	return n
}

// Nulls in sets. Source: dynalite, validations/index.js, which has AWS's text for members that are not there.
var (
	errNoString = value.NewError("One or more parameter values were invalid: An string set may not have a empty string as a member")
	errNoBinary = value.NewError("One or more parameter values were invalid: Binary sets may not contain null or empty values")
)

// set reads a list of strings, numbers or binaries.
func (d *Decoder) set(kind value.Kind) int {
	if !d.OpenList() {
		return 0
	}
	c := d.build.Open(kind)
	for d.More() {
		if d.tooMany() {
			continue
		}
		switch kind {
		case value.KindSS:
			s, ok := d.String()
			if !ok {
				d.note(errNoString)
			}
			d.build.SetString(s)
		case value.KindNS:
			s, _ := d.String()
			d.build.SetNumber(d.decimal(s))
		default:
			s, ok := d.bytes()
			if !ok {
				d.note(errNoBinary)
			}
			d.build.SetString(s)
		}
	}
	return d.close(c)
}

var strict = base64.StdEncoding.Strict()

// bytes reads a blob; it lives until the next one. ok is false when there is null, and after an error.
func (d *Decoder) bytes() (s string, ok bool) {
	switch c := d.peek(); c {
	case '"':
	case 'n':
		d.literal("null")
		return "", false
	default:
		d.wrong(c, "class java.nio.ByteBuffer", textBlob)
		return "", false
	}
	t := d.text()
	if d.err != nil {
		return "", false
	}
	if len(t)%4 != 0 {
		d.fail(base64Error(t))
		return "", false
	}
	if cap(d.blob) < len(t) { // the decoder wants room for the padding too
		d.blob = make([]byte, len(t)+len(t)/2)
	}
	n := len(t) / 4 * 3
	for i := len(t) - 1; i >= 0 && i >= len(t)-2 && t[i] == '='; i-- {
		n--
	}
	got, err := strict.Decode(d.blob[:len(t)], t)
	if err != nil || got != n { // fewer when there were line breaks, which AWS refuses
		d.fail(base64Error(t))
		return "", false
	}
	return alias(d.blob[:n]), true
}
