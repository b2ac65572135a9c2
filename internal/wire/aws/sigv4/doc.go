// Package sigv4 verifies AWS Signature Version 4, in the Authorization header and in presigned URLs.
//
// Verification has two halves around reading the body, so that a stranger cannot make us read one:
//
//	Begin    parse the signature, look up the key, check scope and clock      (headers only)
//	  read the body to the operation's limit
//	Finish   hash the body, rebuild the string that was signed, compare       (constant time)
//
// The canonical request is rebuilt from the bytes of the request as they came:
//
//	POST                                 method
//	/                                    path, percent-encoded once more
//	                                     query, decoded, encoded and sorted
//	content-type:application/x-amz-json-1.1
//	host:localhost:4566                  the signed headers, in the order signed
//	x-amz-date:20261120T093000Z
//	x-amz-target:Kinesis_20131202.PutRecord
//
//	content-type;host;x-amz-date;x-amz-target
//	44136fa355b3678a1146ad16f7e8649e...  SHA-256 of the body, always computed, never believed
//
// Texts of refusals are AWS's; sources: kinesalite (test/connection.js), the answers quoted in issues
// of aws-sdk-go and amazon-kinesis-producer, and the AWS signature test suite.
package sigv4
