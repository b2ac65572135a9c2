package txn

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// Description is what is known of a transactional id.
type Description struct {
	State      State
	Producer   Producer
	Timeout    time.Duration
	Start      int64               // of the open transaction, ms since 1970; -1 when none is open
	Partitions []store.PartitionID // of the open transaction, added or appended to, in order
	Groups     []string            // whose offsets are part of it
}

// Describe returns a transactional id as it is stored (DescribeTransactions). The start of a transaction that
// nothing but appends has begun is that of the process when it has been restarted since.
//
// Codes: InvalidRequest (no id), TransactionalIDNotFound, CoordinatorNotAvailable, CoordinatorLoadInProgress.
func (c *Coordinator) Describe(ctx context.Context, id string) (Description, kafkaapi.Code) {
	switch {
	case id == "":
		return Description{}, kafkaapi.InvalidRequest
	case len(id) > MaxID:
		return Description{}, kafkaapi.TransactionalIDNotFound
	}
	r, p, err := c.read(ctx, id)
	switch {
	case err != nil:
		return Description{}, codeOf(err)
	case r == nil:
		return Description{}, kafkaapi.TransactionalIDNotFound
	}
	d := Description{
		State: r.state, Producer: Producer{r.producer, r.epoch}, Timeout: time.Duration(r.timeout) * time.Millisecond,
		Start: -1, Groups: r.groups, Partitions: slices.Clone(r.partitions),
	}
	if !r.open(&p) && !r.preparing() {
		return d, kafkaapi.None
	}
	for _, o := range p.Open {
		d.Partitions = append(d.Partitions, o.Partition)
	}
	slices.Sort(d.Partitions)
	d.Partitions = slices.Compact(d.Partitions)
	d.Start = r.start
	if s := c.find(id); s != nil {
		if open, since := s.isOpen(); open && (d.Start == 0 || since < d.Start) {
			d.Start = since
		}
	}
	if !r.preparing() {
		d.State = Ongoing
	}
	return d, kafkaapi.None
}

// Filter chooses transactions; the zero value chooses all.
type Filter struct {
	States    []string // by name; empty for all
	Producers []store.ProducerID
	Longer    time.Duration // only those open for longer; 0 or less for all
	Pattern   string        // a regular expression that the whole id matches; empty for all
}

// Listing is one transactional id of a list.
type Listing struct {
	ID       string
	Producer store.ProducerID
	State    State
}

// List returns transactional ids in order (ListTransactions), and those names of Filter.States that are none. It looks into
// memory alone.
//
// Codes: InvalidRegularExpression.
// Source: TransactionStateManager.listTransactionStates of Kafka 4.3.
func (c *Coordinator) List(f Filter) (found []Listing, unknown []string, code kafkaapi.Code) {
	pattern, err := compile(f.Pattern)
	if err != nil {
		return nil, nil, kafkaapi.InvalidRegularExpression
	}
	var states []State
	for _, name := range f.States {
		if s, ok := ParseState(name); ok {
			states = append(states, s)
		} else {
			unknown = append(unknown, name)
		}
	}
	if len(f.States) > 0 && len(states) == 0 {
		return nil, unknown, kafkaapi.None
	}
	now := c.opts.Store.Now()
	for _, s := range c.all() {
		r := s.snapshot()
		open, since := s.isOpen()
		l := Listing{ID: s.id, Producer: r.producer, State: r.state}
		if open && !r.preparing() {
			l.State = Ongoing
		}
		switch {
		case r.producer == store.NoProducer,
			len(states) > 0 && !slices.Contains(states, l.State),
			len(f.Producers) > 0 && !slices.Contains(f.Producers, l.Producer),
			f.Longer > 0 && (!open || now-since <= f.Longer.Milliseconds()),
			pattern != nil && !pattern.MatchString(l.ID):
			continue
		}
		found = append(found, l)
	}
	slices.SortFunc(found, func(a, b Listing) int { return cmp.Compare(a.ID, b.ID) })
	return found, unknown, kafkaapi.None
}

// maxPattern bounds a pattern in bytes: compiling takes memory in proportion.
const maxPattern = 1000

var errPattern = errors.New("txn: pattern is too long")

func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, nil
	}
	if len(pattern) > maxPattern {
		return nil, errPattern
	}
	return regexp.Compile("^(?:" + pattern + ")$")
}

func (c *Coordinator) all() []*session {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*session, 0, len(c.byID))
	for _, s := range c.byID {
		all = append(all, s)
	}
	return all
}

// Producers returns what a partition remembers of its producers (DescribeProducers), upwards of from, at most limit.
//
// Errors: store.ErrNoPartition, errors.ErrUnsupported when the store cannot tell, those of the store.
func (c *Coordinator) Producers(ctx context.Context, id store.PartitionID, from store.ProducerID, limit int) ([]store.PartitionProducer, error) {
	lister, ok := c.opts.Store.(store.ProducerLister)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return lister.PartitionProducers(ctx, id, from, limit)
}
