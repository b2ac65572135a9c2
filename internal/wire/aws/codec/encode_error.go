package codec

import (
	"reflect"

	"millrace/internal/api"
)

// AppendErrorJSON appends the body of an error's answer:
// {"__type":"ResourceNotFoundException","message":"..."}. namespace stands before the code as it is.
func AppendErrorJSON(dst []byte, namespace string, e *api.Error) []byte {
	dst = append(dst, `{"__type":"`...)
	dst = append(dst, namespace...)
	dst = append(dst, e.Code...)
	dst = append(dst, '"')
	if e.Message != "" {
		dst = append(dst, ',')
		dst = AppendJSONString(dst, messageKey(e))
		dst = append(dst, ':')
		dst = AppendJSONString(dst, e.Message)
	}
	if !hasFields(e) {
		return append(dst, '}')
	}
	open := len(dst)
	dst = AppendJSON(dst, e.FieldsShape, e.Fields)
	if len(dst) == open+len("{}") {
		return append(dst[:open], '}')
	}
	dst[open] = ',' // the fields continue the object
	return dst
}

// AppendErrorCBOR appends the same as a CBOR map.
func AppendErrorCBOR(dst []byte, e *api.Error) []byte {
	dst = OpenCBORMap(dst)
	dst = AppendCBORString(dst, "__type")
	dst = AppendCBORString(dst, e.Code)
	if e.Message != "" {
		dst = AppendCBORString(dst, messageKey(e))
		dst = AppendCBORString(dst, e.Message)
	}
	if !hasFields(e) {
		return CloseCBORMap(dst)
	}
	open := len(dst)
	dst = AppendCBOR(dst, e.FieldsShape, e.Fields)
	return append(dst[:open], dst[open+1:]...) // the fields continue the map
}

// AppendErrorQuery appends an error's answer in the query protocol.
func AppendErrorQuery(dst []byte, e *api.Error, namespace, requestID string) []byte {
	dst = append(dst, `<ErrorResponse xmlns="`+namespace+"\">\n<Error><Type>"+QueryFault(e)+"</Type><Code>"...)
	dst = append(AppendXMLText(dst, e.QueryName()), "</Code>"...)
	if e.Message != "" {
		dst = append(AppendXMLText(append(dst, "<Message>"...), e.Message), "</Message>"...)
	}
	if hasFields(e) {
		dst = appendXMLStruct(dst, e.FieldsShape, reflect.ValueOf(e.Fields).Elem())
	}
	return append(dst, "</Error>\n<RequestId>"+requestID+"</RequestId>\n</ErrorResponse>\n"...)
}

// QueryFault is whose mistake an error is, as the query protocol calls them.
func QueryFault(e *api.Error) string {
	if e.Fault == api.FaultServer {
		return "Receiver"
	}
	return "Sender"
}

func messageKey(e *api.Error) string {
	if e.MessageKey == "" {
		return "message"
	}
	return e.MessageKey
}

func hasFields(e *api.Error) bool {
	return e.FieldsShape != nil && e.Fields != nil && !reflect.ValueOf(e.Fields).IsNil()
}
