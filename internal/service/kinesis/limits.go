package kinesis

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"millrace/internal/core/catalog"
	"millrace/internal/core/quota"
)

// Limits of requests and records.
//
// Source: Kinesis developer guide, "Quotas and limits", and API reference (read 2026-11).
const (
	maxPutRecordsBytes = 10 << 20 // of one PutRecords, data and partition keys
	maxPageRecords     = 10_000   // of one GetRecords
	maxPageBytes       = 10 << 20 // of one GetRecords
	defaultRecordKiB   = 1024     // largest record of a stream that says nothing else
	maxRecordKiB       = 10_240

	minRetentionHours = 24
	maxRetentionHours = 8760

	maxOpenShards = catalog.MaxPartitions // of a stream: they are closed in one transaction when it is deleted

	maxTags          = 50
	onDemandShards   = 4    // that an on-demand stream starts with
	maxListedStreams = 100  // of one ListStreams
	maxListedShards  = 1000 // of one ListShards
	maxDescribed     = 100  // shards of one DescribeStream

	// maxConsumers of a stream, whatever the quotas are: they are read in one piece, each up to 20 KiB with tags.
	maxConsumers = 1000
)

// Quotas of an account in a region, and of a shard. They are multiplied by Quotas.
//
// Source: as above; the shard limits of the smaller regions are 1,000 or 6,000.
const (
	shardWriteBytes   = 1 << 20 // a second, partition keys counted
	shardWriteRecords = 1000    // a second
	shardReads        = 5       // GetRecords a second
	shardReadBytes    = 2 << 20 // a second; a call may take 10 MiB, the next ones then wait

	shardLimitLarge     = 20_000
	shardLimitSmall     = 6000
	onDemandLimit       = 50
	consumerLimit       = 20       // registered consumers of a stream
	consumersCreating   = 5        // of a stream at once
	creatingLimit       = 5        // streams in CREATING at once
	warmLimitMiBps      = 10 << 10 // warm throughput of an on-demand stream
	shardLimitUnlimited = 1_000_000
)

// Quotas says how many of AWS's quotas apply: 1 as in AWS, N for N times as much, QuotasOff for none.
// The zero value means 1.
type Quotas float64

// QuotasOff lifts all quotas; limits of a single request stay.
const QuotasOff Quotas = -1

// ParseQuotas reads "aws", "off" or a positive number.
func ParseQuotas(s string) (Quotas, error) {
	switch s {
	case "", "aws":
		return 1, nil
	case "off":
		return QuotasOff, nil
	}
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0 && n <= 1e6) {
		return 0, fmt.Errorf("kinesis quotas %q: want aws, off, or how many times AWS's, up to 1000000", s)
	}
	return Quotas(n), nil
}

func (q Quotas) String() string {
	switch q {
	case 0, 1:
		return "aws"
	case QuotasOff:
		return "off"
	}
	return strconv.FormatFloat(float64(q), 'g', -1, 64)
}

func (q Quotas) withDefaults() Quotas {
	if q == 0 {
		return 1
	}
	return q
}

func (q Quotas) off() bool { return q < 0 }

// of multiplies a quota, up to what answers can say.
func (q Quotas) of(n int) int {
	if q.off() {
		return shardLimitUnlimited
	}
	return int(min(math.Ceil(float64(n)*float64(q)), shardLimitUnlimited))
}

// shards is how many open shards an account may have in a region.
func (q Quotas) shards(region string) int {
	switch region {
	case "us-east-1", "us-west-2", "eu-west-1":
		return q.of(shardLimitLarge)
	}
	return q.of(shardLimitSmall)
}

// bucket holds one second's worth at most, or one call where quotas are a fraction of AWS's.
type bucket struct{ quota.Bucket }

func (b *bucket) refill(seconds, rate float64) { b.Refill(seconds, rate, max(rate, 1)) }

// full is a bucket with a second's worth.
func full(rate float64) bucket { return bucket{quota.Bucket{Level: max(rate, 1)}} }

// meter counts the traffic of one shard on this node.
type meter struct {
	mu      sync.Mutex // guards what follows
	last    int64      // when the buckets were refilled, ns of a clock that only its differences are used of
	started bool
	bytes   bucket
	records bucket
	reads   bucket
	out     bucket

	traffic shardTraffic
}

// refill tops the buckets up; the caller holds mu.
func (m *meter) refill(now int64, q Quotas) {
	seconds := math.Inf(1) // full
	if m.started {
		if now == m.last {
			return
		}
		seconds = max(0, time.Duration(now-m.last).Seconds())
	}
	m.started, m.last = true, max(now, m.last)
	m.bytes.refill(seconds, shardWriteBytes*float64(q))
	m.records.refill(seconds, shardWriteRecords*float64(q))
	m.reads.refill(seconds, shardReads*float64(q))
	m.out.refill(seconds, shardReadBytes*float64(q))
}

// write admits one record of size bytes at now (ns). A record larger than a second's worth (10 MiB are
// allowed where a stream says so) needs a full bucket and empties the following seconds.
func (m *meter) write(now int64, size int, q Quotas) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refill(now, q)
	need := min(float64(size), shardWriteBytes*float64(q))
	if m.bytes.Level < need || m.records.Level < 1 {
		return false
	}
	m.bytes.Level -= float64(size)
	m.records.Level--
	return true
}

// read admits one GetRecords.
func (m *meter) read(now int64, q Quotas) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refill(now, q)
	if m.reads.Level < 1 || m.out.Level <= 0 {
		return false
	}
	m.reads.Level--
	return true
}

// sent counts what a GetRecords answered.
func (m *meter) sent(size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out.Level -= float64(size)
}

// operationRates are calls a second, of an account in a region or of a stream.
//
// Source: API reference, one sentence in each operation (read 2026-11).
var operationRates = map[string]float64{
	"CreateStream":                           5,
	"DeleteStream":                           5,
	"DescribeLimits":                         1,
	"DescribeStream":                         10,
	"DescribeStreamSummary":                  20,
	"ListStreams":                            5,
	"ListShards":                             1000,
	"ListTagsForStream":                      5,
	"AddTagsToStream":                        5,
	"RemoveTagsFromStream":                   5,
	"IncreaseStreamRetentionPeriod":          5,
	"DecreaseStreamRetentionPeriod":          5,
	"GetShardIterator":                       5,
	"RegisterStreamConsumer":                 5,
	"DeregisterStreamConsumer":               5,
	"ListStreamConsumers":                    5,
	"DescribeStreamConsumer":                 20,
	"SplitShard":                             5,
	"MergeShards":                            5,
	"UpdateShardCount":                       10,
	"UpdateStreamMode":                       5,
	"UpdateMaxRecordSize":                    5,
	"DescribeAccountSettings":                5,
	"UpdateAccountSettings":                  5,
	"UpdateStreamWarmThroughput":             5,
	"UpdateStreamRecordDistributionStrategy": 5, // none is published
	"StartStreamEncryption":                  5, // of these two none is published
	"StopStreamEncryption":                   5,
	"EnableEnhancedMonitoring":               5,
	"DisableEnhancedMonitoring":              5,
	"TagResource":                            5,
	"UntagResource":                          5,
	"ListTagsForResource":                    5,
	"PutResourcePolicy":                      5, // of these three none is published
	"GetResourcePolicy":                      5,
	"DeleteResourcePolicy":                   5,
}

// accountRates are the operations whose calls AWS counts by account; the others by stream.
var accountRates = map[string]bool{
	"CreateStream": true, "DeleteStream": true, "DescribeLimits": true, "DescribeStream": true,
	"DescribeStreamSummary": true, "ListStreams": true, "SplitShard": true, "MergeShards": true,
	"UpdateShardCount": true, "UpdateStreamMode": true, "UpdateMaxRecordSize": true, "DescribeAccountSettings": true,
	"EnableEnhancedMonitoring": true, "DisableEnhancedMonitoring": true,
	"UpdateAccountSettings": true, "UpdateStreamWarmThroughput": true, "UpdateStreamRecordDistributionStrategy": true,
}

// maxRates bounds the memory of rates. When it is reached, the counts begin anew: calls get one second
// for free.
const maxRates = 10_000

// rates counts calls of control-plane operations on this node.
type rates struct {
	mu    sync.Mutex // guards calls
	calls map[rateKey]*rate
}

type rateKey struct {
	operation string
	place     place
	shard     int32
}

type rate struct {
	bucket
	last int64
}

// admit counts one call at now (ns).
func (r *rates) admit(k rateKey, now int64, q Quotas) bool {
	if q.off() {
		return true
	}
	perSecond := operationRates[k.operation] * float64(q)
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.calls[k]
	if c == nil {
		if r.calls == nil || len(r.calls) >= maxRates {
			r.calls = map[rateKey]*rate{}
		}
		c = &rate{bucket: full(perSecond), last: now}
		r.calls[k] = c
	}
	c.refill(max(0, time.Duration(now-c.last).Seconds()), perSecond)
	c.last = max(c.last, now)
	if c.Level < 1 {
		return false
	}
	c.Level--
	return true
}
