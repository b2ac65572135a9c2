package api

import (
	"context"
	"slices"
)

// Encoding says how a request's body is written; the answer uses the same.
type Encoding uint8

// The encodings of the same shapes.
const (
	EncodingJSON Encoding = iota // awsJson 1.0 and 1.1
	EncodingCBOR                 // application/x-amz-cbor-1.1, timestamps in milliseconds
)

// Call is what a handler can know about the request it serves. It belongs to one request; after the
// answer has been written it must not be used.
type Call struct {
	Account     string // 12 digits
	Region      string // "us-east-1"
	AccessKeyID string // empty for a request without credentials
	RequestID   string // as answered in x-amzn-RequestId
	Service     string // signing name, "kinesis"
	Operation   string // "PutRecords"
	Encoding    Encoding
	Form        bool // the answer may have values in the service's Form, as the input may have
	Checked     bool // the input was read by a codec that takes only what the model allows

	onSent []func()
}

// OnSent has f run once the answer is written or given up, last added first. A handler uses it to
// hand out slices of pooled or pinned memory: f gives them back. The input may still be read in f. OnSent
// must be called before the handler returns and by one goroutine at a time.
func (c *Call) OnSent(f func()) { c.onSent = append(c.onSent, f) }

// Sent runs what OnSent collected. The front calls it exactly once for each call.
func (c *Call) Sent() {
	fs := c.onSent
	c.onSent = nil
	for _, f := range slices.Backward(fs) {
		f()
	}
}

type callKey struct{}

// WithCall gives ctx the call c, for CallFrom.
func WithCall(ctx context.Context, c *Call) context.Context {
	return &callContext{Context: ctx, call: c}
}

// callContext is context.WithValue in one allocation and without comparing keys by reflection.
type callContext struct {
	context.Context
	call *Call
}

func (c *callContext) Value(key any) any {
	if _, ok := key.(callKey); ok {
		return c.call
	}
	return c.Context.Value(key)
}

// CallFrom gives the call that ctx belongs to. Without one (a test that calls a handler directly) it
// gives a call of the default account and region whose OnSent functions nobody runs.
func CallFrom(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{Account: DefaultAccount, Region: DefaultRegion}
}

// DefaultAccount is the account of an access key id that is not itself an account number.
const DefaultAccount = "000000000000"

// DefaultRegion is the region of a request whose credential scope names none, unless configured.
const DefaultRegion = "us-east-1"
