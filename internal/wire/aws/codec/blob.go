package codec

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"

	"millrace/internal/api"
)

func (d *decoder) blob(k kind, val reflect.Value) *api.Error {
	var out []byte
	switch k {
	case kindBytes:
		b, lasting, err := d.r.bytes()
		if err != nil {
			return syntax()
		}
		if out = slices.Clip(b); !lasting {
			out = append(make([]byte, 0, len(b)), b...)
		}
	case kindText:
		t, err := d.r.text()
		if err != nil {
			return syntax()
		}
		var aerr *api.Error
		if out, aerr = decodeBase64(t); aerr != nil {
			return aerr
		}
	default:
		return conversion(k, "a Blob")
	}
	val.SetBytes(out)
	return nil
}

// decodeBase64 is strict as AWS is: padded, the standard alphabet, no line breaks, no stray bits.
//
// Source of the texts, spelling included: kinesalite, validations/index.js.
func decodeBase64(t []byte) ([]byte, *api.Error) {
	out := make([]byte, base64.StdEncoding.DecodedLen(len(t)))
	n, err := strictBase64.Decode(out, t)
	if err == nil && len(t)%4 == 0 && !hasLineBreak(t) {
		return out[:n], nil
	}
	return nil, Base64Error(t)
}

var strictBase64 = base64.StdEncoding.Strict()

// hasLineBreak finds what encoding/base64 silently skips.
func hasLineBreak(t []byte) bool {
	return bytes.IndexByte(t, '\n') >= 0 || bytes.IndexByte(t, '\r') >= 0
}

// Base64Error says in AWS's words what is wrong with the text of a blob.
func Base64Error(t []byte) *api.Error {
	prefix := "'" + api.Clip(string(t)) + "' can not be converted to a Blob: "
	if len(t)%4 != 0 {
		return api.SerializationError(fmt.Sprintf(
			"%sBase64 encoded length is expected a multiple of 4 bytes but found: %d", prefix, len(t)))
	}
	for i, c := range string(t) {
		alphabet := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/'
		padding := c == '=' && (i == len(t)-1 || t[i+1] == '=')
		if !alphabet && !padding {
			return api.SerializationError(fmt.Sprintf("%sInvalid Base64 character: '%c'", prefix, c))
		}
	}
	return api.SerializationError(prefix + "Invalid last non-pad Base64 character dectected")
}
