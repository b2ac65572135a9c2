package kinesis

import (
	"time"

	"millrace/internal/api/kinesisapi"
)

// commitmentMS is how long a commitment lasts at least: 24 hours.
//
// Source: Kinesis API reference, MinimumThroughputBillingCommitmentInput (read 2026-11).
const commitmentMS = int64(24 * time.Hour / time.Millisecond)

// commitment is an account's commitment to a minimum throughput in a region. Nothing is billed for it here; it
// is what AWS wants before it takes warm throughput. Times are ms since 1970, store time; 0: never.
type commitment struct {
	started int64
	ended   int64 // 0: it goes on; in the future: it ends then
}

// on tells whether the commitment holds at now, until its end also when that is fixed.
func (c commitment) on(now int64) bool { return c.started > 0 && (c.ended == 0 || now < c.ended) }

// earliestEnd is when it may end.
func (c commitment) earliestEnd() int64 { return c.started + commitmentMS }

// enable begins a commitment, or takes back the end of the one that holds.
func (c commitment) enable(now int64) commitment {
	if !c.on(now) {
		return commitment{started: now}
	}
	return commitment{started: c.started}
}

// disable ends a commitment, at its earliest end if that is still to come.
func (c commitment) disable(now int64) commitment {
	if c.on(now) && c.ended == 0 {
		c.ended = max(now, c.earliestEnd())
	}
	return c
}

// answer is the commitment as it is at now. Its earliest end stands there while it holds, its end once it
// has ended.
func (c commitment) answer(now int64) *kinesisapi.MinimumThroughputBillingCommitmentOutput {
	out := &kinesisapi.MinimumThroughputBillingCommitmentOutput{Status: kinesisapi.MinimumThroughputBillingCommitmentOutputStatusDisabled}
	if c.started == 0 {
		return out
	}
	started := time.UnixMilli(c.started).UTC()
	out.StartedAt = &started
	if !c.on(now) {
		ended := time.UnixMilli(c.ended).UTC()
		out.EndedAt = &ended
		return out
	}
	earliest := time.UnixMilli(c.earliestEnd()).UTC()
	out.EarliestAllowedEndAt = &earliest
	out.Status = kinesisapi.MinimumThroughputBillingCommitmentOutputStatusEnabled
	if c.ended > 0 {
		out.Status = kinesisapi.MinimumThroughputBillingCommitmentOutputStatusEnabledUntilEarliestAllowedEnd
	}
	return out
}
