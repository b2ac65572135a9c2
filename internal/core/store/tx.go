package store

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// Snapshot is what a driver gives a transaction to read. Slices it returns are the caller's.
//
// Head and Producer may answer from a later state; then they return ErrConflict if a field
// of fields has changed since the snapshot. All reads of a run are of one moment, or one of them
// returns ErrConflict.
type Snapshot interface {
	// Sequence is asked after the run: a driver may settle it at the first read.
	Sequence() uint64
	Get(key []byte) ([]byte, bool, error)
	GetMany(keys [][]byte) ([][]byte, error)
	Scan(from, to []byte, limit int, reverse bool) ([]KV, error)
	Head(id PartitionID, fields HeadField) (Head, bool, error)
	Producer(id ProducerID) (Producer, bool, error)
	Now() int64
}

// RunTx runs fn on a snapshot and returns what it read and wants written.
//
// Errors: fn's own; ErrConflict when the snapshot could not be kept, whatever fn returned.
func RunTx(snap Snapshot, fn func(Tx) error) (*Request, error) {
	t := &tx{snap: snap, req: &Request{}}
	err := fn(t)
	t.req.Snapshot = snap.Sequence()
	if t.conflict {
		return nil, ErrConflict
	}
	if err != nil {
		return nil, err
	}
	if t.err != nil {
		return nil, t.err
	}
	t.finish()
	return t.req, nil
}

// RunView runs fn on a snapshot.
func RunView(snap Snapshot, fn func(ReadTx) error) error {
	t := &tx{snap: snap, view: true, req: &Request{}}
	err := fn(t)
	if t.conflict {
		return ErrConflict
	}
	return err
}

type tx struct {
	snap     Snapshot
	req      *Request
	writes   map[string][]byte // value, nil for deleted
	heads    map[PartitionID]int
	changed  map[PartitionID]bool // partitions in req.Parts: each counts once
	view     bool
	conflict bool
	err      error // an error that fn must not swallow: a limit
}

func (t *tx) Now() int64 { return t.snap.Now() }

func checkKey(key []byte) error {
	switch {
	case len(key) == 0 || Family(key[0]) == FamilyDriver:
		return ErrReservedKey
	case len(key) > MaxKeySize:
		return ErrTooLarge
	}
	return nil
}

// fail keeps what makes the whole transaction fail.
func (t *tx) fail(err error) error {
	if err == ErrConflict { //nolint:errorlint // our own sentinel, never wrapped
		t.conflict = true
	} else if t.err == nil {
		t.err = err
	}
	return err
}

func (t *tx) Get(key []byte) ([]byte, bool, error) {
	if err := checkKey(key); err != nil {
		return nil, false, t.fail(err)
	}
	if v, ok := t.writes[string(key)]; ok {
		return slices.Clone(v), v != nil, nil
	}
	t.readKey(key)
	v, ok, err := t.snap.Get(key)
	if err != nil {
		return nil, false, t.fail(err)
	}
	return v, ok, nil
}

func (t *tx) readKey(key []byte) {
	if !t.view {
		t.req.ReadKeys = append(t.req.ReadKeys, slices.Clone(key))
	}
}

func (t *tx) GetMany(keys [][]byte) ([][]byte, error) {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return nil, t.fail(err)
		}
		t.readKey(key)
	}
	values, err := t.snap.GetMany(keys)
	if err != nil {
		return nil, t.fail(err)
	}
	for i, key := range keys {
		if v, ok := t.writes[string(key)]; ok {
			values[i] = slices.Clone(v)
		}
	}
	return values, nil
}

// FamilyEnd is the first key after the family of key.
func FamilyEnd(key []byte) []byte { return []byte{key[0] + 1} }

func (t *tx) Scan(from, to []byte, limit int, reverse bool) ([]KV, error) {
	if err := checkKey(from); err != nil {
		return nil, t.fail(err)
	}
	if limit < 1 || limit > MaxScanKeys {
		return nil, t.fail(ErrTooLarge)
	}
	if to == nil {
		to = FamilyEnd(from)
	}
	if bytes.Compare(from, to) >= 0 {
		return nil, nil
	}
	own := t.writesIn(from, to)
	found, err := t.snap.Scan(from, to, limit+len(own), reverse)
	if err != nil {
		return nil, t.fail(err)
	}
	more := len(found) == limit+len(own)
	found = t.merge(found, own, reverse)
	found = found[:min(limit, len(found))]
	t.readRange(from, to, found, more || len(found) == limit, reverse)
	return found, nil
}

// readRange tracks the part of [from, to) that the scan has looked at.
func (t *tx) readRange(from, to []byte, found []KV, cut, reverse bool) {
	if t.view {
		return
	}
	if cut && len(found) > 0 {
		last := found[len(found)-1].Key
		if reverse {
			from = last
		} else {
			to = append(slices.Clone(last), 0)
		}
	}
	t.req.ReadRanges = append(t.req.ReadRanges, Range{slices.Clone(from), slices.Clone(to)})
}

func (t *tx) writesIn(from, to []byte) []string {
	var own []string
	for k := range t.writes {
		if k >= string(from) && k < string(to) {
			own = append(own, k)
		}
	}
	return own
}

// merge puts the transaction's own writes into what the snapshot has.
func (t *tx) merge(found []KV, own []string, reverse bool) []KV {
	if len(own) == 0 {
		return found
	}
	found = slices.DeleteFunc(found, func(kv KV) bool {
		_, ok := t.writes[string(kv.Key)]
		return ok
	})
	for _, k := range own {
		if v := t.writes[k]; v != nil {
			found = append(found, KV{[]byte(k), slices.Clone(v)})
		}
	}
	sort.Slice(found, func(i, j int) bool {
		c := bytes.Compare(found[i].Key, found[j].Key)
		return (c < 0) != reverse && c != 0
	})
	return found
}

func (t *tx) Head(id PartitionID, fields HeadField) (Head, error) {
	fields |= FieldOpen
	h, ok, err := t.snap.Head(id, fields)
	if err != nil {
		return Head{}, t.fail(err)
	}
	if !t.view {
		t.trackHead(id, fields)
	}
	if !ok {
		return Head{}, ErrNoPartition
	}
	return h.only(fields), nil
}

func (t *tx) trackHead(id PartitionID, fields HeadField) {
	if i, ok := t.heads[id]; ok {
		t.req.ReadHeads[i].Fields |= fields
		return
	}
	if t.heads == nil {
		t.heads = map[PartitionID]int{}
	}
	t.heads[id] = len(t.req.ReadHeads)
	t.req.ReadHeads = append(t.req.ReadHeads, HeadRead{id, fields})
}

// only clears the fields that were not asked for.
func (h Head) only(fields HeadField) Head {
	if fields&FieldStart == 0 {
		h.Start = 0
	}
	if fields&FieldNext == 0 {
		h.Next, h.LastAppend = 0, 0
	}
	if fields&FieldStable == 0 {
		h.LastStable = 0
	}
	if fields&FieldEpoch == 0 {
		h.Epoch = 0
	}
	if fields&FieldRetention == 0 {
		h.Retention, h.Compaction = Retention{}, Compaction{}
	}
	return h
}

func (t *tx) Producer(id ProducerID) (Producer, bool, error) {
	p, ok, err := t.snap.Producer(id)
	if err != nil {
		return Producer{}, false, t.fail(err)
	}
	if !t.view {
		t.req.ReadProducers = append(t.req.ReadProducers, id)
	}
	return p, ok, nil
}

func (t *tx) Set(key, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	return t.put(key, slices.Clone(value))
}

func (t *tx) Delete(key []byte) error { return t.put(key, nil) }

func (t *tx) put(key, value []byte) error {
	if err := checkKey(key); err != nil {
		return t.fail(err)
	}
	if len(value) > MaxValueSize {
		return t.fail(ErrTooLarge)
	}
	if t.writes == nil {
		t.writes = map[string][]byte{}
	}
	if _, ok := t.writes[string(key)]; !ok && len(t.writes)+len(t.req.Ordered) >= MaxTxKeys {
		return t.fail(ErrTooLarge)
	}
	t.writes[string(key)] = value
	return t.add(len(key) + len(value))
}

func (t *tx) add(n int) error {
	t.req.bytes += n
	if t.req.bytes > MaxTxBytes {
		return t.fail(ErrTooLarge)
	}
	return nil
}

func (t *tx) DeleteRange(from, to []byte, limit int) ([]byte, error) {
	found, err := t.Scan(from, to, limit, false)
	if err != nil {
		return nil, err
	}
	for _, kv := range found {
		if err := t.Delete(kv.Key); err != nil {
			return nil, err
		}
	}
	if len(found) < limit {
		return nil, nil
	}
	return append(found[len(found)-1].Key, 0), nil
}

func (t *tx) SetOrdered(prefix, value []byte) error {
	if err := checkKey(prefix); err != nil {
		return t.fail(err)
	}
	if len(prefix)+OrderedSuffixSize > MaxKeySize || len(value) > MaxValueSize || len(t.writes)+len(t.req.Ordered) >= MaxTxKeys {
		return t.fail(ErrTooLarge)
	}
	v := append([]byte{}, value...)
	t.req.Ordered = append(t.req.Ordered, KV{slices.Clone(prefix), v})
	return t.add(len(prefix) + OrderedSuffixSize + len(value))
}

// counterVersion begins the value of a counter: 8 bytes follow, big-endian, the last number given.
const counterVersion = 1

func (t *tx) NextID(counter string) (uint64, error) {
	key := append([]byte{byte(FamilyCounter)}, counter...)
	v, ok, err := t.Get(key)
	if err != nil {
		return 0, err
	}
	var last uint64
	if ok && len(v) == 9 && v[0] == counterVersion {
		last = binary.BigEndian.Uint64(v[1:])
	} else if ok {
		return 0, t.fail(&CorruptError{File: "counter " + counter, Reason: "not a counter"})
	}
	return last + 1, t.Set(key, binary.BigEndian.AppendUint64([]byte{counterVersion}, last+1))
}

func (t *tx) part(c PartitionChange) error {
	if t.changed == nil {
		t.changed = map[PartitionID]bool{}
	}
	if !t.changed[c.Partition] {
		t.changed[c.Partition] = true
		t.req.parts++
	}
	if t.req.parts > MaxTxParts || len(t.req.Parts) >= 4*MaxTxParts {
		return t.fail(ErrTooLarge)
	}
	t.req.Parts = append(t.req.Parts, c)
	return nil
}

func (t *tx) CreatePartition(id PartitionID, epoch int32, retention Retention) error {
	return t.part(PartitionChange{Kind: PartitionCreate, Partition: id, Epoch: epoch, Retention: retention})
}

func (t *tx) ClosePartition(id PartitionID) error {
	return t.part(PartitionChange{Kind: PartitionClose, Partition: id})
}

func (t *tx) TrimPartition(id PartitionID, to Offset) error {
	return t.part(PartitionChange{Kind: PartitionTrim, Partition: id, To: to})
}

func (t *tx) SetEpoch(id PartitionID, epoch int32) error {
	return t.part(PartitionChange{Kind: PartitionEpoch, Partition: id, Epoch: epoch})
}

func (t *tx) SetRetention(id PartitionID, retention Retention) error {
	return t.part(PartitionChange{Kind: PartitionRetention, Partition: id, Retention: retention})
}

func (t *tx) SetCompaction(id PartitionID, compaction Compaction) error {
	return t.part(PartitionChange{Kind: PartitionCompaction, Partition: id, Compaction: compaction})
}

func (t *tx) ForgetAborted(id PartitionID, to Offset) error {
	return t.part(PartitionChange{Kind: PartitionForget, Partition: id, To: to})
}

func (t *tx) DeletePartition(id PartitionID) error {
	return t.part(PartitionChange{Kind: PartitionDelete, Partition: id})
}

func (t *tx) Append(req AppendRequest) (*AppendResult, error) {
	if t.req.parts++; t.req.parts > MaxTxParts {
		return nil, t.fail(ErrTooLarge)
	}
	if err := t.add(req.size()); err != nil {
		return nil, err
	}
	a := &TxAppend{Request: req}
	t.req.Appends = append(t.req.Appends, a)
	return &a.Result, nil
}

func (r *AppendRequest) size() int {
	n := len(r.Batch)
	for i := range r.Records {
		n += recordSize(&r.Records[i])
	}
	return n
}

// CheckAppends applies the limits of one Append call and returns its bytes.
func CheckAppends(req []AppendRequest) (int, error) {
	n := 0
	for i := range req {
		n += req[i].size()
	}
	if n > MaxTxBytes || len(req) > MaxTxParts {
		return 0, ErrTooLarge
	}
	return n, nil
}

func (t *tx) InitProducer(id ProducerID, epoch int16) error {
	if id < 0 || epoch < 0 {
		return t.fail(ErrUnknownProducer)
	}
	t.req.Producers = append(t.req.Producers, ProducerChange{Kind: ProducerInit, Producer: id, Epoch: epoch})
	return nil
}

func (t *tx) EndTransaction(id ProducerID, epoch int16, commit bool, limit int) (int, error) {
	p, ok, err := t.Producer(id)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, ErrUnknownProducer
	}
	if len(p.Open) == 0 {
		return 0, nil
	}
	limit = min(limit, MaxTxParts-t.req.parts)
	if limit < 1 {
		return 0, t.fail(ErrTooLarge)
	}
	n := min(limit, len(p.Open))
	t.req.parts += n
	t.req.Ends = append(t.req.Ends, EndTransaction{id, epoch, commit, limit})
	return len(p.Open) - n, t.add(n * controlSize)
}

func (t *tx) DeleteProducer(id ProducerID) error {
	t.req.Producers = append(t.req.Producers, ProducerChange{Kind: ProducerDelete, Producer: id})
	return nil
}

// finish turns the map of writes into a list in order of keys.
func (t *tx) finish() {
	if len(t.writes) == 0 {
		return
	}
	t.req.Keys = make([]KeyChange, 0, len(t.writes))
	for k, v := range t.writes {
		t.req.Keys = append(t.req.Keys, KeyChange{[]byte(k), v})
	}
	slices.SortFunc(t.req.Keys, func(a, b KeyChange) int { return bytes.Compare(a.Key, b.Key) })
}

// NoLimit ends a transaction in all of its partitions that fit into one commit.
const NoLimit = math.MaxInt32
