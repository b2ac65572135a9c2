package cloudwatch

import (
	"bytes"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/internal/api/cloudwatchapi"
)

// workers is how many wait for the clock: one counts, one writes.
const workers = 2

// held gives the bytes that are counted, and counts what the metrics take anew.
func (d *data) held() (counted, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ms := range d.places {
		for _, m := range ms.byKey {
			n += m.size()
			for _, s := range m.series {
				n += seriesSize
				for i := range s.tiers {
					for _, c := range s.tiers[i] {
						n += c.size()
					}
				}
			}
		}
	}
	return d.bytes, n
}

func TestMemoryStaysWithinItsBudget(t *testing.T) {
	var log bytes.Buffer
	c := start(t, func(o *Options) {
		o.MaxBytes = 256 << 10
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	})
	for minute := range 600 {
		for i := range 5 {
			c.put("n", c.value(fmt.Sprint("m", i), float64(minute), 0))
		}
		c.clock.Set(noon.Add(time.Duration(minute) * time.Minute))
		if counted, held := c.svc.data.held(); counted > c.svc.data.budget || counted != held {
			t.Fatalf("after %d minutes: %d bytes are counted, %d held, budget %d", minute, counted, held, c.svc.data.budget)
		}
	}
	c.svc.data.mu.Lock() // it is logged under it
	said := log.String()
	c.svc.data.mu.Unlock()
	if n := strings.Count(said, "metrics need more"); n != 1 {
		t.Errorf("said %d times: %s", n, said)
	}
	if got := c.statistics("m0", 5*time.Minute, 60, "Sum"); len(got) == 0 {
		t.Error("the newest points are gone")
	}
	for i := range 2000 {
		c.put("n", c.value(fmt.Sprint("many", i), 1, 0))
	}
	if counted, held := c.svc.data.held(); counted > c.svc.data.budget || counted != held {
		t.Errorf("many metrics: %d bytes are counted, %d held, budget %d", counted, held, c.svc.data.budget)
	}
	if got := c.statistics("many1999", time.Minute, 60, "Sum"); len(got) != 1 {
		t.Error("the newest metric is gone")
	}
}

func TestPointsComeBackFromTheStore(t *testing.T) {
	c := start(t)
	for i := range 300 {
		c.put("n", c.value("m", float64(i), time.Duration(i)*time.Minute), c.value("m", float64(3*i), time.Duration(i)*time.Minute))
	}
	c.put("n", cloudwatchapi.MetricDatum{MetricName: "set", StatisticValues: &cloudwatchapi.StatisticSet{SampleCount: 4, Sum: 10, Minimum: 1, Maximum: 5}})
	ask := func(c *caller) []cloudwatchapi.Datapoint {
		return append(append(c.statistics("m", 6*time.Hour, 300, "p90", "p50"), c.statistics("m", 6*time.Hour, 60, "Sum", "Maximum")...),
			c.statistics("set", time.Hour, 60, "SampleCount", "Sum", "Minimum", "Maximum")...)
	}
	want := ask(c)
	if err := c.svc.Close(); err != nil {
		t.Fatal(err)
	}
	again := startOn(t, c.store, noon)
	if got := ask(again); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	again.clock.Advance(500 * 24 * time.Hour)
	again.svc.data.sweep(again.clock.Now().Unix())
	if err := again.svc.Close(); err != nil {
		t.Fatal(err)
	}
	last := startOn(t, c.store, noon)
	got := ask(last)
	if counted, _ := last.svc.data.held(); counted != 0 || len(got) != 0 {
		t.Errorf("what was dropped is there again: %d bytes", counted)
	}
}

func TestSourcesAreAskedEachMinute(t *testing.T) {
	asked := make(chan struct{}, 10)
	source := func() iter.Seq[Sample] {
		asked <- struct{}{}
		return func(yield func(Sample) bool) {
			yield(Sample{Account: "000000000000", Region: "us-east-1", Namespace: "n", Name: "m", Unit: "Count", Count: 2, Sum: 6, Min: 2, Max: 4})
		}
	}
	c := start(t, func(o *Options) { o.Sources = []Source{source} })
	if _, err := c.svc.ready(c.ctx()); err != nil {
		t.Fatal(err)
	}
	if err := c.clock.Await(t.Context(), workers); err != nil {
		t.Fatal(err)
	}
	c.clock.Advance(time.Minute)
	<-asked
	if err := c.clock.Await(t.Context(), workers); err != nil { // sleeps again: the samples are in
		t.Fatal(err)
	}
	got := c.statistics("m", time.Minute, 60, "SampleCount", "Sum", "Maximum")
	if len(got) != 1 || *got[0].SampleCount != 2 || *got[0].Sum != 6 || *got[0].Maximum != 4 || *got[0].Unit != "Count" || !got[0].Timestamp.Equal(noon) {
		t.Errorf("got %+v, want one of 12:00", got)
	}
}

func TestFlushGoesToTheStoreEveryFiveMinutes(t *testing.T) {
	c := start(t)
	c.put("n", c.value("m", 1, 0))
	for range 5 {
		if err := c.clock.Await(t.Context(), workers); err != nil {
			t.Fatal(err)
		}
		c.clock.Advance(time.Minute)
	}
	if err := c.clock.Await(t.Context(), workers); err != nil {
		t.Fatal(err)
	}
	other := startOn(t, c.store, noon.Add(5*time.Minute)) // as after a crash of the first
	if out := other.list(&cloudwatchapi.ListMetricsInput{}); len(out.Metrics) != 1 {
		t.Errorf("got %+v", out.Metrics)
	}
}

func TestKeysOfMetricsAreTheirs(t *testing.T) {
	a := newIdentity("n", "m", []Dimension{{"b", "2"}, {"a", "1"}})
	b := newIdentity("n", "m", []Dimension{{"a", "1"}, {"b", "2"}})
	if a.key() != b.key() {
		t.Error("the order of dimensions tells metrics apart")
	}
	for _, x := range []identity{
		newIdentity("n\x00\x00", "m", nil), newIdentity("n", "\x00\x00m", nil), newIdentity("n", "m", nil),
		newIdentity("n", "m", []Dimension{{"a\x00", "1"}}), newIdentity("n", "m", []Dimension{{"a", "\x001"}}),
	} {
		for _, y := range []identity{newIdentity("n\x00", "\x00m", nil), newIdentity("n", "m", []Dimension{{"a", "1"}}), newIdentity("nm", "", nil)} {
			if x.key() == y.key() {
				t.Errorf("%q and %q have one key", x, y)
			}
		}
	}
}

func FuzzStoredValues(f *testing.F) {
	c := chunk{start: 7200, points: []point{{at: 7200, summary: of(1)}, {at: 7260, summary: ofWeights([]weight{{1, 2}, {3, 1}})}}}
	f.Add(c.encode(&tiers[1]))
	m := metric{place: place{"a", "r"}, identity: newIdentity("n", "m", []Dimension{{"d", "v"}})}
	f.Add(m.encode())
	f.Fuzz(func(t *testing.T, v []byte) {
		if c, err := decodeChunk(v, &tiers[1], 7200); err == nil && !bytes.Equal(c.encode(&tiers[1]), v) {
			again, err := decodeChunk(c.encode(&tiers[1]), &tiers[1], 7200)
			if err != nil || len(again.points) != len(c.points) {
				t.Errorf("chunk %x came back as %+v, %v", v, again, err)
			}
		}
		if m, err := decodeMetric(v); err == nil && !bytes.Equal(m.encode(), v) {
			t.Errorf("metric %x was written as %x", v, m.encode())
		}
	})
}
