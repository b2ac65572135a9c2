package kinesis

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

var seed = flag.Uint64("seed", 0, "of the random histories; 0: by the clock")

// world is a service, what was put into it, and how to start it anew.
type world struct {
	*caller
	r       *rand.Rand
	reopen  func() store.Store // the same store, after a stop
	streams map[place]*knownStream
	deletes int // that may still happen
}

// knownStream is what a stream must hold.
type knownStream struct {
	shards map[string][]knownRecord
	number int // of shards
}

type knownRecord struct{ sequence, key, data string }

func TestRandomHistoriesOnTheModel(t *testing.T) {
	seed := chooseSeed(t)
	for i := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			st := storetest.NewModel()
			runHistory(t, seed+i, st, func() store.Store { return st }, 600, 1000)
		})
	}
}

func TestRandomHistoryOnDiskWithRestarts(t *testing.T) {
	fs := vfs.NewMem()
	var st *embedded.Store
	open := func() store.Store {
		if st != nil {
			if err := st.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
		var err error
		st, err = embedded.Open(embedded.Options{Dir: "data", FS: fs, BallastBytes: -1, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		return st
	}
	runHistory(t, chooseSeed(t), open(), open, 300, 2)
	if err := st.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func chooseSeed(t *testing.T) uint64 {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", *seed)
	return *seed
}

func runHistory(t *testing.T, seed uint64, st store.Store, reopen func() store.Store, steps, deletes int) {
	w := &world{
		r: rand.New(rand.NewPCG(seed, 1)), reopen: reopen,
		streams: map[place]*knownStream{}, deletes: deletes,
	}
	w.caller = startOn(t, st, nil)
	for step := range steps {
		if t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
		w.step()
	}
	w.restart()
	for _, p := range w.places() {
		w.checkAll(p)
	}
	w.checkLists()
	_ = w.svc.Close()
}

// places are where streams may be: two accounts and two regions, the same names.
func (w *world) places() []place {
	var all []place
	for _, account := range []string{"000000000000", "123456789012"} {
		for _, region := range []string{"us-east-1", "eu-west-1"} {
			for _, name := range []string{"a", "b"} {
				all = append(all, place{account, region, name})
			}
		}
	}
	return all
}

func (w *world) step() {
	all := w.places()
	p := all[w.r.IntN(len(all))]
	w.account, w.region = p.account, p.region
	known := w.streams[p]
	switch n := w.r.IntN(100); {
	case known == nil && n < 50:
		shards := 1 + w.r.IntN(5)
		w.create(p.stream, int32(shards))
		w.streams[p] = &knownStream{shards: map[string][]knownRecord{}, number: shards}
	case known == nil:
		_, err := w.svc.PutRecord(w.ctx(), &kinesisapi.PutRecordInput{StreamName: &p.stream, PartitionKey: new("k"), Data: []byte("x")})
		wantError(w.t, err, "ResourceNotFoundException", "Stream "+p.stream+" under account "+p.account+" not found.")
	case n < 60:
		w.putSome(p, known)
	case n < 90:
		w.readSome(p, known)
	case n < 93 && w.deletes > 0:
		w.deletes--
		w.delete(p)
	case n < 96:
		w.restart()
	default:
		w.checkAll(p)
	}
}

func (w *world) putSome(p place, known *knownStream) {
	in := &kinesisapi.PutRecordsInput{StreamName: &p.stream}
	for range 1 + w.r.IntN(20) {
		e := kinesisapi.PutRecordsRequestEntry{
			PartitionKey: new(fmt.Sprint("key ", w.r.IntN(50))),
			Data:         []byte(fmt.Sprint(p, w.r.Uint64())),
		}
		if w.r.IntN(10) == 0 {
			e.Data = make([]byte, w.r.IntN(200_000))
		}
		in.Records = append(in.Records, e)
	}
	out, err := w.svc.PutRecords(w.ctx(), in)
	if err != nil || *out.FailedRecordCount != 0 {
		w.t.Fatalf("PutRecords into %v: %+v, %v", p, out, err)
	}
	for i, e := range out.Records {
		records := known.shards[*e.ShardId]
		if n := len(records); n > 0 && records[n-1].sequence >= *e.SequenceNumber {
			w.t.Errorf("%v %s: number %s is not above %s", p, *e.ShardId, *e.SequenceNumber, records[n-1].sequence)
		}
		sequence := string([]byte(*e.SequenceNumber)) // the answer's memory is used again
		known.shards[*e.ShardId] = append(records, knownRecord{sequence, *in.Records[i].PartitionKey, string(in.Records[i].Data)})
	}
}

// readSome reads a page from a random record on, by its number.
func (w *world) readSome(p place, known *knownStream) {
	index := w.r.IntN(known.number)
	records := known.shards[shardID(int32(index))]
	in := &kinesisapi.GetShardIteratorInput{StreamName: &p.stream, ShardId: shardID(int32(index)), ShardIteratorType: kinesisapi.ShardIteratorTypeLatest}
	from := len(records)
	if len(records) > 0 {
		from = w.r.IntN(len(records))
		in.StartingSequenceNumber = &records[from].sequence
		in.ShardIteratorType = kinesisapi.ShardIteratorTypeAtSequenceNumber
		if w.r.IntN(2) == 0 {
			in.ShardIteratorType = kinesisapi.ShardIteratorTypeAfterSequenceNumber
			from++
		}
	}
	limit := 1 + w.r.IntN(30)
	out := w.get(w.iterator(in), int32(limit))
	want := records[from:min(from+limit, len(records))]
	w.compare(fmt.Sprint(p, in.ShardId, in.ShardIteratorType, from), out.Records, want)
	if atEnd := from+len(want) == len(records); atEnd != (*out.MillisBehindLatest == 0) {
		w.t.Errorf("%v: %d ms behind after record %d of %d", p, *out.MillisBehindLatest, from+len(want), len(records))
	}
}

func (w *world) compare(what string, got []kinesisapi.Record, want []knownRecord) {
	w.t.Helper()
	var read []knownRecord
	for _, r := range got {
		read = append(read, knownRecord{r.SequenceNumber, *r.PartitionKey, string(r.Data)})
	}
	if !slices.Equal(read, want) {
		w.t.Errorf("%s: got %d records, want %d, first difference at %d", what, len(read), len(want), difference(read, want))
	}
}

func difference(a, b []knownRecord) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// checkAll reads a stream from its beginning.
func (w *world) checkAll(p place) {
	w.account, w.region = p.account, p.region
	known := w.streams[p]
	if known == nil {
		return
	}
	for index := range known.number {
		id := shardID(int32(index))
		var got []kinesisapi.Record
		for it := w.oldest(p.stream, id); ; {
			out := w.get(it, 0)
			got = append(got, out.Records...)
			if it = *out.NextShardIterator; *out.MillisBehindLatest == 0 {
				break
			}
		}
		w.compare(fmt.Sprint(p, id), got, known.shards[id])
	}
}

// checkLists compares what each account is told to have.
func (w *world) checkLists() {
	type at struct{ account, region string }
	want := map[at][]string{}
	shards := map[at]int32{}
	for _, p := range w.places() {
		if known := w.streams[p]; known != nil {
			want[at{p.account, p.region}] = append(want[at{p.account, p.region}], p.stream)
			shards[at{p.account, p.region}] += int32(known.number)
		}
	}
	for _, p := range w.places() {
		w.account, w.region = p.account, p.region
		out, err := w.svc.ListStreams(w.ctx(), &kinesisapi.ListStreamsInput{})
		if err != nil || !slices.Equal(out.StreamNames, want[at{p.account, p.region}]) {
			w.t.Errorf("ListStreams in %v: got %+v, %v, want %v", p, out, err, want[at{p.account, p.region}])
		}
		limits, err := w.svc.DescribeLimits(w.ctx(), &kinesisapi.DescribeLimitsInput{})
		if err != nil || limits.OpenShardCount != shards[at{p.account, p.region}] {
			w.t.Errorf("DescribeLimits in %v: got %+v, %v, want %d open shards", p, limits, err, shards[at{p.account, p.region}])
		}
	}
}

func (w *world) delete(p place) {
	if _, err := w.svc.DeleteStream(w.ctx(), &kinesisapi.DeleteStreamInput{StreamName: &p.stream}); err != nil {
		w.t.Fatalf("DeleteStream %v: %v", p, err)
	}
	if w.r.IntN(2) == 0 {
		w.restart()
	}
	w.await(p.stream, "")
	delete(w.streams, p)
}

// restart stops the service and opens it on the same store.
func (w *world) restart() {
	_ = w.svc.Close()
	account, region := w.account, w.region
	w.caller = startOn(w.t, w.reopen(), nil)
	w.account, w.region = account, region
}
