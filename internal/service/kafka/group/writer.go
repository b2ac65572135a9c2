package group

import (
	"context"
	"errors"
	"sync"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

const (
	// batchGroups and batchBytes bound one commit of records: all that gathered while the last one
	// was synced usually fits. A larger record is a commit alone.
	batchGroups = 256
	batchBytes  = 8 << 20

	// writeTimeout ends a write that the store does not answer, so that its group can go on with an
	// error; the outcome is then unknown, which the rule of writers and revisions allows.
	writeTimeout = 30 * time.Second
)

// writer is the queue of groups that have something to be written: each once, with its newest record.
// Its bound is the number of groups.
type writer struct {
	wake chan struct{} // size 1: something was queued, or close was called

	mu     sync.Mutex // guards all below, and what entries have queued
	queue  []*entry
	closed bool
}

// job is what one group has queued.
type job struct {
	e      *entry
	record *record
	after  []func() // to call when record is durable or has failed
	remove *removal // instead of a record
	fenced bool
}

// removal deletes an empty group and answers.
type removal struct {
	check func(tx store.Tx, group string) (bool, error) // whether it may go; nil: it may
	done  func(kafkaapi.Code)
}

// enqueue is called with the entry's lock held if there is a record, so that records are queued in order.
func (w *writer) enqueue(e *entry, r *record, after []func(), rm *removal) {
	w.mu.Lock()
	q := &e.queued
	if r != nil {
		q.record = r
	}
	if rm != nil {
		q.remove = rm
	}
	q.after = append(q.after, after...)
	if q.e == nil {
		q.e = e
		w.queue = append(w.queue, e)
	}
	w.mu.Unlock()
	w.signal()
}

// discard takes back a group's record that was queued, and returns what waits for it.
func (w *writer) discard(e *entry) (after []func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	after = e.queued.after
	e.queued.record, e.queued.after = nil, nil
	return after
}

func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.signal()
}

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default: // it has been told and has not looked yet
	}
}

// take gives out the next jobs, none when nothing is queued. closed: nothing will be.
func (w *writer) take() (jobs []job, closed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := 0
	for len(w.queue) > 0 && len(jobs) < batchGroups {
		q := &w.queue[0].queued
		if q.record != nil {
			size += len(q.record.members)
		}
		if len(jobs) > 0 && size > batchBytes {
			break
		}
		jobs = append(jobs, *q)
		*q = job{}
		w.queue[0] = nil
		w.queue = w.queue[1:]
	}
	return jobs, w.closed
}

// writeLoop writes what is queued until the writer is closed and the queue is empty.
func (c *Coordinator) writeLoop() {
	for {
		jobs, closed := c.writer.take()
		if len(jobs) == 0 {
			if closed {
				return
			}
			<-c.writer.wake
			continue
		}
		c.writeRecords(jobs)
		for i := range jobs {
			if jobs[i].remove != nil {
				c.removeGroup(&jobs[i])
			}
		}
	}
}

// writeRecords makes the records among the jobs durable in one commit, and tells the groups.
func (c *Coordinator) writeRecords(jobs []job) {
	n := 0
	for i := range jobs {
		if r := jobs[i].record; r != nil {
			n++
			c.revision++
			r.head.writer, r.head.revision = c.id, c.revision
		}
	}
	if n == 0 {
		return
	}
	err := c.update(func(tx store.Tx) error {
		for i := range jobs {
			j := &jobs[i]
			if j.record == nil {
				continue
			}
			err := put(tx, j.e.id, j.e.from, j.record)
			if j.fenced = errors.Is(err, errOther); err != nil && !j.fenced {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.opts.Logger.Warn("consumer groups could not be written", "groups", n, "error", err)
	}
	for i := range jobs {
		if jobs[i].record != nil {
			c.written(&jobs[i], err)
		}
	}
}

func (c *Coordinator) update(fn func(tx store.Tx) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	_, err := c.opts.Store.Update(ctx, fn)
	return err
}

// written tells a group what became of its record, and answers what waited for it.
func (c *Coordinator) written(j *job, err error) {
	if err == nil && j.fenced {
		c.startAgain(j.e)
	} else {
		if err == nil {
			j.e.from = origin{c.id, j.record.head.revision}
		}
		c.run(j.e, func(g *group, m moment, fx *effects) {
			g.stored(j.record.write, codeOf(err), m, fx)
		})
	}
	for _, fn := range j.after {
		fn()
	}
}

// startAgain takes a group from the store that another coordinator has written. Whoever waits is
// told to look for the coordinator.
func (c *Coordinator) startAgain(e *entry) {
	c.opts.Logger.Warn("another coordinator has written a consumer group; reading it again", "group", e.id)
	var sg *storedGroup
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	err := c.opts.Store.View(ctx, func(tx store.ReadTx) (err error) {
		sg = nil
		v, ok, err := tx.Get(headKey(e.id))
		if err == nil && ok {
			sg, err = load(tx, e.id, v)
		}
		return err
	})
	m := c.now()
	fresh, from := newGroup(&c.limits, e.id, m), origin{}
	if err == nil && sg != nil {
		if g, bad := restore(&c.limits, e.id, sg.head, sg.members, m); bad == nil {
			fresh, from = g, origin{sg.head.writer, sg.head.revision}
		} else {
			err = bad
		}
	}
	if err != nil {
		c.opts.Logger.Error("consumer group could not be read; it starts anew", "group", e.id, "error", err)
	}
	e.from = from
	var fx effects
	e.mu.Lock()
	e.g.failAll(kafkaapi.NotCoordinator, &fx)
	e.g.charge(-e.g.bytes)
	fresh.simple = e.g.simple
	fresh.writes = e.g.writes // numbers of writes that are still queued stay behind it
	e.g = fresh
	fx.after = c.writer.discard(e)
	c.settle(e, &fx)
	e.mu.Unlock()
	fx.run()
}

// removeGroup deletes a group that is Dead in memory, in as many transactions as its offsets need: one
// a call.
func (c *Coordinator) removeGroup(j *job) {
	e, dead, allowed, more := j.e, false, true, false
	c.run(e, func(g *group, _ moment, _ *effects) { dead = g.state == Dead })
	if !dead { // it was read again since
		j.remove.done(kafkaapi.NotCoordinator)
		return
	}
	err := c.update(func(tx store.Tx) error {
		old, err := current(tx, e.id, e.from, c.id)
		if err != nil {
			return err
		}
		if j.remove.check != nil {
			if allowed, err = j.remove.check(tx, e.id); err != nil || !allowed {
				return err
			}
		}
		if more, err = c.opts.OnDelete(tx, e.id); err != nil || more {
			return err
		}
		return drop(tx, e.id, old)
	})
	code := codeOf(err)
	switch {
	case err == nil && allowed && more: // other groups are written in between
		c.writer.enqueue(e, nil, nil, j.remove)
		return
	case errors.Is(err, errOther):
		c.startAgain(e)
	case err != nil || !allowed:
		if err != nil {
			c.opts.Logger.Warn("consumer group could not be deleted", "group", e.id, "error", err)
		} else {
			code = kafkaapi.NonEmptyGroup
		}
		c.run(e, func(g *group, _ moment, _ *effects) { g.state = Empty })
	default:
		e.mu.Lock()
		c.forget(e)
		e.mu.Unlock()
	}
	j.remove.done(code)
}
