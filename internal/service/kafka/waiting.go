package kafka

import "sync"

// waiting ties an operation that waits to its connection: it is cancelled when the connection ends, unless it has
// answered before.
type waiting struct {
	mu     sync.Mutex
	done   bool
	forget func() // nil until known
}

// ends says how the operation is cancelled. The operation may have answered already.
func (w *waiting) ends(c *Call, cancel func()) {
	forget := c.OnClose(cancel)
	w.mu.Lock()
	done := w.done
	w.forget = forget
	w.mu.Unlock()
	if done {
		forget()
	}
}

// over says that the operation answers.
func (w *waiting) over() {
	w.mu.Lock()
	w.done = true
	forget := w.forget
	w.mu.Unlock()
	if forget != nil {
		forget()
	}
}

// textOf is a nullable string's text; "" for null.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nullable is null for "".
func nullable(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
