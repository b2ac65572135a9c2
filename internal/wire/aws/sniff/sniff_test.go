package sniff

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a net.Listener over net.Pipe, which takes part in the fake time of synctest.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return nil }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func TestSilentConnectionIsClosedAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newPipes()
		l := Listen(inner, Options{})
		start := time.Now()
		_, err := inner.dial().Read(make([]byte, 1))
		if !errors.Is(err, io.EOF) || time.Since(start) != firstByteTimeout {
			t.Errorf("got %v after %v, want EOF after %v", err, time.Since(start), firstByteTimeout)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseEndsConnectionsNobodyTook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newPipes()
		l := Listen(inner, Options{})
		silent, spoke := inner.dial(), inner.dial()
		if _, err := spoke.Write([]byte("P")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		for name, c := range map[string]net.Conn{"silent": silent, "spoke": spoke} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
				t.Errorf("%s: got %v, want EOF", name, err)
			}
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: got %v", err)
		}
	})
}

func TestConnectionsPastTheBoundWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newPipes()
		l := Listen(inner, Options{MaxConns: 1})
		first := inner.dial()
		go first.Write([]byte("G"))
		taken, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		second, server := net.Pipe()
		accepted := make(chan struct{})
		go func() {
			inner.conns <- server
			close(accepted)
			second.Write([]byte("G"))
		}()
		synctest.Wait()
		select {
		case <-accepted:
			t.Error("a second connection was accepted past the bound of one")
		default:
		}
		taken.Close()
		if _, err := l.Accept(); err != nil {
			t.Error(err)
		}
		l.Close()
	})
}

func TestHandshakeWithoutTLSIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := newPipes()
		l := Listen(inner, Options{})
		c := inner.dial()
		c.Write([]byte{tlsHandshake})
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want EOF", err)
		}
		l.Close()
	})
}

func TestPeerThatTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server := net.Pipe()
		c := &conn{Conn: server, release: func() {}}
		start := time.Now()
		if _, err := c.Write([]byte("hello")); err == nil || time.Since(start) != writeTimeout {
			t.Errorf("got %v after %v, want an error after %v", err, time.Since(start), writeTimeout)
		}
	})
}

// FuzzSniffer: whatever a client sends first, its bytes come through unchanged, or its connection is
// a TLS one.
func FuzzSniffer(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
	f.Add([]byte{tlsHandshake, 3, 1, 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) == 0 {
			return
		}
		inner := newPipes()
		l := Listen(inner, Options{TLS: &tls.Config{}})
		defer l.Close()
		client := inner.dial()
		go func() {
			client.Write(sent)
			client.Close()
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, ok := c.(*tls.Conn); ok {
			if sent[0] != tlsHandshake {
				t.Fatalf("%q was taken for TLS", sent)
			}
			return
		}
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("got %q, %v, want %q", got, err, sent)
		}
	})
}
