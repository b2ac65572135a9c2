package dynamodb

import (
	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/service/dynamodb/wirejson"
)

// served are the operations that exist here. The front does not know the others, so that they answer as AWS answers an
// unknown operation whatever their input is.
var served = map[string]bool{
	"BatchGetItem":       true,
	"BatchWriteItem":     true,
	"CreateTable":        true,
	"DeleteItem":         true,
	"DeleteTable":        true,
	"DescribeEndpoints":  true,
	"DescribeLimits":     true,
	"DescribeTable":      true,
	"DescribeTimeToLive": true,
	"GetItem":            true,
	"ListTables":         true,
	"ListTagsOfResource": true,
	"PutItem":            true,
	"Query":              true,
	"Scan":               true,
	"TagResource":        true,
	"TransactGetItems":   true,
	"TransactWriteItems": true,
	"UntagResource":      true,
	"UpdateItem":         true,
	"UpdateTable":        true,
	"UpdateTimeToLive":   true,
}

// BindStreams makes s ready for the front as DynamoDB Streams.
func BindStreams(s *Service) *api.Binding { return dynamodbstreamsapi.Bind(s) }

// Bind makes s ready for the front.
func Bind(s *Service) *api.Binding {
	b := dynamodbapi.Bind(s)
	for name := range b.Operations {
		if !served[name] {
			delete(b.Operations, name)
		}
	}
	b.Form = wirejson.Form
	s.measured(b)
	checked(b)
	return b
}
