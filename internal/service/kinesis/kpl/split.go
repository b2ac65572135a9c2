package kpl

import (
	"bytes"
	"crypto/md5"
	"errors"
	"fmt"
	"unicode/utf8"
)

const magic = "\xf3\x89\x9a\xc2"

const (
	// MaxSize is the largest record that is opened, in bytes: 10 MiB, as no record of a stream is larger.
	MaxSize = 10 << 20

	// MaxCount bounds the records, tags and keys of each table in one record. A user record takes 6 bytes at
	// least, so that any aggregated record of 1 MiB, the KPL's largest, stays below.
	MaxCount = 200_000

	// maxKey is the largest partition key, in characters, as in PutRecord.
	maxKey = 256
)

// Errors of Split. With each of them the record is for its readers what it is for AWS's: one plain record.
var (
	// ErrPlain: the magic number is missing, or the MD5 is another.
	ErrPlain = errors.New("kpl: not an aggregated record")
	// ErrFormat: the MD5 is right and the message is not.
	ErrFormat = errors.New("kpl: malformed aggregated record")
	// ErrLimit: larger than MaxSize, or more of something than MaxCount.
	ErrLimit = errors.New("kpl: aggregated record is over a limit")
)

// Record is one user record. All its bytes are slices of what Split was given.
type Record struct {
	PartitionKey    []byte // 1 to 256 characters of UTF-8
	ExplicitHashKey []byte // decimal, below 2^128; nil: there is none
	Data            []byte // never nil
	Tags            []Tag  // in the order of the message; the KPL writes none
}

// Tag is a tag of a user record.
type Tag struct {
	Key   []byte // UTF-8
	Value []byte // UTF-8; nil: there is none
}

// IsAggregated tells at a glance whether data may be an aggregated record: the magic number is there, and
// room for a message and its MD5. Only Split knows.
func IsAggregated(data []byte) bool {
	return len(data) > len(magic)+md5.Size && string(data[:len(magic)]) == magic
}

// Split returns the user records in an aggregated record, in their order; the place of a record in the
// result is its sub-sequence number. There may be none.
//
// data is the data of a record of a stream; the result points into it. What is allocated is 16 times data at
// most, in four pieces, also when an error is the answer.
//
// Errors: ErrPlain, ErrFormat, ErrLimit; then there are no records.
func Split(data []byte) ([]Record, error) {
	if !IsAggregated(data) {
		return nil, ErrPlain
	}
	if len(data) > MaxSize {
		return nil, ErrLimit
	}
	message := data[len(magic) : len(data)-md5.Size]
	if sum := md5.Sum(message); !bytes.Equal(sum[:], data[len(data)-md5.Size:]) {
		return nil, ErrPlain
	}
	n, err := count(message)
	if err != nil {
		return nil, err
	}
	t, err := readTables(message, n)
	if err != nil {
		return nil, err
	}
	return readRecords(message, n, t)
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }

// Numbers of fields.
const (
	fieldKey    = 1 // of AggregatedRecord
	fieldHash   = 2
	fieldRecord = 3

	fieldKeyIndex  = 1 // of Record
	fieldHashIndex = 2
	fieldData      = 3
	fieldTag       = 4

	fieldTagKey   = 1 // of Tag
	fieldTagValue = 2
)

// sizes are how many of each there are in a message.
type sizes struct{ keys, hashes, records, tags int }

// The least bytes of a record (an index and data) and of a tag (a key), each with tags and lengths. A
// shorter one is malformed, and is found before memory is taken for many of them.
const (
	leastRecord = 2 + 2
	leastTag    = 2
)

// count walks a message before anything is allocated for it.
//
// Errors: ErrFormat, ErrLimit.
func count(message []byte) (sizes, error) {
	var n sizes
	r := reader{message}
	for r.more() {
		f, err := r.next()
		if err != nil {
			return n, err
		}
		switch f.kind() {
		case kind{fieldKey, wireBytes}:
			n.keys++
			if len(f.bytes) == 0 {
				return n, malformed("partition key")
			}
		case kind{fieldHash, wireBytes}:
			n.hashes++
			if len(f.bytes) == 0 {
				return n, malformed("explicit hash key")
			}
		case kind{fieldRecord, wireBytes}:
			n.records++
			if len(f.bytes) < leastRecord {
				return n, malformed("a record without partition key or data")
			}
			tags, err := countTags(f.bytes)
			if err != nil {
				return n, err
			}
			n.tags += tags
		}
	}
	if max(n.keys, n.hashes, n.records, n.tags) > MaxCount {
		return n, ErrLimit
	}
	return n, nil
}

func countTags(record []byte) (n int, err error) {
	r := reader{record}
	for r.more() {
		f, err := r.next()
		if err != nil {
			return 0, err
		}
		if f.kind() != (kind{fieldTag, wireBytes}) {
			continue
		}
		if n++; len(f.bytes) < leastTag {
			return 0, malformed("tag")
		}
	}
	return n, nil
}

// tables are what records point into.
type tables struct{ keys, hashes [][]byte }

func readTables(message []byte, n sizes) (tables, error) {
	t := tables{keys: make([][]byte, 0, n.keys), hashes: make([][]byte, 0, n.hashes)}
	r := reader{message}
	for r.more() {
		f, err := r.next()
		if err != nil {
			return t, err
		}
		switch f.kind() {
		case kind{fieldKey, wireBytes}:
			if utf8.RuneCount(f.bytes) > maxKey || !utf8.Valid(f.bytes) {
				return t, malformed("partition key")
			}
			t.keys = append(t.keys, f.bytes)
		case kind{fieldHash, wireBytes}:
			if _, ok := parseHash(f.bytes); !ok {
				return t, malformed("explicit hash key")
			}
			t.hashes = append(t.hashes, f.bytes)
		}
	}
	return t, nil
}

func readRecords(message []byte, n sizes, t tables) ([]Record, error) {
	records, tags := make([]Record, 0, n.records), make([]Tag, 0, n.tags)
	r := reader{message}
	for r.more() {
		f, err := r.next()
		if err != nil {
			return nil, err
		}
		if f.kind() != (kind{fieldRecord, wireBytes}) {
			continue
		}
		first := len(tags)
		var rec Record
		if rec, tags, err = readRecord(f.bytes, t, tags); err != nil {
			return nil, err
		}
		if len(tags) > first {
			rec.Tags = tags[first:len(tags):len(tags)]
		}
		records = append(records, rec)
	}
	return records, nil
}

// readRecord reads a Record but for its tags, which it adds to tags.
func readRecord(message []byte, t tables, tags []Tag) (Record, []Tag, error) {
	var rec Record
	r := reader{message}
	for r.more() {
		f, err := r.next()
		if err != nil {
			return rec, tags, err
		}
		switch f.kind() {
		case kind{fieldKeyIndex, wireVarint}:
			if f.value >= uint64(len(t.keys)) {
				return rec, tags, malformed("index of a partition key")
			}
			rec.PartitionKey = t.keys[f.value]
		case kind{fieldHashIndex, wireVarint}:
			if f.value >= uint64(len(t.hashes)) {
				return rec, tags, malformed("index of an explicit hash key")
			}
			rec.ExplicitHashKey = t.hashes[f.value]
		case kind{fieldData, wireBytes}:
			rec.Data = f.bytes
		case kind{fieldTag, wireBytes}:
			tag, err := readTag(f.bytes)
			if err != nil {
				return rec, tags, err
			}
			tags = append(tags, tag)
		}
	}
	if rec.PartitionKey == nil || rec.Data == nil {
		return rec, tags, malformed("a record without partition key or data")
	}
	return rec, tags, nil
}

func readTag(message []byte) (Tag, error) {
	var tag Tag
	r := reader{message}
	for r.more() {
		f, err := r.next()
		if err != nil {
			return tag, err
		}
		switch f.kind() {
		case kind{fieldTagKey, wireBytes}:
			tag.Key = f.bytes
		case kind{fieldTagValue, wireBytes}:
			tag.Value = f.bytes
		}
	}
	if tag.Key == nil || !utf8.Valid(tag.Key) || !utf8.Valid(tag.Value) {
		return tag, malformed("tag")
	}
	return tag, nil
}
