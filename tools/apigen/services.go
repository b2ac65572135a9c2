package main

// release pins the wheel whose models are read.
var release = struct{ version, file, sha256 string }{
	version: "1.44.5",
	file:    "botocore-1.44.5-py3-none-any.whl",
	sha256:  "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921",
}

// service names one package to write.
type service struct {
	pkg   string // folder and package name below internal/api
	model string // SERVICE/DATE below botocore/data

	// cbor says that clients may also speak application/x-amz-cbor-1.1, which no model mentions.
	cbor bool

	// dynamodb says that the front answers in the dialect of DynamoDB (api.DialectDynamoDB).
	dynamodb bool

	// bodyLimits are the largest bodies, in bytes, of operations that carry data; others get the
	// front's default for control operations.
	bodyLimits map[string]int64

	// enumOrder overrides, for some enums, the order in which a validation text lists the values.
	// AWS prints a Java set, whose order is not the model's; these are recorded answers. One without values is
	// left to the service, which words it differently.
	enumOrder map[string][]string

	// java8 says that the service behind the model runs on a later Java: members are reported in the order of its hash maps, and a
	// structure in a text shows its members.
	java8 bool

	// raw lists shapes whose values stay JSON text (api.JSON), as do maps of them: the service reads and writes these by
	// hand.
	raw []string

	// optional lists members, as Shape.Member, that the model calls required and AWS leaves out of some answers.
	optional []string
}

// services is everything apigen writes; a further service is one line.
var services = []service{
	{
		pkg: "kinesisapi", model: "kinesis/2013-12-02", cbor: true,
		// 10 MiB of data and keys are 13.4 MiB as base64; 500 records add at most 0.5 MiB of JSON.
		bodyLimits: map[string]int64{"PutRecord": 16 << 20, "PutRecords": 16 << 20},
		enumOrder: map[string][]string{
			// kinesalite, validations/getShardIterator.js (recorded against AWS).
			"ShardIteratorType": {"AFTER_SEQUENCE_NUMBER", "LATEST", "AT_TIMESTAMP", "AT_SEQUENCE_NUMBER", "TRIM_HORIZON"},
		},
		// The last event of a closed shard has none; KCL takes any other for an invalid answer (3.5.1,
		// DataRetrievalUtil.isValidResult).
		optional: []string{"SubscribeToShardEvent.ContinuationSequenceNumber"},
	},
	{
		pkg: "dynamodbapi", model: "dynamodb/2012-08-10", raw: []string{"AttributeValue"},
		dynamodb: true, java8: true, bodyLimits: dynamodbLimits, enumOrder: dynamodbEnums,
	},
	{
		pkg: "cloudwatchapi", model: "cloudwatch/2010-08-01",
		// AWS takes 1 MB as sent, which may be gzip: this is for what comes out of it. A thousand data with 150 values
		// each and their counts are 8 MiB as a form.
		bodyLimits: map[string]int64{"PutMetricData": 16 << 20},
	},
	{pkg: "dynamodbstreamsapi", model: "dynamodbstreams/2012-08-10", raw: []string{"AttributeValue"}, dynamodb: true, java8: true},
}

// dynamodbLimits are the largest bodies of operations that carry items. Batches and transactions may have 16 MiB of
// JSON, everything else as well: an item of 400 KB can be six times as long when it is all escapes, beside its expressions. Source:
// DynamoDB developer guide, "Constraints" (read 2026-11).
var dynamodbLimits = map[string]int64{
	"BatchExecuteStatement": 16 << 20, "BatchGetItem": 16 << 20, "BatchWriteItem": 16 << 20, "DeleteItem": 16 << 20,
	"ExecuteStatement": 16 << 20, "ExecuteTransaction": 16 << 20, "GetItem": 16 << 20, "PutItem": 16 << 20, "Query": 16 << 20,
	"Scan": 16 << 20, "TransactGetItems": 16 << 20, "TransactWriteItems": 16 << 20, "UpdateItem": 16 << 20,
}

// dynamodbEnums are orders of enums in the older form of DynamoDB's texts. Source: paritysuite and nubo-db dynamodb-conformance,
// tests/tier3 (run against AWS, read 2026-11); ComparisonOperator and ProjectionType: dynalite; StreamViewType: findings of AWS Controllers for
// Kubernetes against AWS, October 2026.
var dynamodbEnums = map[string][]string{
	"ComparisonOperator": {
		"IN", "NULL", "BETWEEN", "LT", "NOT_CONTAINS", "EQ", "GT", "NOT_NULL", "NE", "LE", "BEGINS_WITH", "GE", "CONTAINS",
	},
	"ConditionalOperator":         {"OR", "AND"},
	"ProjectionType":              {"ALL", "INCLUDE", "KEYS_ONLY"},
	"ReturnConsumedCapacity":      {"INDEXES", "TOTAL", "NONE"},
	"ReturnItemCollectionMetrics": {"SIZE", "NONE"},
	"ReturnValue":                 {"ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"},
	"ScalarAttributeType":         {"B", "N", "S"},
	"StreamViewType":              {"OLD_IMAGE", "KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE"},
	"TableClass":                  {},
	"Select":                      {"SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"},
}
