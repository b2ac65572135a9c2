package dynamodb

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"time"

	"millrace/internal/core/datakey"
	"millrace/internal/core/field"
	"millrace/internal/core/store"
)

const sealNoteVersion = 1

// sealNote stands as long as a table has a data key: it tells the worker which tables there are, and how worn their keys are. It is a key of its
// own, so that counting does not meet writers of the table.
type sealNote struct {
	num    uint64
	place  place
	made   int64  // ms: when the data key was made
	sealed uint64 // what it has sealed, as far as nodes have noted it
	next   []byte // key from which plain values are still to be sealed; empty: there are none
}

func sealNoteKey(num uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyTable), kindUpkeep, upkeepSeal}, num)
}

func (n *sealNote) encode() []byte {
	v := binary.BigEndian.AppendUint64([]byte{sealNoteVersion}, uint64(n.made))
	v = binary.BigEndian.AppendUint64(v, n.sealed)
	return append(appendNoted(v, n.place), n.next...)
}

// decodeSealNote reads what encode wrote.
//
// Errors: *store.CorruptError.
func decodeSealNote(kv store.KV) (n sealNote, err error) {
	d := field.Reader{B: kv.Value}
	version := d.Byte()
	n.made, n.sealed = int64(d.Uint64()), d.Uint64()
	var ok bool
	if n.place, n.next, ok = cutNoted(d.B); !ok || d.Bad || version != sealNoteVersion || len(kv.Key) != 11 {
		return n, corrupt("note of a data key")
	}
	n.num = binary.BigEndian.Uint64(kv.Key[3:])
	if len(n.next) > 0 && !bytes.HasPrefix(n.next, itemPrefix(n.num)) && !bytes.HasPrefix(n.next, indexPrefix(n.num, 0)[:itemPrefixSize]) {
		return n, corrupt("note of a data key")
	}
	return n, nil
}

// readSealNote reads the note of a table; nil when there is none.
func readSealNote(tx store.ReadTx, num uint64) (*sealNote, error) {
	key := sealNoteKey(num)
	v, ok, err := tx.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	n, err := decodeSealNote(store.KV{Key: key, Value: v})
	return &n, err
}

// followSSE gives a table that is about to replace old, which is nil for a new one, a data key, or takes it away: as its KMS key says, which counts
// from the request on, not from the end of the change. What a table has that was plain is sealed in the background.
//
// Errors: datakey.ErrNoRoot, those of the store.
func (s *Service) followSSE(tx store.Tx, p place, old, t *table) error {
	was := ""
	if old != nil {
		was = old.sse.wanted()
	}
	switch t.sse.wanted() {
	case was:
		return nil
	case "":
		t.dataKey = 0
		return tx.Delete(sealNoteKey(t.num))
	}
	n, err := readSealNote(tx, t.num)
	if err != nil {
		return err
	}
	if n == nil {
		n = &sealNote{num: t.num, place: p}
	}
	if old != nil && was == "" {
		n.next = itemPrefix(t.num)
	}
	return s.newDataKey(tx, n, t)
}

// newDataKey has what is written of a table from now on sealed under a new data key. The caller saves the table.
func (s *Service) newDataKey(tx store.Tx, n *sealNote, t *table) (err error) {
	if t.dataKey, err = datakey.Create(tx, s.opts.RootKey); err != nil {
		return err
	}
	n.made, n.sealed = tx.Now(), 0
	return tx.Set(sealNoteKey(n.num), n.encode())
}

// sealNotes reads up to sealPage notes of tables after one, and returns the last of them, 0 when that was all, and what is wrong with those that
// cannot be read.
func (s *Service) sealNotes(ctx context.Context, after uint64) (notes []sealNote, last uint64, bad, err error) {
	err = s.store.View(ctx, func(tx store.ReadTx) error {
		kvs, err := tx.Scan(sealNoteKey(after+1), []byte{byte(store.FamilyTable), kindUpkeep, upkeepSeal + 1}, sealPage, false)
		if err != nil {
			return err
		}
		notes, last, bad = make([]sealNote, 0, len(kvs)), 0, nil
		for _, kv := range kvs {
			n, err := decodeSealNote(kv)
			if bad = errors.Join(bad, err); err == nil {
				notes = append(notes, n)
			}
		}
		if len(kvs) == sealPage {
			last = noted(kvs[len(kvs)-1].Key)
		}
		return nil
	})
	return notes, last, bad, err
}

// worn says whether the data key is to be replaced when it has sealed so many more.
func (n *sealNote) worn(more, most uint64, now int64) bool {
	return datakey.Worn(n.sealed+more, most, time.Duration(now-n.made)*time.Millisecond)
}

// noteSealed adds to the count of a table's data key, and replaces the key if it is worn.
func (s *Service) noteSealed(ctx context.Context, num, more, most uint64) error {
	_, err := s.store.Update(ctx, func(tx store.Tx) error {
		n, err := readSealNote(tx, num)
		if err != nil || n == nil { // the table is gone, or its encryption
			return err
		}
		old, err := s.readTable(tx, n.place)
		if err != nil || old == nil || old.num != num {
			return err
		}
		if n.worn(more, most, tx.Now()) {
			t := old.clone()
			if err := s.newDataKey(tx, n, t); err != nil {
				return err
			}
			return saveTable(tx, n.place, old, t)
		}
		n.sealed += more
		return tx.Set(sealNoteKey(num), n.encode())
	})
	return err
}
