package codec

import (
	"fmt"

	"millrace/internal/api"
)

// CheckDynamoDB gives the SerializationException of a body of DynamoDB whose values do not have the shapes of the model, those inside of
// attribute values included, which decoders leave to the service. The service reads them when it is their turn; DynamoDB itself
// reads a whole body before it looks at what it means, so that this error comes before any other.
//
// Source: dynalite, the first part of each of test/*.js, recorded against AWS (read 2026-11).
func CheckDynamoDB(body []byte, shape *api.Shape) *api.Error {
	r := &jsonReader{data: body}
	d := &decoder{r: r, dynamo: r, depth: -rawDepth}
	if k, err := r.peek(); err != nil || k != kindMap {
		return api.SerializationError("")
	}
	return d.check(shape, kindMap)
}

// The shapes behind api.KindJSON. A value may hold values: init closes the ring.
var attributeValue, attributeMap api.Shape

func init() {
	text, blob, boolean := &api.Shape{Kind: api.KindString}, &api.Shape{Kind: api.KindBlob}, &api.Shape{Kind: api.KindBool}
	texts, blobs := &api.Shape{Kind: api.KindList, Elem: text}, &api.Shape{Kind: api.KindList, Elem: blob}
	attributeMap = api.Shape{Kind: api.KindMap, Key: text, Elem: &attributeValue}
	attributeValue = api.Shape{
		Kind: api.KindStruct, Java: "com.amazonaws.dynamodb.v20120810.AttributeValue",
		Members: []api.Member{
			{Name: "S", Shape: text},
			{Name: "N", Shape: text},
			{Name: "B", Shape: blob},
			{Name: "BOOL", Shape: boolean},
			{Name: "NULL", Shape: boolean},
			{Name: "SS", Shape: texts},
			{Name: "NS", Shape: texts},
			{Name: "BS", Shape: blobs},
			{Name: "L", Shape: &api.Shape{Kind: api.KindList, Elem: &attributeValue}},
			{Name: "M", Shape: &attributeMap},
		},
	}
}

// check passes over the next value, of kind k and not null, and gives what is wrong with its shape.
func (d *decoder) check(s *api.Shape, k kind) *api.Error {
	if s.Kind == api.KindJSON {
		if s.Name == "AttributeValue" {
			s = &attributeValue
		} else {
			s = &attributeMap
		}
	}
	if !fits(s, k) {
		return d.dynamoMismatch(s, k)
	}
	switch s.Kind {
	case api.KindBlob:
		t, err := d.r.text()
		if err != nil {
			return syntax()
		}
		return dynamoBase64(t)
	case api.KindBool:
		if k == kindText {
			t, err := d.r.text()
			if err != nil {
				return syntax()
			}
			if _, ok := booleanWord(t); !ok {
				return api.SerializationError(dynamoToken)
			}
			return nil
		}
	case api.KindList, api.KindMap, api.KindStruct:
		return d.checkInside(s)
	default:
	}
	return d.skip()
}

// dynamoBase64 says in DynamoDB's words what is wrong with the text of a blob.
func dynamoBase64(t []byte) *api.Error {
	if _, err := decodeBase64(t); err == nil {
		return nil
	}
	if len(t)%4 != 0 {
		return api.SerializationError(fmt.Sprintf("Base64 encoded length is expected a multiple of 4 bytes but found: %d", len(t)))
	}
	for _, c := range string(t) {
		alphabet := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' || c == '='
		if !alphabet {
			return api.SerializationError(fmt.Sprintf("Invalid Base64 character: '%c'", c))
		}
	}
	return api.SerializationError("Invalid last non-pad Base64 character dectected")
}

// checkInside does check for what is in a list, map or structure.
func (d *decoder) checkInside(s *api.Shape) *api.Error {
	if err := d.enter(); err != nil {
		return err
	}
	d.r.begin()
	for {
		elem, more, err := d.nextIn(s)
		if err != nil {
			return syntax()
		}
		if !more {
			d.depth--
			return nil
		}
		k, err := d.r.peek()
		if err != nil {
			return syntax()
		}
		if k == kindNull || elem == nil {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		d.elem = s.Kind != api.KindStruct
		if err := d.check(elem, k); err != nil {
			return err
		}
	}
}

// nextIn goes to the next value in one of shape s and gives its shape; nil when the model does not know it.
func (d *decoder) nextIn(s *api.Shape) (*api.Shape, bool, error) {
	if s.Kind == api.KindList {
		more, err := d.r.more()
		return s.Elem, more, err
	}
	name, more, err := d.r.key()
	if err != nil || !more || s.Kind == api.KindMap {
		return s.Elem, more, err
	}
	for i := range s.Members {
		if m := &s.Members[i]; m.Name == string(name) {
			return m.Shape, true, nil
		}
	}
	return nil, true, nil
}
