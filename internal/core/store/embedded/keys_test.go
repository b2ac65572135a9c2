package embedded

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/core/datakey"
	"millrace/internal/core/fault"
	"millrace/internal/core/journal"
	"millrace/internal/core/store"
)

// filesOf are all files below a folder.
func filesOf(t *testing.T, fs *fault.TornFS, dir string) (paths []string) {
	t.Helper()
	for _, name := range contentsOf(t, fs, dir) {
		path := dir + "/" + name
		info, err := fs.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			paths = append(paths, filesOf(t, fs, path)...)
		} else {
			paths = append(paths, path)
		}
	}
	return paths
}

// TestPlainTextOfSealedRecordsIsInNoFile writes words into sealed and plain partitions, through journal, segments and adopted
// files, crashes, and looks for them in every file that is left.
func TestPlainTextOfSealedRecordsIsInNoFile(t *testing.T) {
	const secret, public = "the treasure lies under the third oak", "the weather is fine at the third oak"
	for name, adopt := range map[string]bool{"segments": false, "adopted journal files": true} {
		t.Run(name, func(t *testing.T) {
			fs := fault.NewTorn()
			r := openRig(t, moving(fs, adopt))
			sealed, plain := r.create(store.Retention{}), r.create(store.Retention{})
			r.seal(sealed)
			word := func(w string, i int) []byte { return append([]byte(w), make([]byte, 3000+i)...) }
			write := func(n int) {
				for i := range n {
					r.append(sealed, word(secret, i))
					r.append(plain, word(public, i))
				}
			}
			write(60)
			await(t, "the mover", func() bool {
				write(1)
				c := r.Counters()
				return c.MovedFiles+c.AdoptedFiles > 0
			})
			next := r.head(sealed).Next
			left := fs.Crash(rand.New(rand.NewPCG(1, 1)))
			r.stop()
			for _, disk := range []*fault.TornFS{fs, left} {
				o := r.opts
				o.FS = disk
				again := openRig(t, o)
				res, err := again.Read(t.Context(), store.ReadRequest{Partition: sealed, From: next - 1, MaxBytes: 1})
				if err != nil || !bytes.Contains(res.Batches[0].Bytes, []byte(secret)) || res.Batches[0].Key != r.sealed[sealed] {
					t.Fatalf("read of offset %d: %+v, %v", next-1, res.Batches, err)
				}
				res.Release()
				again.stop()
				where := ""
				for _, path := range filesOf(t, disk, "store") {
					b := contents(t, disk, path)
					if bytes.Contains(b, []byte(secret)) {
						t.Errorf("%s holds what was sealed", path)
					}
					if bytes.Contains(b, []byte(public)) {
						where += path + " "
					}
				}
				if !strings.Contains(where, "journal/") || !adopt && !strings.Contains(where, "segments/") {
					t.Errorf("what is plain was found in %q: the test looks in the wrong places", where)
				}
			}
		})
	}
}

func TestCheckNeedsNoRootKey(t *testing.T) {
	_, o, _, _ := stocked(t)
	o.RootKey = nil
	report, err := Check(o, func(string) {})
	if err != nil || report.Batches == 0 {
		t.Errorf("Check without a root key: %+v, %v", report, err)
	}
}

// TestFlippedByteOfASealedBatchIsDamage: also one that the sum does not tell, as when somebody has changed both.
func TestFlippedByteOfASealedBatchIsDamage(t *testing.T) {
	o := small(fault.NewTorn())
	r := openRig(t, o)
	id := r.create(store.Retention{})
	r.seal(id)
	r.fill(id, 5, 100)
	r.stop()
	r = openRig(t, o) // the tail cache is empty
	e := &r.idx.parts.Get(id).tail[2]
	name := r.Store.files[0].name
	b := contents(t, o.FS, name)
	overwrite(t, o.FS, name, int64(e.pos)+30, []byte{b[e.pos+30] ^ 1})
	read := func(what string) string {
		_, err := r.Read(t.Context(), store.ReadRequest{Partition: id, From: 2, MaxBytes: 1})
		if file, at := damagedAt(t, what, err); file != name || at != int64(e.pos) {
			t.Errorf("%s: damage of %s at %d, want %s at %d", what, file, at, name, e.pos)
		}
		return err.Error()
	}
	if got := read("a flipped byte"); !strings.Contains(got, "has sum") {
		t.Errorf("a flipped byte: got %q, want the sum named", got)
	}
	b = contents(t, o.FS, name)
	e.crc = journal.Sum(b[e.pos : e.pos+e.length])
	if got := read("a flipped byte with its sum"); !strings.Contains(got, datakey.ErrSealed.Error()) {
		t.Errorf("a flipped byte with its sum: got %q, want %q", got, datakey.ErrSealed)
	}
	res, err := r.Read(t.Context(), store.ReadRequest{Partition: id, From: 0, MaxBytes: 1 << 20})
	if err != nil || len(res.Batches) != 2 {
		t.Errorf("before the damage: %d batches, %v; want 2", len(res.Batches), err)
	}
	res.Release()
	if err := r.readNumbered(id, 3); err != nil {
		t.Errorf("behind the damage: %v", err)
	}
}

// TestSealedBatchOpensNowhereElse puts one sealed batch where another one belongs, with all that the index says of it.
func TestSealedBatchOpensNowhereElse(t *testing.T) {
	r := openRig(t, small(fault.NewTorn()))
	a, b := r.create(store.Retention{}), r.create(store.Retention{})
	r.sealed[b] = r.seal(a)
	r.fill(a, 2, 100)
	r.fill(b, 1, 100)
	move := func(from, to store.PartitionID, i, j int) {
		p, q := r.idx.parts.Get(from), r.idx.parts.Get(to)
		base := q.tail[j].base
		q.tail[j], q.sealings[j] = p.tail[i], p.sealings[i]
		q.tail[j].base, q.sealings[j].base = base, base
	}
	for _, x := range []struct {
		what     string
		from, to store.PartitionID
		i, j     int
	}{
		{"another partition", a, b, 0, 0},
		{"another offset", a, a, 0, 1},
	} {
		move(x.from, x.to, x.i, x.j)
		_, err := r.Read(t.Context(), store.ReadRequest{Partition: x.to, From: store.Offset(x.j), MaxBytes: 1})
		damagedAt(t, x.what, err)
	}
	if err := r.readNumbered(a, 2); err != nil {
		t.Fatal(err)
	}
}

func TestSealedBatchesNeedTheirRootKey(t *testing.T) {
	o := small(fault.NewTorn())
	r := openRig(t, o)
	sealed, plain := r.create(store.Retention{}), r.create(store.Retention{})
	key := r.seal(sealed)
	r.fill(sealed, 3, 100)
	r.fill(plain, 3, 100)
	r.stop()
	for _, root := range []*datakey.Root{datakey.NewRoot(), nil} {
		wrong := o
		wrong.RootKey = root
		r := openRig(t, wrong)
		_, err := r.Read(t.Context(), store.ReadRequest{Partition: sealed, MaxBytes: 1})
		e, ok := errors.AsType[*datakey.RootKeyError](err)
		if !ok || e.Key != key || e.Need != o.RootKey.ID() {
			t.Errorf("Read with %v: got %v, want an error that names data key %d and %v", root, err, key, o.RootKey)
		}
		req := append(one(sealed, []byte("x")), one(plain, numbered(plain, r.head(plain).Next, 20))...)
		req[0].Key = key
		res, err := r.Append(context.Background(), req)
		if _, ok := errors.AsType[*datakey.RootKeyError](res[0].Err); err != nil || !ok || res[1].Err != nil {
			t.Errorf("Append with %v: got %+v, %v; want the sealed one refused alone", root, res, err)
		}
		if err := r.readNumbered(plain, 0); err != nil {
			t.Errorf("plain records with %v: %v", root, err)
		}
		r.stop()
	}
	r = openRig(t, o)
	if err := r.readNumbered(sealed, 0); err != nil {
		t.Errorf("with the right root key again: %v", err)
	}
}

// TestIndexForgetsNoncesWithTheirBatches: what is moved or trimmed leaves nothing behind.
func TestIndexForgetsNoncesWithTheirBatches(t *testing.T) {
	r := openRig(t, moving(fault.NewTorn(), false))
	id := r.create(store.Retention{})
	r.fill(id, 10, 1000)
	r.seal(id)
	r.fill(id, 150, 3000)
	r.sealed[id] = 0
	r.fill(id, 10, 1000)
	await(t, "the mover", func() bool { return r.Counters().MovedFiles > 0 })
	check := func(what string) {
		t.Helper()
		r.mu.RLock()
		defer r.mu.RUnlock()
		p := r.idx.parts.Get(id)
		want := 0
		for i := range p.tail {
			if at := p.tail[i].base; at >= 10 && at < 160 {
				want++
			}
		}
		if len(p.sealings) != want {
			t.Errorf("%s: %d nonces for %d sealed batches", what, len(p.sealings), want)
		}
	}
	check("after a move")
	if err := r.readNumbered(id, 0); err != nil {
		t.Fatal(err)
	}
	r.update(func(tx store.Tx) error { return tx.TrimPartition(id, 155) })
	check("after a trim")
	if err := r.readNumbered(id, 155); err != nil {
		t.Fatal(err)
	}
}

// TestLargestAppendsFitIntoWhatIsKeptForThem: records of which no two share a batch need the most beside their bytes.
func TestLargestAppendsFitIntoWhatIsKeptForThem(t *testing.T) {
	for name, seal := range map[string]bool{"plain": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			o := small(fault.NewTorn())
			r := openRig(t, o)
			id := r.create(store.Retention{})
			req := []store.AppendRequest{{Partition: id}}
			if seal {
				req[0].Key = r.seal(id)
			}
			value := make([]byte, store.LooseBatchSize/2+1)
			for n := 0; n+len(value)+100 < store.MaxTxBytes; n += len(value) + 100 {
				req[0].Records = append(req[0].Records, store.Record{Value: value})
			}
			res, err := r.Append(t.Context(), req)
			if err != nil || res[0].Err != nil {
				t.Fatalf("Append of %d records of %d bytes: %+v, %v", len(req[0].Records), len(value), res, err)
			}
			var made int
			r.update(func(tx store.Tx) error {
				_, err := tx.Append(req[0])
				made = len(req[0].Records)
				return err
			})
			if h := r.head(id); h.Next != store.Offset(2*made) {
				t.Errorf("next offset: got %d, want %d", h.Next, 2*made)
			}
		})
	}
}
