package kafka

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
)

func randomBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func randomProduce(rnd *rand.Rand, version int16) *kmsg.ProduceRequest {
	m := kmsg.NewPtrProduceRequest()
	m.SetVersion(version)
	m.Acks, m.TimeoutMillis = int16(rnd.IntN(3)-1), int32(rnd.Uint32())
	if version >= 3 && rnd.IntN(2) == 0 {
		m.TransactionID = new("tx")
	}
	for i := range rnd.IntN(4) {
		t := kmsg.NewProduceRequestTopic()
		if version >= 13 {
			t.TopicID = [16]byte{byte(i), 1}
		} else {
			t.Topic = fmt.Sprint("topic-", i)
		}
		for i := range rnd.IntN(4) {
			p := kmsg.NewProduceRequestTopicPartition()
			p.Partition = int32(i)
			if rnd.IntN(4) > 0 {
				p.Records = randomBytes(rnd, rnd.IntN(300))
			}
			t.Partitions = append(t.Partitions, p)
		}
		m.Topics = append(m.Topics, t)
	}
	return m
}

func TestProduceRequestsAreReadAsFranzGoWritesThem(t *testing.T) {
	for version := int16(0); version <= 13; version++ {
		for seed := range uint64(30) {
			want := randomProduce(rand.New(rand.NewPCG(seed, uint64(version))), version)
			got, r := newProduceRequest(), kbin.NewReader(want.AppendTo(nil))
			if err := got.decode(&r, version); err != nil || r.Len() != 0 {
				t.Fatalf("v%d seed %d: %v, %d bytes left", version, seed, err, r.Len())
			}
			if got.Transactional != (want.TransactionID != nil) || got.Acks != want.Acks || got.TimeoutMs != want.TimeoutMillis || len(got.Topics) != len(want.Topics) {
				t.Errorf("v%d seed %d: got %+v, want %+v", version, seed, got, want)
			}
			for i, w := range want.Topics {
				g := got.Topics[i]
				if g.Name != w.Topic || g.ID != w.TopicID || len(g.Partitions) != len(w.Partitions) {
					t.Errorf("v%d seed %d topic %d: got %+v, want %+v", version, seed, i, g, w)
					continue
				}
				for j, w := range w.Partitions {
					if g := g.Partitions[j]; g.Index != w.Partition || !bytes.Equal(g.Records, w.Records) || (g.Records == nil) != (w.Records == nil) || g.BaseOffset != -1 {
						t.Errorf("v%d seed %d topic %d: got %+v, want %+v", version, seed, i, g, w)
					}
				}
			}
			got.putBack()
		}
	}
}

func TestProduceAnswersAreReadByFranzGo(t *testing.T) {
	for version := int16(0); version <= 13; version++ {
		for seed := range uint64(30) {
			rnd := rand.New(rand.NewPCG(seed, uint64(version)))
			q, r := newProduceRequest(), kbin.NewReader(randomProduce(rnd, version).AppendTo(nil))
			if err := q.decode(&r, version); err != nil {
				t.Fatal(err)
			}
			q.p.version, q.ThrottleMs = version, int32(rnd.IntN(3))
			for i := range q.partitions {
				p := &q.partitions[i]
				p.Error, p.BaseOffset, p.LogAppendTimeMs, p.LogStartOffset = kafkaapi.Code(rnd.IntN(50)), rnd.Int64(), rnd.Int64(), rnd.Int64()
				if rnd.IntN(2) == 0 {
					p.ErrorMessage, p.LeaderID, p.LeaderEpoch = "why", 3, 4
					p.RecordErrors = []RecordError{{1, ""}, {2, "bad"}}
					q.Nodes = []NodeEndpoint{{3, "host", 9092, ""}, {4, "other", 1, "rack"}}
				}
			}
			var w kbin.Writer
			q.encode(&w)
			m := kmsg.NewPtrProduceResponse()
			m.SetVersion(version)
			if err := m.ReadFrom(w.Bytes()); err != nil {
				t.Fatalf("v%d seed %d: %v\n% x", version, seed, err, w.Bytes())
			}
			if again := m.AppendTo(nil); !bytes.Equal(again, w.Bytes()) {
				t.Errorf("v%d seed %d: franz-go writes\n% x, we\n% x", version, seed, again, w.Bytes())
			}
			checkProduceAnswer(t, q, m)
		}
	}
}

func checkProduceAnswer(t *testing.T, q *ProduceRequest, m *kmsg.ProduceResponse) {
	t.Helper()
	for i, topic := range m.Topics {
		for j, got := range topic.Partitions {
			want := q.Topics[i].Partitions[j]
			if got.Partition != want.Index || got.ErrorCode != int16(want.Error) || got.BaseOffset != want.BaseOffset {
				t.Errorf("v%d: got %+v, want %+v", m.Version, got, want)
			}
			if m.Version >= 8 && len(got.ErrorRecords) != len(want.RecordErrors) {
				t.Errorf("v%d: got %+v, want %+v", m.Version, got.ErrorRecords, want.RecordErrors)
			}
		}
	}
}

func randomFetch(rnd *rand.Rand, version int16) *kmsg.FetchRequest {
	m := kmsg.NewPtrFetchRequest()
	m.SetVersion(version)
	m.MaxWaitMillis, m.MinBytes, m.MaxBytes, m.IsolationLevel = int32(rnd.Uint32()), int32(rnd.Uint32()), int32(rnd.Uint32()), int8(rnd.IntN(2))
	m.SessionID, m.SessionEpoch, m.Rack = int32(rnd.Uint32()), int32(rnd.Uint32()), "rack"
	for i := range rnd.IntN(4) {
		t, f := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestForgottenTopic()
		if version >= 13 {
			t.TopicID, f.TopicID = [16]byte{byte(i), 1}, [16]byte{byte(i), 2}
		} else {
			t.Topic, f.Topic = fmt.Sprint("topic-", i), fmt.Sprint("gone-", i)
		}
		for i := range rnd.IntN(4) {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition, p.CurrentLeaderEpoch, p.FetchOffset = int32(i), int32(rnd.IntN(9)), rnd.Int64()
			p.LastFetchedEpoch, p.LogStartOffset, p.PartitionMaxBytes = int32(rnd.IntN(9)), rnd.Int64(), int32(rnd.Uint32())
			t.Partitions = append(t.Partitions, p)
			f.Partitions = append(f.Partitions, int32(10+i))
		}
		m.Topics, m.ForgottenTopics = append(m.Topics, t), append(m.ForgottenTopics, f)
	}
	return m
}

func TestFetchRequestsAreReadAsFranzGoWritesThem(t *testing.T) {
	for version := int16(4); version <= 18; version++ {
		for seed := range uint64(30) {
			body := randomFetch(rand.New(rand.NewPCG(seed, uint64(version))), version).AppendTo(nil)
			want := kmsg.NewPtrFetchRequest() // with the defaults of what the version does not have
			want.SetVersion(version)
			if err := want.ReadFrom(body); err != nil {
				t.Fatal(err)
			}
			got, r := newFetchRequest(), kbin.NewReader(body)
			if err := got.decode(&r, version); err != nil || r.Len() != 0 {
				t.Fatalf("v%d seed %d: %v, %d bytes left", version, seed, err, r.Len())
			}
			checkFetch(t, got, want)
			got.putBack()
		}
	}
}

func checkFetch(t *testing.T, got *FetchRequest, want *kmsg.FetchRequest) {
	t.Helper()
	if got.MaxWaitMs != want.MaxWaitMillis || got.MinBytes != want.MinBytes || got.MaxBytes != want.MaxBytes || got.Isolation != want.IsolationLevel ||
		got.SessionID != want.SessionID || got.SessionEpoch != want.SessionEpoch || got.RackID != want.Rack || got.ReplicaID != -1 ||
		len(got.Topics) != len(want.Topics) || len(got.Forgotten) != len(want.ForgottenTopics) {
		t.Errorf("v%d: got %+v, want %+v", want.Version, got, want)
		return
	}
	for i, w := range want.Topics {
		g := got.Topics[i]
		if g.Name != w.Topic || g.ID != w.TopicID || len(g.Partitions) != len(w.Partitions) {
			t.Errorf("v%d: got %+v, want %+v", want.Version, g, w)
			continue
		}
		for j, w := range w.Partitions {
			expected := FetchPartition{w.Partition, w.CurrentLeaderEpoch, w.FetchOffset, w.LastFetchedEpoch, w.LogStartOffset, w.PartitionMaxBytes}
			if g.Partitions[j] != expected {
				t.Errorf("v%d: got %+v, want %+v", want.Version, g.Partitions[j], expected)
			}
		}
	}
	for i, w := range want.ForgottenTopics {
		g := got.Forgotten[i]
		if g.Name != w.Topic || g.ID != w.TopicID || fmt.Sprint(g.Partitions) != fmt.Sprint(w.Partitions) {
			t.Errorf("v%d: got %+v, want %+v", want.Version, g, w)
		}
	}
}

func randomFetched(rnd *rand.Rand, version int16) *FetchResponse {
	r := &FetchResponse{ThrottleMs: 5, Error: kafkaapi.Code(rnd.IntN(9)), SessionID: int32(rnd.Uint32())}
	for i := range rnd.IntN(4) {
		t := FetchedTopic{}
		if version >= 13 {
			t.ID = kbin.UUID{byte(i), 7}
		} else {
			t.Name = fmt.Sprint("topic-", i)
		}
		for i := range rnd.IntN(4) {
			p := NewFetchedPartition(int32(i))
			p.Error, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = kafkaapi.Code(rnd.IntN(9)), rnd.Int64(), rnd.Int64(), rnd.Int64()
			if version >= 11 {
				p.PreferredReplica = int32(rnd.IntN(3) - 1)
			}
			if rnd.IntN(2) == 0 {
				p.Aborted = []AbortedTransaction{}
			}
			for range rnd.IntN(3) {
				p.Aborted = append(p.Aborted, AbortedTransaction{rnd.Int64(), rnd.Int64()})
			}
			if rnd.IntN(3) == 0 {
				p.LeaderID, p.LeaderEpoch = 1, 2
				r.Nodes = []NodeEndpoint{{1, "host", 9092, "r"}}
			}
			if rnd.IntN(3) == 0 {
				p.DivergingEpoch, p.DivergingEndOffset = 3, 4
			}
			for range rnd.IntN(4) {
				p.Records = append(p.Records, randomBytes(rnd, rnd.IntN(2*copyEach)))
			}
			t.Partitions = append(t.Partitions, p)
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

func TestFetchAnswersAreReadByFranzGoCopiedAndNot(t *testing.T) {
	for version := int16(4); version <= 18; version++ {
		for seed := range uint64(30) {
			r := randomFetched(rand.New(rand.NewPCG(seed, uint64(version))), version)
			for _, copyAll := range []bool{true, false} {
				body := assembled(&fetchAnswer{version: version, copyAll: copyAll}, r)
				m := kmsg.NewPtrFetchResponse()
				m.SetVersion(version)
				if err := m.ReadFrom(body); err != nil {
					t.Fatalf("v%d seed %d: %v\n% x", version, seed, err, body)
				}
				if again := m.AppendTo(nil); !bytes.Equal(again, body) {
					t.Errorf("v%d seed %d, copied %v: franz-go writes\n% x, we\n% x", version, seed, copyAll, again, body)
				}
				checkFetched(t, m, r)
			}
		}
	}
}

// assembled is the body as the socket gets it.
func assembled(a *fetchAnswer, r *FetchResponse) []byte {
	a.encode(r)
	var body []byte
	from := 0
	for _, c := range a.cuts {
		body = append(append(body, a.w.Bytes()[from:c.at]...), c.data...)
		from = c.at
	}
	return append(body, a.w.Bytes()[from:]...)
}

func checkFetched(t *testing.T, m *kmsg.FetchResponse, r *FetchResponse) {
	t.Helper()
	for i, topic := range m.Topics {
		for j, got := range topic.Partitions {
			want := r.Topics[i].Partitions[j]
			if got.Partition != want.Index || got.ErrorCode != int16(want.Error) || got.HighWatermark != want.HighWatermark ||
				got.LastStableOffset != want.LastStableOffset || (got.AbortedTransactions == nil) != (want.Aborted == nil) ||
				len(got.AbortedTransactions) != len(want.Aborted) || !bytes.Equal(got.RecordBatches, bytes.Join(want.Records, nil)) {
				t.Errorf("v%d: got %+v, want %+v", m.Version, got, want)
			}
		}
	}
}

// fuzzDecode reads anything as a request, and demands that it allocates at most 16 times the input plus 64 KiB.
func fuzzDecode(f *testing.F, first, last int16, seed func(*rand.Rand, int16) []byte, decode func([]byte, int16) error) {
	f.Helper()
	for version := first; version <= last; version++ {
		f.Add(byte(version-first), seed(rand.New(rand.NewPCG(3, uint64(version))), version))
	}
	f.Fuzz(func(t *testing.T, v byte, body []byte) {
		version := first + int16(v)%(last-first+1)
		var before, after runtime.MemStats
		least := ^uint64(0)
		for range 3 {
			runtime.ReadMemStats(&before)
			_ = decode(body, version) // any bytes may be refused
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
		}
		if limit := uint64(16*len(body) + 64<<10); least > limit {
			t.Errorf("v%d: decoding %d bytes allocated %d, at most %d are allowed\n% x", version, len(body), least, limit, body)
		}
	})
}

func FuzzProduce(f *testing.F) {
	fuzzDecode(f, 0, 13, func(rnd *rand.Rand, v int16) []byte { return randomProduce(rnd, v).AppendTo(nil) }, func(body []byte, version int16) error {
		q, r := newProduceRequest(), kbin.NewReader(body)
		defer q.putBack()
		return q.decode(&r, version)
	})
}

func FuzzFetch(f *testing.F) {
	fuzzDecode(f, 4, 18, func(rnd *rand.Rand, v int16) []byte { return randomFetch(rnd, v).AppendTo(nil) }, func(body []byte, version int16) error {
		q, r := newFetchRequest(), kbin.NewReader(body)
		defer q.putBack()
		return q.decode(&r, version)
	})
}
