package kinesis

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"unicode/utf8"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

// maxKeyChars is how long a partition key can be, in characters.
const maxKeyChars = 256

// binaryKey begins the partition key of a record whose key is no text that Kinesis can show.
const binaryKey = "b64:"

// partitionKey is the record's key as Kinesis shows it. One that Kinesis wrote is as it was. Kafka can
// write others: without one (or an empty one) the offset stands in; what is not UTF-8 or too long is
// shown in base64, and if that is too long cut, with a hash of the whole so that different keys stay
// different.
func partitionKey(r *batch.Record) string {
	if len(r.Key) == 0 {
		return strconv.FormatInt(r.Offset, 10)
	}
	if utf8.Valid(r.Key) && (len(r.Key) <= maxKeyChars || utf8.RuneCount(r.Key) <= maxKeyChars) {
		return stringOf(r.Key)
	}
	const hashChars = 32
	text := binaryKey + base64.StdEncoding.EncodeToString(r.Key[:min(len(r.Key), maxKeyChars)])
	if len(text) <= maxKeyChars {
		return text
	}
	sum := sha256.Sum256(r.Key)
	return text[:maxKeyChars-1-hashChars] + "." + hex.EncodeToString(sum[:hashChars/2])
}

// skip counts a record or batch that Kinesis cannot show. Only every thousandth is logged, so that a
// reader in a loop does not fill the log.
func (g *page) skip(at store.Offset, why string) {
	if n := g.svc.counts.skipped.Add(1); n%1000 == 1 {
		g.svc.log.Warn("records are not shown to Kinesis readers", "stream", g.stream.place.stream,
			"shard", g.shard.id, "offset", int64(at), "why", why, "skipped so far", n)
	}
}
