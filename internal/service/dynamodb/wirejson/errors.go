package wirejson

import (
	"fmt"
	"strings"

	"millrace/internal/api"
)

// model is the package of the classes in AWS's texts.
const model = "com.amazonaws.dynamodb.v20120810."

// Texts of AWS's reader.
const (
	textMap        = "Start of structure or map found where not expected"
	textCollection = "Unrecognized collection type "
	textField      = "Unexpected field type"
	textValue      = "Unexpected value type in payload"
	textToken      = "Unexpected token received from parser"
	textBlob       = "only base-64-encoded strings are convertible to bytes"
)

// fail notes the first error and leaves nothing to read.
func (d *Decoder) fail(text string) {
	if d.err == nil {
		d.err = api.SerializationError(text)
	}
	d.pos = len(d.data)
}

// malformed is the error of a body that is not JSON. AWS does not say what is wrong with it.
func (d *Decoder) malformed() { d.fail("") }

// wrong is the error of what begins with c where the Java class wanted was expected; single is the text for a value that
// is neither list nor map, or "" for the one that names it. What is no JSON at all is malformed.
func (d *Decoder) wrong(c byte, class, single string) {
	switch c {
	case '{':
		d.fail(textMap)
	case '[':
		d.fail(textCollection + class)
	default:
		word := d.token(c)
		switch {
		case d.err != nil:
		case single != "":
			d.fail(single)
		default:
			d.fail(word + " cannot be converted to " + class[strings.LastIndexByte(class, '.')+1:])
		}
	}
}

// token takes the scalar that begins with c and is what AWS calls it.
func (d *Decoder) token(c byte) string {
	switch {
	case c == '"':
		d.text()
		return "STRING_VALUE"
	case c == 't':
		d.literal("true")
		return "TRUE_VALUE"
	case c == 'f':
		d.literal("false")
		return "FALSE_VALUE"
	case c == '-' || c-'0' <= 9:
		if _, whole := d.number(); whole {
			return "NUMBER_VALUE"
		}
		return "DECIMAL_VALUE"
	}
	d.malformed()
	return ""
}

// base64Error says in AWS's words what is wrong with the text of a blob.
func base64Error(t []byte) string {
	if len(t)%4 != 0 {
		return fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(t))
	}
	for _, c := range string(t) {
		alphabet := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
		if !alphabet {
			return fmt.Sprintf("Invalid Base64 character: '%c'", c)
		}
	}
	return "Invalid last non-pad Base64 character dectected"
}
