package kinesis

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/fault"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

func (c *caller) startEncryption(stream, key string) error {
	_, err := c.svc.StartStreamEncryption(c.ctx(), &kinesisapi.StartStreamEncryptionInput{StreamName: &stream, EncryptionType: encryptionKMS, KeyId: key})
	return err
}

func (c *caller) stopEncryption(stream, key string) error {
	_, err := c.svc.StopStreamEncryption(c.ctx(), &kinesisapi.StopStreamEncryptionInput{StreamName: &stream, EncryptionType: encryptionKMS, KeyId: key})
	return err
}

// encrypt starts encryption and waits until the stream is active.
func (c *caller) encrypt(stream string) {
	c.t.Helper()
	if err := c.startEncryption(stream, "alias/aws/kinesis"); err != nil {
		c.t.Fatalf("StartStreamEncryption: %v", err)
	}
	c.await(stream, kinesisapi.StreamStatusActive)
}

// dataKey is the one that a stream is sealed under now.
func (c *caller) dataKey(stream string) uint64 {
	c.t.Helper()
	st, err := c.svc.fetch(c.ctx(), place{c.account, c.region, stream})
	if err != nil {
		c.t.Fatal(err)
	}
	return st.encryption.dataKey
}

func TestFormsOfKMSKeys(t *testing.T) {
	const id = "12345678-1234-1234-1234-123456789abC"
	for _, good := range []string{
		id, "alias/aws/kinesis", "alias/My_Alias-1", "mrk-0123456789abcdef0123456789abcdef",
		"arn:aws:kms:us-east-1:123456789012:key/" + id, "arn:aws-cn:kms:cn-north-1:123456789012:alias/x",
		"arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef",
	} {
		if err := checkEncryption(encryptionKMS, good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"k", "alias/", "alias/a b", "Alias/x", id + "0", id[1:], "aws/kinesis", "key/" + id, " " + id, id + "\n",
		"arn:aws:kms:us-east-1:12345678901:key/" + id, "arn:aws:kms:us-east-1:123456789012:key/x", "arn:aws:iam:us-east-1:123456789012:key/" + id,
		"arn:aws:kms:us-east-1:123456789012:" + id,
	} {
		if err := checkEncryption(encryptionKMS, bad); !errors.Is(err, kinesisapi.InvalidArgumentException("")) {
			t.Errorf("%q: got %v, want InvalidArgumentException", bad, err)
		}
	}
}

// TestEncryptedRecordsAreInNoFileAndReadableForEver: after Stop, another Start, a stop of the store and a crash.
func TestEncryptedRecordsAreInNoFileAndReadableForEver(t *testing.T) {
	fs := fault.NewTorn()
	open := func(fs vfs.FS) *embedded.Store {
		st, err := embedded.Open(embedded.Options{Dir: "data", FS: fs, BallastBytes: -1, RootKey: storetest.RootKey, Fatal: func(error) {}})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := open(fs)
	c := startOn(t, st, nil)
	c.create("s", 1)
	var want []string
	put := func(text string, kms bool) {
		t.Helper()
		if got := c.put("s", "k", text).EncryptionType != nil; got != kms {
			t.Errorf("PutRecord %q: encrypted %v, want %v", text, got, kms)
		}
		want = append(want, text)
	}
	check := func(when string) {
		t.Helper()
		var got []string
		for _, r := range c.get(c.oldest("s", shardID(0)), 0).Records {
			got = append(got, string(r.Data))
			if kms := r.EncryptionType != nil && *r.EncryptionType == kinesisapi.EncryptionTypeKms; kms != strings.HasPrefix(string(r.Data), "secret") {
				t.Errorf("%s: %q is shown encrypted: %v", when, r.Data, kms)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	put("public 1", false)
	c.encrypt("s")
	put("secret 2", true)
	first := c.dataKey("s")
	c.encrypt("s")
	if again := c.dataKey("s"); again == first || again == 0 {
		t.Errorf("data key after another start: %d, was %d", again, first)
	}
	put("secret 3", true)
	if err := c.stopEncryption("s", "alias/aws/kinesis"); err != nil {
		t.Fatal(err)
	}
	c.await("s", kinesisapi.StreamStatusActive)
	put("public 4", false)
	check("before the crash")
	left := fs.Crash(rand.New(rand.NewPCG(1, 1)))
	if err := errors.Join(c.svc.Close(), st.Close()); err != nil {
		t.Fatal(err)
	}
	for _, disk := range []*fault.TornFS{fs, left} {
		st := open(disk)
		c = startOn(t, st, nil)
		check("opened again")
		if err := errors.Join(c.svc.Close(), st.Close()); err != nil {
			t.Fatal(err)
		}
		secret, public := 0, 0
		for _, dir := range []string{"journal", "keys", "segments"} {
			names, err := disk.List("data/" + dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				b := readFile(t, disk, "data/"+dir+"/"+name)
				secret += bytes.Count(b, []byte("secret"))
				public += bytes.Count(b, []byte("public"))
			}
		}
		if secret > 0 || public < 2 {
			t.Errorf("in the files: %d words that were encrypted, %d that were not; want none, and 2 at least", secret, public)
		}
	}
}

func readFile(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEncryptionIsStartedAndStopped25TimesADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), func(o *Options) { o.Quotas = 1 })
		c.create("s", 1)
		change := func(what func(stream, key string) error) error {
			time.Sleep(time.Second)
			return what("s", "alias/k")
		}
		if err := change(c.stopEncryption); err != nil { // of a stream that is not encrypted does not count
			t.Fatal(err)
		}
		for i := range 25 {
			if err := errors.Join(change(c.startEncryption), change(c.stopEncryption)); err != nil {
				t.Fatalf("change %d: %v", i, err)
			}
		}
		wantError(t, change(c.startEncryption), "LimitExceededException",
			"The encryption of stream s under account 000000000000 cannot be started more than 25 times in a rolling 24 hour period.")
		if err := change(c.stopEncryption); err != nil {
			t.Errorf("stop while it is stopped: %v", err)
		}
		time.Sleep(24 * time.Hour)
		for i := range 25 {
			if err := errors.Join(change(c.startEncryption), change(c.stopEncryption)); err != nil {
				t.Fatalf("change %d of the next day: %v", i, err)
			}
		}
		_ = c.svc.Close()
	})
}

func TestDataKeyIsReplacedAfterADayOfUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), nil)
		c.create("used", 2)
		c.create("idle", 1)
		c.create("plain", 1)
		c.put("used", "k", "before")
		c.put("idle", "k", "before")
		c.encrypt("used")
		c.encrypt("idle")
		used, idle := c.dataKey("used"), c.dataKey("idle")
		c.put("used", "k", "sealed")
		c.put("plain", "k", "plain")
		c.get(c.oldest("idle", shardID(0)), 0) // so that it is in memory
		time.Sleep(23 * time.Hour)
		if got := c.dataKey("used"); got != used {
			t.Errorf("after 23 hours: data key %d, want %d", got, used)
		}
		time.Sleep(2 * time.Hour)
		next := c.dataKey("used")
		if next == used || next == 0 {
			t.Errorf("after 25 hours: data key %d, was %d", next, used)
		}
		if got := c.dataKey("idle"); got != idle {
			t.Errorf("of a stream that was not written to: data key %d, want %d", got, idle)
		}
		if got := c.dataKey("plain"); got != 0 {
			t.Errorf("of a stream that is not encrypted: data key %d", got)
		}
		c.put("used", "k", "sealed again")
		out, err := c.svc.DescribeStreamSummary(c.ctx(), &kinesisapi.DescribeStreamSummaryInput{StreamName: new("used")})
		if err != nil || *out.StreamDescriptionSummary.KeyId != "alias/aws/kinesis" || out.StreamDescriptionSummary.StreamStatus != kinesisapi.StreamStatusActive {
			t.Errorf("after the change: %+v, %v; want the KMS key as it was, and ACTIVE", out, err)
		}
		time.Sleep(25 * time.Hour)
		if got := c.dataKey("used"); got == next {
			t.Errorf("after another day: still data key %d", got)
		}
		_ = c.svc.Close()
	})
}

func TestDataKeyIsReplacedAfterManyRecords(t *testing.T) {
	c := start(t)
	c.create("s", 2)
	for range 10 {
		c.put("s", "k", "before")
	}
	c.encrypt("s")
	key := c.dataKey("s")
	for range 4 {
		c.put("s", "k", "sealed")
	}
	for _, x := range []struct {
		most    uint64
		changed bool
	}{{5, false}, {4, true}, {1, false}} {
		if err := c.svc.replaceKeys(t.Context(), x.most); err != nil {
			t.Fatal(err)
		}
		now := c.dataKey("s")
		if (now != key) != x.changed {
			t.Errorf("4 records of at most %d: data key %d, was %d", x.most, now, key)
		}
		key = now
		c.get(c.oldest("s", shardID(0)), 0) // the copy in memory is the present one
	}
}

func TestDataKeyOfAStreamThatOnlyKafkaWritesToIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), nil)
		c.create("s", 1)
		c.encrypt("s")
		key := c.dataKey("s")
		c.put("s", "k", "sealed")
		_ = c.svc.Close()
		time.Sleep(25 * time.Hour)
		c = startOn(t, c.svc.store, nil) // whose clients do not ask for the stream
		time.Sleep(2 * keysEvery)
		if got := c.dataKey("s"); got == key {
			t.Errorf("data key %d is a day old and was used", got)
		}
		_ = c.svc.Close()
	})
}

// TestRecordsOfForgottenShardsDoNotHideOthers: they count in the base and not any more in the sum.
func TestRecordsOfForgottenShardsDoNotHideOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), nil)
		c.create("s", 1)
		for range 20 {
			c.put("s", "k", "before")
		}
		c.encrypt("s")
		key := c.dataKey("s")
		if _, err := c.svc.SplitShard(c.ctx(), &kinesisapi.SplitShardInput{
			StreamName: new("s"), ShardToSplit: shardID(0), NewStartingHashKey: hashKey{1 << 63, 0}.String(),
		}); err != nil {
			t.Fatal(err)
		}
		c.await("s", kinesisapi.StreamStatusActive)
		_ = c.svc.Close() // nobody looks while the parent is forgotten
		time.Sleep(72 * time.Hour)
		c = startOn(t, c.svc.store, nil)
		time.Sleep(time.Second)
		c.put("s", "k", "sealed")
		time.Sleep(2 * keysEvery)
		if got := c.dataKey("s"); got == key {
			t.Errorf("data key %d is three days old and was used", got)
		}
		_ = c.svc.Close()
	})
}

func TestEncryptionWithoutARootKeyFails(t *testing.T) {
	c := startOn(t, storetest.NewModel(), func(o *Options) { o.RootKey = nil })
	c.create("s", 1)
	if e := api.AsError(c.startEncryption("s", "alias/k")); e == nil || e.Code != "InternalFailure" {
		t.Errorf("got %v, want InternalFailure", e)
	}
	c.put("s", "k", "plain")
}

// TestPushedRecordsSayHowTheyWereWritten reads a subscription's first event.
func TestPushedRecordsSayHowTheyWereWritten(t *testing.T) {
	c := start(t)
	c.create("s", 1)
	c.put("s", "k", "plain")
	c.encrypt("s")
	c.put("s", "k", "sealed")
	registered, err := c.svc.RegisterStreamConsumer(c.ctx(), &kinesisapi.RegisterStreamConsumerInput{
		StreamARN: place{c.account, c.region, "s"}.arn(), ConsumerName: "c",
	})
	if err != nil {
		t.Fatal(err)
	}
	var out *kinesisapi.SubscribeToShardOutput
	for out == nil {
		out, err = c.svc.SubscribeToShard(c.ctx(), &kinesisapi.SubscribeToShardInput{
			ConsumerARN: registered.Consumer.ConsumerARN, ShardId: shardID(0),
			StartingPosition: &kinesisapi.StartingPosition{Type: kinesisapi.ShardIteratorTypeTrimHorizon},
		})
		if err != nil && !errors.Is(err, kinesisapi.ResourceInUseException("")) { // it is being made
			t.Fatal(err)
		}
	}
	var got []bool
	for e, err := range out.EventStream {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range e.SubscribeToShardEvent.Records {
			got = append(got, r.EncryptionType != nil)
		}
		if len(got) >= 2 {
			break
		}
	}
	if !slices.Equal(got, []bool{false, true}) {
		t.Errorf("encrypted: got %v, want false, true", got)
	}
}
