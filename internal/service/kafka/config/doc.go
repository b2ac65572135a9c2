// Package config knows the configs of topics and brokers: their names, types, defaults and rules as Apache
// Kafka 4.3 has them, what an operator has set, and what follows from both.
//
//	Def        one config: type, default, rule, what it does here (topic.go, broker.go hold the tables)
//	Set        what was set on one resource: name → value (set.go; its stored form is permanent)
//	Alter      what IncrementalAlterConfigs makes of a Set (alter.go)
//	Broker     the Sets of a broker in their order of precedence (resolve.go)
//	Topic      what is in force for one topic, as numbers and flags (resolve.go)
//	Describe   all of it as DescribeConfigs tells it, with sources and synonyms (describe.go)
//
// A topic's value is, in this order: its own, that of the broker config named as its synonym (set for the
// broker, for all brokers, at the start), and Kafka's default.
//
// Everything here is pure: values in, values out. Texts of errors are Kafka's, recorded from a broker of
// version 4.3.1 (2026-11), since clients and tools show them.
package config
