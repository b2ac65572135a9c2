// Package lease gives out leases: at most one owner holds a name, until it lets go or stops renewing.
//
// A lease is a key of the store:
//
//	key    0x02 (store.FamilyLease), name
//	value  version = 1 (1 byte), epoch (8, big-endian), expiry in store time, ms since 1970 (8, big-endian), owner
//
// Time is store time, which all nodes share and which never goes back. Every acquisition has an epoch
// that rises for ever, over all names: it is the fencing token. Expiry alone protects nothing, since a
// paused owner does not know that its time is over; so an owner that writes calls [Lease.Check] in the
// same transaction, which then cannot commit beside a later acquisition.
//
// The flow: [Manager.Acquire], [Manager.Renew] in time, [Manager.Release]; or [Manager.Hold], which does
// all three around a function and ends its context when the lease may be over.
package lease

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"millrace/internal/core/clock"
	"millrace/internal/core/store"
)

const (
	valueVersion = 1
	valueHead    = 17 // version, epoch, expiry
	epochCounter = "lease-epoch"

	// MaxName and MaxOwner bound what stands in the key and its value: room for two ARNs.
	MaxName  = 1024
	MaxOwner = 256
	// MinTTL keeps a renewal every third of it from being a load of its own.
	MinTTL = 100 * time.Millisecond
)

// ErrLost: the lease has passed to another owner, was acquired anew, or was released.
var ErrLost = errors.New("lease: no longer held")

// ErrInvalid: a name, owner or time to live outside its bounds.
var ErrInvalid = errors.New("lease: invalid request")

// HeldError says who holds a lease that was asked for. Trying again makes sense after Remaining.
type HeldError struct {
	Name, Owner string
	Remaining   time.Duration // until it expires, unless renewed
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("lease: %s is held by %s for %v", e.Name, e.Owner, e.Remaining)
}

// Lease is one acquisition, or what Manager.List found.
type Lease struct {
	Name    string
	Owner   string
	Epoch   uint64 // fencing token: later acquisitions of any name have higher ones
	Expires int64  // store time, ms since 1970
}

// Manager acquires leases for one owner. It is safe for concurrent use.
type Manager struct {
	store store.Store
	clock clock.Clock
	owner string
}

// New returns a manager for owner, 1 to MaxOwner bytes that no other process uses. c times the renewals
// of Hold.
func New(s store.Store, c clock.Clock, owner string) *Manager {
	return &Manager{store: s, clock: c, owner: owner}
}

// Acquire takes name for ttl if nobody holds it or its time is over. The owner itself may always take it
// again: after a restart under the same name this fences its earlier life.
//
// Errors: *HeldError, ErrInvalid, those of store.Update. After store.ErrUnknownOutcome the lease may be
// held; acquiring it again settles that.
func (m *Manager) Acquire(ctx context.Context, name string, ttl time.Duration) (Lease, error) {
	if len(name) < 1 || len(name) > MaxName || len(m.owner) < 1 || len(m.owner) > MaxOwner || ttl < MinTTL {
		return Lease{}, fmt.Errorf("%w: name of %d bytes, owner of %d, for %v", ErrInvalid, len(name), len(m.owner), ttl)
	}
	var l Lease
	_, err := m.store.Update(ctx, func(tx store.Tx) error {
		old, held, err := get(tx, name)
		if err != nil {
			return err
		}
		if remaining := old.Expires - tx.Now(); held && old.Owner != m.owner && remaining > 0 {
			return &HeldError{name, old.Owner, time.Duration(remaining) * time.Millisecond}
		}
		epoch, err := tx.NextID(epochCounter)
		if err != nil {
			return err
		}
		l = Lease{Name: name, Owner: m.owner, Epoch: epoch, Expires: tx.Now() + ttl.Milliseconds()}
		return l.set(tx)
	})
	if err != nil {
		return Lease{}, err
	}
	return l, nil
}

// Renew extends l to ttl from now and returns it so. A lease whose time is over can still be renewed
// while nobody has taken it.
//
// Errors: ErrLost, ErrInvalid, those of store.Update.
func (m *Manager) Renew(ctx context.Context, l Lease, ttl time.Duration) (Lease, error) {
	if ttl < MinTTL {
		return Lease{}, fmt.Errorf("%w: for %v", ErrInvalid, ttl)
	}
	_, err := m.store.Update(ctx, func(tx store.Tx) error {
		if err := l.Check(tx); err != nil {
			return err
		}
		l.Expires = tx.Now() + ttl.Milliseconds()
		return l.set(tx)
	})
	if err != nil {
		return Lease{}, err
	}
	return l, nil
}

// Release gives l back at once. A lease that is no longer held is no error.
//
// Errors: those of store.Update.
func (m *Manager) Release(ctx context.Context, l Lease) error {
	_, err := m.store.Update(ctx, func(tx store.Tx) error {
		if err := l.Check(tx); err != nil {
			return err
		}
		return tx.Delete(key(l.Name))
	})
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// Check fails the transaction tx with ErrLost unless l is still the last acquisition of its name. It is a
// tracked read: tx does not commit beside a later acquisition or a renewal.
func (l *Lease) Check(tx store.ReadTx) error {
	now, held, err := get(tx, l.Name)
	if err != nil {
		return err
	}
	if !held || now.Epoch != l.Epoch {
		return fmt.Errorf("%w: %s at epoch %d", ErrLost, l.Name, l.Epoch)
	}
	return nil
}

// List returns leases whose names begin with prefix and sort after after, at most limit (1 to
// store.MaxScanKeys), also those whose time is over. It is a part of the caller's transaction.
func List(tx store.ReadTx, prefix, after string, limit int) ([]Lease, error) {
	from := key(prefix)
	if after >= prefix {
		from = append(key(after), 0)
	}
	kvs, err := tx.Scan(from, prefixEnd(key(prefix)), limit, false)
	if err != nil {
		return nil, err
	}
	leases := make([]Lease, 0, len(kvs))
	for _, kv := range kvs {
		l, err := decode(string(kv.Key[1:]), kv.Value)
		if err != nil {
			return nil, err
		}
		leases = append(leases, l)
	}
	return leases, nil
}

// prefixEnd is the first key after all that begin with prefix; the family byte is below 0xff.
func prefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; ; i-- {
		if prefix[i] < 0xff {
			prefix[i]++
			return prefix[:i+1]
		}
	}
}

func key(name string) []byte { return append([]byte{byte(store.FamilyLease)}, name...) }

// get reads the lease of name; false when nobody has it.
func get(tx store.ReadTx, name string) (Lease, bool, error) {
	v, ok, err := tx.Get(key(name))
	if err != nil || !ok {
		return Lease{}, false, err
	}
	l, err := decode(name, v)
	return l, err == nil, err
}

func (l *Lease) set(tx store.Tx) error {
	v := make([]byte, 0, valueHead+len(l.Owner))
	v = append(v, valueVersion)
	v = binary.BigEndian.AppendUint64(v, l.Epoch)
	v = binary.BigEndian.AppendUint64(v, uint64(l.Expires))
	return tx.Set(key(l.Name), append(v, l.Owner...))
}

func decode(name string, v []byte) (Lease, error) {
	if len(v) <= valueHead || len(v) > valueHead+MaxOwner || v[0] != valueVersion {
		return Lease{}, &store.CorruptError{File: "lease " + name, Reason: fmt.Sprintf("value of %d bytes is no lease", len(v))}
	}
	return Lease{
		Name:    name,
		Owner:   string(v[valueHead:]),
		Epoch:   binary.BigEndian.Uint64(v[1:]),
		Expires: int64(binary.BigEndian.Uint64(v[9:])),
	}, nil
}
