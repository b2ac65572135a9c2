package api

import "iter"

// Events gives a stream of typed events to a front that knows them by their shape alone; nil is a stream
// without events.
//
// The front ranges over a stream once, in the goroutine of the request, and hands each event to the client
// before it asks for the next, so a service runs on in that goroutine and needs no other. An event's memory
// is the service's again when its yield has returned; the input of the call must not be used any more. An event
// is due at least every 20 s, also when there is nothing to tell: clients and the front take a longer silence for
// a broken stream. An error ends the stream and reaches the client like any error of an operation. The service returns when
// yield gives false, or soon after the context of the call is done: the client has left, or the server stops.
func Events[T any](stream iter.Seq2[*T, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		if stream == nil {
			return
		}
		stream(func(e *T, err error) bool { return yield(e, err) })
	}
}
