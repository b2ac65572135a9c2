package journal

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/batch"
	"millrace/internal/core/store"
)

const testFile = "0000000000000001.log"

// looseAppend is records that the store builds a batch from.
func looseAppend(id store.PartitionID, base store.Offset, ms int64, values ...string) store.Append {
	a := store.Append{
		Partition: id, Base: base, Count: int32(len(values)), AppendTime: ms, MaxTimestamp: ms, Attributes: batch.AttrLogAppendTime,
		LeaderEpoch: 3, Producer: store.NoProducer, ProducerEpoch: -1, Sequence: -1, Size: batch.HeaderSize,
	}
	var records []store.Record
	for _, v := range values {
		records = append(records, store.Record{Key: []byte("key"), Value: []byte(v)})
		a.Size += len(v) + 64
	}
	a.Loose = [][]store.Record{records}
	return a
}

// marker is a control batch.
func marker(id store.PartitionID, base store.Offset, ms int64) store.Append {
	return store.Append{
		Partition: id, Base: base, Count: 1, AppendTime: ms, MaxTimestamp: ms, Attributes: batch.AttrTransactional | batch.AttrControl,
		Marker: store.MarkerCommit, LeaderEpoch: 3, Producer: 77, ProducerEpoch: 2, Sequence: -1, Size: 256,
	}
}

// everything is a group that has one of each thing a group can hold.
func everything(seq uint64) *store.Group {
	return &store.Group{
		Seq: seq, Time: 1_700_000_000_123,
		Parts: []store.PartitionChange{
			{Kind: store.PartitionCreate, Partition: 1, Epoch: 3, Retention: store.Retention{Millis: 86_400_000, Bytes: 1 << 30}},
			{Kind: store.PartitionClose, Partition: 2},
			{Kind: store.PartitionTrim, Partition: 3, To: 1234},
			{Kind: store.PartitionDelete, Partition: 4},
			{Kind: store.PartitionEpoch, Partition: 5, Epoch: 9},
			{Kind: store.PartitionRetention, Partition: 6, Retention: store.Retention{Millis: 1, Bytes: 2}},
		},
		Producers: []store.ProducerChange{{Kind: store.ProducerInit, Producer: 77, Epoch: 2}, {Kind: store.ProducerDelete, Producer: 78}},
		Keys: []store.KeyChange{
			{Key: []byte("\x10set"), Value: []byte("value")},
			{Key: []byte("\x10empty"), Value: []byte{}},
			{Key: []byte("\x10deleted")},
		},
		Appends: []store.Append{looseAppend(1, 0, 1_700_000_000_123, "a", "bb"), marker(2, 41, 1_700_000_000_124)},
	}
}

// seal writes a group as it stands in a file.
func seal(tb testing.TB, g *store.Group, fh FileHeader, pos int64) []byte {
	tb.Helper()
	h := Header{FileID: fh.ID, FileSeq: fh.Seq, Durable: g.Seq - 1}
	b, err := Seal(make([]byte, 0, Bound(g)), g, &h, pos, nil, make([]Stored, len(g.Appends)))
	if err != nil {
		tb.Fatalf("seal group %d: %v", g.Seq, err)
	}
	return b
}

// memFile is a file of a given size with groups one after the other.
type memFile struct {
	*bytes.Reader
	b []byte
}

func file(tb testing.TB, fh FileHeader, size int, groups ...*store.Group) *memFile {
	tb.Helper()
	b := append(make([]byte, 0, size), fh.page()...)
	for _, g := range groups {
		b = append(b, seal(tb, g, fh, int64(len(b)))...)
	}
	return bytesFile(append(b, make([]byte, max(0, size-len(b)))...))
}

func bytesFile(b []byte) *memFile { return &memFile{bytes.NewReader(b), b} }

func (f *memFile) walk(fh FileHeader) (groups []*Group, end End, err error) {
	end, err = Walk(f, testFile, fh, int64(len(f.b)), 0, func(g *Group) error {
		groups = append(groups, g)
		return nil
	})
	return groups, end, err
}

var header7 = FileHeader{Seq: 7, ID: 0x1122334455667788, Size: 64 << 10}

// plain is what of a group comes back.
func plain(g *store.Group) store.Group {
	c := *g
	c.Bytes, c.Appends = 0, nil
	for _, a := range g.Appends {
		a.Batch, a.Loose, a.LogAppendTime, a.Size = nil, nil, false, 0
		c.Appends = append(c.Appends, a)
	}
	for i := range c.Keys {
		if v := c.Keys[i].Value; v != nil && len(v) == 0 {
			c.Keys[i].Value = []byte{}
		}
	}
	return c
}

func sameGroup(t *testing.T, got *Group, want *store.Group) {
	t.Helper()
	g, w := plain(&got.Data), plain(want)
	if len(g.Appends)+len(w.Appends) > 0 && !reflect.DeepEqual(g.Appends, w.Appends) {
		t.Fatalf("appends of group %d: got\n%+v, want\n%+v", want.Seq, g.Appends, w.Appends)
	}
	g.Appends, w.Appends = nil, nil
	if g.Seq != w.Seq || g.Time != w.Time || len(g.Keys) != len(w.Keys) || len(g.Parts) != len(w.Parts) || len(g.Producers) != len(w.Producers) {
		t.Fatalf("group: got %+v, want %+v", g, w)
	}
	for i := range w.Keys {
		if !reflect.DeepEqual(g.Keys[i], w.Keys[i]) {
			t.Fatalf("key change %d of group %d: got %q, want %q", i, want.Seq, g.Keys[i], w.Keys[i])
		}
	}
	if len(w.Parts) > 0 && !reflect.DeepEqual(g.Parts, w.Parts) || len(w.Producers) > 0 && !reflect.DeepEqual(g.Producers, w.Producers) {
		t.Fatalf("group %d: got %+v, want %+v", want.Seq, g, w)
	}
}

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func randomGroup(rng *rand.Rand, seq uint64) *store.Group {
	g := &store.Group{Seq: seq, Time: rng.Int64()}
	for range rng.IntN(5) {
		c := store.PartitionChange{Kind: store.PartitionKind(1 + rng.IntN(8)), Partition: store.PartitionID(rng.Uint64())}
		r := store.Retention{Millis: rng.Int64(), Bytes: rng.Int64()}
		switch c.Kind {
		case store.PartitionCreate:
			c.Epoch, c.Retention = rng.Int32(), r
		case store.PartitionTrim, store.PartitionForget:
			c.To = store.Offset(rng.Int64())
		case store.PartitionEpoch:
			c.Epoch = rng.Int32()
		case store.PartitionRetention:
			c.Retention = r
		case store.PartitionCompaction:
			c.Compaction = store.Compaction{
				Enabled: rng.IntN(2) == 0, DeleteMillis: rng.Int64(), MinLagMillis: rng.Int64(), MaxLagMillis: rng.Int64(),
				DirtyMin: int64(rng.Uint32()), RollMillis: rng.Int64(), RollBytes: rng.Int64(),
			}
		case store.PartitionClose, store.PartitionDelete:
		}
		g.Parts = append(g.Parts, c)
	}
	for range rng.IntN(4) {
		g.Producers = append(g.Producers, store.ProducerChange{Kind: store.ProducerKind(1 + rng.IntN(2)), Producer: store.ProducerID(rng.Int64()), Epoch: int16(rng.Int32())})
	}
	for range rng.IntN(20) {
		k := store.KeyChange{Key: randomBytes(rng, 1+rng.IntN(100))}
		if rng.IntN(3) > 0 {
			k.Value = randomBytes(rng, rng.IntN(3000))
		}
		g.Keys = append(g.Keys, k)
	}
	for range rng.IntN(6) {
		id, base, ms := store.PartitionID(rng.Uint64()), store.Offset(rng.Int64N(1<<60)), rng.Int64N(1<<50)
		if rng.IntN(4) == 0 {
			g.Appends = append(g.Appends, marker(id, base, ms))
		} else {
			g.Appends = append(g.Appends, looseAppend(id, base, ms, string(randomBytes(rng, rng.IntN(5000))), "x"))
		}
	}
	return g
}

func TestGroupsReadBackAsTheyWereSealed(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		fh := FileHeader{Seq: rng.Uint64(), ID: rng.Uint64()}
		var groups []*store.Group
		for i := range 1 + rng.IntN(8) {
			groups = append(groups, randomGroup(rng, uint64(i)+seed+1))
		}
		f := file(t, fh, 1<<10*rng.IntN(100), groups...)
		got, end, err := f.walk(fh)
		if err != nil || end.Torn || len(got) != len(groups) {
			t.Fatalf("seed %d: %d of %d groups, end %+v, error %v", seed, len(got), len(groups), end, err)
		}
		for i, g := range got {
			sameGroup(t, g, groups[i])
			if err := CheckBatches(f, testFile, g); err != nil {
				t.Fatalf("seed %d: batches of group %d: %v", seed, g.Header.Seq, err)
			}
			for k := range g.Stored {
				a, s := groups[i].Appends[k], g.Stored[k]
				if want := a.AppendSealed(nil); !bytes.Equal(f.b[s.Pos:s.Pos+int64(s.Len)], want) {
					t.Fatalf("seed %d: batch %d of group %d has changed", seed, k, g.Header.Seq)
				}
			}
		}
		if last := got[len(got)-1]; end.Pos != last.Pos+int64(last.Header.Padded()) {
			t.Fatalf("seed %d: end at %d, the last group is at %d with %d bytes", seed, end.Pos, last.Pos, last.Header.Padded())
		}
	}
}

func TestWalkBeginsWhereItIsAsked(t *testing.T) {
	f := file(t, header7, 64<<10, everything(5), everything(6))
	for first, want := range map[uint64]int{0: 2, 5: 2, 4: 0, 6: 0} {
		n := 0
		end, err := Walk(f, testFile, header7, int64(len(f.b)), first, func(*Group) error { n++; return nil })
		if err != nil && first != 4 && first != 6 || n != want {
			t.Errorf("walk from group %d: %d groups, end %+v, error %v; want %d groups", first, n, end, err, want)
		}
	}
	mine := errors.New("mine")
	if _, err := Walk(f, testFile, header7, int64(len(f.b)), 0, func(*Group) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("error of fn: got %v", err)
	}
}

func TestSealRefusesWhatIsOverTheLimit(t *testing.T) {
	g := everything(1)
	var h Header
	if _, err := Seal(make([]byte, 0, HeaderSize), g, &h, 0, nil, make([]Stored, 2)); err == nil {
		t.Error("a buffer smaller than the bound was taken")
	}
	big := &store.Group{Seq: 1}
	value := make([]byte, store.MaxValueSize)
	for n := 0; n <= MaxGroupSize; n += len(value) {
		big.Keys = append(big.Keys, store.KeyChange{Key: []byte{1}, Value: value})
	}
	if _, err := Seal(make([]byte, 0, Bound(big)), big, &h, 0, nil, nil); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("a group of %d bytes: got %v, want %v", Bound(big), err, store.ErrTooLarge)
	}
}

func TestFileHeaderReadsBack(t *testing.T) {
	fs := vfs.NewMem()
	f, err := fs.Create(testFile, vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFileHeader(f); !errors.Is(err, ErrNotJournal) {
		t.Errorf("empty file: got %v, want %v", err, ErrNotJournal)
	}
	if err := WriteFileHeader(f, header7); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadFileHeader(f); err != nil || got != header7 {
		t.Errorf("got %+v, %v; want %+v", got, err, header7)
	}
	page := header7.page()
	for i := range 52 {
		bad := bytes.Clone(page)
		bad[i] ^= 0x40
		if got, err := ReadFileHeader(bytes.NewReader(bad)); !errors.Is(err, ErrNotJournal) {
			t.Errorf("byte %d changed: got %+v, %v; want %v", i, got, err, ErrNotJournal)
		}
	}
	newer := bytes.Clone(page)
	newer[16] = formatVersion + 1
	le.PutUint32(newer[48:], Sum(newer[:48]))
	if _, err := ReadFileHeader(bytes.NewReader(newer)); err == nil || errors.Is(err, ErrNotJournal) {
		t.Errorf("a newer version: got %v, want an error that names it", err)
	}
}
