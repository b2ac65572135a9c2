package kinesis

import (
	"context"
	"errors"
	"time"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
	"millrace/internal/core/worker"
)

// scaler observes the on-demand streams that this node writes to and scales them. It is its worker's alone.
//
// What it has seen of shards lives in memory: after a restart a shard is hot again after a minute, and joined at
// the earliest after an hour. What a stream carried in 30 days is kept in the store, within a tenth.
type scaler struct {
	svc     *Service
	streams map[uint64]*watched // by topic
	scanAt  int64               // ns; when streams that nobody uses are looked for next
}

// scanEvery is how often streams that nobody uses are looked for: they have too many shards when 30 days have passed.
const scanEvery = int64(time.Hour)

// watched is what is known of one stream.
type watched struct {
	history  history
	kept     load   // the peak of the day as the store has it
	revision uint64 // of the topic when history was read: changes of mode and warm throughput rewrite it
	seen     map[store.PartitionID]*seenShard
	at       int64 // ns of the last look
	pausedTo int64 // ns until which the stream is not scaled, since it has had too many shards over its life
}

// seenShard is what is known of one open shard.
type seenShard struct {
	since          int64 // ns when it was first seen
	bytes, records uint64
	now            float64 // part of its quota in the last minute
	peak, before   float64 // of this hour since since, and of the hour before
	hour           int64
	known          bool
}

// workScaling returns the worker that scales on-demand streams.
func (s *Service) workScaling() *worker.Worker {
	w := &scaler{svc: s, streams: map[uint64]*watched{}}
	every := s.opts.ScaleInterval
	return worker.New(worker.Options{
		First: every, Retry: every, What: "on-demand streams could not be scaled", Clock: s.opts.Clock, Logger: s.log,
		Step: func(ctx context.Context) (time.Duration, error) { return every, w.tick(ctx) },
	})
}

// tick looks at each on-demand stream once.
func (w *scaler) tick(ctx context.Context) error {
	ns := w.svc.nowNS()
	places, err := w.places(ctx, ns)
	var failed error // one stream that cannot be read must not hold up the others
	present := map[uint64]bool{}
	for _, p := range places {
		num, err := w.look(ctx, p, ns)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		present[num] = true
	}
	for num := range w.streams {
		if !present[num] {
			delete(w.streams, num)
		}
	}
	return errors.Join(err, failed)
}

// places are the on-demand streams to look at: those in use, and once an hour all.
func (w *scaler) places(ctx context.Context, ns int64) ([]place, error) {
	var found []place
	for _, st := range w.svc.cache.all() {
		if st.settings.mode == modeOnDemand {
			found = append(found, st.place)
		}
	}
	if ns < w.scanAt {
		return found, nil
	}
	all, err := w.svc.onDemandStreams(ctx)
	if err != nil {
		return found, err
	}
	w.scanAt = ns + scanEvery
	return all, nil // they are in use from here on: looking at one makes a copy
}

// look measures one stream and scales it if its load says so. It gives the topic's number, 0 when there is none.
func (w *scaler) look(ctx context.Context, p place, ns int64) (uint64, error) {
	st, err := w.svc.stream(ctx, p, ns)
	if errors.Is(err, kinesisapi.ResourceNotFoundException("")) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if st.settings.mode != modeOnDemand || st.topic.Origin != catalog.OriginKinesis || !st.writable() {
		return 0, nil
	}
	k, err := w.known(ctx, st)
	if err != nil {
		return st.topic.Num, err
	}
	now := w.svc.store.Now()
	total := k.measure(st, ns, w.svc.opts.Quotas)
	if k.history.note(now, total, k.kept) {
		if err := w.svc.writeHistory(ctx, st, &k.history); err != nil {
			return st.topic.Num, err
		}
		k.kept = k.history.today(now)
	}
	if st.topic.State != catalog.StateActive || ns < k.pausedTo {
		return st.topic.Num, nil
	}
	return st.topic.Num, w.scale(ctx, st, k, ns, now)
}

// known is what is known of a stream; at first what the store has kept.
func (w *scaler) known(ctx context.Context, st *stream) (*watched, error) {
	k := w.streams[st.topic.Num]
	if k != nil && k.revision == st.topic.Revision {
		return k, nil
	}
	h, ok, err := w.svc.readHistory(ctx, st)
	if err != nil {
		return nil, err
	}
	now := w.svc.store.Now()
	if !ok {
		h = firstHistory(now, len(st.routes.open), w.svc.opts.Quotas)
		if err := w.svc.writeHistory(ctx, st, &h); err != nil {
			return nil, err
		}
	}
	if k == nil {
		k = &watched{}
		w.streams[st.topic.Num] = k
	}
	k.history, k.kept, k.revision = h, h.today(now), st.topic.Revision
	return k, nil
}

// measure takes the counters of the open shards and gives what they took in a second since the last look.
func (k *watched) measure(st *stream, ns int64, q Quotas) load {
	seconds, first := time.Duration(ns-k.at).Seconds(), k.at == 0
	k.at = ns
	seen := make(map[store.PartitionID]*seenShard, len(st.routes.open))
	var total load
	for _, sh := range st.routes.open {
		t := &sh.meter.traffic
		bytes, records := t.inBytes.Load(), t.inRecords.Load()
		s := k.seen[sh.partition]
		made := s == nil
		if made {
			s = &seenShard{since: ns}
			if first {
				s.bytes, s.records = bytes, records // when they came is not known
			}
		}
		if bytes < s.bytes || records < s.records { // the copy was forgotten meanwhile
			s.bytes, s.records = 0, 0
		}
		if seconds > 0 {
			l := load{float64(bytes-s.bytes) / seconds, float64(records-s.records) / seconds}
			total.bytes, total.records = total.bytes+l.bytes, total.records+l.records
			s.observe(l.shards(q), ns, !made)
		}
		s.bytes, s.records = bytes, records
		seen[sh.partition] = s
	}
	k.seen = seen
	return total
}

// observe takes what a shard carried since the last look; whole says that it was there all the time.
func (s *seenShard) observe(part float64, ns int64, whole bool) {
	if hour := (ns - s.since) / int64(time.Hour); hour != s.hour {
		s.hour, s.before, s.peak = hour, s.peak, 0
	}
	s.now, s.known = part, whole
	s.peak = max(s.peak, part)
}

// shards are the open shards as planScaling wants them.
func (k *watched) shards(st *stream) []shardLoad {
	loads := make([]shardLoad, len(st.routes.open))
	for i, sh := range st.routes.open {
		s := k.seen[sh.partition]
		loads[i] = shardLoad{
			index: sh.index, width: sh.width(), now: s.now, peak: max(s.peak, s.before), known: s.known, rested: s.hour > 0,
		}
	}
	return loads
}

// scale begins a change of a stream's shards if there is reason for one.
func (w *scaler) scale(ctx context.Context, st *stream, k *watched, ns, now int64) error {
	q, count := w.svc.opts.Quotas, len(st.routes.open)
	want := wantedShards(&k.history, &st.settings, st.place.region, now, count, q)
	limit := max(scaleLimit(st.place.region), warmShards(st.settings.warmMiBps, q))
	do := planScaling(k.shards(st), want, limit)
	if len(do.split)+len(do.join) == 0 {
		return nil
	}
	err := w.svc.startScaling(ctx, st, do)
	switch {
	case errors.Is(err, errNotNow):
		return nil
	case errors.Is(err, errTooManyShards(st.place)):
		k.pausedTo = ns + scanEvery
		w.svc.log.Warn("an on-demand stream has had too many shards to be scaled", "stream", st.place.stream, "err", err)
		return nil
	case err != nil:
		return err
	}
	w.svc.log.Info("on-demand stream is scaled", "stream", st.place.stream, "account", st.place.account, "region", st.place.region,
		"shards", count, "split", len(do.split), "joined", len(do.join))
	return nil
}
