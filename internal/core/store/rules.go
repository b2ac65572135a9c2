package store

import (
	"encoding/binary"
	"math"

	"millrace/internal/core/batch"
)

// Bits of the batch header's attributes.
const (
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
)

// looseOverhead bounds what a record of a batch needs beside key and value: lengths, deltas,
// attributes and header count are varints of at most 5 bytes each (timestamp delta 10).
const looseOverhead = 32

// controlSize bounds the bytes of a control batch with one marker.
const controlSize = 128

// Conflicts tells a State what the keys' last writers are. Drivers may answer true too often,
// never too seldom.
type Conflicts interface {
	KeyChangedSince(key []byte, seq uint64) bool
	RangeChangedSince(r Range, seq uint64) bool
}

// Begin starts a group on the state: the sequence after the last one, and a time that does not go back.
func (s *State) Begin(nowMillis int64) *Group {
	s.seq++
	s.time = max(s.time, nowMillis)
	return &Group{Seq: s.seq, Time: s.time}
}

// Undo takes back a group that was begun and has changed nothing.
func (s *State) Undo(g *Group) {
	if g.Empty() && g.Seq == s.seq {
		s.seq--
	}
}

// DecideAppend decides one request of an Append and adds its effect to g. The result is the
// caller's when g is applied, also if it is an error.
func (s *State) DecideAppend(req *AppendRequest, g *Group) AppendResult {
	p, err := s.checkAppend(req, nil)
	if err != nil {
		return AppendResult{Err: err}
	}
	if req.Batch != nil {
		return s.decideBatch(p, req, g)
	}
	return s.decideLoose(p, req, g)
}

// pending is what a transaction will have changed before its appends are decided.
type pending struct {
	created map[PartitionID]bool
	deleted map[PartitionID]bool
	epochs  map[ProducerID]int16
	seen    map[producerPartition]bool

	forgotten map[ProducerID]bool // producers that are deleted
}

type producerPartition struct {
	producer  ProducerID
	partition PartitionID
}

// checkAppend applies the rules that need no producer's state. A nil partition without an error
// is one that the same transaction creates.
func (s *State) checkAppend(req *AppendRequest, tx *pending) (*partition, error) {
	p := s.partitions.Get(req.Partition)
	switch {
	case p == nil && (tx == nil || !tx.created[req.Partition]):
		return nil, ErrNoPartition
	case tx != nil && tx.deleted[req.Partition]:
		return nil, ErrNoPartition
	case p != nil && p.head.Closed:
		return nil, ErrClosed
	case (req.Batch == nil) == (len(req.Records) == 0):
		return nil, ErrInvalidBatch
	case len(req.Batch) > MaxBatchSize:
		return nil, ErrTooLarge
	}
	for i := range req.Records {
		if len(req.Records[i].Key)+len(req.Records[i].Value)+batch.HeaderSize+looseOverhead > MaxBatchSize {
			return nil, ErrTooLarge
		}
	}
	return p, nil
}

func (s *State) decideBatch(p *partition, req *AppendRequest, g *Group) AppendResult {
	h, err := batch.ReadHeader(req.Batch)
	if err != nil || h.Size() != len(req.Batch) || h.LastOffsetDelta < 0 {
		return AppendResult{Err: ErrInvalidBatch}
	}
	if h.ProducerID >= 0 {
		repeat, err := s.checkProducer(p, req.Partition, &h)
		if err != nil {
			return AppendResult{Err: err}
		}
		if repeat != nil {
			return AppendResult{Base: repeat.Base, AppendTime: repeat.AppendTime, Start: p.head.Start, Repeat: true}
		}
	}
	a := Append{
		Partition:     req.Partition,
		Base:          p.head.Next,
		Count:         h.LastOffsetDelta + 1,
		AppendTime:    max(g.Time, p.head.LastAppend),
		MaxTimestamp:  h.MaxTimestamp,
		Attributes:    h.Attributes,
		LeaderEpoch:   p.head.Epoch,
		Producer:      ProducerID(h.ProducerID),
		ProducerEpoch: h.ProducerEpoch,
		Sequence:      h.BaseSequence,
		Key:           req.Key,
		Batch:         req.Batch,
		LogAppendTime: req.LogAppendTime,
		Size:          len(req.Batch) + sealOverhead(req.Key),
	}
	if req.LogAppendTime {
		a.MaxTimestamp = a.AppendTime
		a.Attributes |= 1 << 3
	}
	p.looseGroup = 0
	s.applyAppend(&a)
	g.Appends = append(g.Appends, a)
	g.Bytes += a.Size
	return AppendResult{Base: a.Base, AppendTime: a.AppendTime, Start: p.head.Start}
}

// checkProducer applies the rules of idempotence and transactions, those of Kafka's
// ProducerAppendInfo; a repeat of one of the last batches is returned.
//
// A producer without transactions raises its epoch by itself after an error, in one partition after the other (KIP-360):
// InitProducer sets the least that counts, and each partition holds it to the largest that it has seen. Epochs
// of transactions come from InitProducer alone.
func (s *State) checkProducer(p *partition, id PartitionID, h *batch.Header) (*LastBatch, error) {
	pr, ok := s.producers[ProducerID(h.ProducerID)]
	if !ok {
		return nil, ErrUnknownProducer
	}
	transactional := h.Attributes&attrTransactional != 0
	_, open := pr.open[id]
	switch {
	case h.ProducerEpoch < pr.epoch, h.ProducerEpoch > pr.epoch && transactional:
		return nil, ErrProducerFenced
	case h.Attributes&attrControl != 0:
		return nil, ErrInvalidBatch // markers are made by EndTransaction
	case open && !transactional:
		return nil, ErrInvalidTxn
	case h.BaseSequence < 0:
		return nil, ErrOutOfSequence
	}
	e := p.producers[ProducerID(h.ProducerID)]
	if e == nil || len(e.last) == 0 {
		return nil, nil // nothing is known here: any first number is taken
	}
	switch {
	case h.ProducerEpoch < e.epoch:
		return nil, ErrProducerFenced
	case h.ProducerEpoch > e.epoch && h.BaseSequence != 0:
		return nil, ErrOutOfSequence
	case h.ProducerEpoch > e.epoch:
		return nil, nil
	}
	last := addSequence(h.BaseSequence, h.LastOffsetDelta)
	for i := range e.last {
		if e.last[i].First == h.BaseSequence && e.last[i].Last == last {
			return &e.last[i], nil
		}
	}
	if h.BaseSequence != addSequence(e.last[len(e.last)-1].Last, 1) {
		return nil, ErrOutOfSequence
	}
	return nil, nil
}

// decideLoose adds records to the partition's last batch of the group while there is room in
// it, and begins further batches.
func (s *State) decideLoose(p *partition, req *AppendRequest, g *Group) AppendResult {
	res := AppendResult{Base: p.head.Next, AppendTime: max(g.Time, p.head.LastAppend), Start: p.head.Start}
	for rest := req.Records; len(rest) > 0; {
		a := s.looseBatch(p, req, g, res.AppendTime, recordSize(&rest[0]))
		n, size := 0, 0
		for n < len(rest) && int64(a.Count)+int64(n) < math.MaxInt32 {
			more := recordSize(&rest[n])
			if a.Size+size+more > LooseBatchSize && int(a.Count)+n > 0 {
				break
			}
			size += more
			n++
		}
		if a.Loose == nil {
			a.Loose = g.firstLoose(rest[:n:n])
		} else {
			a.Loose = append(a.Loose, rest[:n:n])
		}
		a.Count += int32(n)
		a.Size += size
		g.Bytes += size
		rest = rest[n:]
		s.advance(p, a.Next(), a.AppendTime)
	}
	p.setStable(s.seq)
	return res
}

// looseBatch returns the batch of g that takes a record of size more bytes under the request's key.
func (s *State) looseBatch(p *partition, req *AppendRequest, g *Group, appendTime int64, size int) *Append {
	if p.looseGroup == g.Seq && p.looseIndex < len(g.Appends) {
		if a := &g.Appends[p.looseIndex]; a.Partition == req.Partition && a.Key == req.Key && a.Size+size <= LooseBatchSize {
			return a
		}
	}
	p.looseGroup, p.looseIndex = g.Seq, len(g.Appends)
	g.Appends = append(g.Appends, Append{
		Partition:     req.Partition,
		Base:          p.head.Next,
		AppendTime:    appendTime,
		MaxTimestamp:  appendTime,
		Attributes:    1 << 3, // LogAppendTime
		LeaderEpoch:   p.head.Epoch,
		Producer:      NoProducer,
		ProducerEpoch: -1,
		Sequence:      -1,
		Key:           req.Key,
		Size:          batch.HeaderSize + sealOverhead(req.Key),
	})
	g.Bytes += batch.HeaderSize + sealOverhead(req.Key)
	return &g.Appends[len(g.Appends)-1]
}

func sealOverhead(key uint64) int {
	if key == 0 {
		return 0
	}
	return SealOverhead
}

func recordSize(r *Record) int { return len(r.Key) + len(r.Value) + looseOverhead }

// Decide decides what a transaction wants and adds its effects to g, all or nothing. keys is nil
// when the transaction ran on this very state.
//
// Errors: ErrConflict (run again), and the rules' own, which are the transaction's answer when
// g is applied.
func (s *State) Decide(req *Request, g *Group, keys Conflicts) error {
	if keys != nil && s.conflicts(req, keys) {
		return ErrConflict
	}
	if g.deletesProducerOf(req) {
		return ErrConflict // a producer goes at the end of its group: its successor is of a later one
	}
	tx, err := s.checkChanges(req)
	if err != nil {
		return err
	}
	if err := s.checkTxAppends(req, tx); err != nil {
		return err
	}
	s.write(req, g)
	return nil
}

func (g *Group) deletesProducerOf(req *Request) bool {
	for _, c := range req.Producers {
		for _, d := range g.Producers {
			if d.Kind == ProducerDelete && d.Producer == c.Producer {
				return true
			}
		}
	}
	return false
}

func (s *State) conflicts(req *Request, keys Conflicts) bool {
	for _, key := range req.ReadKeys {
		if keys.KeyChangedSince(key, req.Snapshot) {
			return true
		}
	}
	for _, r := range req.ReadRanges {
		if keys.RangeChangedSince(r, req.Snapshot) {
			return true
		}
	}
	for _, h := range req.ReadHeads {
		if s.HeadChangedSince(h.Partition, h.Fields, req.Snapshot) {
			return true
		}
	}
	for _, id := range req.ReadProducers {
		if s.ProducerChangedSince(id, req.Snapshot) {
			return true
		}
	}
	return false
}

func (s *State) checkChanges(req *Request) (*pending, error) {
	tx := &pending{}
	for i := range req.Parts {
		if err := s.checkPart(&req.Parts[i], tx); err != nil {
			return nil, err
		}
	}
	for _, e := range req.Ends {
		if pr, ok := s.producers[e.Producer]; !ok {
			return nil, ErrUnknownProducer
		} else if pr.epoch != e.Epoch && !initsProducer(req, e.Producer, e.Epoch) {
			return nil, ErrProducerFenced
		}
	}
	for _, c := range req.Producers {
		pr, ok := s.producers[c.Producer]
		switch {
		case c.Kind == ProducerDelete && !ok:
			return nil, ErrUnknownProducer
		case c.Kind == ProducerDelete && len(pr.open) > endedPartitions(req, c.Producer):
			return nil, ErrInvalidTxn
		case c.Kind == ProducerDelete:
			if tx.forgotten == nil {
				tx.forgotten = map[ProducerID]bool{}
			}
			tx.forgotten[c.Producer] = true
		case c.Kind == ProducerInit && ok && c.Epoch < pr.epoch:
			return nil, ErrProducerFenced
		case c.Kind == ProducerInit:
			if tx.epochs == nil {
				tx.epochs = map[ProducerID]int16{}
			}
			tx.epochs[c.Producer] = c.Epoch
		}
	}
	return tx, nil
}

// endedPartitions is in how many partitions at most req ends the producer's transaction.
func endedPartitions(req *Request, id ProducerID) int {
	n := 0
	for _, e := range req.Ends {
		if e.Producer == id {
			n = max(n, e.Limit)
		}
	}
	return n
}

func initsProducer(req *Request, id ProducerID, epoch int16) bool {
	for _, c := range req.Producers {
		if c.Kind == ProducerInit && c.Producer == id && c.Epoch == epoch {
			return true
		}
	}
	return false
}

func (s *State) checkPart(c *PartitionChange, tx *pending) error {
	p := s.partitions.Get(c.Partition)
	if c.Kind == PartitionCreate {
		if p != nil || c.Partition <= 0 || tx.created[c.Partition] {
			return ErrPartitionExists
		}
		if tx.created == nil {
			tx.created = map[PartitionID]bool{}
		}
		tx.created[c.Partition] = true
		return nil
	}
	if p == nil && !tx.created[c.Partition] || tx.deleted[c.Partition] {
		return ErrNoPartition
	}
	switch c.Kind {
	case PartitionEpoch:
		if p != nil && c.Epoch < p.head.Epoch {
			return ErrProducerFenced
		}
	case PartitionTrim:
		if p != nil && c.To > p.head.Next {
			return ErrOffsetOutOfRange
		}
	case PartitionDelete:
		if tx.deleted == nil {
			tx.deleted = map[PartitionID]bool{}
		}
		tx.deleted[c.Partition] = true
	case PartitionCreate, PartitionClose, PartitionRetention, PartitionCompaction, PartitionForget:
	}
	return nil
}

// checkTxAppends checks a transaction's appends before any of them is made. A producer has at most
// one batch for each partition in a transaction, so that each can be checked for itself.
func (s *State) checkTxAppends(req *Request, tx *pending) error {
	for _, a := range req.Appends {
		p, err := s.checkAppend(&a.Request, tx)
		if err != nil {
			return err
		}
		if a.Request.Batch == nil {
			continue
		}
		h, err := batch.ReadHeader(a.Request.Batch)
		if err != nil || h.Size() != len(a.Request.Batch) || h.LastOffsetDelta < 0 {
			return ErrInvalidBatch
		}
		if h.ProducerID < 0 {
			continue
		}
		if err := s.checkTxProducer(p, a.Request.Partition, &h, tx); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkTxProducer(p *partition, id PartitionID, h *batch.Header, tx *pending) error {
	k := producerPartition{ProducerID(h.ProducerID), id}
	switch {
	case tx.seen[k]:
		return ErrInvalidTxn
	case tx.forgotten[k.producer]:
		return ErrUnknownProducer // it would leave an open transaction behind
	}
	if tx.seen == nil {
		tx.seen = map[producerPartition]bool{}
	}
	tx.seen[k] = true
	if epoch, ok := tx.epochs[k.producer]; ok {
		if epoch != h.ProducerEpoch {
			return ErrProducerFenced
		}
		if s.producers[k.producer] == nil {
			return nil // the transaction creates it
		}
		saved := s.producers[k.producer].epoch
		s.producers[k.producer].epoch = epoch
		defer func() { s.producers[k.producer].epoch = saved }()
	}
	if p == nil {
		p = &partition{}
	}
	_, err := s.checkProducer(p, id, h)
	return err
}

// write makes the effects of a request that was checked.
func (s *State) write(req *Request, g *Group) {
	for _, c := range req.Keys {
		g.Keys = append(g.Keys, c)
		g.Bytes += len(c.Key) + len(c.Value)
	}
	for _, kv := range req.Ordered {
		key := make([]byte, 0, len(kv.Key)+OrderedSuffixSize)
		key = binary.BigEndian.AppendUint64(append(key, kv.Key...), g.Seq)
		key = binary.BigEndian.AppendUint32(key, g.ordered)
		g.ordered++
		g.Keys = append(g.Keys, KeyChange{key, kv.Value})
		g.Bytes += len(key) + len(kv.Value)
	}
	s.writeParts(req, g, func(k PartitionKind) bool { return k == PartitionCreate })
	for _, e := range req.Ends {
		s.writeEnd(e, g)
	}
	s.writeProducers(req, g, ProducerInit)
	for _, a := range req.Appends {
		a.Result = s.DecideAppend(&a.Request, g)
	}
	s.writeParts(req, g, func(k PartitionKind) bool { return k != PartitionCreate && k != PartitionDelete })
	s.writeParts(req, g, func(k PartitionKind) bool { return k == PartitionDelete })
	s.writeProducers(req, g, ProducerDelete)
}

func (s *State) writeParts(req *Request, g *Group, match func(PartitionKind) bool) {
	for i := range req.Parts {
		c := req.Parts[i]
		if !match(c.Kind) {
			continue
		}
		if p := s.partitions.Get(c.Partition); p != nil && c.Kind == PartitionTrim {
			c.To = min(c.To, p.head.Next) // later appends of the group must not be trimmed when it is applied
		}
		s.applyPart(&c)
		g.Parts = append(g.Parts, c)
	}
}

func (s *State) writeProducers(req *Request, g *Group, kind ProducerKind) {
	for i := range req.Producers {
		if c := &req.Producers[i]; c.Kind == kind {
			s.applyProducer(c)
			g.Producers = append(g.Producers, *c)
		}
	}
}

// writeEnd appends markers to the partitions of an open transaction.
func (s *State) writeEnd(e EndTransaction, g *Group) {
	pr := s.producers[e.Producer]
	marker := MarkerAbort
	if e.Commit {
		marker = MarkerCommit
	}
	for _, o := range pr.openPartitions(e.Limit) {
		p := s.partitions.Get(o.Partition)
		a := Append{
			Partition:     o.Partition,
			Base:          p.head.Next,
			Count:         1,
			AppendTime:    max(g.Time, p.head.LastAppend),
			Attributes:    attrTransactional | attrControl,
			Marker:        marker,
			LeaderEpoch:   p.head.Epoch,
			Producer:      e.Producer,
			ProducerEpoch: e.Epoch,
			Sequence:      -1,
			Size:          controlSize,
		}
		a.MaxTimestamp = a.AppendTime
		p.looseGroup = 0
		s.applyAppend(&a)
		g.Appends = append(g.Appends, a)
		g.Bytes += a.Size
	}
}
