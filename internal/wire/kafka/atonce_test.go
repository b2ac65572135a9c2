package kafka

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// produced sends a Produce request and awaits its answer.
func (c client) produced(correlation int32) {
	c.t.Helper()
	c.send(correlation, produceOf(0, 1, []byte("x")))
	m := kmsg.NewPtrProduceResponse()
	m.SetVersion(9)
	c.receive(correlation, m)
}

// TestAClientThatLeavesBehindItsRequestIsNoticed has the end come with the request, just before and just after it is read.
func TestAClientThatLeavesBehindItsRequestIsNoticed(t *testing.T) {
	const clients, rounds = 8, 25
	s := start(t, &scripted{produce: func(r *ProduceRequest) { go r.Done() }}, Options{}, ListenerOptions{})
	for _, acks := range []int16{0, 1} {
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for range rounds {
					c := s.dial(t)
					for i := range int32(3) {
						c.produced(i)
					}
					c.send(3, produceOf(0, acks, []byte("x")))
					if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
						t.Error(err)
						return
					}
					answer, err := io.ReadAll(c)
					if err != nil || (len(answer) > 0) != (acks != 0) {
						t.Errorf("acks %d: got %d bytes, %v, want an answer if acks are wanted, and the end", acks, len(answer), err)
						return
					}
					c.Close()
				}
			})
		}
		wg.Wait()
	}
	eventually(t, "all connections are gone", func() bool { return s.Conns() == 0 })
	s.idleMemory(t)
}

// TestAClientThatIsGoneBeforeItsAnswerIsNoticed has the connection reset while a request of its is outstanding.
func TestAClientThatIsGoneBeforeItsAnswerIsNoticed(t *testing.T) {
	s := start(t, &scripted{produce: func(r *ProduceRequest) { go r.Done() }}, Options{}, ListenerOptions{})
	for range 100 {
		c := s.dial(t)
		c.produced(1)
		c.send(2, produceOf(0, 1, []byte("x")))
		if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	eventually(t, "all connections are gone", func() bool { return s.Conns() == 0 })
	s.idleMemory(t)
}

// TestCuttingAConnectionDoesNotWaitForItsHandler: who answers everybody cuts a client that takes nothing, and may not wait for a
// handler that waits for it.
func TestCuttingAConnectionDoesNotWaitForItsHandler(t *testing.T) {
	s := start(t, &scripted{produce: func(r *ProduceRequest) {
		cut := make(chan struct{})
		go func() {
			r.Conn().Close()
			close(cut)
		}()
		<-cut
		r.Conn().Close() // nor for the one that calls
		r.Done()
	}}, Options{}, ListenerOptions{})
	c := s.dial(t)
	c.send(1, produceOf(0, 1, []byte("x")))
	c.isCut()
	eventually(t, "the connection is gone", func() bool { return s.Conns() == 0 })
	s.idleMemory(t)
}

func TestShutdownEndsConnectionsThatHaveProduced(t *testing.T) {
	s := start(t, &scripted{produce: func(r *ProduceRequest) { go r.Done() }}, Options{}, ListenerOptions{})
	const n = 20
	clients := make([]client, n)
	for i := range clients {
		clients[i] = s.dial(t)
		clients[i].produced(1)
		clients[i].produced(2)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.isCut()
	}
	s.idleMemory(t)
}

func TestAProducerThatFallsSilentIsIdle(t *testing.T) {
	s := start(t, &scripted{produce: func(r *ProduceRequest) { r.Done() }}, Options{IdleTimeout: 50 * time.Millisecond}, ListenerOptions{})
	c := s.dial(t)
	c.produced(1)
	c.produced(2)
	c.isCut()
}

// TestRequestsBehindOneAnotherAreAllTaken sends requests in pairs, in one write and in two, so that what is left in the socket
// is read.
func TestRequestsBehindOneAnotherAreAllTaken(t *testing.T) {
	s := start(t, &scripted{produce: func(r *ProduceRequest) { go r.Done() }}, Options{}, ListenerOptions{})
	c := s.dial(t)
	const rounds = 400
	go func() {
		for i := range int32(rounds) {
			first, second := framed(produceOf(0, 1, []byte("x")), 3*i), framed(produceOf(0, 1, make([]byte, aheadProduceBytes-100)), 3*i+1)
			if i%2 == 0 {
				first, second = append(first, second...), nil
			}
			for _, b := range [][]byte{first, second, framed(versionsRequest(3), 3*i+2)} {
				if _, err := c.Write(b); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	for i := range int32(rounds) {
		for k := range int32(2) {
			m := kmsg.NewPtrProduceResponse()
			m.SetVersion(9)
			c.receive(3*i+k, m)
		}
		m := kmsg.NewPtrApiVersionsResponse()
		m.SetVersion(3)
		c.receive(3*i+2, m)
	}
	s.idleMemory(t)
}
