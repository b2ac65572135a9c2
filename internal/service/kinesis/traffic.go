package kinesis

import (
	"sync"
	"sync/atomic"
)

// What a stream, its shards and its consumers carry is counted here, for the metrics of CloudWatch's names (metrics.go)
// and for on-demand scaling (scale.go). A call adds to a handful of counters once, when it is done; a shard has two
// for each PutRecords that it takes part in. Counters only rise; they begin anew with the process, and those of a
// shard when its stream has left the copies in memory.

// Bounds of what is told apart, so that scrapes stay small: 1,000 streams are some 30,000 series at most. What
// is beyond is counted together, under the label Others.
const (
	maxStreamSeries   = 1000
	maxConsumerSeries = 50 // of a stream; as many as AWS lets it have
	maxShardSeries    = 10_000
)

// Others is the label of streams, consumers and shards that are too many to be told apart. None can have this name.
const Others = "(others)"

// window keeps the largest value of this minute and of the one before it: minute<<36 | value.
type window struct{ now, before atomic.Uint64 }

const windowBits = 36 // of the value: two years in ms

// observe takes a value at a time (ns since 1970); negative ones count as 0.
func (w *window) observe(ns, value int64) {
	x := uint64(ns/minuteNS)<<windowBits | uint64(min(max(value, 0), 1<<windowBits-1))
	for {
		old := w.now.Load()
		if old >= x { // larger and of the same minute, or of a later one
			return
		}
		if w.now.CompareAndSwap(old, x) {
			if old>>windowBits != x>>windowBits {
				w.before.Store(old)
			}
			return
		}
	}
}

// largest is the largest value of this minute and the one before.
func (w *window) largest(ns int64) int64 {
	var found uint64
	for _, x := range [...]uint64{w.now.Load(), w.before.Load()} {
		if x>>windowBits+1 >= uint64(ns/minuteNS) {
			found = max(found, x&(1<<windowBits-1))
		}
	}
	return int64(found)
}

const minuteNS = int64(60e9)

// sample is a value that calls have: how much in all, and the largest of late.
type sample struct {
	sum  atomic.Uint64
	peak window
}

func (s *sample) add(ns, value int64) {
	s.sum.Add(uint64(max(value, 0)))
	s.peak.observe(ns, value)
}

// calls counts the calls of one operation.
type calls struct {
	count, success atomic.Uint64
	micros         sample // from the decoded request to the answer
}

// done counts a call that ran from began to ended (ns of one clock).
func (c *calls) done(began, ended int64, ok bool) {
	c.count.Add(1)
	if ok {
		c.success.Add(1)
	}
	c.micros.add(ended, (ended-began)/1000)
}

// streamTraffic is what one stream carries. All fields may be changed by anyone at any time.
type streamTraffic struct {
	place place
	topic uint64

	putRecord      calls
	putRecordBytes atomic.Uint64 // of records stored, partition keys counted
	putRecords     calls         // success: at least one record was stored
	putRecordsData atomic.Uint64 // bytes as above
	stored         atomic.Uint64 // records by PutRecords
	failed         atomic.Uint64 // records of PutRecords that failed here
	throttled      atomic.Uint64 // records of PutRecords over the quota
	writesRefused  atomic.Uint64 // records over the quota, of both operations

	getRecords   calls
	gotBytes     atomic.Uint64
	gotRecords   atomic.Uint64
	age          sample        // ms that pages were behind the end
	readsRefused atomic.Uint64 // calls over the quota

	mu        sync.Mutex // guards consumers
	consumers map[string]*consumerTraffic
}

// consumerTraffic is what one consumer of a stream is pushed.
type consumerTraffic struct {
	name          string
	subscribe     calls
	rateExceeded  atomic.Uint64
	events        atomic.Uint64
	eventsWritten atomic.Uint64 // those that the client took
	bytes         atomic.Uint64
	records       atomic.Uint64
	behind        sample // ms
}

// consumer gives the counters of a consumer.
func (t *streamTraffic) consumer(name string) *consumerTraffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c := t.consumers[name]; c != nil {
		return c
	}
	if len(t.consumers) >= maxConsumerSeries {
		name = Others
		if c := t.consumers[name]; c != nil {
			return c
		}
	}
	if t.consumers == nil {
		t.consumers = map[string]*consumerTraffic{}
	}
	c := &consumerTraffic{name: name}
	t.consumers[name] = c
	return c
}

// forget ends the counters of a consumer that is gone.
func (t *streamTraffic) forget(consumer string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.consumers, consumer)
}

// trafficTable holds the counters of all streams on this node. Its zero value is ready.
type trafficTable struct {
	mu      sync.Mutex // guards streams
	streams map[place]*streamTraffic
	others  streamTraffic
}

// of gives the counters of a stream: those that a copy of it had before, unless it was made anew since.
func (t *trafficTable) of(p place, topic uint64) *streamTraffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := t.streams[p]; found != nil && found.topic == topic {
		return found
	}
	if t.streams == nil {
		t.streams = map[place]*streamTraffic{}
	}
	if t.streams[p] == nil && len(t.streams) >= maxStreamSeries {
		return &t.others
	}
	made := &streamTraffic{place: p, topic: topic}
	t.streams[p] = made
	return made
}

func (t *trafficTable) has(p place) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.streams[p] != nil
}

// drop ends the counters of a stream that is gone.
func (t *trafficTable) drop(p place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.streams, p)
}

// forget ends the counters of a consumer that is gone.
func (t *trafficTable) forget(p place, consumer string) {
	t.mu.Lock()
	found := t.streams[p]
	t.mu.Unlock()
	if found != nil {
		found.forget(consumer)
	}
}

// all gives the counters of all streams, those of the others last.
func (t *trafficTable) all() []*streamTraffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make([]*streamTraffic, 0, len(t.streams)+1)
	for _, s := range t.streams {
		found = append(found, s)
	}
	return append(found, &t.others)
}

// shardTraffic is what one shard carries, by calls of Kinesis.
type shardTraffic struct {
	inBytes, inRecords          atomic.Uint64 // stored
	outBytes, outRecords        atomic.Uint64 // by GetRecords and pushed
	writesRefused, readsRefused atomic.Uint64 // records and calls over the quota
	age                         window        // ms that pages of GetRecords were behind the end
}

// out counts records that a reader was given.
func (t *shardTraffic) out(records, bytes int) {
	if records == 0 {
		return
	}
	t.outBytes.Add(uint64(bytes))
	t.outRecords.Add(uint64(records))
}
