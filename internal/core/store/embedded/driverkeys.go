package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"millrace/internal/core/store"
)

// The driver's own keys in Pebble, under store.FamilyDriver. Permanent; docs/format/embedded.md draws them.
//
//	00 'L'                      level: 4 bytes
//	00 's'                      sequence of the last group whose keys Pebble has: 8 bytes
//	00 'c'                      checkpoint: version, state's sequence, moved sequence, oldest file, time, last partition
//	00 'p' partition            state of a partition at the checkpoint (store.State)
//	00 'q' producer             state of a producer at the checkpoint
//	00 'r' partition base file  run: where a sealed piece of the partition is; file is kind and number
//
// Numbers in keys are big-endian, in values varints unless said.
var (
	keyLevel      = []byte{byte(store.FamilyDriver), 'L'}
	keySequence   = []byte{byte(store.FamilyDriver), 's'}
	keyCheckpoint = []byte{byte(store.FamilyDriver), 'c'}
)

const (
	tagPartition = 'p'
	tagProducer  = 'q'
	tagRun       = 'r'

	valueVersion  = 1
	cleanVersion  = 2 // of runs that compaction has written
	sharedVersion = 3 // of runs in shared files
)

var errValue = errors.New("value is not well-formed")

func numberKey(tag byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(store.FamilyDriver), tag}, n)
}

// key also has the file, so that the key of a run that goes is never that of one which replaces it.
func (r *run) key() []byte {
	b := binary.BigEndian.AppendUint64(numberKey(tagRun, uint64(r.part)), uint64(r.base))
	return binary.BigEndian.AppendUint64(append(b, byte(r.file.kind)), r.file.id)
}

func encodeSequence(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// checkpoint is up to where the journal is not needed any more.
type checkpoint struct {
	state uint64 // the states in Pebble stand for this group
	moved uint64 // batches of groups up to this one are in runs
	file  uint64 // journal files with a lower number are not needed
	time  int64
	last  store.PartitionID
}

func (c *checkpoint) encode() []byte {
	b := []byte{valueVersion}
	b = binary.AppendUvarint(b, c.state)
	b = binary.AppendUvarint(b, c.moved)
	b = binary.AppendUvarint(b, c.file)
	b = binary.AppendUvarint(b, uint64(c.time))
	return binary.AppendUvarint(b, uint64(c.last))
}

func decodeCheckpoint(b []byte) (checkpoint, error) {
	n, err := uvarints(b, 5)
	if err == nil && b[0] != valueVersion {
		err = errValue
	}
	if err != nil {
		return checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	return checkpoint{state: n[0], moved: n[1], file: n[2], time: int64(n[3]), last: store.PartitionID(n[4])}, nil
}

// fileKind says what a run's bytes are in. Permanent.
type fileKind uint8

const (
	fileSegment fileKind = 1 // segments/NNN.seg, of one partition
	fileJournal fileKind = 2 // journal/NNN.log with an index beside it
	fileShared  fileKind = 3 // segments/NNN.seg, of many partitions
)

// fileID names a file that holds runs.
type fileID struct {
	kind fileKind
	id   uint64
}

// version is that of the run's value: a program that does not know shared files must not take one for a file that nothing
// points to. What compaction has written is never in one.
func (r *run) version() byte {
	switch {
	case r.file.kind == fileShared:
		return sharedVersion
	case r.clean:
		return cleanVersion
	}
	return valueVersion
}

func (r *run) encode() []byte {
	b := []byte{r.version()}
	for _, n := range []uint64{
		uint64(r.next), uint64(r.bytes), uint64(r.batches),
		uint64(r.firstAppend), uint64(r.lastAppend), uint64(r.maxTime),
	} {
		b = binary.AppendUvarint(b, n)
	}
	if r.clean {
		b = binary.AppendUvarint(b, uint64(r.horizon))
	}
	return b
}

func decodeRun(key, value []byte) (run, error) {
	if len(key) != 27 {
		return run{}, fmt.Errorf("run %x: %w", key, errValue)
	}
	count := 6
	clean := len(value) > 0 && value[0] == cleanVersion
	if clean {
		count++
	}
	n, err := uvarints(value, count)
	if err != nil {
		return run{}, fmt.Errorf("run %x: %w", key, err)
	}
	r := run{
		part: store.PartitionID(binary.BigEndian.Uint64(key[2:])),
		base: store.Offset(binary.BigEndian.Uint64(key[10:])),
		file: fileID{fileKind(key[18]), binary.BigEndian.Uint64(key[19:])},
		next: store.Offset(n[0]), bytes: int64(n[1]), batches: int64(n[2]),
		firstAppend: int64(n[3]), lastAppend: int64(n[4]), maxTime: int64(n[5]), clean: clean,
	}
	if clean {
		r.horizon = int64(n[6])
	}
	if r.version() != value[0] {
		return run{}, fmt.Errorf("run %x: version %d: %w", key, value[0], errValue)
	}
	return r, nil
}

// uvarints decodes a version byte, which the caller tells apart, and count numbers, and nothing else.
func uvarints(b []byte, count int) ([]uint64, error) {
	if len(b) == 0 || b[0] < valueVersion || b[0] > sharedVersion {
		return nil, errValue
	}
	b = b[1:]
	n := make([]uint64, count)
	for i := range n {
		v, size := binary.Uvarint(b)
		if size <= 0 {
			return nil, errValue
		}
		n[i], b = v, b[size:]
	}
	if len(b) != 0 {
		return nil, errValue
	}
	return n, nil
}

// keyError turns damage that Pebble has found into the store's error; Pebble's text names file and block.
func keyError(err error) error {
	if err != nil && pebble.IsCorruptionError(err) {
		return &store.CorruptError{File: keysDir, Reason: err.Error()}
	}
	return err
}

// checkLevel refuses a store that a newer binary has written. A store without a level is new, or stopped before
// its first flush: then there is no key at all.
func checkLevel(db *pebble.DB) (found bool, err error) {
	v, ok, err := get(db, keyLevel)
	if err != nil {
		return false, err
	}
	if !ok {
		it, err := db.NewIter(nil)
		if err != nil {
			return false, err
		}
		used := it.First()
		if err := errors.Join(keyError(it.Error()), it.Close()); err != nil {
			return false, err
		}
		if used {
			return false, &store.CorruptError{File: "keys", Reason: "the store's level is missing"}
		}
		return false, nil
	}
	if len(v) != 4 {
		return false, &store.CorruptError{File: "keys", Reason: "the store's level is not a number"}
	}
	if l := store.Level(binary.BigEndian.Uint32(v)); l > store.LevelRead {
		return false, &store.LevelError{Found: l, Readable: store.LevelRead}
	}
	return true, nil
}

func setLevel(db *pebble.DB) error {
	return db.Set(keyLevel, binary.BigEndian.AppendUint32(nil, uint32(store.LevelWrite)), pebble.NoSync)
}

// checkFamilies looks whether there is a key of each family that the binary does not know.
func checkFamilies(db *pebble.DB) error {
	it, err := db.NewIter(nil)
	if err != nil {
		return err
	}
	for ok := it.First(); ok; {
		f := store.Family(it.Key()[0])
		if !f.Known() {
			return errors.Join(&store.FamilyError{Found: f}, it.Close())
		}
		if f == 0xff {
			break
		}
		ok = it.SeekGE([]byte{byte(f) + 1})
	}
	return errors.Join(keyError(it.Error()), it.Close())
}
