package storetest

import (
	"errors"
	"slices"

	"millrace/internal/core/store"
)

var partitionTests = []test{
	{"NewPartitionIsEmpty", func(e *env) {
		var id store.PartitionID
		e.update(func(tx store.Tx) error {
			n, err := tx.NextID("partition")
			id = store.PartitionID(n)
			return errors.Join(err, tx.CreatePartition(id, 3, store.Retention{Millis: 5, Bytes: 6}))
		})
		wantEqual(e, "head", e.head(id), store.Head{Epoch: 3, Retention: store.Retention{Millis: 5, Bytes: 6}})
		e.wantValues(id, store.ReadUncommitted)
		st, err := e.s.Stat(e.ctx, id)
		if err != nil || st.Bytes != 0 || st.Batches != 0 || st.FirstAppend != 0 {
			e.Fatalf("Stat: got %+v, %v", st, err)
		}
	}},
	{"PartitionIsCreatedOnce", func(e *env) {
		id := e.partition()
		e.refuses(store.ErrPartitionExists, func(tx store.Tx) error { return tx.CreatePartition(id, 0, store.Retention{}) })
		e.refuses(store.ErrPartitionExists, func(tx store.Tx) error {
			return errors.Join(tx.CreatePartition(id+1, 0, store.Retention{}), tx.CreatePartition(id+1, 0, store.Retention{}))
		})
		e.refuses(store.ErrPartitionExists, func(tx store.Tx) error { return tx.CreatePartition(0, 0, store.Retention{}) })
	}},
	{"PartitionIsCreatedAndFilledInOneCommit", func(e *env) {
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(loose(9, "a"))
			return errors.Join(err, tx.CreatePartition(9, 0, store.Retention{}), tx.ClosePartition(9))
		})
		e.wantValues(9, store.ReadUncommitted, "a")
		wantEqual(e, "closed", e.head(9).Closed, true)
	}},
	{"MissingPartitionIsNamedAsSuch", missingPartition},
	{"ClosedPartitionIsReadButTakesNoMore", func(e *env) {
		id := e.partition()
		e.add(0, loose(id, "a"))
		e.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
		e.addFails(store.ErrClosed, loose(id, "b"))
		e.addFails(store.ErrClosed, plain("b").to(id))
		e.update(func(tx store.Tx) error { return tx.ClosePartition(id) })
		e.wantValues(id, store.ReadUncommitted, "a")
		wantEqual(e, "closed", e.head(id).Closed, true)
		wantEqual(e, "next offset", e.head(id).Next, 1)
	}},
	{"AppendAndCloseInOneCommitKeepsTheRecord", func(e *env) {
		id := e.partition()
		var res *store.AppendResult
		e.update(func(tx store.Tx) (err error) {
			if err := tx.ClosePartition(id); err != nil {
				return err
			}
			res, err = tx.Append(loose(id, "last"))
			return err
		})
		wantEqual(e, "offset", res.Base, 0)
		e.wantValues(id, store.ReadUncommitted, "last")
	}},
	{"TrimMovesTheStartUpOnly", func(e *env) {
		id := e.partition()
		for i := range 4 {
			e.add(store.Offset(i), loose(id, string(rune('a'+i))))
		}
		trim := func(to store.Offset) func(store.Tx) error {
			return func(tx store.Tx) error { return tx.TrimPartition(id, to) }
		}
		e.update(trim(2))
		wantEqual(e, "start", e.head(id).Start, 2)
		e.update(trim(1))
		wantEqual(e, "start after a lower trim", e.head(id).Start, 2)
		e.refuses(store.ErrOffsetOutOfRange, trim(5))
		e.wantValues(id, store.ReadUncommitted, "c", "d")
		var trimmed *store.TrimmedError
		_, err := e.s.Read(e.ctx, store.ReadRequest{Partition: id, From: 1, MaxBytes: 1})
		if !errors.As(err, &trimmed) || *trimmed != (store.TrimmedError{Asked: 1, First: 2}) {
			e.Fatalf("Read before the start: got %v", err)
		}
		e.update(trim(4))
		e.wantValues(id, store.ReadUncommitted)
		wantEqual(e, "start of a partition trimmed whole", e.head(id).Start, 4)
		if res := e.add(4, loose(id, "e")); res.Start != 4 {
			e.Fatalf("start in the answer of an append: got %d, want 4", res.Start)
		}
		e.wantValues(id, store.ReadUncommitted, "e")
	}},
	{"TrimInsideABatchHidesItsFirstRecords", func(e *env) {
		id := e.partition()
		e.add(0, plain("a", "b", "c").to(id))
		e.update(func(tx store.Tx) error { return tx.TrimPartition(id, 2) })
		res := e.read(store.ReadRequest{Partition: id, From: 2, MaxBytes: 1})
		if len(res.Batches) != 1 || res.Batches[0].Base != 0 || res.Batches[0].Next != 3 || res.Head.Start != 2 {
			e.Fatalf("got %+v", res)
		}
		if at, ok, err := e.s.Seek(e.ctx, id, 0, store.SeekTimestamp); err != nil || !ok || at != 2 {
			e.Fatalf("Seek into a batch that is trimmed in part: got %d, %v, %v; want the start, 2", at, ok, err)
		}
	}},
	{"TrimMakesRoomInStat", func(e *env) {
		id := e.partition()
		for i := range 3 {
			e.add(store.Offset(i), loose(id, "x"))
		}
		before, err := e.s.Stat(e.ctx, id)
		if err != nil || before.Batches != 3 || before.Bytes <= 0 || before.FirstAppend == 0 {
			e.Fatalf("Stat: got %+v, %v", before, err)
		}
		e.update(func(tx store.Tx) error { return tx.TrimPartition(id, 2) })
		after, err := e.s.Stat(e.ctx, id)
		if err != nil || after.Batches != 1 || after.Bytes != before.Bytes/3 || after.Head.Start != 2 {
			e.Fatalf("Stat after trimming two of three batches: got %+v, %v; before %+v", after, err, before)
		}
	}},
	{"EpochIsRaisedAndWrittenIntoLaterBatches", func(e *env) {
		id := e.partition()
		e.add(0, plain("a").to(id))
		e.update(func(tx store.Tx) error {
			_, err := tx.Append(loose(id, "b"))
			return errors.Join(err, tx.SetEpoch(id, 4))
		})
		e.add(2, loose(id, "c"))
		e.add(3, plain("d").to(id))
		wantEqual(e, "epoch", e.head(id).Epoch, 4)
		var epochs []int32
		for _, b := range e.readBatches(id, 0, 1, store.ReadUncommitted) {
			epochs = append(epochs, header(e, b).LeaderEpoch)
		}
		if !slices.Equal(epochs, []int32{0, 0, 4, 4}) {
			e.Fatalf("epochs of the batches: got %v", epochs)
		}
		e.refuses(store.ErrProducerFenced, func(tx store.Tx) error { return tx.SetEpoch(id, 3) })
		e.update(func(tx store.Tx) error { return tx.SetEpoch(id, 4) })
	}},
	{"RetentionIsKept", func(e *env) {
		id := e.partition()
		want := store.Retention{Millis: 1000, Bytes: 2000}
		e.update(func(tx store.Tx) error { return tx.SetRetention(id, want) })
		wantEqual(e, "retention", e.head(id).Retention, want)
		var got store.Head
		e.view(func(tx store.ReadTx) (err error) { got, err = tx.Head(id, store.FieldRetention); return err })
		wantEqual(e, "head with one field", got, store.Head{Retention: want})
	}},
	{"CompactionIsKept", func(e *env) {
		id := e.partition()
		want := store.Compaction{Enabled: true, DeleteMillis: 1, MinLagMillis: 1 << 40, MaxLagMillis: 1 << 41, DirtyMin: 500_000, RollMillis: 5, RollBytes: 6}
		e.update(func(tx store.Tx) error { return tx.SetCompaction(id, want) })
		wantEqual(e, "compaction", e.head(id).Compaction, want)
		var got store.Head
		e.view(func(tx store.ReadTx) (err error) { got, err = tx.Head(id, store.FieldRetention); return err })
		wantEqual(e, "head with one field", got, store.Head{Compaction: want})
		e.update(func(tx store.Tx) error { return tx.SetCompaction(id, store.Compaction{}) })
		wantEqual(e, "compaction switched off", e.head(id).Compaction, store.Compaction{})
	}},
	{"CompactionIsSetWhereThePartitionIsCreated", func(e *env) {
		var id store.PartitionID
		e.update(func(tx store.Tx) error {
			n, err := tx.NextID("partition")
			id = store.PartitionID(n)
			return errors.Join(err, tx.CreatePartition(id, 0, store.Retention{Bytes: 7}), tx.SetCompaction(id, store.Compaction{Enabled: true}))
		})
		wantEqual(e, "compaction", e.head(id).Compaction, store.Compaction{Enabled: true})
		wantEqual(e, "retention", e.head(id).Retention, store.Retention{Bytes: 7})
	}},
	{"DeletedPartitionIsGone", func(e *env) {
		ids := e.partitions(2)
		e.add(0, loose(ids[0], "a"))
		e.update(func(tx store.Tx) error { return tx.DeletePartition(ids[0]) })
		checkMissing(e, ids[0])
		got, err := e.s.Partitions(e.ctx, 0, 10)
		if err != nil || !slices.Equal(got, ids[1:]) {
			e.Fatalf("Partitions: got %v, %v; want %v", got, err, ids[1:])
		}
		e.refuses(store.ErrNoPartition, func(tx store.Tx) error {
			return errors.Join(tx.DeletePartition(ids[1]), tx.ClosePartition(ids[1]))
		})
	}},
	{"PartitionsListsFromAnIDUpwards", func(e *env) {
		ids := e.partitions(5)
		for _, c := range []struct {
			from  store.PartitionID
			limit int
			want  []store.PartitionID
		}{{0, 10, ids}, {ids[2], 10, ids[2:]}, {ids[1], 2, ids[1:3]}, {ids[4] + 1, 10, nil}} {
			got, err := e.s.Partitions(e.ctx, c.from, c.limit)
			if err != nil || !slices.Equal(got, c.want) {
				e.Errorf("Partitions(%d, %d): got %v, %v; want %v", c.from, c.limit, got, err, c.want)
			}
		}
	}},
	{"DeletingAPartitionLeavesItsOpenTransactionsElsewhere", func(e *env) {
		ids := e.partitions(2)
		e.producer(7, 0)
		for _, id := range ids {
			e.add(0, made{producer: 7, txn: true, values: []string{"t"}}.to(id))
		}
		e.update(func(tx store.Tx) error { return tx.DeletePartition(ids[0]) })
		e.update(func(tx store.Tx) error {
			remain, err := tx.EndTransaction(7, 0, true, 10)
			if remain != 0 {
				e.Errorf("remain: got %d, want 0", remain)
			}
			return err
		})
		e.wantValues(ids[1], store.ReadCommitted, "t", "commit")
	}},
}

func missingPartition(e *env) {
	checkMissing(e, 99)
	e.refuses(store.ErrNoPartition, func(tx store.Tx) error { _, err := tx.Append(loose(99, "a")); return err })
	for _, fn := range []func(tx store.Tx) error{
		func(tx store.Tx) error { return tx.ClosePartition(99) },
		func(tx store.Tx) error { return tx.TrimPartition(99, 0) },
		func(tx store.Tx) error { return tx.SetEpoch(99, 1) },
		func(tx store.Tx) error { return tx.SetRetention(99, store.Retention{}) },
		func(tx store.Tx) error { return tx.SetCompaction(99, store.Compaction{}) },
		func(tx store.Tx) error { return tx.ForgetAborted(99, 1) },
		func(tx store.Tx) error { return tx.DeletePartition(99) },
		func(tx store.Tx) error { _, err := tx.Head(99, store.FieldAll); return err },
	} {
		e.refuses(store.ErrNoPartition, fn)
	}
}

func checkMissing(e *env, id store.PartitionID) {
	e.Helper()
	_, headErr := e.s.Head(e.ctx, id)
	_, statErr := e.s.Stat(e.ctx, id)
	_, readErr := e.s.Read(e.ctx, store.ReadRequest{Partition: id})
	_, _, seekErr := e.s.Seek(e.ctx, id, 0, store.SeekAppendTime)
	for what, err := range map[string]error{"Head": headErr, "Stat": statErr, "Read": readErr, "Seek": seekErr} {
		if !errors.Is(err, store.ErrNoPartition) {
			e.Errorf("%s of a missing partition: got %v, want %v", what, err, store.ErrNoPartition)
		}
	}
	e.addFails(store.ErrNoPartition, loose(id, "a"))
	err := e.s.View(e.ctx, func(tx store.ReadTx) error { _, err := tx.Head(id, store.FieldAll); return err })
	if !errors.Is(err, store.ErrNoPartition) {
		e.Errorf("Head in a view: got %v", err)
	}
}
