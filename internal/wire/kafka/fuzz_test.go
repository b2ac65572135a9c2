package kafka

import (
	"io"
	"net"
	"sync"
	"testing"

	"millrace/internal/api/kafkaapi"
)

// FuzzConnection sends anything to a server that answers whatever it understands: it comes to an end, all memory
// is given back, and every request that reached the handler is answered.
func FuzzConnection(f *testing.F) {
	q := versionsRequest(3)
	f.Add(false, framed(q, 1))
	f.Add(true, framed(q, 1))
	f.Add(false, append(framed(produceOf(0, 1, []byte("x")), 1), framed(produceOf(0, 0, nil), 2)...))
	f.Add(true, append(append([]byte{0, 0, 0, 17, 0, 17, 0, 0, 0, 0, 0, 1, 0xff, 0xff}, "\x00\x05PLAIN"...), 0, 0, 0, 1, 'x'))
	f.Add(false, []byte{0, 0, 0, 10, 0, 18, 0, 99, 0, 0, 0, 1, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, authenticate bool, in []byte) {
		h := &scripted{
			produce: (*ProduceRequest).Done,
			fetch:   func(r *FetchRequest) { r.Call.Send(&FetchResponse{}) },
			handle: func(r *Request) {
				if _, ok := r.Body.(*kafkaapi.SaslHandshakeRequest); ok {
					r.Reply(&kafkaapi.SaslHandshakeResponse{})
					return
				}
				r.ReplyAndClose(&kafkaapi.SaslAuthenticateResponse{})
			},
		}
		s := NewServer(h, Options{MaxFrameBytes: 1 << 20, leaveTime: 1})
		ours, theirs := net.Pipe()
		c := newConn(s, ours, &ListenerOptions{Authenticate: authenticate})
		if !s.slots.TryAcquire(1) || !s.addConn(c) {
			t.Fatal("a new server takes no connection")
		}
		var peer sync.WaitGroup
		peer.Go(func() {
			_, _ = theirs.Write(in) // cut short when the server has had enough
			theirs.Close()
		})
		peer.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
		c.run()
		peer.Wait()
		if c.queue.count != 0 && !c.dead {
			t.Errorf("%d requests are not answered", c.queue.count)
		}
		if !s.inFlight.TryAcquire(s.opts.MaxInFlightBytes) {
			t.Error("frames are still counted")
		}
	})
}
