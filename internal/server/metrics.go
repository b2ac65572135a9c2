package server

import (
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"millrace/internal/core/store/embedded"
	"millrace/internal/service/kinesis"
)

// metrics are what /metrics tells. Labels come from fixed lists (services, operations, error codes), and of streams,
// consumers and shards package kinesis tells only so many apart.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	in, out  *prometheus.CounterVec
}

func newMetrics(store *embedded.Store) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_aws_requests_total", Help: "Requests by operation and error code; an empty code is success.",
		}, []string{"service", "operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "millrace_aws_request_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.0002, .0005, .001, .0025, .005, .01, .025, .05, .1, .5, 1, 5},
		}, []string{"service", "operation"}),
		in: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_aws_request_bytes_total", Help: "Bytes of request bodies.",
		}, []string{"service", "operation"}),
		out: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "millrace_aws_response_bytes_total", Help: "Bytes of answers' bodies.",
		}, []string{"service", "operation"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.in, m.out, &storeCollector{store},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) request(service, operation, code string, d time.Duration, in, out int) {
	m.requests.WithLabelValues(service, operation, code).Inc()
	m.seconds.WithLabelValues(service, operation).Observe(d.Seconds())
	m.in.WithLabelValues(service, operation).Add(float64(in))
	m.out.WithLabelValues(service, operation).Add(float64(out))
}

// storeCollector tells the store's counters when it is asked.
type storeCollector struct{ store *embedded.Store }

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("millrace_store_"+name, help, nil, nil)
}

var (
	descGroups   = desc("groups_total", "Groups committed: each is one sync.")
	descRequests = desc("group_requests_total", "Requests in groups.")
	descBatches  = desc("batches_total", "Record batches committed.")
	descKeys     = desc("key_changes_total", "Keys set or deleted.")
	descSync     = desc("sync_seconds", "Time to write a group to the journal and sync it.")
	descSize     = desc("group_bytes", "Bytes of a group in the journal.")
	descReads    = desc("reads_total", "Reads of partitions.")
	descRead     = desc("read_bytes_total", "Bytes of batches read.")
	descHits     = desc("tail_cache_hits_total", "Batches read from memory.")
	descMisses   = desc("tail_cache_misses_total", "Batches read from files.")
	descMoved    = desc("journal_files_moved_total", "Journal files rewritten into segments.")
	descAdopted  = desc("journal_files_adopted_total", "Journal files that became storage as they are.")
	descCompFrom = desc("compacted_bytes_total", "Bytes of batches that compaction has written again.")
	descCompTo   = desc("compacted_left_bytes_total", "Bytes that were left of them.")
	descUnmoved  = desc("journal_unmoved_bytes", "Journal that is not in segments yet.")
	descParts    = desc("partitions", "Partitions with batches.")
)

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descGroups, descRequests, descBatches, descKeys, descSync, descSize, descReads, descRead, descHits, descMisses,
		descMoved, descAdopted, descCompFrom, descCompTo, descUnmoved, descParts,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	n := c.store.Counters()
	for d, v := range map[*prometheus.Desc]int64{
		descGroups: n.Groups, descRequests: n.Requests, descBatches: n.Batches, descKeys: n.KeyChanges,
		descReads: n.Reads, descRead: n.ReadBytes, descHits: n.CacheHits, descMisses: n.CacheMisses,
		descMoved: n.MovedFiles, descAdopted: n.AdoptedFiles, descCompFrom: n.CompactedFrom, descCompTo: n.CompactedTo,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	ch <- prometheus.MustNewConstMetric(descUnmoved, prometheus.GaugeValue, float64(n.UnmovedBytes))
	ch <- prometheus.MustNewConstMetric(descParts, prometheus.GaugeValue, float64(n.Partitions))
	ch <- histogram(descSync, &n.SyncSeconds)
	ch <- histogram(descSize, &n.GroupBytes)
}

func histogram(d *prometheus.Desc, h *embedded.Histogram) prometheus.Metric {
	buckets := map[float64]uint64{}
	var total uint64
	for i, n := range h.Counts {
		total += uint64(n)
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = total
		}
	}
	return prometheus.MustNewConstHistogram(d, total, h.Sum, buckets)
}

// kinesisCollector tells the counts of Kinesis' data plane, and the metrics of CloudWatch's names.
type kinesisCollector struct {
	service *kinesis.Service
	descs   map[cloudWatchKey]*prometheus.Desc
}

// cloudWatchKey tells metrics apart: shards have some of the names of streams.
type cloudWatchKey struct {
	name  string
	level kinesis.Level
}

func newKinesisCollector(s *kinesis.Service) *kinesisCollector {
	c := &kinesisCollector{service: s, descs: map[cloudWatchKey]*prometheus.Desc{}}
	for _, m := range kinesis.CloudWatchMetrics() {
		help := m.Help + " CloudWatch: " + m.Name + "."
		c.descs[cloudWatchKey{m.Name, m.Level}] = prometheus.NewDesc("millrace_kinesis_"+cloudWatchName(&m), help, levelLabels[m.Level], nil)
	}
	return c
}

// levelLabels are the labels of each level, in the order of labelValues.
var levelLabels = map[kinesis.Level][]string{
	kinesis.LevelStream:   {"account", "region", "stream"},
	kinesis.LevelConsumer: {"account", "region", "stream", "consumer"},
	kinesis.LevelShard:    {"account", "region", "stream", "shard"},
}

func labelValues(s *kinesis.Series) []string {
	switch s.Metric.Level {
	case kinesis.LevelConsumer:
		return []string{s.Account, s.Region, s.Stream, s.Consumer}
	case kinesis.LevelShard:
		return []string{s.Account, s.Region, s.Stream, s.Shard}
	default:
		return []string{s.Account, s.Region, s.Stream}
	}
}

// cloudWatchName is the name of a metric as Prometheus writes names: words with underscores, seconds instead of
// milliseconds, _total behind sums.
func cloudWatchName(m *kinesis.Metric) string {
	var b strings.Builder
	if m.Level == kinesis.LevelShard {
		b.WriteString("shard_")
	}
	for i, r := range m.Name {
		switch {
		case r == '.':
			continue
		case unicode.IsUpper(r) && i > 0:
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	name := strings.ReplaceAll(strings.TrimSuffix(b.String(), "_milliseconds"), "_millis_", "_")
	if m.Kind == kinesis.KindSum {
		return name + "_total"
	}
	return name + "_seconds"
}

// collectSeries tells the metrics of CloudWatch's names.
func (c *kinesisCollector) collectSeries(ch chan<- prometheus.Metric) {
	const perMilli = 1e-3
	for s := range c.service.Series() {
		d, v, labels := c.descs[cloudWatchKey{s.Metric.Name, s.Metric.Level}], s.Value, labelValues(&s)
		switch s.Metric.Kind {
		case kinesis.KindTime:
			ch <- prometheus.MustNewConstSummary(d, v.Count, v.Sum*perMilli, nil, labels...)
		case kinesis.KindAge:
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v.Max*perMilli, labels...)
		case kinesis.KindSum:
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v.Sum, labels...)
		}
	}
}

func kinesisDesc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("millrace_kinesis_"+name, help, nil, nil)
}

var (
	descRecordsPut  = kinesisDesc("records_put_total", "Records stored by PutRecord and PutRecords.")
	descBytesPut    = kinesisDesc("put_bytes_total", "Bytes of their data and partition keys.")
	descRecordsRead = kinesisDesc("records_read_total", "Records answered to readers.")
	descBytesRead   = kinesisDesc("read_bytes_total", "Bytes of their data and partition keys.")
	descThrottled   = kinesisDesc("throttled_total", "Records and calls refused for a shard's rate.")
	descSkipped     = kinesisDesc("records_skipped_total", "Records that Kinesis readers cannot be shown.")
)

// Describe implements prometheus.Collector.
func (c *kinesisCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRecordsPut, descBytesPut, descRecordsRead, descBytesRead, descThrottled, descSkipped} {
		ch <- d
	}
	for _, d := range c.descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *kinesisCollector) Collect(ch chan<- prometheus.Metric) {
	n := c.service.Metrics()
	for d, v := range map[*prometheus.Desc]uint64{
		descRecordsPut: n.RecordsPut, descBytesPut: n.BytesPut, descRecordsRead: n.RecordsRead,
		descBytesRead: n.BytesRead, descThrottled: n.Throttled, descSkipped: n.RecordsSkipped,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	c.collectSeries(ch)
}
