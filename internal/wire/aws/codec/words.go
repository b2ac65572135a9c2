package codec

import (
	"strings"

	"millrace/internal/api"
)

// Two readers stand behind AWS's services, with texts of their own for values that do not fit. That of Kinesis is in
// scalars.go; below is that of DynamoDB.
//
// Source: dynalite, test/helpers.js, recorded against AWS (read 2026-11).
const (
	dynamoMap        = "Start of structure or map found where not expected"
	dynamoCollection = "Unrecognized collection type "
	dynamoField      = "Unexpected field type"
	dynamoValue      = "Unexpected value type in payload"
	dynamoToken      = "Unexpected token received from parser"
	// dynamoCast is the text of a list or map that was expected in a list or map.
	dynamoCast = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class " +
		"(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
	dynamoBlob = "only base-64-encoded strings are convertible to bytes"
)

// DecodeDynamoDB is DecodeJSON with DynamoDB's texts.
func DecodeDynamoDB(body []byte, shape *api.Shape, in any) *api.Error {
	return Memory(nil).DecodeDynamoDB(body, shape, in)
}

// DecodeDynamoDB is the function of that name, within m.
func (m Memory) DecodeDynamoDB(body []byte, shape *api.Shape, in any) *api.Error {
	r := &jsonReader{data: body}
	return m.decode(decoder{r: r, dynamo: r}, len(body), shape, in)
}

// dynamoMismatch is the error of a value of kind k that is no s.
func (d *decoder) dynamoMismatch(s *api.Shape, k kind) *api.Error {
	class := dynamoClass(s)
	if k == kindMap {
		return api.SerializationError(dynamoMap)
	}
	if k == kindList {
		return api.SerializationError(dynamoCollection + class)
	}
	word := d.dynamo.word()
	if err := d.skip(); err != nil { // it must be JSON all the same
		return err
	}
	switch s.Kind {
	case api.KindStruct:
		if d.elem {
			return api.SerializationError(dynamoValue)
		}
		return api.SerializationError(dynamoField)
	case api.KindList, api.KindMap:
		if d.elem {
			return api.SerializationError(dynamoCast)
		}
		return api.SerializationError(dynamoField)
	case api.KindBlob:
		return api.SerializationError(dynamoBlob)
	case api.KindBool:
		if k == kindText {
			return api.SerializationError(dynamoToken)
		}
	default:
	}
	return api.SerializationError(word + " cannot be converted to " + class[strings.LastIndexByte(class, '.')+1:])
}

// word is what the texts call the single value that comes next.
func (r *jsonReader) word() string {
	switch r.data[r.pos] {
	case '"':
		return "STRING_VALUE"
	case 't':
		return "TRUE_VALUE"
	case 'f':
		return "FALSE_VALUE"
	}
	for _, c := range r.data[r.pos+1:] {
		switch c {
		case '.', 'e', 'E':
			return "DECIMAL_VALUE"
		case '+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		default:
			return "NUMBER_VALUE"
		}
	}
	return "NUMBER_VALUE"
}

// dynamoClass is the Java class behind a shape, as the texts write it.
func dynamoClass(s *api.Shape) string {
	switch s.Kind {
	case api.KindString:
		return "class java.lang.String"
	case api.KindBlob:
		return "class java.nio.ByteBuffer"
	case api.KindBool:
		return "class java.lang.Boolean"
	case api.KindInt32:
		return "class java.lang.Integer"
	case api.KindInt64:
		return "class java.lang.Long"
	case api.KindFloat32:
		return "class java.lang.Float"
	case api.KindFloat64:
		return "class java.lang.Double"
	case api.KindTimestamp:
		return "class java.util.Date"
	case api.KindList:
		return "java.util.List<" + strings.TrimPrefix(dynamoClass(s.Elem), "class ") + ">"
	case api.KindMap:
		return "java.util.Map<java.lang.String, " + strings.TrimPrefix(dynamoClass(s.Elem), "class ") + ">"
	case api.KindJSON:
		return "class com.amazonaws.dynamodb.v20120810.AttributeValue"
	default:
		return "class " + s.Java
	}
}
