package produce

import (
	"bytes"
	"crypto/md5" // Kinesis routes records by it; it protects nothing
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sort"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/batch"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// Route is an open shard of a stream.
type Route struct {
	catalog.HashRange
	Partition store.PartitionID
}

// Routes are the open shards of a stream that has closed ones, by the first hash key.
type Routes []Route

// NewRoutes puts shards into their order. It never returns nil.
func NewRoutes(shards []Route) Routes {
	if shards == nil {
		shards = []Route{}
	}
	slices.SortFunc(shards, func(a, b Route) int { return bytes.Compare(a.First[:], b.First[:]) })
	return shards
}

// find returns the place of the shard that takes a hash key; false while a split or merge has closed the parent and not yet
// opened the children.
func (r Routes) find(hash [16]byte) (int, bool) {
	i := sort.Search(len(r), func(i int) bool { return bytes.Compare(r[i].First[:], hash[:]) > 0 }) - 1
	return i, i >= 0 && bytes.Compare(hash[:], r[i].Last[:]) <= 0
}

// NumberedText is what a producer is told whose batches cannot be taken apart.
const NumberedText = "The topic is a Kinesis stream with a closed shard and kinesis.produce=reroute: the server spreads the records of a batch over " +
	"the open shards, so it takes none of idempotent or transactional producers. Set enable.idempotence=false."

// mostPlain is how many bytes the records of a compressed batch may have that is taken apart.
const mostPlain = store.MaxBatchSize / 2

// reroute takes the good batch of a part apart: its records go to the open shards as Kinesis would route them, in their order,
// those without a key together to any one. Nothing is appended when there is a record that no shard takes.
func (r *Request) reroute(at int, h *batch.Header) {
	part := &r.Parts[at]
	if h.ProducerID >= 0 {
		part.refuse(kafkaapi.PolicyViolation, NumberedText)
		return
	}
	made, err := spread(part.Records, part.Rules.Routes)
	if err != nil {
		part.refuse(codeOfSpread(err))
		return
	}
	part.spread = true
	for i := range made {
		r.parts = append(r.parts, int32(at))
		r.appends = append(r.appends, store.AppendRequest{
			Partition: made[i].partition, Batch: made[i].finish(), LogAppendTime: part.Rules.LogAppendTime, Key: part.Rules.DataKey,
		})
		r.bytes += len(r.appends[len(r.appends)-1].Batch)
	}
}

// shardBatch is what one shard takes of a batch.
type shardBatch struct {
	partition   store.PartitionID
	builder     batch.Builder
	first, last int64 // timestamps: of the first record, and the largest
}

func (s *shardBatch) add(rec *batch.Record) {
	s.builder.Add(rec)
	s.last = max(s.last, rec.Timestamp)
}

func (s *shardBatch) finish() []byte {
	return s.builder.Finish(batch.Fields{FirstTimestamp: s.first, MaxTimestamp: s.last, ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1})
}

// errNoShard is a hash key that no open shard takes.
var errNoShard = errors.New("no open shard takes the record")

// spread sorts the records of b by shard.
//
// Errors: errNoShard, those of batch.Records.
func spread(b []byte, routes Routes) ([]shardBatch, error) {
	var made []shardBatch
	places := map[int]int{} // in made, by the place in routes
	var keyless [md5.Size]byte
	_, _ = rand.Read(keyless[:]) // never fails, says crypto/rand
	for rec, err := range batch.Records(b, batch.Limits{MaxBytes: mostPlain}) {
		if err != nil {
			return nil, err
		}
		hash := keyless
		if rec.Key != nil {
			hash = md5.Sum(rec.Key)
		}
		route, ok := routes.find(hash)
		if !ok {
			return nil, errNoShard
		}
		at, ok := places[route]
		if !ok {
			at = len(made)
			places[route] = at
			made = append(made, shardBatch{partition: routes[route].Partition, first: rec.Timestamp, last: rec.Timestamp})
			made[at].builder.Start(nil, rec.Timestamp)
		}
		made[at].add(&rec)
	}
	return made, nil
}

// codeOfSpread is why a batch cannot be taken apart. A shard will be there soon: the client comes again.
func codeOfSpread(err error) (kafkaapi.Code, string) {
	switch {
	case errors.Is(err, errNoShard):
		return kafkaapi.NotLeaderOrFollower, ""
	case errors.Is(err, batch.ErrTooLarge):
		return kafkaapi.MessageTooLarge, fmt.Sprintf("The records of a batch that is spread over shards have at most %d bytes.", mostPlain)
	}
	return kafkaapi.CorruptMessage, err.Error()
}

// answerSpread takes the answer to one of the appends that a part became. There is no offset that would be of all of its
// records: the client is told none.
func (p *Part) answerSpread(res *store.AppendResult) {
	switch {
	case p.Code != kafkaapi.None: // another one's
	case res.Err != nil:
		p.AppendTimeMs = -1
		p.refuse(p.codeOf(res.Err))
	case p.Rules.LogAppendTime:
		p.AppendTimeMs = max(p.AppendTimeMs, res.AppendTime)
	}
}

// codeOf is codeOf, but that a shard that was closed just now is found again when the topic's records are rerouted.
func (p *Part) codeOf(err error) (kafkaapi.Code, string) {
	if errors.Is(err, store.ErrClosed) && p.Rules.Reroute {
		return kafkaapi.NotLeaderOrFollower, ""
	}
	return codeOf(err)
}
