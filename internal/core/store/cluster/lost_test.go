package cluster

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

// cutter is a dialer whose connections break when they write needle, and which then refuses further ones
// while down is set.
type cutter struct {
	mu     sync.Mutex
	needle []byte
	cut    func(c net.Conn, b []byte) // what reaches the server before the connection breaks
	down   bool                       // refuse connections after the cut
	done   bool
}

var errCut = errors.New("connection cut by the test")

func (c *cutter) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c.mu.Lock()
	refuse := c.down && c.done
	c.mu.Unlock()
	if refuse {
		return nil, errCut
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &cutConn{conn, c}, nil
}

func (c *cutter) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = false
}

type cutConn struct {
	net.Conn
	c *cutter
}

func (c *cutConn) Write(b []byte) (int, error) {
	c.c.mu.Lock()
	hit := !c.c.done && bytes.Contains(b, c.c.needle)
	c.c.done = c.c.done || hit
	c.c.mu.Unlock()
	if !hit {
		return c.Conn.Write(b)
	}
	c.c.cut(c.Conn, b)
	_ = c.Close()
	return 0, errCut
}

// The moments in which a connection can break, seen from the server.
var cuts = map[string]func(c net.Conn, b []byte){
	"BeforeTheGroup":   func(net.Conn, []byte) {},
	"InsideTheGroup":   func(c net.Conn, b []byte) { _, _ = c.Write(b[:len(b)/2]) },
	"AfterTheGroup":    func(c net.Conn, b []byte) { _, _ = c.Write(b) },
	"BeforeTheCommit":  func(c net.Conn, b []byte) { _, _ = c.Write(b[:len(b)-20]) },
	"AfterTheAnswer":   func(c net.Conn, b []byte) { _, _ = c.Write(b); _, _ = c.Read(make([]byte, 1)) },
	"AfterAllAnswered": func(c net.Conn, b []byte) { _, _ = c.Write(b); readAll(c) },
}

// readAll reads until the server says nothing for a moment: it has committed then.
func readAll(c net.Conn) {
	buf := make([]byte, 1<<16)
	for {
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

func values(t *testing.T, s store.Store, id store.PartitionID) []string {
	t.Helper()
	var all []string
	for from := store.Offset(0); ; {
		res, err := s.Read(t.Context(), store.ReadRequest{Partition: id, From: from, MaxBytes: 1 << 20})
		if err != nil {
			t.Fatalf("Read from %d: %v", from, err)
		}
		if len(res.Batches) == 0 {
			return all
		}
		for _, b := range res.Batches {
			for r, err := range batch.Records(b.Bytes, batch.Limits{}) {
				if err != nil {
					t.Fatalf("records at %d: %v", b.Base, err)
				}
				all = append(all, string(r.Value))
			}
			from = b.Next
		}
	}
}

func appendOne(s store.Store, value string) (store.AppendResult, error) {
	res, err := s.Append(context.Background(), []store.AppendRequest{{Partition: 1, Records: []store.Record{{Value: []byte(value)}}}})
	if err != nil {
		return store.AppendResult{}, err
	}
	return res[0], res[0].Err
}

func withPartition(t *testing.T, s store.Store) {
	t.Helper()
	_, err := s.Update(t.Context(), func(tx store.Tx) error { return tx.CreatePartition(1, 0, store.Retention{}) })
	if err != nil {
		t.Fatalf("create partition: %v", err)
	}
}

func TestGroupWhoseConnectionIsLostIsThereOnce(t *testing.T) {
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			c := &cutter{needle: []byte("needle in the group"), cut: cut}
			o := options(t)
			o.dial = c.dial
			dropAfter(t, o)
			s := mustOpen(t, o)
			defer s.Close()
			withPartition(t, s)
			var want []string
			for i, v := range []string{"first", "needle in the group", "last"} {
				res, err := appendOne(s, v)
				if err != nil || res.Base != store.Offset(i) {
					t.Fatalf("Append of %q: got %+v, %v; want offset %d", v, res, err, i)
				}
				want = append(want, v)
			}
			if !c.done {
				t.Fatal("the connection was never cut")
			}
			if got := values(t, s, 1); !slices.Equal(got, want) {
				t.Fatalf("records: got %q, want %q", got, want)
			}
		})
	}
}

func TestGroupThatCannotBeSettledIsOfUnknownOutcomeAndSettledLater(t *testing.T) {
	for name, want := range map[string][]string{
		"BeforeTheGroup":   {"first", "last"},
		"InsideTheGroup":   {"first", "last"},
		"AfterAllAnswered": {"first", "needle in the group", "last"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &cutter{needle: []byte("needle in the group"), cut: cuts[name], down: true}
			o := options(t)
			o.dial, o.SettleTime = c.dial, 50*time.Millisecond
			dropAfter(t, o)
			s := mustOpen(t, o)
			defer s.Close()
			withPartition(t, s)
			if _, err := appendOne(s, "first"); err != nil {
				t.Fatalf("Append: %v", err)
			}
			if res, err := appendOne(s, "needle in the group"); !errors.Is(err, store.ErrUnknownOutcome) {
				t.Fatalf("Append without a database: got %+v, %v; want %v", res, err, store.ErrUnknownOutcome)
			}
			c.heal()
			if _, err := appendOne(s, "last"); err != nil {
				t.Fatalf("Append after the database is back: %v", err)
			}
			if got := values(t, s, 1); !slices.Equal(got, want) {
				t.Fatalf("records: got %q, want %q", got, want)
			}
		})
	}
}
