package kinesis

// A change of shards in the store. It stands beside the topic from the request on, and the worker does
// the rest in commits of their own, so that a crash between any two of them loses nothing:
//
//	request   UPDATING; the shards take records as before
//	first     the parents are closed: no record is added to them from here on
//	second    the parents' last append is read, the children are made; ACTIVE
//
// Clients see the parents as open until the second commit shows their end and their children at once.
// A put in between finds no shard and waits (put.go). A change of very many shards repeats the second
// commit.

import (
	"context"
	"encoding/binary"
	"math"
	"slices"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

// maxMade is how many shards one commit makes: each may be created and closed in it, and a transaction
// changes 10,000 partitions at most.
const maxMade = 4000

// attrReshard is the name of a reshard beside its topic. Permanent.
const attrReshard = "kinesis.reshard"

// reshard: version, kind, flags, shards a and b and count (4 bytes each), key (16), charged (4), and
// the times of UpdateShardCount and of UpdateStreamMode, each a number of 1 byte and 8 bytes a time. Of halves and
// joins also the shards: a number of 4 bytes and 4 bytes each.
const (
	reshardVersion = 1
	flagParents    = 1 << 0
)

func encodeReshard(r *reshard) []byte {
	be := binary.BigEndian
	v := []byte{reshardVersion, r.kind, 0}
	if r.closed {
		v[2] |= flagParents
	}
	for _, n := range [...]int32{r.a, r.b, r.count} {
		v = be.AppendUint32(v, uint32(n))
	}
	v = be.AppendUint64(be.AppendUint64(v, r.key.hi), r.key.lo)
	v = be.AppendUint32(v, uint32(r.charged))
	for _, times := range [...][]int64{r.scaled, r.switched} {
		v = append(v, byte(len(times)))
		for _, t := range times {
			v = be.AppendUint64(v, uint64(t))
		}
	}
	if r.kind < reshardHalve {
		return v
	}
	v = be.AppendUint32(v, uint32(len(r.shards)))
	for _, index := range r.shards {
		v = be.AppendUint32(v, uint32(index))
	}
	return v
}

func decodeReshard(v []byte) (reshard, error) {
	if len(v) == 0 || v[0] != reshardVersion {
		return reshard{}, corrupt("reshard")
	}
	d := field.Reader{B: v[1:]}
	r := reshard{kind: d.Byte(), closed: d.Byte()&flagParents != 0}
	r.a, r.b, r.count = int32(d.Uint32()), int32(d.Uint32()), int32(d.Uint32())
	r.key = hashKey{d.Uint64(), d.Uint64()}
	r.charged = int32(d.Uint32())
	for _, times := range [...]*[]int64{&r.scaled, &r.switched} {
		for range d.Byte() {
			*times = append(*times, int64(d.Uint64()))
		}
	}
	if r.kind >= reshardHalve && !d.Bad {
		for range min(int(d.Uint32()), maxOpenShards) {
			r.shards = append(r.shards, int32(d.Uint32()))
		}
	}
	if !d.Done() || r.kind > reshardJoin || !slices.IsSorted(r.shards) || r.kind == reshardCount && r.count < 1 || r.charged < 0 {
		return reshard{}, corrupt("reshard")
	}
	return r, nil
}

// readReshard reads the change that a stream is going through, or what is kept of the last ones.
func (s *Service) readReshard(tx store.ReadTx, t *catalog.Topic) (reshard, error) {
	v, ok, err := s.cat.Attribute(tx, t, attrReshard)
	if err != nil || !ok {
		return reshard{}, err
	}
	return decodeReshard(v)
}

func (s *Service) writeReshard(tx store.Tx, t *catalog.Topic, r *reshard) error {
	return s.cat.SetAttribute(tx, t, attrReshard, encodeReshard(r))
}

// markClosing tells routes of a stream which shards take no more records although they have no
// children yet.
func (s *Service) markClosing(tx store.ReadTx, st *stream) error {
	if st.topic.State != catalog.StateUpdating {
		return nil
	}
	r, err := s.readReshard(tx, st.topic)
	if err != nil || !r.closed {
		return err
	}
	leaves := st.leaves()
	for _, l := range leaving(leaves, r.wanted(leaves)) {
		l.closing = true
	}
	return nil
}

// startReshard begins a change of a stream: check sees the stream, fills the kind of change in, and may
// change settings. The stream is UPDATING afterwards.
//
// Errors: errNotFound, errShardLimit, errTooManyShards, errTooManyOpen, those of check and of the store.
func (s *Service) startReshard(ctx context.Context, p place, check func(tx store.Tx, st *stream, r *reshard) error) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		st, err := s.readStream(tx, p)
		if err != nil {
			return err
		}
		r, err := s.readReshard(tx, st.topic)
		if err != nil {
			return err
		}
		r.closed, r.charged, r.shards = false, 0, nil
		if err := check(tx, st, &r); err != nil {
			return err
		}
		if err := s.reserve(tx, st, &r); err != nil {
			return err
		}
		st.topic.State = catalog.StateUpdating
		st.topic.Due = tx.Now() + s.opts.StateDelay.Milliseconds()
		if err := s.writeReshard(tx, st.topic, &r); err != nil {
			return err
		}
		return s.cat.Save(tx, st.topic)
	})
	if err != nil {
		return apiError(err)
	}
	s.cache.expire(p)
	s.states.Poke()
	return nil
}

// reserve charges the account for the shards that a change makes.
func (s *Service) reserve(tx store.Tx, st *stream, r *reshard) error {
	if r.kind == reshardMode {
		return nil
	}
	leaves := st.leaves()
	want := r.wanted(leaves)
	before, after := len(leaves), len(want)
	made := after - before
	if st.topic.Origin == catalog.OriginKinesis {
		made = len(plan(leaves, want, 0, math.MaxInt, 0).made)
	}
	if st.topic.Partitions+made > catalog.MaxHistory {
		return errTooManyShards(st.place)
	}
	if made > 0 && after > catalog.MaxPartitions {
		return errTooManyOpen(st.place)
	}
	if !st.counted {
		return nil
	}
	r.charged = int32(max(before, after))
	u, err := readUsage(tx, st.place)
	if err != nil {
		return err
	}
	u.shards += uint64(int(r.charged) - before)
	return u.write(tx, st.place)
}

// release charges the account for n shards of a stream again, instead of what a change has reserved.
func (s *Service) release(tx store.Tx, p place, r *reshard, n int) error {
	if r.charged == 0 {
		return nil
	}
	u, err := readUsage(tx, p)
	if err != nil {
		return err
	}
	u.shards = uint64(max(0, int64(u.shards)+int64(n)-int64(r.charged)))
	r.charged = 0
	return u.write(tx, p)
}

// leaveUpdating gives up a change because its stream is deleted.
func (s *Service) leaveUpdating(tx store.Tx, st *stream) error {
	r, err := s.readReshard(tx, st.topic)
	if err != nil {
		return err
	}
	if err := s.release(tx, st.place, &r, len(st.leaves())); err != nil {
		return err
	}
	r.kind, r.closed = reshardNone, false
	return s.writeReshard(tx, st.topic, &r)
}

// stepReshard does the next commit of a change, whose time has come, and leaves the topic due at once
// while there is more to do.
func (s *Service) stepReshard(tx store.Tx, p place, t *catalog.Topic) error {
	st, err := s.readTopic(tx, p, t)
	if err != nil {
		return err
	}
	r, err := s.readReshard(tx, t)
	if err != nil {
		return err
	}
	switch {
	case r.kind == reshardNone, r.kind == reshardMode:
		return s.endReshard(tx, st, &r)
	case t.Origin == catalog.OriginKafka:
		if err := s.addKafkaPartitions(tx, st, int(r.count)); err != nil {
			return err
		}
		return s.endReshard(tx, st, &r)
	case !r.closed:
		return s.closeParents(tx, st, &r)
	}
	return s.openChildren(tx, st, &r)
}

// closeParents is the first commit.
func (s *Service) closeParents(tx store.Tx, st *stream, r *reshard) error {
	leaves := st.leaves()
	for _, l := range leaving(leaves, r.wanted(leaves)) {
		if err := tx.ClosePartition(l.partition); err != nil {
			return err
		}
	}
	r.closed, st.topic.Due = true, tx.Now()
	if err := s.writeReshard(tx, st.topic, r); err != nil {
		return err
	}
	return s.cat.Save(tx, st.topic)
}

// openChildren is the second commit: what was appended to the parents is final now.
func (s *Service) openChildren(tx store.Tx, st *stream, r *reshard) error {
	leaves := st.leaves()
	want := r.wanted(leaves)
	for _, l := range leaving(leaves, want) {
		h, err := tx.Head(l.partition, store.FieldNext)
		if err != nil {
			return err
		}
		l.lastAppend = h.LastAppend
	}
	next := plan(leaves, want, int32(len(st.shards)), maxMade, tx.Now())
	if err := s.writeParents(tx, st, next.parents); err != nil {
		return err
	}
	if err := s.addShards(tx, st, next.made, want); err != nil {
		return err
	}
	if next.done {
		if err := s.release(tx, st.place, r, len(want)); err != nil {
			return err
		}
		return s.endReshard(tx, st, r)
	}
	st.topic.Due = tx.Now()
	return s.cat.Save(tx, st.topic)
}

// addShards makes shards; those whose range is not wanted are closed at once.
func (s *Service) addShards(tx store.Tx, st *stream, made []*shard, want []keyRange) error {
	parts := make([]catalog.Partition, len(made))
	for i, sh := range made {
		parts[i] = catalog.Partition{Created: sh.createdMS, Attr: encodeShard(sh)}
	}
	if err := s.cat.AddPartitions(tx, st.topic, parts, store.Retention{Millis: st.settings.retentionMS()}); err != nil {
		return err
	}
	for i, sh := range made {
		sh.partition = parts[i].ID
	}
	for _, sh := range leaving(made, want) {
		if err := tx.ClosePartition(sh.partition); err != nil {
			return err
		}
	}
	return nil
}

// writeParents writes shards that have changed.
func (s *Service) writeParents(tx store.Tx, st *stream, parents []*shard) error {
	return st.runs(parents, func(first int, parts []catalog.Partition) error {
		return s.cat.SetPartitions(tx, st.topic, first, parts)
	})
}

// runs calls do for shards of a stream as the catalogue has them, neighbours together.
func (st *stream) runs(shards []*shard, do func(first int, parts []catalog.Partition) error) error {
	chosen := make(map[int32]bool, len(shards))
	for _, sh := range shards {
		chosen[sh.index] = true
	}
	for i := 0; i < len(st.shards); i++ {
		first := i
		var parts []catalog.Partition
		for ; i < len(st.shards) && chosen[int32(i)]; i++ {
			sh := &st.shards[i]
			parts = append(parts, catalog.Partition{ID: sh.partition, Created: sh.createdMS, Attr: encodeShard(sh)})
		}
		if len(parts) == 0 {
			continue
		}
		if err := do(first, parts); err != nil {
			return err
		}
	}
	return nil
}

// addKafkaPartitions gives a topic that Kafka made more partitions, without lineage, as Kafka does: the
// hash ranges of its shards are drawn anew.
func (s *Service) addKafkaPartitions(tx store.Tx, st *stream, count int) error {
	more := count - st.topic.Partitions
	if more <= 0 {
		return nil
	}
	h, err := tx.Head(st.shards[0].partition, store.FieldRetention)
	if err != nil {
		return err
	}
	parts := make([]catalog.Partition, more)
	for i := range parts {
		parts[i].Created = tx.Now()
	}
	if err := s.cat.AddPartitions(tx, st.topic, parts, h.Retention); err != nil || !h.Compaction.Enabled {
		return err
	}
	for i := range parts { // as those that are there
		if err := tx.SetCompaction(parts[i].ID, h.Compaction); err != nil {
			return err
		}
	}
	return nil
}

// endReshard makes the stream ACTIVE again.
func (s *Service) endReshard(tx store.Tx, st *stream, r *reshard) error {
	r.kind, r.closed, r.charged = reshardNone, false, 0
	if err := s.writeReshard(tx, st.topic, r); err != nil {
		return err
	}
	st.topic.State, st.topic.Due = catalog.StateActive, st.forgetAt()
	return s.cat.Save(tx, st.topic)
}

// errTooManyOpen has a text of our own. A stream's open shards are closed in one transaction when it is
// deleted.
func errTooManyOpen(p place) error {
	return kinesisapi.LimitExceededException("Stream " + p.stream + " under account " + p.account +
		" cannot have more than 10000 open shards.")
}

// errTooManyNew has a text of our own, for accounts whose limit of shards is higher.
func errTooManyNew() error {
	return kinesisapi.LimitExceededException("A stream cannot have more than 10000 shards.")
}

// errTooManyShards has a text of our own: of AWS no such limit is known.
func errTooManyShards(p place) error {
	return kinesisapi.LimitExceededException("Stream " + p.stream + " under account " + p.account +
		" cannot have more than 100000 shards over its life.")
}
