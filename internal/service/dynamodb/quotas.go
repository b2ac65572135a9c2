package dynamodb

import (
	"context"
	"fmt"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
)

// Quotas of an account in a region. Source: developer guide, "Service, account, and table quotas" (read 2026-11).
const (
	defaultTables  = 2500
	maxControl     = 500 // tables that are created, updated and deleted at once
	classChanges   = 2   // of a table's class within classInterval
	classInterval  = 30 * 24 * time.Hour
	controlScanned = 4 * maxControl
)

// admitControl sees that one more table may be created, updated or deleted. It looks before the transaction, so that those of
// different tables do not conflict: callers at the same moment may pass by a few.
//
// Errors: LimitExceededException, those of the store. Source of texts: error messages quoted in public clients.
func (s *Service) admitControl(ctx context.Context, p place, creates bool) error {
	busy, tables := 0, 0
	err := s.store.View(ctx, func(tx store.ReadTx) error {
		busy, tables = 0, 0
		kvs, err := tx.Scan([]byte{byte(store.FamilyTable), kindDue}, []byte{byte(store.FamilyTable), kindDue + 1}, controlScanned, false)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			if at, ok := placeOf(kv.Key[min(10, len(kv.Key)):]); ok && at.account == p.account && at.region == p.region {
				busy++
			}
		}
		if !creates {
			return nil
		}
		from, to := placeBounds(p)
		kvs, err = tx.Scan(from, to, s.opts.MaxTables, false)
		tables = len(kvs)
		return err
	})
	switch {
	case err != nil:
		return err
	case busy >= maxControl:
		return dynamodbapi.LimitExceededException(fmt.Sprintf("Subscriber limit exceeded: Only %d tables can be created, updated, or deleted simultaneously", maxControl))
	case tables >= s.opts.MaxTables:
		return dynamodbapi.LimitExceededException(fmt.Sprintf("Subscriber limit exceeded: There is a limit of %d tables per subscriber", s.opts.MaxTables))
	}
	return nil
}

// Decreases of a table's throughput: so many in a day of UTC, then one each interval. Source: findings of AWS Controllers for Kubernetes against
// AWS, October 2026, like the text.
const (
	freeDecreases    = 4
	decreaseInterval = time.Hour
)

// admitDecrease sees that the throughput may become less.
//
// Errors: LimitExceededException.
func (t *table) admitDecrease(now int64) error {
	day := (24 * time.Hour).Milliseconds()
	next := min(t.decreased+decreaseInterval.Milliseconds(), (t.decreased/day+1)*day)
	if t.decreasesToday(now) < freeDecreases || now >= next {
		return nil
	}
	long := func(ms int64) string {
		return time.UnixMilli(ms).UTC().Format("Monday, January 2, 2006 at 3:04:05 PM") + " Coordinated Universal Time"
	}
	return dynamodbapi.LimitExceededException(fmt.Sprintf("Subscriber limit exceeded: Provisioned throughput decreases are limited within a given UTC day. "+
		"After the first %d decreases, each subsequent decrease in the same UTC day can be performed at most once every %d seconds. "+
		"Number of decreases today: %d. Last decrease at %s. Next decrease can be made at %s.",
		freeDecreases, int(decreaseInterval.Seconds()), t.decreasesToday(now), long(t.decreased), long(next)))
}

// changeClass changes the table's class at a time in ms.
//
// Errors: LimitExceededException. Source of its text: findings of AWS Controllers for Kubernetes against AWS, October 2026.
func (t *table) changeClass(c class, now int64) error {
	if t.classBefore != 0 && now < t.classBefore+classInterval.Milliseconds() {
		return dynamodbapi.LimitExceededException(fmt.Sprintf(
			"Subscriber limit exceeded: Updates to TableClass are limited to %d times in 30 day(s).", classChanges))
	}
	if c == max(t.class, classStandard) {
		return nil
	}
	t.class, t.classBefore, t.classChanged = c, t.classChanged, now
	return nil
}
