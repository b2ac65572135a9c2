package kinesis

import (
	"testing"
	"testing/quick"

	"millrace/internal/api/kinesisapi"
)

func TestCommitmentEndsNotBeforeADay(t *testing.T) {
	const now, day = int64(1_000_000), commitmentMS
	for _, c := range []struct {
		name      string
		got, want commitment
	}{
		{"none is ended", commitment{}.disable(now), commitment{}},
		{"first", commitment{}.enable(now), commitment{started: now}},
		{"begun twice", commitment{started: now}.enable(now + 5), commitment{started: now}},
		{"ended early", commitment{started: now}.disable(now + 5), commitment{started: now, ended: now + day}},
		{"ended early twice", commitment{started: now, ended: now + day}.disable(now + 6), commitment{started: now, ended: now + day}},
		{"end taken back", commitment{started: now, ended: now + day}.enable(now + day - 1), commitment{started: now}},
		{"ended late", commitment{started: now}.disable(now + 2*day), commitment{started: now, ended: now + 2*day}},
		{"ended after its end", commitment{started: now, ended: now + day}.disable(now + 2*day), commitment{started: now, ended: now + day}},
		{"begun anew", commitment{started: now, ended: now + day}.enable(now + day), commitment{started: now + day}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, c.got, c.want)
		}
	}
}

func TestCommitmentIsWrittenAsDocumented(t *testing.T) {
	v := encodeCommitment(commitment{started: 5, ended: 7})
	if got, want := string(v), "\x01\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x07"; got != want {
		t.Errorf("encodeCommitment: got %x, want %x", got, want)
	}
	if got, want := string(commitmentKey("000000000000", "us-east-1")), "\x11\x02000000000000\x00us-east-1"; got != want {
		t.Errorf("commitmentKey: got %x, want %x", got, want)
	}
	for _, v := range [][]byte{nil, {1}, {2, 17: 0}, encodeCommitment(commitment{}), encodeCommitment(commitment{started: 7, ended: 5})} {
		if got, err := decodeCommitment(v); err == nil {
			t.Errorf("decodeCommitment(%x): got %+v, want an error", v, got)
		}
	}
	err := quick.Check(func(started, length uint32) bool {
		c := commitment{started: int64(started) + 1, ended: int64(started) + 1 + int64(length)}
		back, err := decodeCommitment(encodeCommitment(c))
		return err == nil && back == c
	}, nil)
	if err != nil {
		t.Errorf("a commitment does not come back as it was: %v", err)
	}
}

func TestCommitmentThatEndsIsStillOn(t *testing.T) {
	c := commitment{started: 1, ended: 1 + commitmentMS}
	want := kinesisapi.MinimumThroughputBillingCommitmentOutputStatusEnabledUntilEarliestAllowedEnd
	if got := c.answer(commitmentMS); got.Status != want || got.EndedAt != nil || !c.on(commitmentMS) {
		t.Errorf("%+v before its end: got %+v, want status %s without EndedAt", c, got, want)
	}
	want = kinesisapi.MinimumThroughputBillingCommitmentOutputStatusDisabled
	if got := c.answer(1 + commitmentMS); got.Status != want || got.EndedAt == nil || c.on(1+commitmentMS) {
		t.Errorf("%+v at its end: got %+v, want status %s with EndedAt", c, got, want)
	}
}
