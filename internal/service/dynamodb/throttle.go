package dynamodb

import (
	"cmp"
	"math"
	"sync"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/quota"
)

const (
	// burstSeconds of units that were not used are kept. Source: developer guide, "Burst capacity" (read 2026-11): 300 seconds.
	burstSeconds = 300
	// maxMeters bounds what throttling remembers. When it is reached, the counts begin anew: all may burst once more.
	maxMeters = 10_000
)

const textMaxOnDemand = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"

// throttle counts the units that tables use on this node against those that they have. What a call costs is known when it is done:
// a call is admitted while there are units, and what it used beyond them is paid back before the next. Its zero value admits all.
type throttle struct {
	on    bool
	clock clock.Clock

	mu     sync.Mutex // guards meters and what they point to
	meters map[meterKey]*meter
}

// meterKey is a table, or one of its indexes, for reads or for writes.
type meterKey struct {
	table uint64
	index string
	write bool
}

type meter struct {
	quota.Bucket
	last time.Time
}

// gauge is what a call is held against.
type gauge struct {
	meterKey
	place  place // of the table
	billed billing
	rate   int64 // units a second; 0: as many as are asked for
}

// gauge is that of reading or writing a table's items, or those of a global index. Local indexes use the units of their table.
func (t *table) gauge(p place, ix *index, write bool) gauge {
	g := gauge{meterKey: meterKey{table: t.num, write: write}, place: p}
	units, maxRead, maxWrite := t.throughput, t.maxRead, t.maxWrite
	if ix != nil && !ix.local {
		g.index, units, maxRead, maxWrite = ix.name, ix.throughput, ix.maxRead, ix.maxWrite
	}
	g.billed, g.rate = units.billing, units.read
	switch {
	case g.billed == onDemand && write:
		g.rate = maxWrite
	case g.billed == onDemand:
		g.rate = maxRead
	case write:
		g.rate = units.write
	}
	return g
}

// admitWrite is admit for a write that was located.
func (s *Service) admitWrite(w *write, pending float64) error {
	if !s.throttle.on {
		return nil
	}
	return s.throttle.admit(w.table.gauge(w.place, nil, true), pending)
}

// admitRows is admit for the global indexes that a write will change, once it is known what it makes of its item.
//
// Errors: those of admit, value.ErrCorrupt.
func (s *Service) admitRows(w *write) error {
	if !s.throttle.on {
		return nil
	}
	for _, ix := range w.table.indexes {
		if ix.local || !ix.written() {
			continue
		}
		over := s.throttle.admit(w.table.gauge(w.place, ix, true), 0)
		if over == nil {
			continue
		}
		if touched, err := ix.touched(w.table, w.old, w.new); touched || err != nil {
			return cmp.Or(err, over)
		}
	}
	return nil
}

// spend counts what a call has cost a table and its indexes.
func (s *Service) spend(t *table, p place, write bool, units float64, arms []arm) {
	for _, a := range arms {
		s.spendOn(t.gauge(p, a.index, write), a.units)
	}
	s.spendOn(t.gauge(p, nil, write), units)
}

// spendOn counts units of one gauge, for CloudWatch too.
func (s *Service) spendOn(g gauge, units float64) {
	s.metrics.units(g, units)
	s.throttle.spend(g, units)
}

// most is how many units may be saved up: on demand there is a limit to each second.
func (g *gauge) most() float64 {
	if g.billed == onDemand {
		return float64(g.rate)
	}
	return burstSeconds * float64(g.rate)
}

// admit says whether a call may go on that has used pending units already, which are not spent yet.
//
// Errors: ProvisionedThroughputExceededException, ThrottlingException, both with reasons.
func (t *throttle) admit(g gauge, pending float64) error {
	if !t.on || g.rate == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.meter(g).Level-pending > 0 {
		return nil
	}
	return g.exceeded()
}

// spend counts units that were used.
func (t *throttle) spend(g gauge, units float64) {
	if !t.on || g.rate == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.meter(g).Level -= units
}

// meter is what a gauge has left; the caller holds mu. A meter is full when it begins.
func (t *throttle) meter(g gauge) *meter {
	now, seconds := t.clock.Now(), math.Inf(1)
	m := t.meters[g.meterKey]
	if m == nil {
		if t.meters == nil || len(t.meters) >= maxMeters {
			t.meters = map[meterKey]*meter{}
		}
		m = &meter{}
		t.meters[g.meterKey] = m
	} else {
		seconds = max(0, now.Sub(m.last).Seconds())
	}
	m.Refill(seconds, float64(g.rate), g.most())
	m.last = now
	return m
}

// arn is that of the table or index.
func (g *gauge) arn() *string {
	arn := g.place.arn()
	if g.index != "" {
		arn += "/index/" + g.index
	}
	return &arn
}

// exceeded is the error of a call that is not admitted.
//
// Source: developer guide, "Diagnosing throttling" (read 2026-11).
func (g *gauge) exceeded() *api.Error {
	reason := "Table"
	if g.index != "" {
		reason = "Index"
	}
	if g.write {
		reason += "Write"
	} else {
		reason += "Read"
	}
	if g.billed == onDemand {
		reason += "MaxOnDemandThroughputExceeded"
		return dynamodbapi.ThrottlingException(textMaxOnDemand, &dynamodbapi.ThrottlingExceptionFields{ThrottlingReasons: []dynamodbapi.ThrottlingReason{{Reason: &reason, Resource: g.arn()}}})
	}
	text := textThroughput
	if g.index != "" {
		text = textIndexThroughput
	}
	reason += "ProvisionedThroughputExceeded"
	return dynamodbapi.ProvisionedThroughputExceededException(text, &dynamodbapi.ProvisionedThroughputExceededExceptionFields{ThrottlingReasons: []dynamodbapi.ThrottlingReason{{Reason: &reason, Resource: g.arn()}}})
}

// textIndexThroughput is textThroughput for an index. Source: API reference, TransactWriteItems (read 2026-11).
const textIndexThroughput = "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. " +
	"Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"

// throttled is the code of the reason for which a transaction is cancelled by an error of admit; "" for other errors.
func throttled(err error) string {
	e := api.AsError(err)
	if e == nil {
		return ""
	}
	switch e.Code {
	case "ProvisionedThroughputExceededException":
		return reasonThroughput
	case "ThrottlingException":
		return reasonThrottling
	}
	return ""
}
