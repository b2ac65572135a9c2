// Package sniff lets one port serve TLS and plain text: it looks at a connection's first byte.
//
//	listener ── accept ──► first byte, within 5 s ─┬─ 0x16 ──► TLS server connection ─┐
//	                                               └─ other ─► the connection itself ─┴──► Accept
//
// A TLS record that starts a handshake begins with 0x16, which no HTTP request does: HTTP/1.1 begins
// with a method, HTTP/2 with prior knowledge with "PRI * HTTP/2.0". Which of these two plain text is,
// net/http finds out by itself.
package sniff

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	tlsHandshake = 0x16

	// firstByteTimeout ends connections that say nothing.
	firstByteTimeout = 5 * time.Second

	// acceptPause is how long a failed accept (no file descriptors left) is not repeated.
	acceptPause = 50 * time.Millisecond
)

// Options configure a listener.
type Options struct {
	// TLS serves connections that begin a handshake; without it they are closed.
	TLS *tls.Config
	// MaxConns bounds open connections, 10,000 when zero; past it new ones wait in the kernel's queue.
	MaxConns int
}

// Listener is a net.Listener over another. Close it to end its goroutines.
type Listener struct {
	inner net.Listener
	tls   *tls.Config

	ready chan net.Conn // from sniffing goroutines to Accept; never closed
	slots chan struct{} // one for each open connection; a full channel stops accepting
	done  chan struct{} // closed by Close
	stop  func()

	mu      sync.Mutex
	waiting map[net.Conn]struct{} // connections whose first byte has not come; guarded by mu
	wg      sync.WaitGroup        // the accepting and sniffing goroutines
}

// Listen starts to accept from inner, which the listener owns from here on.
func Listen(inner net.Listener, opts Options) *Listener {
	if opts.MaxConns <= 0 {
		opts.MaxConns = 10_000
	}
	l := &Listener{
		inner: inner, tls: opts.TLS, ready: make(chan net.Conn), done: make(chan struct{}),
		slots: make(chan struct{}, opts.MaxConns), waiting: map[net.Conn]struct{}{},
	}
	l.stop = sync.OnceFunc(func() { close(l.done) })
	l.wg.Go(l.run)
	return l
}

// Addr is the inner listener's.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept gives the next connection that has said something.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.ready:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close stops accepting, closes connections nobody has taken, and waits for the goroutines.
func (l *Listener) Close() error {
	l.stop()
	err := l.inner.Close()
	l.mu.Lock()
	for c := range l.waiting {
		c.Close()
	}
	l.mu.Unlock()
	l.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (l *Listener) run() {
	defer l.stop()
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.done:
			return
		}
		c, err := l.inner.Accept()
		if err == nil {
			l.wg.Go(func() { l.sniff(&conn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}) })
			continue
		}
		<-l.slots
		if errors.Is(err, net.ErrClosed) || !l.pause() {
			return
		}
	}
}

// pause waits a moment, or gives false when the listener closes.
func (l *Listener) pause() bool {
	timer := time.NewTimer(acceptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// sniff waits for the first byte and hands the connection on.
func (l *Listener) sniff(c *conn) {
	if !l.track(c) {
		_ = c.Close()
		return
	}
	err := c.peek()
	l.untrack(c)
	if err != nil {
		_ = c.Close()
		return
	}
	var out net.Conn = c
	if c.first == tlsHandshake {
		if l.tls == nil {
			_ = c.Close()
			return
		}
		out = tls.Server(c, l.tls)
	}
	select {
	case l.ready <- out:
	case <-l.done:
		_ = c.Close()
	}
}

func (l *Listener) track(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.done:
		return false
	default:
	}
	l.waiting[c] = struct{}{}
	return true
}

func (l *Listener) untrack(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, c)
}
