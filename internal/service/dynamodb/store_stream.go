package dynamodb

import (
	"crypto/rand"
	"encoding/binary"
	"strings"

	"millrace/internal/core/catalog"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
)

// Second bytes of keys. Permanent: docs/format/changes.md draws keys and values.
const (
	kindStream    = 0x09
	kindStreamDue = 0x0a
)

// attrCapture is the name of what we keep beside the topic of a capture. Permanent.
const attrCapture = "dynamodb"

const (
	streamVersion  = 1
	captureVersion = 1
)

// A table begins with so many slices, so that readers can share the work of one that may grow at any time.
const (
	slicesProvisioned = 1
	slicesOnDemand    = 4
)

// stream is a stream's record: it outlives its table.
type stream struct {
	at         streamPlace
	topic      uint64 // of its capture, which is its own
	table      uint64 // number of the table
	view       viewType
	ended      int64  // ms: when it was disabled; 0: it is enabled
	due        int64  // ms: when the worker is to look at it
	hash, sort string // key attributes; sort may be ""
	shards     capture.Shards
}

// streamsKey begins the keys of all streams of a table, or of a place when table is "".
func streamsKey(kind byte, due []byte, p place) []byte {
	k := append([]byte{byte(store.FamilyTable), kind}, due...)
	k = appendPlace(k, p)
	if p.table == "" {
		return k
	}
	return append(append(k, p.table...), 0)
}

func (p streamPlace) key() []byte {
	return binary.BigEndian.AppendUint64(streamsKey(kindStream, nil, p.place), uint64(p.created))
}

func (p streamPlace) dueKey(due int64) []byte {
	k := streamsKey(kindStreamDue, binary.BigEndian.AppendUint64(nil, uint64(due)), p.place)
	return binary.BigEndian.AppendUint64(k, uint64(p.created))
}

// streamPlaceOf reads what follows the kind and, in keys of due streams, the time.
func streamPlaceOf(b []byte) (streamPlace, bool) {
	if len(b) < 9 || b[len(b)-9] != 0 {
		return streamPlace{}, false
	}
	p, ok := placeOf(b[:len(b)-9])
	return streamPlace{p, int64(binary.BigEndian.Uint64(b[len(b)-8:]))}, ok && !strings.Contains(p.table, "\x00")
}

func (r *stream) encode() []byte {
	be := binary.BigEndian
	v := be.AppendUint64([]byte{streamVersion}, r.topic)
	v = be.AppendUint64(v, r.table)
	v = append(v, byte(r.view))
	v = be.AppendUint64(v, uint64(r.ended))
	v = be.AppendUint64(v, uint64(r.due))
	for _, name := range []string{r.hash, r.sort} {
		v = append(append(v, byte(len(name))), name...)
	}
	return r.shards.AppendTo(v)
}

func decodeStream(at streamPlace, v []byte) (*stream, error) {
	d := field.Reader{B: v}
	version := d.Byte()
	r := &stream{at: at, topic: d.Uint64(), table: d.Uint64(), view: viewType(d.Byte()), ended: int64(d.Uint64()), due: int64(d.Uint64()), hash: d.Text8(), sort: d.Text8()}
	shards, ok := capture.DecodeShards(d.B)
	if r.shards = shards; d.Bad || !ok || version != streamVersion || viewNames[r.view] == "" {
		return nil, corrupt("stream")
	}
	return r, nil
}

// readStream reads a stream; nil when there is none.
func readStream(tx store.ReadTx, at streamPlace) (*stream, error) {
	v, ok, err := tx.Get(at.key())
	if err != nil || !ok {
		return nil, err
	}
	return decodeStream(at, v)
}

// saveStream writes a stream with the time when it is to be looked at next.
func (s *Service) saveStream(tx store.Tx, r *stream) error {
	if r.due != 0 {
		if err := tx.Delete(r.at.dueKey(r.due)); err != nil {
			return err
		}
	}
	r.due = s.dueOf(r)
	if err := tx.Set(r.at.dueKey(r.due), present); err != nil {
		return err
	}
	return tx.Set(r.at.key(), r.encode())
}

// dueOf is when the worker is to look at a stream next.
func (s *Service) dueOf(r *stream) int64 {
	if r.ended != 0 {
		return r.ended + maxChangeAge.Milliseconds()
	}
	return r.shards.Due(s.opts.StreamRotation.Milliseconds(), maxChangeAge.Milliseconds())
}

// followStream begins and ends the stream of a table that is about to replace old, which is nil for a new one, as it says.
func (s *Service) followStream(tx store.Tx, p place, old, t *table) error {
	switch {
	case t.stream != nil && t.stream.created == 0:
		return s.beginStream(tx, p, t)
	case t.stream == nil && old != nil && old.stream != nil:
		return s.endStream(tx, streamPlace{p, old.stream.created}, t)
	}
	return nil
}

// beginStream gives a table a stream, with a capture of its own.
func (s *Service) beginStream(tx store.Tx, p place, t *table) error {
	at := streamPlace{p, max(tx.Now(), t.latest+1)}
	for { // a table of the name that was just dropped had one in this moment
		old, err := readStream(tx, at)
		if err != nil {
			return err
		}
		if old == nil {
			break
		}
		at.created++
	}
	needs := needStream
	if t.capture != nil {
		needs |= t.capture.needs
	}
	if err := s.recapture(tx, p, t, needs); err != nil {
		return err
	}
	t.stream = &tableStream{view: t.stream.view, created: at.created}
	t.latest = at.created
	r := &stream{at: at, topic: t.capture.topic, table: t.num, view: t.stream.view, hash: t.hash, sort: t.sort}
	for i := range t.capture.slices {
		r.shards.Add(i, 0, capture.ShardID{}, at.created)
	}
	return s.saveStream(tx, r)
}

// endStream takes the stream of a table away; it can be read for a day.
func (s *Service) endStream(tx store.Tx, at streamPlace, t *table) error {
	r, err := readStream(tx, at)
	if err != nil {
		return err
	}
	if r == nil || t.capture == nil {
		return corrupt("stream of a table")
	}
	if err := s.recapture(tx, at.place, t, t.capture.needs&^needStream); err != nil {
		return err
	}
	r.ended = max(tx.Now(), at.created)
	r.shards.Close(r.ended)
	return s.saveStream(tx, r)
}

// recapture ends a table's capture, if it has one, and begins another for needs, if there are any. The caller saves the table.
//
// A capture has one stream at most, from its beginning to its end: whoever needs all changes of a table reads its captures one after the
// other. A need that is not a stream's can also be added to a capture that there is.
func (s *Service) recapture(tx store.Tx, p place, t *table, needs need) error {
	if old := t.capture; old != nil {
		for _, slice := range old.slices {
			if err := tx.ClosePartition(slice.id); err != nil {
				return err
			}
		}
		if err := s.noteCapture(tx, old.topic, captureNote{table: t.num, needs: old.needs, ended: tx.Now()}); err != nil {
			return err
		}
		t.capture = nil
	}
	if needs == 0 {
		return nil
	}
	n := slicesProvisioned
	if t.billing == onDemand {
		n = slicesOnDemand
	}
	topic := &catalog.Topic{Account: p.account, Region: p.region, Name: p.table, State: catalog.StateActive, Created: tx.Now()}
	_, _ = rand.Read(topic.ID[:]) // never fails
	slices := capture.Slices(n)
	parts := make([]catalog.Partition, n)
	for i, slice := range slices {
		parts[i] = catalog.Partition{Created: tx.Now(), Attr: slice.Encode()}
	}
	if err := s.cat.CreateInternal(tx, topic, parts, store.Retention{Millis: maxChangeAge.Milliseconds()}); err != nil {
		return err
	}
	t.capture = &captured{topic: topic.Num, needs: needs}
	for i, slice := range slices {
		t.capture.slices = append(t.capture.slices, capturedSlice{slice.Last, parts[i].ID})
	}
	return s.noteCapture(tx, topic.Num, captureNote{table: t.num, needs: needs})
}

// captureNote is what stands beside the topic of a capture.
type captureNote struct {
	table uint64
	needs need  // when it has ended: those whose readers are not done with it
	ended int64 // ms; 0: it goes on, and the table knows its needs
}

func (s *Service) noteCapture(tx store.Tx, num uint64, n captureNote) error {
	topic, err := s.cat.Get(tx, num)
	if err != nil {
		return err
	}
	v := binary.BigEndian.AppendUint64([]byte{captureVersion}, n.table)
	v = append(binary.BigEndian.AppendUint64(v, uint64(n.ended)), byte(n.needs))
	if err := s.cat.SetAttribute(tx, topic, attrCapture, v); err != nil {
		return err
	}
	return s.cat.Save(tx, topic)
}

// releaseCapture takes a need off a capture that has ended, and deletes one that nobody needs any more.
func (s *Service) releaseCapture(tx store.Tx, num uint64, done need) error {
	topic, err := s.cat.Get(tx, num)
	if err != nil {
		return err
	}
	v, _, err := s.cat.Attribute(tx, topic, attrCapture)
	if err != nil {
		return err
	}
	d := field.Reader{B: v}
	version := d.Byte()
	n := captureNote{table: d.Uint64(), ended: int64(d.Uint64()), needs: need(d.Byte())}
	if !d.Done() || version != captureVersion {
		return corrupt("capture")
	}
	if n.needs &^= done; n.needs != 0 || n.ended == 0 {
		return s.noteCapture(tx, num, n)
	}
	return s.cat.Remove(tx, topic)
}

// appendStream appends the fields of a table's capture and stream.
func (t *table) appendStream(v []byte) []byte {
	if c := t.capture; c != nil {
		p := binary.AppendUvarint(nil, c.topic)
		p = append(p, byte(c.needs))
		for _, slice := range c.slices {
			p = binary.BigEndian.AppendUint16(p, slice.last)
			p = binary.AppendUvarint(p, uint64(slice.id))
		}
		v = appendField(v, fieldCapture, p)
	}
	if t.stream != nil {
		v = appendField(v, fieldStream, binary.AppendUvarint([]byte{byte(t.stream.view)}, uint64(t.stream.created)))
	}
	return v
}

func (t *table) decodeCapture(p []byte) bool {
	d := field.Reader{B: p}
	c := &captured{topic: d.Uvarint(), needs: need(d.Byte())}
	before := -1
	for len(d.B) > 0 {
		slice := capturedSlice{last: d.Uint16(), id: store.PartitionID(d.Uvarint())}
		if int(slice.last) <= before {
			return false
		}
		before = int(slice.last)
		c.slices = append(c.slices, slice)
	}
	t.capture = c
	return !d.Bad && c.needs != 0 && before == 0xffff
}

func (t *table) decodeStream(p []byte) bool {
	d := field.Reader{B: p}
	t.stream = &tableStream{view: viewType(d.Byte()), created: int64(d.Uvarint())}
	return d.Done() && t.stream.created > 0 && viewNames[t.stream.view] != ""
}
