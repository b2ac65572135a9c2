package codec

import (
	"testing"

	"millrace/internal/api/dynamodbapi"
)

// Source of the texts: dynalite, test/helpers.js, recorded against AWS.
func TestValuesThatDoNotFitReadAsDynamoDBWritesThem(t *testing.T) {
	ops := dynamodbapi.Bind(dynamodbapi.Unimplemented{}).Operations
	for _, c := range []struct{ op, body, want string }{
		{"PutItem", `{"TableName":23}`, "NUMBER_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":-2147483648}`, "NUMBER_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":34.56}`, "DECIMAL_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":1e3}`, "DECIMAL_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":true}`, "TRUE_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":false}`, "FALSE_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":[]}`, "Unrecognized collection type class java.lang.String"},
		{"PutItem", `{"TableName":{}}`, "Start of structure or map found where not expected"},
		{"GetItem", `{"ConsistentRead":"23"}`, "Unexpected token received from parser"},
		{"GetItem", `{"ConsistentRead":23}`, "NUMBER_VALUE cannot be converted to Boolean"},
		{"GetItem", `{"ConsistentRead":34.56}`, "DECIMAL_VALUE cannot be converted to Boolean"},
		{"GetItem", `{"ConsistentRead":[]}`, "Unrecognized collection type class java.lang.Boolean"},
		{"GetItem", `{"ConsistentRead":{}}`, "Start of structure or map found where not expected"},
		{"ListTables", `{"Limit":"23"}`, "STRING_VALUE cannot be converted to Integer"},
		{"ListTables", `{"Limit":true}`, "TRUE_VALUE cannot be converted to Integer"},
		{"ListTables", `{"Limit":[]}`, "Unrecognized collection type class java.lang.Integer"},
		{"ListTables", `{"Limit":{}}`, "Start of structure or map found where not expected"},
		{"CreateTable", `{"ProvisionedThroughput":{"ReadCapacityUnits":"23"}}`, "STRING_VALUE cannot be converted to Long"},
		{"CreateTable", `{"ProvisionedThroughput":{"ReadCapacityUnits":[]}}`, "Unrecognized collection type class java.lang.Long"},
		{"CreateTable", `{"ProvisionedThroughput":"23"}`, "Unexpected field type"},
		{"CreateTable", `{"ProvisionedThroughput":[]}`, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.ProvisionedThroughput"},
		{"CreateTable", `{"KeySchema":"23"}`, "Unexpected field type"},
		{"CreateTable", `{"KeySchema":{}}`, "Start of structure or map found where not expected"},
		{"CreateTable", `{"KeySchema":["23"]}`, "Unexpected value type in payload"},
		{"CreateTable", `{"KeySchema":[[]]}`, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.KeySchemaElement"},
		{"PutItem", `{"Expected":"23"}`, "Unexpected field type"},
		{"PutItem", `{"Expected":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.ExpectedAttributeValue>"},
		{"PutItem", `{"Expected":{"a":34.56}}`, "Unexpected value type in payload"},
		{"PutItem", `{"Expected":{"a":[]}}`, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.ExpectedAttributeValue"},
		{"PutItem", `{"Expected":{"a":{"Exists":23}}}`, "NUMBER_VALUE cannot be converted to Boolean"},
		{"PutItem", `{"ExpressionAttributeNames":[]}`, "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>"},
		{"PutItem", `{"ExpressionAttributeNames":{"a":23}}`, "NUMBER_VALUE cannot be converted to String"},
		{"PutItem", `{"TableName":23,`, "NUMBER_VALUE cannot be converted to String"},
		{"PutItem", `[]`, ""},
	} {
		o := ops[c.op]
		err := DecodeDynamoDB([]byte(c.body), o.Input, o.New())
		if err == nil || err.Code != "SerializationException" || err.Message != c.want {
			t.Errorf("%s %s\n got %v\nwant SerializationException: %s", c.op, c.body, err, c.want)
		}
	}
}

// What is in attribute values is left to the service, which may find other mistakes first.
//
// Source of the texts: dynalite, test/helpers.js, recorded against AWS.
func TestValuesLeftToTheServiceAreCheckedForTheirShape(t *testing.T) {
	ops := dynamodbapi.Bind(dynamodbapi.Unimplemented{}).Operations
	const (
		fine = "(fine)"
		cast = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class java.lang.Class " +
			"(sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class are in module java.base of loader 'bootstrap')"
		attributes = "Unrecognized collection type java.util.Map<java.lang.String, com.amazonaws.dynamodb.v20120810.AttributeValue>"
	)
	for _, c := range []struct{ op, body, want string }{
		{"PutItem", `{"Item":{"a":{"S":"b","N":"1"},"c":{},"d":{"NULL":"no"},"e":{"L":[{"M":{"f":{"BS":["AA=="]}}}]},"g":null}}`, fine},
		{"PutItem", `{"Item":{"a":{"X":7}},"Y":[]}`, fine},
		{"PutItem", `{"Item":"23"}`, "Unexpected field type"},
		{"PutItem", `{"Item":[]}`, attributes},
		{"PutItem", `{"Item":{"a":"23"}}`, "Unexpected value type in payload"},
		{"PutItem", `{"Item":{"a":[]}}`, "Unrecognized collection type class com.amazonaws.dynamodb.v20120810.AttributeValue"},
		{"PutItem", `{"Item":{"a":{"S":34.56}}}`, "DECIMAL_VALUE cannot be converted to String"},
		{"PutItem", `{"Item":{"a":{"NULL":"23"}}}`, "Unexpected token received from parser"},
		{"PutItem", `{"Item":{"a":{"BOOL":23}}}`, "NUMBER_VALUE cannot be converted to Boolean"},
		{"PutItem", `{"Item":{"a":{"B":true}}}`, "only base-64-encoded strings are convertible to bytes"},
		{"PutItem", `{"Item":{"a":{"B":"23456"}}}`, "Base64 encoded length is expected a multiple of 4 bytes but found: 5"},
		{"PutItem", `{"Item":{"a":{"B":"=+/="}}}`, "Invalid last non-pad Base64 character dectected"},
		{"PutItem", `{"Item":{"a":{"B":"AA\n="}}}`, "Invalid Base64 character: '\n'"},
		{"PutItem", `{"Item":{"a":{"SS":[true]}}}`, "TRUE_VALUE cannot be converted to String"},
		{"PutItem", `{"Item":{"a":{"L":{}}}}`, "Start of structure or map found where not expected"},
		{"PutItem", `{"Item":{"a":{"L":["23"]}}}`, "Unexpected value type in payload"},
		{"PutItem", `{"Item":{"a":{"M":[]}}}`, attributes},
		{"PutItem", `{"Expected":{"a":{"Value":"23"}}}`, "Unexpected field type"},
		{"Query", `{"QueryFilter":{"a":{"AttributeValueList":["23"]}}}`, "Unexpected value type in payload"},
		{"BatchWriteItem", `{"RequestItems":{"a":"23"}}`, cast},
		{"BatchGetItem", `{"RequestItems":{"a":{"Keys":["23"]}}}`, cast},
		{"BatchGetItem", `{"RequestItems":{"a":{"Keys":[[]]}}}`, attributes},
		{"PutItem", `{"Item":{"a"`, ""},
		{"PutItem", `[]`, ""},
	} {
		got := fine
		if err := CheckDynamoDB([]byte(c.body), ops[c.op].Input); err != nil {
			got = err.Message
		}
		if got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.op, c.body, got, c.want)
		}
	}
}
