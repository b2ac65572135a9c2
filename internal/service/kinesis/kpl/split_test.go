package kpl

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// Writers of what Split reads.

func bytesField(number int, b string) string {
	head := binary.AppendUvarint([]byte{byte(number<<3 | wireBytes)}, uint64(len(b)))
	return string(head) + b
}

func varintField(number int, v uint64) string {
	return string(binary.AppendUvarint([]byte{byte(number<<3 | wireVarint)}, v))
}

func record(key uint64, data string, more ...string) string {
	return bytesField(fieldRecord, varintField(fieldKeyIndex, key)+bytesField(fieldData, data)+strings.Join(more, ""))
}

func aggregate(message ...string) []byte {
	m := strings.Join(message, "")
	sum := md5.Sum([]byte(m))
	return []byte(magic + m + string(sum[:]))
}

// golden has two keys, a hash key, three records of which one has an explicit hash key and one two tags.
func golden() []byte {
	return aggregate(
		bytesField(fieldKey, "a"), bytesField(fieldKey, "clé"), bytesField(fieldHash, "12"),
		record(0, "one"),
		record(1, "", varintField(fieldHashIndex, 0)),
		record(1, "three", bytesField(fieldTag, bytesField(fieldTagKey, "k")+bytesField(fieldTagValue, "v")), bytesField(fieldTag, bytesField(fieldTagKey, ""))),
	)
}

// The bytes are written down so that the writers above cannot be wrong in the same way as the reader.
const goldenHex = "f3899ac2" +
	"0a0161" + "0a04636cc3a9" + "12023132" +
	"1a0708001a036f6e65" + "1a060801" + "1a00" + "1000" +
	"1a1508011a057468726565" + "22060a016b120176" + "22020a00"

func TestRecordsOfAnAggregateComeInOrder(t *testing.T) {
	data := golden()
	if got := hex.EncodeToString(data[:len(data)-md5.Size]); got != goldenHex {
		t.Fatalf("golden record: got %s, want %s", got, goldenHex)
	}
	got, err := Split(data)
	want := []Record{
		{PartitionKey: []byte("a"), Data: []byte("one")},
		{PartitionKey: []byte("clé"), ExplicitHashKey: []byte("12"), Data: []byte{}},
		{PartitionKey: []byte("clé"), Data: []byte("three"), Tags: []Tag{{[]byte("k"), []byte("v")}, {[]byte(""), nil}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Split(%x): got %q, %v, want %q", data, got, err, want)
	}
}

func TestPartsOfAnAggregateMayStandInAnyOrder(t *testing.T) {
	unknown := varintField(9, 1<<63) + "\x49" + "12345678" + "\x4d" + "1234" + bytesField(9, "x")
	data := aggregate(
		unknown, record(1, "x", unknown, varintField(fieldHashIndex, 0)), bytesField(fieldHash, "0"), bytesField(fieldKey, "a"),
		varintField(fieldKey, 7), bytesField(fieldKey, "b"),
		bytesField(fieldRecord, bytesField(fieldData, "old")+varintField(fieldKeyIndex, 1)+bytesField(fieldKeyIndex, "?")+bytesField(fieldData, "new")+varintField(fieldKeyIndex, 0)),
	)
	got, err := Split(data)
	want := []Record{
		{PartitionKey: []byte("b"), ExplicitHashKey: []byte("0"), Data: []byte("x")},
		{PartitionKey: []byte("a"), Data: []byte("new")},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Split(%x): got %q, %v, want %q", data, got, err, want)
	}
}

func TestAggregateWithoutRecordsIsEmpty(t *testing.T) {
	data := aggregate(bytesField(fieldKey, "a"))
	if got, err := Split(data); err != nil || len(got) != 0 {
		t.Errorf("Split(%x): got %q, %v, want no records", data, got, err)
	}
}

func TestPlainRecordsAreNotSplit(t *testing.T) {
	other := golden()
	other[len(other)-1] ^= 1
	changed := golden()
	changed[len(magic)+2] = 'b'
	for _, data := range [][]byte{
		nil,
		{},
		[]byte(magic), []byte("plain data that is longer than a magic number and a sum"), aggregate(),
		[]byte(magic + strings.Repeat("x", md5.Size+1)), golden()[1:], other, changed, golden()[:len(golden())-1],
	} {
		if got, err := Split(data); !errors.Is(err, ErrPlain) || got != nil {
			t.Errorf("Split(%x): got %q, %v, want %v", data, got, err, ErrPlain)
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	key, hash := bytesField(fieldKey, "a"), bytesField(fieldHash, "1")
	for name, message := range map[string]string{
		"no table":                   record(0, "x"),
		"key index":                  key + record(1, "x"),
		"largest key index":          key + record(1<<64-1, "x"),
		"hash index":                 key + hash + record(0, "x", varintField(fieldHashIndex, 1)),
		"no data":                    key + bytesField(fieldRecord, varintField(fieldKeyIndex, 0)),
		"no key":                     key + bytesField(fieldRecord, bytesField(fieldData, "x")),
		"data as a number":           key + bytesField(fieldRecord, varintField(fieldKeyIndex, 0)+varintField(fieldData, 1)),
		"empty key":                  bytesField(fieldKey, ""),
		"long key":                   bytesField(fieldKey, strings.Repeat("é", maxKey+1)),
		"key that is not UTF-8":      bytesField(fieldKey, "\xff"),
		"empty hash key":             bytesField(fieldHash, ""),
		"hash key with a sign":       bytesField(fieldHash, "-1"),
		"hash key with a zero ahead": bytesField(fieldHash, "01"),
		"hash key of 2^128":          bytesField(fieldHash, "340282366920938463463374607431768211456"),
		"hash key of 40 digits":      bytesField(fieldHash, strings.Repeat("1", 40)),
		"tag without key":            key + record(0, "x", bytesField(fieldTag, bytesField(fieldTagValue, "v"))),
		"tag that is not UTF-8":      key + record(0, "x", bytesField(fieldTag, bytesField(fieldTagKey, "\xff"))),
		"tag that ends early":        key + record(0, "x", bytesField(fieldTag, "\x0a\x05a")),
		"record that ends early":     key + bytesField(fieldRecord, "\x08"),
		"message that ends early":    key + "\x1a\x7f",
		"longest length":             "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"number of 11 bytes":         "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
		"field number 0":             "\x00\x00",
		"field number 2^29":          "\x80\x80\x80\x80\x10\x00",
		"group":                      "\x4b\x4c",
		"wire type 7":                "\x0f",
		"short fixed64":              "\x491234567",
		"short fixed32":              "\x4d123",
	} {
		if got, err := Split(aggregate(message)); !errors.Is(err, ErrFormat) || got != nil {
			t.Errorf("%s: Split of %x: got %q, %v, want %v", name, message, got, err, ErrFormat)
		}
	}
}

func TestAggregatesOverALimitAreRefused(t *testing.T) {
	key := bytesField(fieldKey, "a")
	for name, data := range map[string][]byte{
		"records":   aggregate(key, strings.Repeat(record(0, ""), MaxCount+1)),
		"keys":      aggregate(strings.Repeat(key, MaxCount+1)),
		"hash keys": aggregate(strings.Repeat(bytesField(fieldHash, "1"), MaxCount+1)),
		"tags":      aggregate(key, record(0, "", strings.Repeat(bytesField(fieldTag, bytesField(fieldTagKey, "")), MaxCount+1))),
		"bytes":     aggregate(key, record(0, strings.Repeat("x", MaxSize))),
	} {
		if got, err := Split(data); !errors.Is(err, ErrLimit) || got != nil {
			t.Errorf("too many %s: got %d records, %v, want %v", name, len(got), err, ErrLimit)
		}
	}
	largest := aggregate(key, strings.Repeat(record(0, ""), MaxCount))
	if got, err := Split(largest); err != nil || len(got) != MaxCount {
		t.Errorf("%d records: got %d, %v", MaxCount, len(got), err)
	}
}

// A message is counted before anything is allocated, so that there are four slices whatever it holds.
func TestSplitAllocatesFourTimes(t *testing.T) {
	data := aggregate(bytesField(fieldKey, "a"), bytesField(fieldHash, "1"),
		strings.Repeat(record(0, "data", bytesField(fieldTag, bytesField(fieldTagKey, "k"))), 1000))
	got := testing.AllocsPerRun(10, func() {
		if _, err := Split(data); err != nil {
			t.Fatal(err)
		}
	})
	if got > 4 {
		t.Errorf("Split of 1000 records: got %v allocations, want at most 4", got)
	}
}

func TestHashKeyIsTheExplicitOneOrOfThePartitionKey(t *testing.T) {
	for _, text := range []string{"0", "9", "18446744073709551615", "18446744073709551616", "170141183460469231731687303715884105728", "340282366920938463463374607431768211455"} {
		n, _ := new(big.Int).SetString(text, 10)
		want := [16]byte(n.FillBytes(make([]byte, 16)))
		r := Record{PartitionKey: []byte("a"), ExplicitHashKey: []byte(text)}
		if got := r.HashKey(); got != want {
			t.Errorf("explicit hash key %s: got %x, want %x", text, got, want)
		}
	}
	r := Record{PartitionKey: []byte("a")}
	if got, want := r.HashKey(), md5.Sum([]byte("a")); got != want {
		t.Errorf("partition key a: got %x, want %x", got, want)
	}
}

// allocated is how many bytes f takes from the heap, those of other goroutines included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// mayAllocate is what Split may take for data: 16 times its size, and some for rounding up to the sizes that
// memory comes in and for what else the process does.
func mayAllocate(data []byte) uint64 { return uint64(17*len(data)) + 128<<10 }

func TestWhatIsAllocatedIsInProportion(t *testing.T) {
	key, hash := bytesField(fieldKey, "a"), bytesField(fieldHash, "1")
	tag := bytesField(fieldTag, bytesField(fieldTagKey, ""))
	for name, data := range map[string][]byte{
		"smallest records":  aggregate(key, strings.Repeat(record(0, ""), 100_000)),
		"smallest tags":     aggregate(key, record(0, "", strings.Repeat(tag, 100_000))),
		"smallest keys":     aggregate(strings.Repeat(key, 100_000), strings.Repeat(hash, 100_000)),
		"empty records":     aggregate(key, strings.Repeat(bytesField(fieldRecord, ""), 100_000)),
		"empty tags":        aggregate(key, record(0, "", strings.Repeat(bytesField(fieldTag, ""), 100_000))),
		"empty keys":        aggregate(strings.Repeat(bytesField(fieldKey, ""), 100_000)),
		"empty hash keys":   aggregate(strings.Repeat(bytesField(fieldHash, ""), 100_000)),
		"a bad record last": aggregate(key, strings.Repeat(record(0, ""), 100_000), record(1, "")),
	} {
		got := allocated(func() { _, _ = Split(data) })
		if want := mayAllocate(data); got > want {
			t.Errorf("%s, %d bytes: got %d bytes allocated, want at most %d", name, len(data), got, want)
		}
	}
}

// FuzzSplit feeds messages with the right MD5. What is allocated stays in proportion to the input, and what
// comes out points into it.
func FuzzSplit(f *testing.F) {
	g := golden()
	f.Add(g[len(magic) : len(g)-md5.Size])
	f.Add([]byte(bytesField(fieldKey, "a") + strings.Repeat(record(0, ""), 20)))
	f.Add([]byte("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))
	f.Fuzz(func(t *testing.T, message []byte) {
		data := aggregate(string(message))
		before := bytes.Clone(data)
		var records []Record
		var err error
		if got, want := allocated(func() { records, err = Split(data) }), mayAllocate(data); got > want {
			t.Errorf("Split(%x): got %d bytes allocated, want at most %d", data, got, want)
		}
		if !bytes.Equal(data, before) {
			t.Errorf("Split(%x) changed its input", before)
		}
		if err != nil {
			if records != nil {
				t.Errorf("Split(%x): got records with %v", data, err)
			}
			return
		}
		const recordBytes, tagBytes = 6, 4 // the least that each takes in a message
		size, tags := 0, 0
		for i := range records {
			r := &records[i]
			size, tags = size+len(r.Data), tags+len(r.Tags)
			if len(r.PartitionKey) == 0 || r.Data == nil {
				t.Errorf("Split(%x): record %d is not whole: %q", data, i, r)
			}
			_ = r.HashKey()
		}
		if least := size + cap(records)*recordBytes + tags*tagBytes; least > len(message) {
			t.Errorf("Split(%x): got %d records of %d bytes with %d tags, more than fit", data, cap(records), size, tags)
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	data := aggregate(bytesField(fieldKey, "key"), strings.Repeat(record(0, strings.Repeat("x", 200)), 250))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Split(data); err != nil {
			b.Fatal(err)
		}
	}
}
