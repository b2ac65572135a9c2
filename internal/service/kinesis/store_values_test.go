package kinesis

import (
	"bytes"
	"slices"
	"testing"

	"millrace/internal/core/catalog"
)

func testShard() shard {
	return shard{
		start: hashKey{1, 2}, end: hashKey{3, 4}, created: 5, parent: 6, adjacent: noShard,
		closed: true, closedMS: 7, lastAppend: 8,
	}
}

// Golden values: what stands in stores must be read for ever.
func TestValuesAreWrittenAsDocumented(t *testing.T) {
	sh := testShard()
	for _, c := range []struct {
		name      string
		got, want []byte
	}{
		{
			"settings", encodeSettings(&settings{mode: modeOnDemand, auto: true, retentionHours: 24, maxRecordKiB: 1024, warmMiBps: 9}),
			[]byte("\x01\x02\x01" + "\x00\x00\x00\x18" + "\x00\x00\x04\x00" + "\x00\x00\x00\x09"),
		},
		{
			"settings of a stream deleted while it was made", encodeSettings(&settings{mode: modeProvisioned, unborn: true, retentionHours: 24, maxRecordKiB: 1024}),
			[]byte("\x01\x01\x02" + "\x00\x00\x00\x18" + "\x00\x00\x04\x00" + "\x00\x00\x00\x00"),
		},
		{"shard", encodeShard(&sh), []byte("\x01\x01" +
			"\x00\x00\x00\x00\x00\x00\x00\x01" + "\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x03" + "\x00\x00\x00\x00\x00\x00\x00\x04" +
			"\x00\x00\x00\x00\x00\x00\x00\x05" + "\x00\x00\x00\x07" + "\x00\x00\x00\x00" +
			"\x00\x00\x00\x00\x00\x00\x00\x07" + "\x00\x00\x00\x00\x00\x00\x00\x08")},
		{"tags", encodeTags([]tag{{"a", "b"}, {"k", ""}}), []byte("\x01\x00\x01a\x00\x01b\x00\x01k\x00\x00")},
		{
			"consumer", encodeConsumer(&consumer{name: "c", state: catalog.StateCreating, created: 5, due: 7}),
			[]byte("\x01\x02" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x00\x00\x00\x00\x00\x00\x00\x07"),
		},
		{
			"consumer with tags", encodeConsumer(&consumer{state: catalog.StateActive, tags: []tag{{"a", "b"}}}),
			[]byte("\x01\x01" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00\x01a\x00\x01b"),
		},
		{
			"encryption", encodeEncryption(&encryptionValue{encryption: encryption{keyID: "alias/k", made: 5, base: 6}, started: []int64{7, 8}, stopped: []int64{9}}),
			[]byte("\x01" + "\x00\x00\x00\x00\x00\x00\x00\x05" + "\x00\x00\x00\x00\x00\x00\x00\x06" +
				"\x02" + "\x00\x00\x00\x00\x00\x00\x00\x07" + "\x00\x00\x00\x00\x00\x00\x00\x08" + "\x01" + "\x00\x00\x00\x00\x00\x00\x00\x09" + "alias/k"),
		},
		{"usage key", usageKey(place{"000000000000", "us-east-1", "s"}), []byte("\x11\x01000000000000\x00us-east-1")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: got  %x\nwant %x", c.name, c.got, c.want)
		}
	}
	back, err := decodeShard(encodeShard(&sh))
	if err != nil || back != sh {
		t.Errorf("shard: got %+v, %v, want %+v", back, err, sh)
	}
}

func FuzzValues(f *testing.F) {
	sh := testShard()
	f.Add(encodeShard(&sh))
	f.Add(encodeSettings(&settings{mode: modeProvisioned}))
	f.Add(encodeTags([]tag{{"a", "b"}, {"k", ""}}))
	f.Add(encodeConsumer(&consumer{state: catalog.StateCreating, created: 5, due: 7, tags: []tag{{"a", "b"}}}))
	f.Add(encodeEncryption(&encryptionValue{encryption: encryption{keyID: "alias/k", made: 5, base: 6}, started: []int64{7, 8}, stopped: []int64{9}}))
	f.Add(append([]byte{usageVersion}, make([]byte, 24)...))
	f.Fuzz(func(t *testing.T, v []byte) {
		if s, err := decodeShard(v); err == nil {
			if back, err := decodeShard(encodeShard(&s)); err != nil || back != s {
				t.Fatalf("shard %x: read as %+v, then %+v, %v", v, s, back, err)
			}
		}
		if c, err := decodeSettings(v); err == nil {
			if back, err := decodeSettings(encodeSettings(&c)); err != nil || back != c {
				t.Fatalf("settings %x: read as %+v, then %+v, %v", v, c, back, err)
			}
		}
		if tags, err := decodeTags(v); err == nil {
			if again := encodeTags(tags); !bytes.Equal(again, v) || !slices.IsSortedFunc(tags, compareTags) {
				t.Fatalf("tags %x: read as %+v, written as %x", v, tags, again)
			}
		}
		if c, err := decodeConsumer("c", v); err == nil {
			back, err := decodeConsumer("c", encodeConsumer(&c))
			if err != nil || back.created != c.created || back.due != c.due || back.state != c.state || !slices.Equal(back.tags, c.tags) {
				t.Fatalf("consumer %x: read as %+v, then %+v, %v", v, c, back, err)
			}
		}
		if e, err := decodeEncryption(v); err == nil && !bytes.Equal(encodeEncryption(&e), v) {
			t.Fatalf("encryption %x: read as %+v, written as %x", v, e, encodeEncryption(&e))
		}
		_, _ = decodeUsage(v)
	})
}
