package produce

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/logtest"
)

// rules are Kafka's defaults.
func rules() *Rules {
	return &Rules{MaxMessageBytes: 1048588, BeforeMaxMs: 1<<63 - 1, AfterMaxMs: 3_600_000}
}

// rig is a producer on a store with one partition.
type rig struct {
	*testing.T
	s  store.Store
	p  *Producer
	id store.PartitionID
}

func newRig(t *testing.T, s store.Store) *rig {
	t.Helper()
	logtest.Producer(t, s, 7, 0)
	return &rig{t, s, New(Options{Store: s}), logtest.Partition(t, s)}
}

func onEach(t *testing.T, fn func(r *rig)) {
	logtest.EachStore(t, func(t *testing.T, s store.Store) { fn(newRig(t, s)) })
}

// send produces one batch and waits for its answer.
func (r *rig) send(ru *Rules, b []byte, change ...func(*Request)) Part {
	r.Helper()
	q := NewRequest()
	q.Version, q.Acks, q.Timeout = 11, -1, time.Second
	part := q.Add()
	part.Topic, part.Partition, part.Rules, part.Records = "orders", r.id, ru, b
	for _, c := range change {
		c(q)
	}
	return r.produce(q)[0]
}

func (r *rig) produce(q *Request) []Part {
	r.Helper()
	done := make(chan []Part, 2)
	r.p.Produce(r.Context(), q, func(q *Request) {
		parts := append([]Part(nil), q.Parts...)
		q.Free()
		done <- parts
	})
	return <-done
}

func (r *rig) wantCode(got Part, want kafkaapi.Code) {
	r.Helper()
	if got.Code != want {
		r.Fatalf("code: got %v (%q), want %v", got.Code, got.Message, want)
	}
	if want != kafkaapi.None && (got.BaseOffset != -1 || got.LogStart != -1 || got.AppendTimeMs != -1) {
		r.Fatalf("offsets beside %v: got %+v, want -1", want, got)
	}
}

func (r *rig) wantBase(got Part, want int64) {
	r.Helper()
	if got.Code != kafkaapi.None || got.BaseOffset != want {
		r.Fatalf("got %v (%q) at %d, want %d", got.Code, got.Message, got.BaseOffset, want)
	}
}

func (r *rig) now() int64 { return r.s.Now() }

func (r *rig) wantNext(want store.Offset) {
	r.Helper()
	h, err := r.s.Head(r.Context(), r.id)
	if err != nil || h.Next != want {
		r.Fatalf("next offset: got %d, %v; want %d", h.Next, err, want)
	}
}

func idempotent(epoch int16, seq int32, values ...string) []byte {
	return logtest.Values(logtest.Fields{Producer: 7, Epoch: epoch, Sequence: seq}, 0, values...)
}

func TestBatchesAreAppendedAsTheyWereSent(t *testing.T) {
	onEach(t, func(r *rig) {
		for i, f := range []logtest.Fields{{}, {Gzip: true}} {
			b := logtest.Values(f, r.now(), "a", "b", "c")
			r.wantBase(r.send(rules(), b), int64(3*i))
			res, err := r.s.Read(r.Context(), store.ReadRequest{Partition: r.id, From: store.Offset(3 * i), MaxBytes: 1})
			if err != nil || string(res.Batches[0].Bytes[16:]) != string(b[16:]) {
				r.Fatalf("read back: %v, differs from what was sent", err)
			}
			res.Release()
		}
	})
}

func TestBatchThatIsNotOneGoodBatchIsRefused(t *testing.T) {
	s := storetest.NewModel()
	r := newRig(t, s)
	good := func() []byte { return logtest.Values(logtest.Fields{}, r.now(), "a") }
	changed := func(fn func(b []byte)) []byte {
		b := good()
		fn(b)
		logtest.Resum(b)
		return b
	}
	for _, c := range []struct {
		name string
		b    []byte
		want kafkaapi.Code
	}{
		{"nothing", nil, kafkaapi.InvalidRecord},
		{"half a batch", good()[:40], kafkaapi.InvalidRecord},
		{"a batch that ends early", good()[:len(good())-1], kafkaapi.InvalidRecord},
		{"two batches", append(good(), good()...), kafkaapi.InvalidRecord},
		{"magic 1", changed(func(b []byte) { b[16] = 1 }), kafkaapi.InvalidRecord},
		{"a length below a header's", changed(func(b []byte) { binary.BigEndian.PutUint32(b[8:], 10) }), kafkaapi.CorruptMessage},
		{"a wrong sum", func() []byte { b := good(); b[len(b)-1] ^= 1; return b }(), kafkaapi.CorruptMessage},
		{"a base offset", changed(func(b []byte) { b[7] = 5 }), kafkaapi.InvalidRecord},
		{"no records", changed(func(b []byte) { binary.BigEndian.PutUint32(b[57:], 0) }), kafkaapi.InvalidRecord},
		{"a wrong last offset delta", changed(func(b []byte) { binary.BigEndian.PutUint32(b[23:], 4) }), kafkaapi.InvalidRecord},
		{"a control batch", changed(func(b []byte) { b[22] |= byte(batch.AttrControl) }), kafkaapi.InvalidRecord},
		{"an unknown codec", changed(func(b []byte) { b[22] |= 7 }), kafkaapi.InvalidRecord},
		{"transactional without an id", logtest.Values(logtest.Fields{Producer: 7, Transactional: true}, 0, "a"), kafkaapi.TransactionalIDAuthorizationFailed},
		{"transactional without a producer", changed(func(b []byte) { b[22] |= byte(batch.AttrTransactional) }), kafkaapi.InvalidRecord},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{t, r.s, r.p, r.id}
			r.wantCode(r.send(rules(), c.b), c.want)
			r.wantNext(0)
		})
	}
}

func TestZstdNeedsAVersionThatKnowsIt(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	b := logtest.Values(logtest.Fields{}, r.now(), "a")
	b[22] |= byte(batch.Zstd) // is not opened
	binary.BigEndian.PutUint32(b[57:], 1)
	logtest.Resum(b)
	r.wantCode(r.send(rules(), b, func(q *Request) { q.Version = 6 }), kafkaapi.UnsupportedCompressionType)
	r.wantBase(r.send(rules(), b, func(q *Request) { q.Version = 7 }), 0)
}

func TestBatchLargerThanTheTopicTakesIsRefused(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	b := logtest.Values(logtest.Fields{}, r.now(), strings.Repeat("x", 1000))
	ru := rules()
	ru.MaxMessageBytes = len(b) - 1
	r.wantCode(r.send(ru, b), kafkaapi.MessageTooLarge)
	ru.MaxMessageBytes++
	r.wantBase(r.send(ru, b), 0)
}

func TestAcksOtherThanAllOneAndNoneAreRefused(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	b := logtest.Values(logtest.Fields{}, r.now(), "a")
	for _, acks := range []int16{2, -2} {
		r.wantCode(r.send(rules(), b, func(q *Request) { q.Acks = acks }), kafkaapi.InvalidRequiredAcks)
	}
	for i, acks := range []int16{0, 1, -1} {
		r.wantBase(r.send(rules(), b, func(q *Request) { q.Acks, q.Timeout = acks, 0 }), int64(i))
	}
}

func TestTimestampsOutOfBoundsAreRefusedRecordByRecord(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	ru := rules()
	ru.BeforeMaxMs = 1000
	at := func(deltas ...int64) []byte {
		var records []batch.Record
		for _, d := range deltas {
			records = append(records, batch.Record{Value: []byte("v"), Timestamp: r.now() + d})
		}
		return logtest.Batch(logtest.Fields{}, records...)
	}
	for _, c := range []struct {
		b    []byte
		want []int32 // indexes of the records that are named
	}{
		{at(0), nil},
		{at(0, 3_500_000), nil},
		{at(0, 4_000_000, 0, 4_000_000), []int32{1, 3}},
		{at(-5000, 0), []int32{0}},
	} {
		got := r.send(ru, c.b)
		if c.want == nil {
			r.wantCode(got, kafkaapi.None)
			continue
		}
		r.wantCode(got, kafkaapi.InvalidTimestamp)
		var indexes []int32
		for _, e := range got.Errors {
			indexes = append(indexes, e.Index)
		}
		if len(indexes) != len(c.want) || indexes[0] != c.want[0] || indexes[len(indexes)-1] != c.want[len(c.want)-1] {
			r.Fatalf("records named: got %v, want %v", indexes, c.want)
		}
	}
	none := logtest.Batch(logtest.Fields{}, batch.Record{Value: []byte("v"), Timestamp: -1})
	r.wantCode(r.send(ru, none), kafkaapi.None)
}

func TestLargestTimestampThatAClientLeavesOutIsWritten(t *testing.T) {
	onEach(t, func(r *rig) {
		now := r.now()
		for i, f := range []logtest.Fields{{MaxTimestamp: -1}, {MaxTimestamp: -1, Gzip: true}, {MaxTimestamp: 1}} {
			b := logtest.Batch(f, batch.Record{Value: []byte("a"), Timestamp: now}, batch.Record{Value: []byte("b"), Timestamp: now + 9})
			r.wantBase(r.send(rules(), b), int64(2*i))
			res, err := r.s.Read(r.Context(), store.ReadRequest{Partition: r.id, From: store.Offset(2 * i), MaxBytes: 1})
			if err != nil {
				r.Fatal(err)
			}
			h, err := batch.Verify(res.Batches[0].Bytes)
			if err != nil || h.MaxTimestamp != now+9 {
				r.Fatalf("%+v: largest timestamp: got %d, %v; want %d", f, h.MaxTimestamp, err, now+9)
			}
			res.Release()
		}
	})
}

func TestLogAppendTimeIsWrittenAndAnswered(t *testing.T) {
	onEach(t, func(r *rig) {
		ru := rules()
		ru.LogAppendTime = true
		before := r.now()
		got := r.send(ru, logtest.Values(logtest.Fields{}, 5, "a"))
		if r.wantBase(got, 0); got.AppendTimeMs < before {
			r.Fatalf("append time: got %d, want at least %d", got.AppendTimeMs, before)
		}
		res, err := r.s.Read(r.Context(), store.ReadRequest{Partition: r.id, MaxBytes: 1})
		if err != nil {
			r.Fatal(err)
		}
		defer res.Release()
		h, err := batch.Verify(res.Batches[0].Bytes)
		if err != nil || !h.LogAppendTime() || h.MaxTimestamp != got.AppendTimeMs {
			r.Fatalf("header: got %+v, %v; want log append time %d", h, err, got.AppendTimeMs)
		}
	})
}

func TestCompactedTopicRefusesRecordsWithoutAKey(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	ru := rules()
	ru.Keyed = true
	for _, gzip := range []bool{false, true} {
		b := logtest.Batch(logtest.Fields{Gzip: gzip}, batch.Record{Key: []byte("k")}, batch.Record{Value: []byte("v")}, batch.Record{Key: []byte{}})
		got := r.send(ru, b)
		r.wantCode(got, kafkaapi.InvalidRecord)
		if len(got.Errors) != 1 || got.Errors[0].Index != 1 {
			r.Fatalf("records named: got %+v, want record 1", got.Errors)
		}
		r.wantCode(r.send(ru, logtest.Batch(logtest.Fields{Gzip: gzip}, batch.Record{Key: []byte("k")})), kafkaapi.None)
	}
}

func TestClosedPartitionAnswersPolicyViolationWithAText(t *testing.T) {
	onEach(t, func(r *rig) {
		logtest.Update(r, r.s, func(tx store.Tx) error { return tx.ClosePartition(r.id) })
		got := r.send(rules(), logtest.Values(logtest.Fields{}, r.now(), "a"))
		if r.wantCode(got, kafkaapi.PolicyViolation); got.Message != ClosedText {
			r.Fatalf("text: got %q, want %q", got.Message, ClosedText)
		}
	})
}

func TestTopicThatTakesNothingSaysWhy(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	ru := rules()
	ru.Refused, ru.RefusedText = kafkaapi.PolicyViolation, "read only"
	got := r.send(ru, logtest.Values(logtest.Fields{}, r.now(), "a"))
	if r.wantCode(got, kafkaapi.PolicyViolation); got.Message != "read only" {
		r.Fatalf("text: got %q", got.Message)
	}
}

func TestTopicIsNotedBeforeItIsAppendedTo(t *testing.T) {
	r := newRig(t, storetest.NewModel())
	ru, calls := rules(), 0
	var err error
	ru.Noted = func() error { calls++; return err }
	b := logtest.Values(logtest.Fields{}, r.now(), "a")
	r.wantBase(r.send(ru, b), 0)
	err = errors.New("lost")
	r.wantCode(r.send(ru, b), kafkaapi.NotLeaderOrFollower)
	if calls != 2 {
		r.Fatalf("noted %d times, want 2", calls)
	}
	r.wantNext(1)
}

func TestPartitionsOfARequestStandAlone(t *testing.T) {
	onEach(t, func(r *rig) {
		ids := logtest.Partitions(r, r.s, 3)
		q := NewRequest()
		q.Version, q.Acks = 11, -1
		for i, id := range append(ids, 999) {
			part := q.Add()
			part.Topic, part.Index, part.Partition, part.Rules = "orders", int32(i), id, rules()
			part.Records = logtest.Values(logtest.Fields{}, r.now(), "a")
		}
		q.Parts[1].Records[65] ^= 1
		unknown := q.Add()
		unknown.Code = kafkaapi.UnknownTopicOrPartition
		want := []kafkaapi.Code{kafkaapi.None, kafkaapi.CorruptMessage, kafkaapi.None, kafkaapi.UnknownTopicOrPartition, kafkaapi.UnknownTopicOrPartition}
		for i, part := range r.produce(q) {
			if part.Code != want[i] {
				r.Errorf("part %d: got %v (%q), want %v", i, part.Code, part.Message, want[i])
			}
		}
	})
}

func TestRequestLargerThanTheStoreTakesAtOnceIsAppendedInPieces(t *testing.T) {
	onEach(t, func(r *rig) {
		ids := logtest.Partitions(r, r.s, 9)
		b := logtest.Values(logtest.Fields{}, r.now(), strings.Repeat("x", 8<<20))
		ru := rules()
		ru.MaxMessageBytes = 16 << 20
		q := NewRequest()
		q.Version, q.Acks, q.Timeout = 11, -1, time.Minute
		for _, id := range append(ids, ids[:5]...) {
			part := q.Add()
			part.Partition, part.Rules, part.Records = id, ru, b
		}
		for i, part := range r.produce(q) {
			r.wantBase(part, int64(i/len(ids)))
		}
	})
}

// refusing is a store whose appends fail as a whole.
type refusing struct {
	store.Store
	err error
}

func (s refusing) AppendAsync(_ context.Context, _ []store.AppendRequest, done func([]store.AppendResult, error)) {
	done(nil, s.err)
}

func TestFailureOfTheStoreIsNeverUnknownServerErrorAndAlwaysRetriable(t *testing.T) {
	s := storetest.NewModel()
	for _, err := range []error{
		store.ErrFull, store.ErrOverloaded, store.ErrUnknownOutcome, store.ErrStopped, context.Canceled, context.DeadlineExceeded,
		store.ErrContention, errors.New("anything"), &store.CorruptError{},
	} {
		r := newRig(t, s)
		r.p = New(Options{Store: refusing{s, err}})
		got := r.send(rules(), logtest.Values(logtest.Fields{}, r.now(), "a"))
		if got.Code == kafkaapi.UnknownServerError || !got.Code.Retriable() {
			t.Errorf("%v: got %v, want a retriable code", err, got.Code)
		}
	}
}

// withTxns gives the rig a coordinator, with a transactional producer.
func FuzzProduceAnswersEveryPart(f *testing.F) {
	f.Add(logtest.Values(logtest.Fields{}, 0, "a", "b"), int16(9), false)
	f.Add(logtest.Values(logtest.Fields{Gzip: true}, 5, "a"), int16(3), true)
	f.Add(logtest.Values(logtest.Fields{Producer: 3, Transactional: true, MaxTimestamp: -1}, 5, "a"), int16(12), true)
	s := storetest.NewModel()
	id := logtest.Partition(f, s)
	p := New(Options{Store: s})
	f.Fuzz(func(t *testing.T, b []byte, version int16, keyed bool) {
		for _, sum := range []bool{false, true} {
			if sum && len(b) > 21 {
				logtest.Resum(b)
			}
			q := NewRequest()
			q.Version, q.Acks = version, -1
			part := q.Add()
			part.Partition, part.Rules, part.Records = id, rules(), b
			part.Rules.Keyed = keyed
			calls := 0
			p.Produce(context.Background(), q, func(q *Request) {
				calls++
				if p := &q.Parts[0]; (p.Code == kafkaapi.None) != (p.BaseOffset >= 0) || p.Code == kafkaapi.UnknownServerError {
					t.Errorf("answer: got %+v", p)
				}
				q.Free()
			})
			if calls != 1 {
				t.Fatalf("answered %d times, want 1", calls)
			}
		}
	})
}
