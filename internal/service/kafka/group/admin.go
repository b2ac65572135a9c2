package group

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"sync"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// Describe shows a group. One that is not there is Dead, with GroupIDNotFound: up to version 5 of
// DescribeGroups the state alone is answered.
func (c *Coordinator) Describe(id string) Description {
	if len(id) > MaxGroupID {
		return Description{Code: kafkaapi.InvalidGroupID, Group: id, State: Dead}
	}
	if c.closed.Load() {
		return Description{Code: kafkaapi.CoordinatorNotAvailable, Group: id, State: Dead}
	}
	e := c.lock(id)
	if e == nil {
		return Description{Code: kafkaapi.GroupIDNotFound, Group: id, State: Dead}
	}
	defer e.mu.Unlock()
	return e.g.describe()
}

// List shows all groups in order of ids; those in one of the states, and of one of the types, if any are
// given. Case does not matter.
func (c *Coordinator) List(states, types []string) []Listing {
	if len(types) > 0 && !containsFold(types, TypeClassic) {
		return nil
	}
	var list []Listing
	for _, e := range c.all() {
		e.mu.Lock()
		l, gone := Listing{e.id, e.g.protocolType, e.g.state}, e.gone
		e.mu.Unlock()
		if !gone && l.State != Dead && (len(states) == 0 || containsFold(states, l.State.String())) {
			list = append(list, l)
		}
	}
	slices.SortFunc(list, func(a, b Listing) int { return cmp.Compare(a.Group, b.Group) })
	return list
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(l string) bool { return strings.EqualFold(l, s) })
}

// Delete removes empty groups with all that Options.OnDelete finds of them; done gets a code for each, in
// their order, when that is durable.
//
// Codes: None, GroupIDNotFound, NonEmptyGroup, InvalidGroupID, CoordinatorNotAvailable, NotCoordinator.
func (c *Coordinator) Delete(ids []string, done func([]kafkaapi.Code)) {
	codes := make([]kafkaapi.Code, len(ids))
	var mu sync.Mutex // guards codes and left
	left := len(ids)
	if left == 0 {
		done(codes)
		return
	}
	for i, id := range ids {
		c.remove(id, nil, func(code kafkaapi.Code) {
			mu.Lock()
			codes[i] = code
			left--
			last := left == 0
			mu.Unlock()
			if last {
				done(codes)
			}
		})
	}
}

// Forget removes an empty group, as Delete does, if check agrees inside of the transaction: for the
// worker that expires offsets, when a group has none left. NonEmptyGroup: check did not agree.
func (c *Coordinator) Forget(id string, check func(tx store.Tx, group string) (bool, error), done func(kafkaapi.Code)) {
	c.remove(id, check, done)
}

func (c *Coordinator) remove(id string, check func(store.Tx, string) (bool, error), done func(kafkaapi.Code)) {
	if len(id) > MaxGroupID {
		done(kafkaapi.InvalidGroupID)
		return
	}
	e, code := c.lockMember(id)
	switch {
	case code == kafkaapi.UnknownMemberID:
		done(kafkaapi.GroupIDNotFound)
		return
	case code != kafkaapi.None:
		done(code)
		return
	}
	switch e.g.state {
	case Empty:
		e.g.state = Dead
		clear(e.g.pending) // their next Join is told UNKNOWN_MEMBER_ID and begins anew
		c.writer.enqueue(e, nil, nil, &removal{check, done})
	case Dead:
		code = kafkaapi.GroupIDNotFound
	default:
		code = kafkaapi.NonEmptyGroup
	}
	e.mu.Unlock()
	if code != kafkaapi.None {
		done(code)
	}
}

// CheckOffsetDelete tells whether offsets of a group may be deleted, and which topics are refused with
// GroupSubscribedToTopic.
//
// Codes: None, GroupIDNotFound, NonEmptyGroup (its members are not consumers), CoordinatorNotAvailable.
func (c *Coordinator) CheckOffsetDelete(id string) (subscribed func(topic string) bool, code kafkaapi.Code) {
	none := func(string) bool { return false }
	e, code := c.lockMember(id)
	switch {
	case code == kafkaapi.UnknownMemberID:
		return none, kafkaapi.GroupIDNotFound
	case code != kafkaapi.None:
		return none, code
	}
	defer e.mu.Unlock()
	topics, known, code := e.g.checkOffsetDelete()
	return func(topic string) bool { return !known || topics[topic] }, code
}

// Expirable is a group whose offsets may expire, when it was asked; StillExpirable asks again.
type Expirable struct {
	Group string
	// Since is when the group became Empty, store time in ms: its offsets expire the retention time
	// later. 0: each counts from its own commit.
	Since int64
	// Subscribed has topics whose offsets stay, since members consume them; nil: none.
	Subscribed map[string]bool
	// Empty: it has no members. Without offsets it can be removed by Forget.
	Empty bool
}

// Expirable gives out the groups whose offsets can expire by offsets.retention.minutes: empty ones, and
// stable ones of consumers for topics that they no longer consume. A group that is rebalancing, or
// whose subscriptions cannot be read, is not among them.
func (c *Coordinator) Expirable() iter.Seq[Expirable] {
	return func(yield func(Expirable) bool) {
		for _, e := range c.all() {
			e.mu.Lock()
			x, ok := e.g.expirable()
			ok = ok && !e.gone
			e.mu.Unlock()
			if ok && !yield(x) {
				return
			}
		}
	}
}

func (g *group) expirable() (Expirable, bool) {
	x := Expirable{Group: g.id, Empty: g.state == Empty}
	switch {
	case len(g.pending) > 0: // somebody is about to join
		return x, false
	case g.state == Empty && g.protocolType == "":
		return x, true
	case g.state == Empty:
		x.Since = g.changed
		return x, true
	case g.state == Stable:
		topics, ok := g.subscribed()
		x.Subscribed = topics
		return x, ok
	}
	return x, false
}
