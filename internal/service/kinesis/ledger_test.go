package kinesis

import (
	"crypto/md5"
	"fmt"
	"math/big"
	"slices"

	"millrace/internal/api/kinesisapi"
)

// The ledger is what Kinesis promises, as lists and big numbers: random histories are compared with it. It knows
// nothing of how the service keeps things, nor of the arithmetic that it uses.

// knownStream is what a stream must be.
type knownStream struct {
	status    kinesisapi.StreamStatus
	hours     int64
	shards    []*knownShard // by index
	asked     int64         // store time when the last change of its shards was asked for
	wanted    [][2]*big.Int // hash ranges of the open shards after that, in order; nil: any of count
	count     int
	encrypted bool
	consumers []string
	deleted   []string // consumers that may still be listed
}

type knownShard struct {
	id         string
	start, end *big.Int
	parents    []string
	first      string // sequence number
	closed     bool
	from, to   int64 // store time between which it was closed
	records    []knownRecord
	trimmed    int  // so many records may be gone for good
	forgotten  bool // the shard may be gone for good
}

// knownRecord is a record with the times between which it arrived.
type knownRecord struct {
	number, key, data string
	from, to          int64
	sealed            bool
}

const hourMS = 3_600_000

// allHashKeys is how many there are.
var allHashKeys = new(big.Int).Lsh(big.NewInt(1), 128)

func decimal(s string) *big.Int {
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		panic(fmt.Sprintf("%q is no number", s))
	}
	return n
}

// hashedTo is the hash key of a partition key.
func hashedTo(key string) *big.Int {
	sum := md5.Sum([]byte(key))
	return new(big.Int).SetBytes(sum[:])
}

// open lists the open shards in order of their hash keys.
func (k *knownStream) open() []*knownShard {
	var found []*knownShard
	for _, s := range k.shards {
		if !s.closed {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b *knownShard) int { return a.start.Cmp(b.start) })
	return found
}

// routed is the open shard that takes a hash key.
func (k *knownStream) routed(h *big.Int) *knownShard {
	for _, s := range k.open() {
		if s.start.Cmp(h) <= 0 && h.Cmp(s.end) <= 0 {
			return s
		}
	}
	return nil
}

// byID finds a shard.
func (k *knownStream) byID(id string) *knownShard {
	for _, s := range k.shards {
		if s.id == id {
			return s
		}
	}
	return nil
}

// children are the ids of the shards that go on from one.
func (k *knownStream) children(of *knownShard) []string {
	var ids []string
	for _, s := range k.shards {
		if slices.Contains(s.parents, of.id) {
			ids = append(ids, s.id)
		}
	}
	return ids
}

// oldest are the bounds of the index of the first record that is answered at now: what is older than the retention is
// not, and what retention may have trimmed need not be.
func (s *knownShard) oldest(now, hours int64) (low, high int) {
	horizon := now - hours*hourMS
	for low < len(s.records) && s.records[low].to < horizon {
		low++
	}
	for high = low; high < len(s.records) && (s.records[high].from < horizon || high < s.trimmed); high++ {
	}
	return low, high
}

// trim notes that retention was applied at now.
func (s *knownShard) trim(now, hours int64) {
	for s.trimmed < len(s.records) && s.records[s.trimmed].from <= now-hours*hourMS {
		s.trimmed++
	}
}

// shown tells whether a shard must be listed, and whether it may be.
func (s *knownShard) shown(now, hours int64) (must, may bool) {
	return !s.closed || !s.forgotten && s.from+hours*hourMS > now, !s.closed || s.to+hours*hourMS > now
}

// split cuts a range before a key.
func (k *knownStream) split(s *knownShard, key *big.Int) [][2]*big.Int {
	var ranges [][2]*big.Int
	for _, o := range k.open() {
		if o == s {
			ranges = append(ranges, [2]*big.Int{o.start, new(big.Int).Sub(key, big.NewInt(1))}, [2]*big.Int{key, o.end})
			continue
		}
		ranges = append(ranges, [2]*big.Int{o.start, o.end})
	}
	return ranges
}

// merge joins the i-th open shard and the next.
func (k *knownStream) merge(i int) [][2]*big.Int {
	var ranges [][2]*big.Int
	for at, o := range k.open() {
		if at == i+1 {
			ranges[i][1] = o.end
			continue
		}
		ranges = append(ranges, [2]*big.Int{o.start, o.end})
	}
	return ranges
}
