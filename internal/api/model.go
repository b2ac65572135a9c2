package api

import (
	"context"
	"iter"
	"reflect"
)

// Kind is the form of a shape's value.
type Kind uint8

// Kinds, with the Go type of a required and of an optional member.
const (
	KindString    Kind = iota // string, *string; a typed string when it has an Enum
	KindBlob                  // []byte
	KindBool                  // bool, *bool
	KindInt32                 // int32, *int32
	KindInt64                 // int64, *int64
	KindFloat32               // float32, *float32
	KindFloat64               // float64, *float64
	KindTimestamp             // time.Time, *time.Time
	KindList                  // []T
	KindMap                   // map[K]T
	KindStruct                // *T; T inside lists and maps
	KindStream                // iter.Seq2[*T, error]: events of a streaming answer
	KindJSON                  // JSON; nil when absent
)

// JSON is a value that stays text: of a request the piece of the body, which is JSON; of an answer what is to stand
// there. The service reads and writes it. Instead of text it may be in the service's own Form.
type JSON []byte

// Shape describes one type of a service model. Shapes of a service are made once and never change.
type Shape struct {
	Name string
	Kind Kind

	// Min and Max bound a number's value, the length of a string in characters, of a blob in bytes,
	// of a list or map in elements; they count when HasMin or HasMax.
	Min, Max       int64
	HasMin, HasMax bool

	Pattern string   // regular expression that a whole string must match, in AWS's spelling
	Enum    []string // the allowed strings, in the order in which AWS lists them

	Key     *Shape // of a map
	Elem    *Shape // of a list, map or stream
	Members []Member
	// Order lists the indexes of Members in the order in which AWS reports their violations.
	Order []uint8
	Union bool // exactly one member is set

	// Flat, KeyName and ElemName are for the query protocol: a list or map without a level of its own, and what its
	// parts are called; empty names are "key", "value" and, in lists, "member".
	Flat              bool
	KeyName, ElemName string

	Type reflect.Type // of a struct: the generated Go type
	// Java is the class that stands for the struct in AWS's texts,
	// "com.amazonaws.kinesis.v20131202.PutRecordsRequestEntry".
	Java string
	// Open says that AWS's texts show the struct with its members, "WriteRequest(putRequest=null)", and not as an object of its class.
	Open bool
}

// Member is one member of a structure.
type Member struct {
	Name     string // on the wire, "StreamName"
	Shape    *Shape
	Required bool
	// Index is the position in Shape.Members, and of the field in the Go struct.
	Index int
	// Sensitive values are never logged.
	Sensitive bool
	// QueryName is the name in the query protocol where it is another; see Called.
	QueryName string
}

// Called is the member's name in the query protocol; that of a flat list is its elements', if they have one.
func (m *Member) Called() string {
	switch {
	case m.Shape.Flat && m.Shape.Kind == KindList && m.Shape.ElemName != "":
		return m.Shape.ElemName
	case m.QueryName != "":
		return m.QueryName
	}
	return m.Name
}

// Plain says that the Go field is a plain value although its absence can be told apart on the wire:
// a required string, number, bool or timestamp. Absence is then kept in the struct's Missing set.
func (m *Member) Plain() bool { return m.Required && m.Shape.Kind.scalar() }

func (k Kind) scalar() bool { return k <= KindTimestamp && k != KindBlob }

// Missing is the set of required members that a codec did not find in a request, by member index.
// The zero value says nothing is missing, so that a struct made by Go code is complete.
type Missing uint64

// Add puts member i in the set; members past 63 cannot be told absent and count as present.
func (m *Missing) Add(i int) { *m |= 1 << uint(i) }

// Has says whether member i is in the set.
func (m *Missing) Has(i int) bool { return i < 64 && *m>>uint(i)&1 == 1 }

// Tracker is implemented by the generated input structs that have required plain members.
type Tracker interface{ MissingMembers() *Missing }

// Operation is one operation of a bound service.
type Operation struct {
	Name   string
	Input  *Shape // a struct
	Output *Shape // a struct; nil when the model has no output and the body of the answer is empty
	// BodyLimit is the largest body in bytes; 0 is the front's default for control operations.
	BodyLimit int64
	// New makes an empty input, a pointer to the generated struct.
	New func() any
	// Invoke calls the service with an input made by New and valid against Input. The output is a
	// pointer to the generated struct and not nil when the error is nil.
	Invoke func(ctx context.Context, in any) (any, error)
	// Events gives the events of an output by Invoke, for operations whose answer is a stream (KindStream);
	// nil for others. See Events, the function, for the rules.
	Events func(out any) iter.Seq2[any, error]
}

// Protocol is a way to put shapes on HTTP.
type Protocol uint8

// Protocols of the service models.
const (
	ProtocolJSON Protocol = iota // awsJson: POST /, X-Amz-Target
	ProtocolRESTJSON
	ProtocolRESTXML
	ProtocolQuery
	ProtocolRPCv2CBOR
)

// Dialect is how AWS's front answers for a service what no model says.
type Dialect uint8

// The dialects of awsJson.
const (
	DialectKinesis  Dialect = iota // plain error types, ids in two headers
	DialectDynamoDB                // error types with a namespace, X-Amz-Crc32, texts of another reader
)

// Binding is a service with something that serves it, ready for the front.
type Binding struct {
	Name         string     // signing name, as in a credential scope: "kinesis"
	APIVersion   string     // "2013-12-02"
	TargetPrefix string     // "Kinesis_20131202"
	JSONVersion  string     // "1.0" or "1.1"
	Protocols    []Protocol // that clients may speak, the one they prefer first
	CBOR         bool       // clients may also send application/x-amz-cbor-1.1
	XMLNamespace string     // of answers in the query protocol
	Dialect      Dialect
	// QueryCompatible says that errors of all protocols carry the code of the query protocol, as services do that once
	// spoke it alone. ErrorPrefix then stands before their names: "com.amazonaws.cloudwatch#".
	QueryCompatible bool
	ErrorPrefix     string
	// OwnChecks says that the service checks its input against its model by itself, with words of its own.
	OwnChecks bool
	// Form is that of values which stay JSON; nil for services that read and write them as text.
	Form       *Form
	Operations map[string]*Operation
}
