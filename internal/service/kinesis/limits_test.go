package kinesis

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/storetest"
)

const rateText = "Rate exceeded for shard shardId-000000000000 in stream s under account 000000000000."

// inBubble runs fn with a service whose quotas are AWS's, in simulated time.
func inBubble(t *testing.T, q Quotas, fn func(t *testing.T, c *caller)) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), func(o *Options) { o.Quotas = q })
		fn(t, c)
		_ = c.svc.Close()
	})
}

// putMany puts n records of size bytes, key counted, and returns how many were refused for the rate.
func (c *caller) putMany(n, size int) (refused int) {
	c.t.Helper()
	in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
	for range n {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: new("key"), Data: make([]byte, size-3)})
	}
	out, err := c.svc.PutRecords(c.ctx(), in)
	if err != nil {
		c.t.Fatalf("PutRecords of %d x %d: %v", n, size, err)
	}
	for _, e := range out.Records {
		if e.ErrorCode == nil {
			continue
		}
		refused++
		if *e.ErrorCode != codeThroughput || *e.ErrorMessage != rateText || e.SequenceNumber != nil || e.ShardId != nil {
			c.t.Errorf("refused entry: %s %s %v %v", *e.ErrorCode, *e.ErrorMessage, e.SequenceNumber, e.ShardId)
		}
	}
	if int(*out.FailedRecordCount) != refused {
		c.t.Errorf("FailedRecordCount %d, %d entries carry an error", *out.FailedRecordCount, refused)
	}
	return refused
}

func (c *caller) wantRefused(n, size, want int) {
	c.t.Helper()
	if got := c.putMany(n, size); got != want {
		c.t.Errorf("%d records of %d bytes: %d refused, want %d", n, size, got, want)
	}
}

func TestShardTakesAThousandRecordsASecond(t *testing.T) {
	inBubble(t, 1, func(_ *testing.T, c *caller) {
		c.create("s", 1)
		c.wantRefused(500, 10, 0)
		c.wantRefused(500, 10, 0)
		c.wantRefused(500, 10, 500)
		time.Sleep(100 * time.Millisecond)
		c.wantRefused(101, 10, 1)
		time.Sleep(time.Hour)
		c.wantRefused(500, 10, 0)
		c.wantRefused(500, 10, 0)
		c.wantRefused(1, 10, 1)
	})
}

func TestShardTakesAMebibyteASecondWithKeys(t *testing.T) {
	inBubble(t, 1, func(_ *testing.T, c *caller) {
		c.create("s", 1)
		c.wantRefused(16, 64<<10, 0)
		c.wantRefused(1, 10, 1)
		time.Sleep(500 * time.Millisecond)
		c.wantRefused(9, 64<<10, 1)
	})
}

func TestQuotasAreMultiplied(t *testing.T) {
	inBubble(t, 2, func(_ *testing.T, c *caller) {
		c.create("s", 1)
		c.wantRefused(32, 64<<10, 0)
		c.wantRefused(1, 10, 1)
	})
	inBubble(t, QuotasOff, func(_ *testing.T, c *caller) {
		c.create("s", 1)
		for range 10 {
			c.wantRefused(100, 64<<10, 0)
		}
	})
}

func TestPutRecordOverTheQuotaIsRefused(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, c *caller) {
		c.create("s", 1)
		c.wantRefused(16, 64<<10, 0)
		_, err := c.svc.PutRecord(c.ctx(), &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: new("a"), Data: []byte("b")})
		wantError(t, err, codeThroughput, rateText)
	})
}

func TestReaderPausesAfterALargeAnswer(t *testing.T) {
	inBubble(t, 1, func(t *testing.T, c *caller) {
		c.create("s", 1)
		for range 11 {
			c.wantRefused(16, 64<<10, 0)
			time.Sleep(time.Second)
		}
		it := c.oldest("s", "shardId-000000000000")
		out := c.get(it, 0)
		if len(out.Records) != 160 || *out.MillisBehindLatest == 0 {
			t.Errorf("first page: %d records, %d ms behind, want 10 MiB of 160", len(out.Records), *out.MillisBehindLatest)
		}
		in := &kinesisapi.GetRecordsInput{ShardIterator: *out.NextShardIterator}
		_, err := c.svc.GetRecords(c.ctx(), in)
		wantError(t, err, codeThroughput, rateText)
		time.Sleep(3900 * time.Millisecond)
		_, err = c.svc.GetRecords(c.ctx(), in)
		wantError(t, err, codeThroughput, rateText)
		time.Sleep(200 * time.Millisecond)
		if out := c.get(*out.NextShardIterator, 0); len(out.Records) != 16 || *out.MillisBehindLatest != 0 {
			t.Errorf("second page: %d records, %d ms behind", len(out.Records), *out.MillisBehindLatest)
		}
	})
}

func TestSizesAreChecked(t *testing.T) {
	c := start(t)
	c.create("s", 1)
	if _, err := c.svc.CreateStream(c.ctx(), &kinesisapi.CreateStreamInput{StreamName: "large", ShardCount: new(int32(1)), MaxRecordSizeInKiB: new(int32(10_240))}); err != nil {
		t.Fatal(err)
	}
	c.await("large", kinesisapi.StreamStatusActive)
	entry := func(key, data int) kinesisapi.PutRecordsRequestEntry {
		return kinesisapi.PutRecordsRequestEntry{PartitionKey: new(strings.Repeat("k", key)), Data: make([]byte, data)}
	}
	for _, tc := range []struct {
		name, stream  string
		records       []kinesisapi.PutRecordsRequestEntry
		code, message string
	}{
		{"1 MiB with its key", "s", []kinesisapi.PutRecordsRequestEntry{entry(256, 1<<20-256)}, "", ""},
		{
			"1 MiB and a byte with its key", "s",
			[]kinesisapi.PutRecordsRequestEntry{entry(256, 1<<20-255)},
			"ValidationException",
			"1 validation error detected: Value at 'records.1.member.data' failed to satisfy constraint: Member must have length less than or equal to 1048576",
		},
		{
			"1 MiB and a byte", "s",
			[]kinesisapi.PutRecordsRequestEntry{entry(1, 1), entry(1, 1<<20+1)},
			"ValidationException",
			"1 validation error detected: Value at 'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to 1048576",
		},
		{"10 MiB in all", "s", append(slicesRepeat(entry(0, 1<<20), 9), entry(1, 1<<20-1)), "", ""},
		{"10 MiB and a byte in all", "s", append(slicesRepeat(entry(0, 1<<20), 9), entry(1, 1<<20)), "InvalidArgumentException", "Records size exceeds 10 MB limit"},
		{"10 MiB in one", "large", []kinesisapi.PutRecordsRequestEntry{entry(0, 10<<20)}, "", ""},
	} {
		out, err := c.svc.PutRecords(c.ctx(), &kinesisapi.PutRecordsInput{StreamName: &tc.stream, Records: tc.records})
		if tc.code != "" {
			wantError(t, err, tc.code, tc.message)
		} else if err != nil || *out.FailedRecordCount != 0 {
			t.Errorf("%s: got %+v, %v", tc.name, out, err)
		}
	}
	if out := c.get(c.oldest("large", "shardId-000000000000"), 0); len(out.Records) != 1 || !bytes.Equal(out.Records[0].Data, make([]byte, 10<<20)) {
		t.Errorf("the record of 10 MiB: got %d records", len(out.Records))
	}
	if c.svc.Metrics().RecordsSkipped != 0 {
		t.Errorf("%d records were skipped", c.svc.Metrics().RecordsSkipped)
	}
}

func slicesRepeat(e kinesisapi.PutRecordsRequestEntry, n int) []kinesisapi.PutRecordsRequestEntry {
	var all []kinesisapi.PutRecordsRequestEntry
	for range n {
		all = append(all, e)
	}
	return all
}

func TestPageEndsAtTenThousandRecords(t *testing.T) {
	c := start(t)
	c.create("s", 1)
	for range 21 {
		c.wantRefused(500, 4, 0)
	}
	out := c.get(c.oldest("s", "shardId-000000000000"), 0)
	if len(out.Records) != 10_000 || *out.MillisBehindLatest < 1 {
		t.Errorf("first page: %d records, %d ms behind", len(out.Records), *out.MillisBehindLatest)
	}
	out = c.get(*out.NextShardIterator, 0)
	if len(out.Records) != 500 || *out.MillisBehindLatest != 0 {
		t.Errorf("second page: %d records, %d ms behind", len(out.Records), *out.MillisBehindLatest)
	}
}

func TestQuotasAreParsed(t *testing.T) {
	for in, want := range map[string]Quotas{"aws": 1, "": 1, "off": QuotasOff, "10": 10, "0.5": 0.5} {
		got, err := ParseQuotas(in)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
		if again, err := ParseQuotas(got.String()); err != nil || again != want {
			t.Errorf("%q: written as %q and read as %v, %v", in, got, again, err)
		}
	}
	for _, in := range []string{"0", "-1", "many", "NaN", "Inf", "1e9"} {
		if got, err := ParseQuotas(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestRatesOfManyStreamsStayBounded(t *testing.T) {
	var r rates
	for i := range 3 * maxRates {
		if !r.admit(rateKey{operation: "ListShards", place: place{stream: fmt.Sprint(i)}}, 0, 1) {
			t.Fatalf("first call of stream %d was refused", i)
		}
	}
	if len(r.calls) > maxRates {
		t.Errorf("%d counts in memory, at most %d", len(r.calls), maxRates)
	}
}

func TestOperationsCountedByAccountHaveARate(t *testing.T) {
	for name := range accountRates {
		if operationRates[name] <= 0 {
			t.Errorf("%s has no rate: every call of it would be refused", name)
		}
	}
}
