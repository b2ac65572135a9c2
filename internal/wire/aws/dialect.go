package aws

import (
	"hash/crc32"

	"millrace/internal/api"
	"millrace/internal/wire/aws/bufpool"
)

// In the dialect of DynamoDB an answer carries the CRC-32 of its body as sent, which SDKs check, and the name of a server; an error's type
// carries the namespace of the layer that found it; x-amz-id-2 and x-amzn-ErrorType are not sent; application/json is
// as good as awsJson 1.0; and answers may be compressed.
//
// Source: dynalite, test/connection.js and test/helpers.js, recorded against AWS; SDK for Go v2,
// service/dynamodb/internal/customizations/doc.go; ScyllaDB, test/alternator/test_http_headers.py, which ran against the service (read 2026-11).

// serverName is what DynamoDB calls itself in the head of every answer, also of an error.
const serverName = "Server"

// Namespaces of the layers of AWS's front and of the service behind it.
const (
	layerCoral    = "com.amazon.coral.service#"
	layerValidate = "com.amazon.coral.validate#"
	layerThrottle = "com.amazon.coral.availability#"
	layerDynamoDB = "com.amazonaws.dynamodb.v20120810#"
)

// layers are the errors that are not the service's own. Every ValidationException is the front's, also one that
// depends on a table.
var layers = map[string]string{
	"AccessDeniedException":               layerCoral,
	"ExpiredTokenException":               layerCoral,
	"IncompleteSignatureException":        layerCoral,
	"InternalFailure":                     layerCoral,
	"InvalidSignatureException":           layerCoral,
	"MissingAuthenticationTokenException": layerCoral,
	"RequestEntityTooLargeException":      layerCoral,
	"RequestTimeoutException":             layerCoral,
	"SerializationException":              layerCoral,
	"ServiceUnavailable":                  layerCoral,
	"UnknownOperationException":           layerCoral,
	"UnrecognizedClientException":         layerCoral,
	"ThrottlingException":                 layerThrottle,
	"ValidationException":                 layerValidate,
}

// dynamodb says whether the request is for a service in the dialect of DynamoDB.
func (x *exchange) dynamodb() bool {
	return x.service != nil && x.service.Dialect == api.DialectDynamoDB
}

// namespace is what stands before the code of an error.
func (x *exchange) namespace(code string) string {
	if x.service != nil && x.service.QueryCompatible {
		return x.service.ErrorPrefix
	}
	if !x.dynamodb() {
		return ""
	}
	if layer, ok := layers[code]; ok {
		return layer
	}
	return layerDynamoDB
}

// sendDynamoDB is send in the dialect of DynamoDB.
func (x *exchange) sendDynamoDB(h head, body []byte) {
	if len(body) >= compressFrom {
		encoding := x.answerEncoding()
		if packed := compress(body, encoding); packed != nil {
			defer bufpool.Put(packed)
			body, h.encoding = packed, encoding
		}
	}
	h.errorType, h.id2 = "", ""
	h.crc, h.hasCRC = crc32.ChecksumIEEE(body), true
	x.sendPlain(h, body)
}
