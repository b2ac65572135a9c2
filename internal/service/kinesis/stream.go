package kinesis

import (
	"strings"
	"sync/atomic"

	"millrace/internal/api"
	"millrace/internal/core/catalog"
)

// place is where a stream is: names are unique in it.
type place struct{ account, region, stream string }

// arn is the stream's ARN, in the partition of AWS that its region belongs to.
func (p place) arn() string {
	return "arn:" + awsPartition(p.region) + ":kinesis:" + p.region + ":" + p.account + ":stream/" + p.stream
}

func awsPartition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// parseARN reads arn:PARTITION:kinesis:REGION:ACCOUNT:stream/NAME; false when it is none.
func parseARN(arn string) (place, bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[2] != "kinesis" {
		return place{}, false
	}
	name, ok := strings.CutPrefix(f[5], "stream/")
	if !ok || name == "" || len(name) > 128 || strings.ContainsAny(name, "/: ") {
		return place{}, false
	}
	return place{f[4], f[3], name}, true
}

// address finds what a request means: a name in the caller's account and region, an ARN of the same,
// or both if they agree.
func address(call *api.Call, name, arn *string) (place, error) {
	p := place{account: call.Account, region: call.Region}
	if arn == nil {
		if name == nil {
			return p, errNoStream()
		}
		p.stream = *name
		return p, nil
	}
	at, ok := parseARN(*arn)
	switch {
	case !ok:
		return p, errBadARN(*arn)
	case name != nil && *name != at.stream:
		return p, errTwoStreams()
	case at.account != p.account || at.region != p.region:
		return p, errNotFound(at)
	}
	return at, nil
}

// Modes of a stream. Permanent: they stand in values.
const (
	modeProvisioned = 1
	modeOnDemand    = 2
)

// settings are what the catalogue keeps of a stream beside its topic.
type settings struct {
	mode           uint8
	auto           bool // records are spread evenly, whatever their partition key
	unborn         bool // deleted while it was being made
	retentionHours int32
	maxRecordKiB   int32
	warmMiBps      int32
}

func (c *settings) retentionMS() int64 { return int64(c.retentionHours) * 3_600_000 }

func (c *settings) maxRecordBytes() int { return int(c.maxRecordKiB) << 10 }

// stream is a copy of a stream as it was at one revision. Only the last three fields change.
type stream struct {
	place    place
	topic    *catalog.Topic
	settings settings
	shards   []shard // by index
	routes   routes
	metrics  metricSet // that are on for each shard

	encryption encryption

	metered bool // per-shard quotas apply: made by Kinesis
	counted bool // the account's quota counts the shards: provisioned besides
	traffic *streamTraffic

	checked atomic.Int64  // ns of the service's clock when the copy was last known to be current
	next    atomic.Uint32 // shard of the next record, where records are spread
}

// writable tells whether records are taken; AWS says of others that they are not found.
func (st *stream) writable() bool {
	return st.topic.State == catalog.StateActive || st.topic.State == catalog.StateUpdating
}

// spread is the place in routes.open of the next record of a stream that chooses shards by itself, -1
// when none is open.
func (st *stream) spread() int32 {
	if len(st.routes.open) == 0 {
		return -1
	}
	return int32(st.next.Add(1) % uint32(len(st.routes.open)))
}

// children returns the shards that go on from a closed one, in order of index.
func (st *stream) children(index int32) []*shard {
	var found []*shard
	for i := range st.shards {
		if c := &st.shards[i]; c.parent == index || c.adjacent == index {
			found = append(found, c)
		}
	}
	return found
}

// shows tells whether clients see shards: not while the stream is being made, and never when it is
// deleted before that has ended.
func (st *stream) shows() bool {
	return st.topic.State != catalog.StateCreating && !st.settings.unborn
}

// listed returns the shards that still count: closed ones go when all that they held is too old.
func (st *stream) listed(now int64) []*shard {
	if !st.shows() {
		return nil
	}
	found := make([]*shard, 0, len(st.shards))
	for i := range st.shards {
		// A longer retention does not bring back what is forgotten.
		if sh := &st.shards[i]; sh.partition != 0 && !sh.expired(now, st.settings.retentionMS()) {
			found = append(found, &st.shards[i])
		}
	}
	return found
}

// newShards are those a stream starts with, opened at now (ms since 1970).
func newShards(n int, now int64) []shard {
	shards := make([]shard, n)
	for i := range shards {
		start, end := evenRange(i, n)
		shards[i] = shard{
			index: int32(i), id: shardID(int32(i)), start: start, end: end,
			created: now / 1000, createdMS: now, parent: noShard, adjacent: noShard,
		}
	}
	return shards
}
