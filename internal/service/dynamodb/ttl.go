package dynamodb

import (
	"encoding/binary"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/service/dynamodb/value"
)

// ttlState is where a table's time to live is. Permanent.
type ttlState uint8

const (
	ttlOff       ttlState = 0
	ttlEnabling  ttlState = 1 // items that were there before get their expiry rows
	ttlOn        ttlState = 2
	ttlDisabling ttlState = 3 // expiry rows are removed
)

const (
	// ttlInterval is how long a table's time to live stays as it was set. The API reference says an hour. Source: AWS Controllers for Kubernetes, findings
	// about DynamoDB, recorded 2026-10: refused after 30:11, admitted after 31:12; ScyllaDB, test/alternator/test_ttl.py (read 2026-11): half an hour.
	ttlInterval = 31 * time.Minute
	// ttlOldest is how far in the past a time may lie for its item to expire: items with older ones stay, so that those who enable
	// it on a table with other numbers do not lose it. Source: developer guide, "Computing Time to Live" (read 2026-11): five years.
	ttlOldest = 5 * 365 * 24 * time.Hour
)

// timeToLive is what a table says about the expiry of its items.
type timeToLive struct {
	state     ttlState
	attribute string // "" when it is off
	changed   int64  // ms: the last call that was accepted; 0: none
}

// follows says that writes keep expiry rows.
func (l *timeToLive) follows() bool { return l.state == ttlEnabling || l.state == ttlOn }

// set switches time to live on or off at a time in ms.
//
// Errors: ValidationException.
// Source of texts: records of public clients' tests against AWS, of autumn 2026; that the state is looked at before the interval, the same.
func (l *timeToLive) set(enabled bool, attribute string, now int64) error {
	active := l.state != ttlOff
	switch {
	case !enabled && !l.follows():
		return errInvalid("TimeToLive is already disabled")
	case active && attribute != l.attribute:
		return errInvalid("TimeToLive is active on a different AttributeName: current AttributeName is " + l.attribute)
	case enabled && l.follows():
		return errInvalid("TimeToLive is already enabled")
	case l.changed != 0 && now < l.changed+ttlInterval.Milliseconds():
		return errInvalid("Time to live has been modified multiple times within a fixed interval")
	}
	*l = timeToLive{ttlDisabling, attribute, now}
	if enabled {
		l.state = ttlEnabling
	}
	return nil
}

// settle ends ENABLING and DISABLING.
func (l *timeToLive) settle() {
	switch l.state {
	case ttlEnabling:
		l.state = ttlOn
	case ttlDisabling:
		l.state, l.attribute = ttlOff, ""
	case ttlOff, ttlOn:
	}
}

func (l *timeToLive) status() dynamodbapi.TimeToLiveStatus {
	switch l.state {
	case ttlEnabling:
		return dynamodbapi.TimeToLiveStatusEnabling
	case ttlOn:
		return dynamodbapi.TimeToLiveStatusEnabled
	case ttlDisabling:
		return dynamodbapi.TimeToLiveStatusDisabling
	default:
		return dynamodbapi.TimeToLiveStatusDisabled
	}
}

// append adds the table's field; none before the first change.
func (l *timeToLive) append(v []byte) []byte {
	if *l == (timeToLive{}) {
		return v
	}
	p := binary.AppendUvarint([]byte{byte(l.state)}, uint64(l.changed))
	return appendField(v, fieldTTL, append(p, l.attribute...))
}

// decode reads what append wrote; false when it is something else.
func (l *timeToLive) decode(p []byte) bool {
	if len(p) < 2 || p[0] > byte(ttlDisabling) {
		return false
	}
	changed, n := binary.Uvarint(p[1:])
	if n <= 0 || int64(changed) < 0 {
		return false
	}
	*l = timeToLive{ttlState(p[0]), string(p[1+n:]), int64(changed)}
	return (l.attribute == "") == (l.state == ttlOff) && *l != timeToLive{}
}

// expiry is the second at which a stored item expires; false when it never does. Only a Number above 0 counts; one with a fraction stands for the
// second after it. Source: ScyllaDB, test/alternator/test_ttl.py, which ran against the service (read 2026-11).
func (l *timeToLive) expiry(stored []byte) (second int64, ok bool) {
	if stored == nil {
		return 0, false
	}
	view, err := value.Open(stored)
	if err != nil {
		return 0, false
	}
	raw, ok := view.Get(l.attribute)
	if !ok || raw.Kind() != value.KindN {
		return 0, false
	}
	second, ok = raw.Number().Ceil()
	return second, ok && second > 0
}

// oldestExpiry is the first second that still counts, at a time in ms.
func oldestExpiry(now int64) int64 { return max(now-ttlOldest.Milliseconds(), 0) / 1000 }
