package catalog

// HashRange is the part of all MD5 sums, as big-endian numbers, that a shard takes, both ends included. It is what the
// attribute of a Kinesis stream's partition says; the rest of that is Kinesis's own. docs/format/catalog.md draws it.
type HashRange struct{ First, Last [16]byte }

// ShardRange reads the hash range of a partition; false when it is no shard of Kinesis.
func ShardRange(p *Partition) (HashRange, bool) {
	const version, head = 1, 2 // version and flags
	var r HashRange
	if len(p.Attr) < head+len(r.First)+len(r.Last) || p.Attr[0] != version {
		return HashRange{}, false
	}
	n := copy(r.First[:], p.Attr[head:])
	copy(r.Last[:], p.Attr[head+n:])
	return r, true
}
