package group

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"millrace/internal/core/store"
)

func testLimits() *limits {
	return &limits{maxMembers: 100, groupBytes: maxStored, totalBytes: 1 << 40, used: new(atomic.Int64)}
}

// sample is a Stable group with all kinds of members.
func sample(l *limits) *group {
	g := newGroup(l, "g", moment{time.Unix(0, 0), 7})
	g.generation, g.protocol, g.state = 41, "b", Stable
	for _, mb := range []*member{
		{
			id: "m1", clientID: "c", clientHost: "/::1", session: time.Minute, rebalance: time.Hour,
			protocols: []Protocol{{"a", []byte("one")}, {"b", []byte{0, 255}}}, assignment: []byte("x"),
		},
		{id: "m2", instance: "i", session: time.Millisecond, protocols: []Protocol{{"b", nil}}},
	} {
		mb.setAssignment(mb.assignment)
		g.add(mb, ConsumerProtocol)
	}
	return g
}

func TestRecordIsReadAsItWasWritten(t *testing.T) {
	l := testLimits()
	g := sample(l)
	r := g.record(nil)
	r.head.writer, r.head.revision = 3, 4
	h, err := decodeHead(encodeHead(&r.head))
	if err != nil || *h != r.head {
		t.Fatalf("head: got %+v, %v, want %+v", h, err, r.head)
	}
	got, err := restore(l, "g", h, r.members, moment{time.Unix(50, 0), 9})
	if err != nil {
		t.Fatal(err)
	}
	if again := got.record(nil); !bytes.Equal(again.members, r.members) {
		t.Errorf("members: got %q, want %q", again.members, r.members)
	}
	if got.state != Stable || got.generation != 41 || got.protocol != "b" || got.leader != "m1" || got.changed != 7 || got.bytes != g.bytes {
		t.Errorf("got %+v, want the fields of %+v", got, g)
	}
	if want := time.Unix(50, 0).Add(time.Millisecond); !got.wake.Equal(want) {
		t.Errorf("wake: got %v, want %v, the end of the shortest session", got.wake, want)
	}
}

func TestDamagedRecordIsRefused(t *testing.T) {
	l := testLimits()
	r := sample(l).record(nil)
	before := l.used.Load()
	for n := range len(r.members) {
		if _, err := restore(l, "g", &r.head, r.members[:n], moment{}); err == nil {
			t.Errorf("members cut to %d of %d bytes were accepted", n, len(r.members))
		}
	}
	if _, err := restore(l, "g", &r.head, append(bytes.Clone(r.members), 0), moment{}); err == nil {
		t.Error("members with a byte more were accepted")
	}
	twice := r.head
	twice.members *= 2
	if _, err := restore(l, "g", &twice, append(bytes.Clone(r.members), r.members...), moment{}); err == nil {
		t.Error("a member that is there twice was accepted")
	}
	foreign := r.head
	foreign.leader = "m3"
	if _, err := restore(l, "g", &foreign, r.members, moment{}); err == nil {
		t.Error("a leader who is no member was accepted")
	}
	if got := l.used.Load(); got != before {
		t.Errorf("bytes counted for refused records: %d", got-before)
	}
	head := encodeHead(&r.head)
	for n := range len(head) {
		if _, err := decodeHead(head[:n]); err == nil {
			t.Errorf("a head cut to %d of %d bytes was accepted", n, len(head))
		}
	}
}

func TestHeadsAreInOrderOfGroupIDs(t *testing.T) {
	ids := []string{"", "a", "a\x00", "aa", "b", "\xff"}
	for i := range len(ids) - 1 {
		if bytes.Compare(headKey(ids[i]), headKey(ids[i+1])) >= 0 {
			t.Errorf("key of %q is not before that of %q", ids[i], ids[i+1])
		}
	}
	if k := chunkKey("g", 0); k[0] != byte(store.FamilyKafkaGroup) || bytes.HasPrefix(k, headKey("")) {
		t.Errorf("chunk key %x lies among the heads", k)
	}
}

func FuzzHead(f *testing.F) {
	f.Add(encodeHead(&sample(testLimits()).record(nil).head))
	f.Fuzz(func(t *testing.T, v []byte) {
		h, err := decodeHead(v)
		if err == nil && !bytes.Equal(encodeHead(h), v) {
			t.Errorf("head %x is encoded as %x", v, encodeHead(h))
		}
	})
}

func FuzzMembers(f *testing.F) {
	r := sample(testLimits()).record(nil)
	f.Add(2, "m1", r.members)
	f.Fuzz(func(t *testing.T, n int, leader string, members []byte) {
		l := testLimits()
		h := head{members: n, size: len(members), leader: leader}
		if n < 0 || n > len(members)/minMember {
			return // decodeHead refuses it
		}
		g, err := restore(l, "g", &h, members, moment{})
		if err != nil {
			if l.used.Load() != 0 {
				t.Errorf("%d bytes counted for what was refused: %x", l.used.Load(), members)
			}
			return
		}
		if limit := int64(16*len(members) + n*memberOverhead); g.bytes > limit {
			t.Errorf("%d bytes from %d", g.bytes, len(members))
		}
		again, err := restore(l, "g", &h, g.record(nil).members, moment{})
		if err != nil || !bytes.Equal(again.record(nil).members, g.record(nil).members) {
			t.Errorf("%x is not read as it was written: %v", members, err)
		}
	})
}

func FuzzSubscription(f *testing.F) {
	f.Add(topicsOf("t", "u"))
	f.Add([]byte{0, 3, 0, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics, err := subscription(b)
		if err == nil && len(topics) > len(b)/2 {
			t.Errorf("%d topics from %d bytes", len(topics), len(b))
		}
	})
}
