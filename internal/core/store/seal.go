package store

import "millrace/internal/core/batch"

// AppendSealed makes the bytes of a decided batch and appends them to dst: a copy of a finished
// batch with its place written in, loose records built into one, or the control batch of a marker.
// It is at most a.Size bytes and never changes what a points to. The bytes are plain: a driver
// encrypts them where a.Key says so (datakey.SealBatch), for which a.Size has room.
func (a *Append) AppendSealed(dst []byte) []byte {
	at := len(dst)
	switch {
	case a.Marker != MarkerNone:
		dst = batch.Control(dst, int64(a.Base), a.AppendTime, int64(a.Producer), a.ProducerEpoch, a.Marker == MarkerCommit, 0)
	case a.Batch != nil:
		dst = append(dst, a.Batch...)
		batch.SetBaseOffset(dst[at:], int64(a.Base))
		if a.LogAppendTime {
			batch.SetLogAppendTime(dst[at:], a.AppendTime)
		}
	default:
		return a.appendLoose(dst)
	}
	batch.SetLeaderEpoch(dst[at:], a.LeaderEpoch)
	return dst
}

func (a *Append) appendLoose(dst []byte) []byte {
	var b batch.Builder
	b.Start(dst, a.AppendTime)
	for _, records := range a.Loose {
		for i := range records {
			b.Add(&batch.Record{Key: records[i].Key, Value: records[i].Value, Timestamp: a.AppendTime})
		}
	}
	return b.Finish(batch.Fields{
		BaseOffset:     int64(a.Base),
		LeaderEpoch:    a.LeaderEpoch,
		Attributes:     a.Attributes,
		FirstTimestamp: a.AppendTime,
		MaxTimestamp:   a.MaxTimestamp,
		ProducerID:     batch.NoProducer,
		ProducerEpoch:  batch.NoProducer,
		BaseSequence:   batch.NoProducer,
	})
}
