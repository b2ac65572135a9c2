package kinesis

import (
	"iter"
	"sync/atomic"
)

// Metrics are counts since the start of a service.
type Metrics struct {
	RecordsPut     uint64
	BytesPut       uint64 // data and partition keys
	RecordsRead    uint64
	BytesRead      uint64 // data and partition keys
	Throttled      uint64 // records and calls that were refused for a quota
	RecordsSkipped uint64 // times a record or batch was passed over because GetRecords cannot show it
}

// Metrics gives the counts as they are now.
func (s *Service) Metrics() Metrics {
	c := &s.counts
	return Metrics{
		RecordsPut: c.recordsPut.Load(), BytesPut: c.bytesPut.Load(),
		RecordsRead: c.recordsRead.Load(), BytesRead: c.bytesRead.Load(),
		Throttled: c.throttled.Load(), RecordsSkipped: c.skipped.Load(),
	}
}

type counts struct {
	recordsPut, bytesPut   atomic.Uint64
	recordsRead, bytesRead atomic.Uint64
	throttled, skipped     atomic.Uint64
}

func (c *counts) read(records, bytes int) {
	c.recordsRead.Add(uint64(records))
	c.bytesRead.Add(uint64(bytes))
}

// Level is what the series of a metric tell apart.
type Level uint8

// The levels, with the dimensions that CloudWatch has for them.
const (
	LevelStream   Level = iota // StreamName
	LevelConsumer              // StreamName, ConsumerName
	LevelShard                 // StreamName, ShardId; where enhanced monitoring is on
)

// Kind is how the values of a metric add up.
type Kind uint8

// The kinds.
const (
	KindSum  Kind = iota // Sum counts
	KindTime             // Sum and Count give the mean
	KindAge              // Max is the largest of this minute and the one before
)

// Metric is one metric of CloudWatch's namespace AWS/Kinesis.
//
// Source: Kinesis developer guide, "Monitor with CloudWatch" (read 2026-11).
type Metric struct {
	Name  string // CloudWatch's
	Level Level
	Kind  Kind
	Unit  string // CloudWatch's: Bytes, Count, Milliseconds
	Help  string // one sentence
}

// Value is what a series has counted since the service started. Sum and Max are in the metric's unit.
type Value struct {
	Count uint64 // calls, events; CloudWatch's SampleCount
	Sum   float64
	Max   float64 // of KindTime and KindAge: the largest of this minute and the one before
}

// Series is one metric of one stream, consumer or shard. Account and Region are empty and Stream is Others for
// streams that are too many to be told apart.
type Series struct {
	Metric                  *Metric
	Account, Region, Stream string
	Consumer, Shard         string // by level
	Value                   Value
}

// Metrics by CloudWatch's names. The order of streamMetrics, consumerMetrics and shardMetricTable is that of the
// values in the functions below.
var (
	streamMetrics = []Metric{
		{"IncomingBytes", LevelStream, KindSum, "Bytes", "Bytes stored by PutRecord and PutRecords, partition keys counted."},
		{"IncomingRecords", LevelStream, KindSum, "Count", "Records stored by PutRecord and PutRecords."},
		{"PutRecord.Bytes", LevelStream, KindSum, "Bytes", "Bytes stored by PutRecord, partition keys counted."},
		{"PutRecord.Latency", LevelStream, KindTime, "Milliseconds", "Time of a PutRecord."},
		{"PutRecord.Success", LevelStream, KindSum, "Count", "PutRecord calls that stored their record."},
		{"PutRecords.Bytes", LevelStream, KindSum, "Bytes", "Bytes stored by PutRecords, partition keys counted."},
		{"PutRecords.Latency", LevelStream, KindTime, "Milliseconds", "Time of a PutRecords."},
		{"PutRecords.Success", LevelStream, KindSum, "Count", "PutRecords calls that stored at least one record."},
		{"PutRecords.TotalRecords", LevelStream, KindSum, "Count", "Records sent with PutRecords."},
		{"PutRecords.SuccessfulRecords", LevelStream, KindSum, "Count", "Records stored by PutRecords."},
		{"PutRecords.FailedRecords", LevelStream, KindSum, "Count", "Records of PutRecords that failed for an error of the server."},
		{"PutRecords.ThrottledRecords", LevelStream, KindSum, "Count", "Records of PutRecords that were over a shard's quota."},
		{"GetRecords.Bytes", LevelStream, KindSum, "Bytes", "Bytes answered by GetRecords, partition keys counted."},
		{"GetRecords.IteratorAgeMilliseconds", LevelStream, KindAge, "Milliseconds", "Age of the last record of a GetRecords, 0 at the end of the shard; the largest of the last minute."},
		{"GetRecords.Latency", LevelStream, KindTime, "Milliseconds", "Time of a GetRecords."},
		{"GetRecords.Records", LevelStream, KindSum, "Count", "Records answered by GetRecords."},
		{"GetRecords.Success", LevelStream, KindSum, "Count", "GetRecords calls that succeeded."},
		{"ReadProvisionedThroughputExceeded", LevelStream, KindSum, "Count", "GetRecords calls over a shard's quota."},
		{"WriteProvisionedThroughputExceeded", LevelStream, KindSum, "Count", "Records over a shard's quota."},
	}
	consumerMetrics = []Metric{
		{"SubscribeToShard.RateExceeded", LevelConsumer, KindSum, "Count", "SubscribeToShard calls refused for their rate or an active subscription."},
		{"SubscribeToShard.Success", LevelConsumer, KindSum, "Count", "SubscribeToShard calls that succeeded."},
		{"SubscribeToShardEvent.Bytes", LevelConsumer, KindSum, "Bytes", "Bytes pushed, partition keys counted."},
		{"SubscribeToShardEvent.MillisBehindLatest", LevelConsumer, KindAge, "Milliseconds", "How far an event is behind the end of the shard; the largest of the last minute."},
		{"SubscribeToShardEvent.Records", LevelConsumer, KindSum, "Count", "Records pushed."},
		{"SubscribeToShardEvent.Success", LevelConsumer, KindSum, "Count", "Events that were taken by the client."},
	}
	// shardMetricTable is in the order of shardMetrics, by which a stream keeps which are on.
	shardMetricTable = []Metric{
		{"IncomingBytes", LevelShard, KindSum, "Bytes", "Bytes stored in a shard, partition keys counted."},
		{"IncomingRecords", LevelShard, KindSum, "Count", "Records stored in a shard."},
		{"OutgoingBytes", LevelShard, KindSum, "Bytes", "Bytes read from a shard and pushed."},
		{"OutgoingRecords", LevelShard, KindSum, "Count", "Records read from a shard and pushed."},
		{"WriteProvisionedThroughputExceeded", LevelShard, KindSum, "Count", "Records over the shard's quota."},
		{"ReadProvisionedThroughputExceeded", LevelShard, KindSum, "Count", "GetRecords calls over the shard's quota."},
		{"IteratorAgeMilliseconds", LevelShard, KindAge, "Milliseconds", "Age of the last record of a GetRecords from the shard; the largest of the last minute."},
	}
)

// CloudWatchMetrics are all metrics that Series may give.
func CloudWatchMetrics() []Metric {
	var all []Metric
	for _, table := range [...][]Metric{streamMetrics, consumerMetrics, shardMetricTable} {
		all = append(all, table...)
	}
	return all
}

// Series gives the metrics of all streams as they are now. A metric appears with the first call that it counts, and
// goes when its stream or consumer is deleted; those of shards are there while enhanced monitoring has them on.
func (s *Service) Series() iter.Seq[Series] {
	return func(yield func(Series) bool) {
		ns := s.nowNS()
		for _, t := range s.traffic.all() {
			if !t.series(ns, yield) {
				return
			}
		}
		s.shardSeries(ns, yield)
	}
}

func count(n uint64) Value { return Value{Count: n, Sum: float64(n)} }

// of is a value that calls have counted.
func (c *calls) of(sum uint64) Value { return Value{Count: c.count.Load(), Sum: float64(sum)} }

func (c *calls) latency(ns int64) Value {
	return Value{Count: c.count.Load(), Sum: float64(c.micros.sum.Load()) / 1000, Max: float64(c.micros.peak.largest(ns)) / 1000}
}

func (s *sample) value(ns int64, n uint64) Value {
	return Value{Count: n, Sum: float64(s.sum.Load()), Max: float64(s.peak.largest(ns))}
}

// values are those of streamMetrics.
func (t *streamTraffic) values(ns int64) [19]Value {
	one, many, get := &t.putRecord, &t.putRecords, &t.getRecords
	oneBytes, manyBytes := t.putRecordBytes.Load(), t.putRecordsData.Load()
	stored, failed, throttled := t.stored.Load(), t.failed.Load(), t.throttled.Load()
	calls := one.count.Load() + many.count.Load()
	return [...]Value{
		{Count: calls, Sum: float64(oneBytes + manyBytes)},
		{Count: calls, Sum: float64(one.success.Load() + stored)},
		one.of(oneBytes), one.latency(ns), one.of(one.success.Load()),
		many.of(manyBytes), many.latency(ns), many.of(many.success.Load()),
		many.of(stored + failed + throttled), many.of(stored), many.of(failed), many.of(throttled),
		get.of(t.gotBytes.Load()), t.age.value(ns, get.success.Load()), get.latency(ns), get.of(t.gotRecords.Load()), get.of(get.success.Load()),
		get.of(t.readsRefused.Load()),
		{Count: calls, Sum: float64(t.writesRefused.Load())},
	}
}

// values are those of consumerMetrics.
func (c *consumerTraffic) values(ns int64) [6]Value {
	events := c.events.Load()
	return [...]Value{
		c.subscribe.of(c.rateExceeded.Load()), c.subscribe.of(c.subscribe.success.Load()),
		{Count: events, Sum: float64(c.bytes.Load())},
		c.behind.value(ns, events),
		{Count: events, Sum: float64(c.records.Load())},
		{Count: events, Sum: float64(c.eventsWritten.Load())},
	}
}

// values are those of shardMetricTable.
func (t *shardTraffic) values(ns int64) [7]Value {
	age := t.age.largest(ns)
	return [...]Value{
		count(t.inBytes.Load()), count(t.inRecords.Load()), count(t.outBytes.Load()), count(t.outRecords.Load()),
		count(t.writesRefused.Load()), count(t.readsRefused.Load()),
		{Count: 1, Sum: float64(age), Max: float64(age)},
	}
}

// series gives what a stream and its consumers have counted; false when no more is wanted.
func (t *streamTraffic) series(ns int64, yield func(Series) bool) bool {
	at := Series{Account: t.place.account, Region: t.place.region, Stream: t.place.stream}
	if at.Stream == "" {
		at.Stream = Others
	}
	if !at.each(streamMetrics, t.valuesOf(ns), yield) {
		return false
	}
	t.mu.Lock()
	consumers := make([]*consumerTraffic, 0, len(t.consumers))
	for _, c := range t.consumers {
		consumers = append(consumers, c)
	}
	t.mu.Unlock()
	for _, c := range consumers {
		at.Consumer = c.name
		v := c.values(ns)
		if !at.each(consumerMetrics, v[:], yield) {
			return false
		}
	}
	return true
}

func (t *streamTraffic) valuesOf(ns int64) []Value {
	v := t.values(ns)
	return v[:]
}

// each yields the metrics of a table that have counted something; false when no more is wanted.
func (at Series) each(table []Metric, values []Value, yield func(Series) bool) bool {
	for i := range table {
		if values[i].Count == 0 {
			continue
		}
		at.Metric, at.Value = &table[i], values[i]
		if !yield(at) {
			return false
		}
	}
	return true
}

// shardSeries gives the metrics of shards that enhanced monitoring has on.
func (s *Service) shardSeries(ns int64, yield func(Series) bool) {
	told := 0
	for _, st := range s.cache.all() {
		if st.metrics == 0 {
			continue
		}
		var rest *shardTotals
		for i := range st.shards {
			sh := &st.shards[i]
			if sh.partition == 0 || sh.meter == nil {
				continue
			}
			v := sh.meter.traffic.values(ns)
			if told++; told > maxShardSeries {
				if rest == nil {
					rest = &shardTotals{}
				}
				rest.add(&v)
				continue
			}
			if !st.metrics.series(st.place, sh.id, &v, yield) {
				return
			}
		}
		if rest != nil && !st.metrics.series(st.place, Others, &rest.values, yield) {
			return
		}
	}
}

// shardTotals are the values of many shards together.
type shardTotals struct{ values [7]Value }

func (t *shardTotals) add(v *[7]Value) {
	for i := range v {
		t.values[i].Count += v[i].Count
		t.values[i].Sum += v[i].Sum
		t.values[i].Max = max(t.values[i].Max, v[i].Max)
	}
}

// series yields the metrics of one shard that are in the set.
func (m metricSet) series(p place, shard string, values *[7]Value, yield func(Series) bool) bool {
	at := Series{Account: p.account, Region: p.region, Stream: p.stream, Shard: shard}
	for i := range shardMetricTable {
		if m&(1<<i) == 0 {
			continue
		}
		at.Metric, at.Value = &shardMetricTable[i], values[i]
		if !yield(at) {
			return false
		}
	}
	return true
}
