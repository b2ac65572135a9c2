package kinesis

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/fault"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// Writers and a reader go on while shards are split, merged and scaled and the machine crashes: in the
// end every acknowledged record was read once, and those of a key in the order they were put.
func TestReshardingUnderLoadAndCrashesLosesAndRepeatsNothing(t *testing.T) {
	const writers, changes = 4, 40
	w := newReshardWorld(t)
	w.prepare()
	stop, written := make(chan struct{}), make(chan struct{})
	var load sync.WaitGroup
	for i := range writers {
		load.Go(func() { w.write(i, stop) })
	}
	var reading sync.WaitGroup
	reading.Go(func() { w.read(written) })
	for i := range changes {
		w.change()
		if i%8 == 3 {
			w.crash()
		}
	}
	w.await()
	close(stop)
	load.Wait()
	close(written)
	reading.Wait()
	w.check()
	_ = w.svc.Close()
	if err := w.st.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// reshardWorld is a service on a disk that crashes, with what writers and the reader know.
type reshardWorld struct {
	t  *testing.T
	r  *rand.Rand
	fs *fault.TornFS
	st *embedded.Store

	mu         sync.RWMutex // held for reading while an answer is noted, for writing while the machine crashes
	svc        *Service
	calls      *sync.WaitGroup // on st
	generation int

	notes sync.Mutex      // guards what follows
	all   map[string]bool // records acknowledged
	seen  map[string]bool // and read
	order map[string]int  // key: number of the last record read
}

func newReshardWorld(t *testing.T) *reshardWorld {
	w := &reshardWorld{
		t: t, r: rand.New(rand.NewPCG(chooseSeed(t), 4)), fs: fault.NewTorn(),
		all: map[string]bool{}, seen: map[string]bool{}, order: map[string]int{},
	}
	w.open()
	return w
}

func (w *reshardWorld) open() {
	var err error
	w.st, err = embedded.Open(embedded.Options{Dir: "data", FS: w.fs, BallastBytes: -1, RootKey: storetest.RootKey, Fatal: func(error) {}})
	if err != nil {
		w.t.Fatalf("open: %v", err)
	}
	w.calls = &sync.WaitGroup{}
	w.start()
}

func (w *reshardWorld) start() {
	svc, err := New(Options{Store: w.st, Quotas: QuotasOff, RootKey: storetest.RootKey, StateDelay: time.Duration(w.r.IntN(3)) * time.Millisecond})
	if err != nil {
		w.t.Fatalf("New: %v", err)
	}
	w.svc = svc
}

// now is the service of this moment, for a call that ends with done, and which crash it lives after.
func (w *reshardWorld) now() (svc *Service, generation int, done func()) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	w.calls.Add(1)
	return w.svc, w.generation, w.calls.Done
}

// note runs fn unless the machine has crashed since generation: what was answered after the crash was
// never said.
func (w *reshardWorld) note(generation int, fn func()) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.generation != generation {
		return
	}
	w.notes.Lock()
	defer w.notes.Unlock()
	fn()
}

// crash takes the disk as it is at a moment of load and goes on from it, or only ends the service. What
// is still answered from the other side of the crash counts for nothing.
func (w *reshardWorld) crash() {
	svc, st, calls := w.svc, w.st, w.calls
	w.mu.Lock()
	if w.r.IntN(4) == 0 {
		_ = svc.Close() // calls under way go on and are acknowledged
		w.start()
		w.mu.Unlock()
		return
	}
	w.generation++
	w.fs = w.fs.Crash(w.r)
	w.open()
	w.mu.Unlock()
	_ = svc.Close()
	calls.Wait()
	_ = st.Close()
}

func (w *reshardWorld) prepare() {
	c := w.caller()
	c.create("s", 2)
}

// caller makes single calls of the test's own goroutine.
func (w *reshardWorld) caller() *caller {
	return &caller{t: w.t, account: "000000000000", region: "us-east-1", svc: w.svc}
}

// write puts records of keys that are this writer's alone, a number behind the other for each.
func (w *reshardWorld) write(writer int, stop <-chan struct{}) {
	r := rand.New(rand.NewPCG(uint64(writer), 5))
	next := map[string]int{}
	for {
		select {
		case <-stop:
			return
		default:
		}
		in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
		for range 1 + r.IntN(8) {
			key := fmt.Sprintf("w%d-%d", writer, r.IntN(12))
			next[key]++
			in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: &key, Data: fmt.Append(nil, key, " ", next[key])})
		}
		svc, generation, done := w.now()
		one := &api.Call{Account: "000000000000", Region: "us-east-1"}
		out, err := svc.PutRecords(api.WithCall(w.t.Context(), one), in)
		done()
		if err != nil {
			w.t.Errorf("PutRecords: %v", err)
			return
		}
		w.note(generation, func() {
			for i, e := range out.Records {
				if e.ErrorCode != nil {
					w.t.Errorf("record %s: %s %s", in.Records[i].Data, *e.ErrorCode, *e.ErrorMessage)
					continue
				}
				w.all[string(in.Records[i].Data)] = true
			}
		})
		one.Sent()
	}
}

// change asks for one random change; while one goes on, and after a crash, it may be refused.
func (w *reshardWorld) change() {
	w.await()
	svc := w.svc
	ctx := api.WithCall(w.t.Context(), &api.Call{Account: "000000000000", Region: "us-east-1"})
	st, err := svc.fetch(ctx, place{"000000000000", "us-east-1", "s"})
	if err != nil {
		w.t.Fatalf("fetch: %v", err)
	}
	leaves := st.leaves()
	i := w.r.IntN(len(leaves))
	switch n := w.r.IntN(4); {
	case n == 3 && w.r.IntN(3) == 0:
		_, err = svc.StopStreamEncryption(ctx, &kinesisapi.StopStreamEncryptionInput{StreamName: new("s"), EncryptionType: encryptionKMS, KeyId: "alias/k"})
	case n == 3:
		_, err = svc.StartStreamEncryption(ctx, &kinesisapi.StartStreamEncryptionInput{StreamName: new("s"), EncryptionType: encryptionKMS, KeyId: "alias/k"})
	case n == 0 || len(leaves) == 1:
		s := leaves[i]
		_, err = svc.SplitShard(ctx, &kinesisapi.SplitShardInput{
			StreamName: new("s"), ShardToSplit: s.id, NewStartingHashKey: hashKey{s.start.hi/2 + s.end.hi/2, w.r.Uint64()}.String(),
		})
	case n == 1:
		i = min(i, len(leaves)-2)
		_, err = svc.MergeShards(ctx, &kinesisapi.MergeShardsInput{
			StreamName: new("s"), ShardToMerge: leaves[i].id, AdjacentShardToMerge: leaves[i+1].id,
		})
	default:
		low, high := (len(leaves)+1)/2, min(2*len(leaves), 12)
		count := low + w.r.IntN(max(1, high-low+1))
		_, err = svc.UpdateShardCount(ctx, &kinesisapi.UpdateShardCountInput{
			StreamName: new("s"), TargetShardCount: int32(count), ScalingType: kinesisapi.ScalingTypeUniformScaling,
		})
	}
	if err != nil {
		w.t.Fatalf("change: %v", err)
	}
}

func (w *reshardWorld) await() { w.caller().await("s", kinesisapi.StreamStatusActive) }

// follower reads a stream as consumers do: a shard begins when all its parents were read to the end.
type follower struct {
	at    map[string]string // shard: number of the last record read; "" before the first
	ended map[string]bool
}

// read follows the stream until written is closed and then to the end.
func (w *reshardWorld) read(written <-chan struct{}) {
	f := &follower{at: map[string]string{shardID(0): "", shardID(1): ""}, ended: map[string]bool{}}
	for last := false; ; {
		found := 0
		for id := range f.at {
			if f.ended[id] {
				continue
			}
			n, err := w.page(f, id)
			if err != nil {
				w.t.Errorf("read %s after %q: %v", id, f.at[id], err)
				return
			}
			found += n
		}
		if last && found == 0 {
			return
		}
		select {
		case <-written:
			last = found == 0
		default:
		}
	}
}

// page reads on in one shard and returns how much news there was.
func (w *reshardWorld) page(f *follower, id string) (int, error) {
	svc, generation, done := w.now()
	defer done()
	where := &kinesisapi.GetShardIteratorInput{StreamName: new("s"), ShardId: id, ShardIteratorType: kinesisapi.ShardIteratorTypeTrimHorizon}
	if f.at[id] != "" {
		number := f.at[id]
		where.ShardIteratorType, where.StartingSequenceNumber = kinesisapi.ShardIteratorTypeAfterSequenceNumber, &number
	}
	one := &api.Call{Account: "000000000000", Region: "us-east-1"}
	defer one.Sent()
	ctx := api.WithCall(w.t.Context(), one)
	it, err := svc.GetShardIterator(ctx, where)
	if err != nil {
		return 0, err
	}
	out, err := svc.GetRecords(ctx, &kinesisapi.GetRecordsInput{ShardIterator: *it.ShardIterator, Limit: new(int32(500))})
	if err != nil {
		return 0, err
	}
	if (out.NextShardIterator == nil) != (len(out.ChildShards) > 0) {
		return 0, fmt.Errorf("next iterator %v with %d children", out.NextShardIterator, len(out.ChildShards))
	}
	w.note(generation, func() {
		for _, r := range out.Records {
			w.saw(string(r.Data))
			f.at[id] = strings.Clone(r.SequenceNumber)
		}
		if len(out.ChildShards) > 0 {
			f.end(id, out.ChildShards)
		}
	})
	return len(out.Records) + len(out.ChildShards), nil
}

// end begins those children whose parents have all ended.
func (f *follower) end(id string, children []kinesisapi.ChildShard) {
	f.ended[id] = true
	for _, c := range children {
		ready := true
		for _, parent := range c.ParentShards {
			ready = ready && f.ended[parent]
		}
		if _, known := f.at[c.ShardId]; ready && !known {
			f.at[c.ShardId] = ""
		}
	}
}

// saw checks a record that was read against those before it.
func (w *reshardWorld) saw(data string) {
	if w.seen[data] {
		w.t.Errorf("%s was read twice", data)
	}
	w.seen[data] = true
	key, text, _ := strings.Cut(data, " ")
	n, err := strconv.Atoi(text)
	if err != nil || n <= w.order[key] {
		w.t.Errorf("%s was read after number %d", data, w.order[key])
	}
	w.order[key] = n
}

func (w *reshardWorld) check() {
	lost := 0
	for data := range w.all {
		if !w.seen[data] {
			lost++
		}
	}
	st, err := w.svc.fetch(w.t.Context(), place{"000000000000", "us-east-1", "s"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("%d records acknowledged, %d read, %d shards, %d crashes", len(w.all), len(w.seen), len(st.shards), w.generation)
	if lost > 0 || len(w.all) == 0 {
		w.t.Errorf("%d of %d acknowledged records were lost", lost, len(w.all))
	}
	all := make([]*shard, len(st.shards))
	for i := range st.shards {
		all[i] = &st.shards[i]
	}
	checkLineage(w.t, all)
}
