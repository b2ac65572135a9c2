// Package kafkaapi holds the messages, error codes and versions of the Kafka protocol, as Apache Kafka
// 4.3.1 speaks it.
//
//	tools/kafkagen ──► *_gen.go   one struct for each message, Decode and Encode for each of its versions
//	                   errors.go  error codes: name, retriable, default text
//	                   versions.go  the one table of served keys and version ranges
//	                   kbin/      primitives on bytes, bounded
//
// A message is a plain struct: fields in the order of the definition, nullable ones as pointers or nil
// slices, fields that a version does not have at their defaults. Decode fills a struct with strings and
// byte slices that alias the frame (see package kbin); whoever keeps one beyond the request copies it.
package kafkaapi

//go:generate go run millrace/tools/kafkagen -parts ../../../build/parts/kafka-definitions -out .
