package value

import (
	"encoding/base64"
	"errors"
	"math"
	"slices"
	"strings"
)

// Error is what a client got wrong in a value; the service answers it as a ValidationException.
//
// AWS checks values in two layers with different texts. PutItem, UpdateItem and DeleteItem (there
// behind "1 validation error detected: "), GetItem, BatchGetItem and Query have the current one;
// BatchWriteItem, TransactWriteItems, TransactGetItems and Scan an older one, which also puts
// "ExpressionAttributeValues contains invalid value: … for key :x" around those of expressions. The service
// knows the operation and takes Error or Older.
//
// Sources: texts recorded in four regions, 2026-10 (paritysuite/dynamodb-conformance,
// tests/tier3/error-messages/valueLayers.test.ts, read 2026-11), older ones in the tests of dynalite.
type Error struct {
	text  string
	older string // "" where both layers agree
}

// NewError makes an Error whose text is the same in both layers.
func NewError(text string) *Error { return &Error{text: text} }

// Error is the text of the current layer.
func (e *Error) Error() string { return e.text }

// Older is the text of the older layer.
func (e *Error) Older() string {
	if e.older != "" {
		return e.older
	}
	return e.text
}

// Errors of values that do not depend on what the value is.
var (
	ErrNumberOverflow   = NewError("Number overflow. Attempting to store a number with magnitude larger than supported range")
	ErrNumberUnderflow  = NewError("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	ErrNumberDigits     = NewError("Attempting to store more than 38 significant digits in a Number")
	ErrEmptyStringSet   = NewError(invalid + "An string set  may not be empty")
	ErrEmptyNumberSet   = NewError(invalid + "An number set  may not be empty")
	ErrEmptyBinarySet   = NewError(invalid + "Binary sets should not be empty")
	ErrDuplicateNumbers = &Error{invalid + "Input collection contains duplicates.", "Input collection contains duplicates"}
	ErrNotNull          = NewError(invalid + "Null attribute value types must have the value of true")
	ErrNesting          = NewError("Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit")
	ErrNoKind           = NewError("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	ErrEmptyName        = NewError("Empty attribute name")
	ErrAttributeName    = NewError("Attribute name is too large, must be less than 65536 bytes")
	ErrItemSize         = NewError("Item size has exceeded the maximum allowed size")
	ErrManyKinds        = NewError("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
)

const (
	invalid    = "One or more parameter values were invalid: "
	notNumeric = "The parameter cannot be converted to a numeric value"
)

// ErrCorrupt says that bytes are no stored item, value or key, or were cut.
var ErrCorrupt = errors.New("value: stored bytes are corrupt")

// errNotNumber says that s is no number. Only the older layer leaves the colon away when s is empty.
func errNotNumber(s string) *Error {
	e := NewError(notNumeric + ": " + clip(s))
	if s == "" {
		e.older = notNumeric
	}
	return e
}

// errExponent says that the first digit of s stands at a place that 32 bits do not hold. The older layer reads
// numbers as java.math.BigDecimal does, whose exponent has 32 bits, and then lets the place of the first digit wrap.
func errExponent(s string, exp, place int64) *Error {
	e := &Error{text: ErrNumberOverflow.text, older: notNumeric + ": " + clip(s)}
	if exp < 0 {
		e.text = ErrNumberUnderflow.text
	}
	if exp == int64(int32(exp)) {
		e.older = ErrNumberUnderflow.text
		if place < math.MinInt32 {
			e.older = ErrNumberOverflow.text
		}
	}
	return e
}

// errDuplicate quotes the elements of a set in which one comes twice.
//
// The current layer lists them in the order of their bytes up to the first that is there already, then this one,
// then the rest as it came; the older one as they came.
func errDuplicate(kind Kind, elems []string) *Error {
	current := slices.Clone(elems)
	seen := map[string]bool{}
	for i, s := range elems {
		if seen[s] {
			slices.Sort(current[:i])
			break
		}
		seen[s] = true
	}
	if kind == KindBS {
		const end = "]of type BS contains duplicates."
		return &Error{
			invalid + "Input collection [" + join(current, ",", `"`, encode) + end,
			invalid + "Input collection [" + join(elems, ", ", "", encode) + end,
		}
	}
	plain := func(s string) string { return s }
	return &Error{
		invalid + "Input collection [" + join(current, ", ", `"`, plain) + "] contains duplicates.",
		invalid + "Input collection [" + join(elems, ", ", "", plain) + "] contains duplicates.",
	}
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// maxShown bounds how much of a client's value a text repeats, so that an answer is not as long as the request.
const maxShown = 8 << 10

// join is strings.Join of what show makes of the elements, in quotes; it stops past maxShown.
func join(elems []string, sep, quote string, show func(string) string) string {
	var b strings.Builder
	for i, s := range elems {
		if b.Len() > maxShown {
			return b.String() + sep + "..."
		}
		if i > 0 {
			b.WriteString(sep)
		}
		b.WriteString(quote + clip(show(s)) + quote)
	}
	return b.String()
}

// clip cuts a value that is too long to be repeated.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "..."
}
