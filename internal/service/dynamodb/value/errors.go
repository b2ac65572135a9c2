package value

import (
	"errors"
	"strings"
)

// Error is what a client got wrong, with AWS's text; the service answers it as a ValidationException.
type Error string

// Error is AWS's text.
func (e Error) Error() string { return string(e) }

// Texts of AWS on values. Sources: recorded answers of the service in the tests of dynalite (read
// 2026-11), and of later conformance suites where they are newer.
const (
	ErrNumberEmpty     Error = "The parameter cannot be converted to a numeric value"
	ErrNumberOverflow  Error = "Number overflow. Attempting to store a number with magnitude larger than supported range"
	ErrNumberUnderflow Error = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
	ErrNumberDigits    Error = "Attempting to store more than 38 significant digits in a Number"

	ErrEmptyStringSet    Error = "One or more parameter values were invalid: An string set  may not be empty"
	ErrEmptyNumberSet    Error = "One or more parameter values were invalid: An number set  may not be empty"
	ErrEmptyBinarySet    Error = "One or more parameter values were invalid: Binary sets should not be empty"
	ErrDuplicateNumbers  Error = "Input collection contains duplicates"
	ErrDuplicateBinaries Error = "One or more parameter values were invalid: Input collection contains duplicates."
	ErrNotNull           Error = "One or more parameter values were invalid: Null attribute value types must have the value of true"
	ErrNesting           Error = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)

// ErrCorrupt says that bytes are no stored item or value, or were cut.
var ErrCorrupt = errors.New("value: stored bytes are corrupt")

func duplicateStrings(elems []string) Error {
	return Error("One or more parameter values were invalid: Input collection [" + strings.Join(elems, ", ") + "] contains duplicates.")
}
