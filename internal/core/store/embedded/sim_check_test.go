package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"millrace/internal/core/store"
)

// expected is what the transactions that are in the store's own order must have left.
type expected struct {
	order   []*op
	parts   map[store.PartitionID]*expectedPart
	deleted map[store.PartitionID]bool
	hot     [hotKeys]uint64
	keys    map[string]string
	epochs  map[store.ProducerID]int16
}

type expectedPart struct {
	created   *op
	closed    bool
	start     store.Offset
	epoch     int32
	retention store.Retention
	head      store.Head // as the store tells it
}

// check compares the opened store with the ledger, and settles what the crash has left open.
func (m *sim) check() error {
	x, err := m.replayOrder()
	if err != nil {
		return err
	}
	if err := m.checkKeys(x); err != nil {
		return err
	}
	if err := m.checkPartitions(x); err != nil {
		return err
	}
	if err := m.settleAdditions(x); err != nil {
		return err
	}
	for _, o := range m.ledger.ops {
		if err := checkRefusals(x, o); err != nil {
			return fmt.Errorf("%v: %w", o, err)
		}
		if err := checkSightings(x, o); err != nil {
			return fmt.Errorf("%v: %w", o, err)
		}
	}
	if err := m.checkProducers(x); err != nil {
		return err
	}
	m.ledger.resolved()
	return nil
}

func (m *sim) scan(from, to []byte) ([]store.KV, error) {
	var found []store.KV
	err := m.s.View(context.Background(), func(tx store.ReadTx) (err error) {
		found, err = tx.Scan(from, to, store.MaxScanKeys, false)
		return err
	})
	return found, err
}

// replayOrder reads the order of transactions from the ordered keys, and does them again.
func (m *sim) replayOrder() (*expected, error) {
	x := &expected{
		parts: map[store.PartitionID]*expectedPart{}, deleted: map[store.PartitionID]bool{}, keys: map[string]string{},
		epochs: map[store.ProducerID]int16{},
	}
	found, err := m.scan(logPrefix, append(slices.Clone(logPrefix[:1]), logPrefix[1]+1))
	if err != nil {
		return nil, err
	}
	inLog := map[*op]bool{}
	var latest, lastTime int64
	for _, kv := range found {
		id, err := strconv.Atoi(string(kv.Value))
		if err != nil || id >= len(m.ledger.ops) {
			return nil, fmt.Errorf("ordered key %x = %q is none of ours", kv.Key, kv.Value)
		}
		o, seq := m.ledger.ops[id], binary.BigEndian.Uint64(kv.Key[len(logPrefix):])
		switch {
		case inLog[o]:
			return nil, fmt.Errorf("%v is there twice", o)
		case !o.update || o.state == opRefused || o.state == opAbsent:
			return nil, fmt.Errorf("%v is there as group %d", o, seq)
		case o.state == opUnknown:
			o.commit.Sequence, o.commit.Time = seq, lastTime
		case o.commit.Sequence != seq:
			return nil, fmt.Errorf("%v is there as group %d", o, seq)
		case o.commit.Time < lastTime:
			return nil, fmt.Errorf("%v follows a commit at %d", o, lastTime)
		case o.ended < latest:
			return nil, fmt.Errorf("%v was answered before another began that stands before it", o)
		}
		inLog[o] = true
		latest, lastTime = max(latest, o.began), o.commit.Time
		if err := x.do(o); err != nil {
			return nil, fmt.Errorf("%v: %w", o, err)
		}
	}
	for _, o := range m.ledger.ops {
		switch {
		case !o.update || inLog[o]:
			if o.update && o.state == opUnknown {
				o.state = opPresent
			}
		case o.state.there():
			return nil, fmt.Errorf("%v is lost; %d transactions are there", o, len(found))
		case o.state == opUnknown:
			o.state = opAbsent
		}
	}
	return x, nil
}

// do makes the effects of one transaction.
func (x *expected) do(o *op) error {
	x.order = append(x.order, o)
	if o.hot >= 0 {
		x.hot[o.hot]++
		if x.hot[o.hot] != o.count {
			return fmt.Errorf("counter %d: it wrote %d where %d is next", o.hot, o.count, x.hot[o.hot])
		}
	}
	if o.deletes >= 0 {
		delete(x.keys, string(opKey(o.deletes)))
	}
	x.keys[string(opKey(o.id))] = string(opValue(o.id))
	for _, c := range o.producers {
		x.epochs[c.Producer] = c.Epoch
	}
	for _, c := range o.parts {
		p := x.parts[c.Partition]
		if c.Kind == store.PartitionCreate {
			if p != nil || x.deleted[c.Partition] {
				return fmt.Errorf("partition %d is created again", c.Partition)
			}
			x.parts[c.Partition] = &expectedPart{created: o, epoch: c.Epoch}
			continue
		}
		if p == nil {
			return fmt.Errorf("it changes partition %d, which is not there", c.Partition)
		}
		switch c.Kind {
		case store.PartitionClose:
			p.closed = true
		case store.PartitionTrim:
			p.start = max(p.start, c.To)
		case store.PartitionEpoch:
			p.epoch = c.Epoch
		case store.PartitionRetention:
			p.retention = c.Retention
		case store.PartitionDelete:
			delete(x.parts, c.Partition)
			x.deleted[c.Partition] = true
		case store.PartitionCreate, store.PartitionCompaction, store.PartitionForget:
		}
	}
	return nil
}

func (m *sim) checkKeys(x *expected) error {
	for n := range hotKeys {
		if x.hot[n] > 0 {
			x.keys[string(hotKey(n))] = strconv.FormatUint(x.hot[n], 10)
		}
	}
	found, err := m.scan([]byte{byte(store.FamilyTopic)}, nil)
	if err != nil {
		return err
	}
	got := map[string]string{}
	for _, kv := range found {
		got[string(kv.Key)] = string(kv.Value)
	}
	if maps.Equal(got, x.keys) {
		return nil
	}
	var b strings.Builder
	for k, v := range x.keys {
		if got[k] != v {
			fmt.Fprintf(&b, " %q: got %q, want %q;", k, got[k], v)
		}
	}
	for k, v := range got {
		if x.keys[k] == "" {
			fmt.Fprintf(&b, " %q: got %q, want none;", k, v)
		}
	}
	return fmt.Errorf("keys differ from the order of transactions:%s", b.String())
}

// settleAdditions compares what is in partitions with what was answered.
func (m *sim) settleAdditions(x *expected) error {
	for _, o := range m.ledger.ops {
		found, hidden := 0, 0
		for _, a := range o.adds {
			if a.again != nil || a.err != nil {
				continue
			}
			switch here, unseen := m.holds(x, a); {
			case here:
				found++
			case unseen:
				hidden++
			case o.state == opAcked || o.state == opPresent:
				return fmt.Errorf("%v: the records for partition %d are lost", o, a.part)
			}
		}
		if o.update || o.state != opUnknown {
			continue
		}
		switch {
		case found > 0:
			o.state = opPresent
			if err := m.wholeAppend(x, o); err != nil {
				return err
			}
		case hidden > 0:
			o.state = opMaybe
		default:
			o.state = opAbsent
		}
	}
	return nil
}

// holds tells whether a partition has all records of an addition, or whether that cannot be told.
func (m *sim) holds(x *expected, a *addition) (here, unseen bool) {
	p, mirror := x.parts[a.part], m.mirror[a.part]
	if p == nil {
		return false, x.deleted[a.part]
	}
	if mirror == nil || a.base < 0 {
		return false, mirror != nil && mirror.gap
	}
	for i := range a.n {
		at, got := int(a.base)+i, place{}
		if at < len(mirror.at) {
			got = mirror.at[at]
		}
		if got != (place{a.op.id + 1, a.nth, i}) {
			return false, got.op == 0 && store.Offset(at) < p.start
		}
	}
	return true, false
}

// wholeAppend: a call that was cut is there with all of its partitions that took it.
func (m *sim) wholeAppend(x *expected, o *op) error {
	for _, a := range o.adds {
		here, unseen := m.holds(x, a)
		p := x.parts[a.part]
		switch {
		case here || unseen:
		case p == nil || p.closed || p.created.ended >= o.began:
			a.err = errNotTaken
		default:
			return fmt.Errorf("%v: cut in two, partition %d has nothing", o, a.part)
		}
	}
	return nil
}

var errNotTaken = errors.New("the partition did not take it")

// checkRefusals: what was the reason of a refusal is durable.
func checkRefusals(x *expected, o *op) error {
	if o.state == opRefused {
		var ids []store.PartitionID
		outOfRange := false
		for _, a := range o.adds {
			ids = append(ids, a.part)
		}
		for _, c := range o.parts {
			ids = append(ids, c.Partition)
			outOfRange = outOfRange || c.To > 1<<39
		}
		why := o.err
		if len(ids) == 0 && errors.Is(why, store.ErrNoPartition) {
			return nil // a transaction that reads a head and goes no further
		}
		if errors.Is(why, store.ErrOffsetOutOfRange) && outOfRange {
			return nil
		}
		if err := x.explains(o, why, ids); err != nil {
			return err
		}
	}
	for _, a := range o.adds {
		if o.state != opAcked {
			continue
		}
		switch {
		case a.err == nil && a.want != nil:
			return fmt.Errorf("taken at %d, want refused with %w", a.base, a.want)
		case a.err == nil && a.again != nil && (a.base != a.again.base || a.time != a.again.time && a.again.time != 0):
			return fmt.Errorf("a repeat was answered with %d at %d, the first was at %d, %d", a.base, a.time, a.again.base, a.again.time)
		case a.err == nil || a.want != nil && errors.Is(a.err, a.want):
			continue
		case errors.Is(a.err, store.ErrProducerFenced):
			if x.epochs[a.by.producer] <= a.by.epoch {
				return fmt.Errorf("fenced, but the producer's epoch is %d", x.epochs[a.by.producer])
			}
			continue
		}
		if err := x.explains(o, a.err, []store.PartitionID{a.part}); err != nil {
			return err
		}
	}
	return nil
}

func (x *expected) explains(o *op, why error, ids []store.PartitionID) error {
	switch {
	case errors.Is(why, store.ErrContention), errors.Is(why, errNotTaken):
		return nil
	case strings.Contains(why.Error(), "healthy"):
	case errors.Is(why, store.ErrStopped), errors.Is(why, store.ErrFull):
		return nil
	case errors.Is(why, store.ErrClosed):
		for _, id := range ids {
			if p := x.parts[id]; p != nil && p.closed || x.deleted[id] {
				return nil
			}
		}
	case errors.Is(why, store.ErrNoPartition):
		for _, id := range ids {
			if p := x.parts[id]; p == nil || p.created.ended >= o.began {
				return nil
			}
		}
	}
	return fmt.Errorf("refused with %w, and nothing in the store says why", why)
}

func checkSightings(x *expected, o *op) error {
	if o.state != opAcked {
		return nil
	}
	for _, s := range o.saw {
		if s.part == 0 {
			if x.hot[s.hot] < s.count {
				return fmt.Errorf("counter %d was seen at %d and is %d", s.hot, s.count, x.hot[s.hot])
			}
			continue
		}
		p := x.parts[s.part]
		if p == nil && x.deleted[s.part] {
			continue
		}
		if p == nil || p.head.Next < s.next || p.head.LastStable < s.stable || s.closed && !p.closed {
			return fmt.Errorf("partition %d was seen as %+v and is %+v", s.part, s, p)
		}
	}
	return nil
}
