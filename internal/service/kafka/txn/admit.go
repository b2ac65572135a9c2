package txn

import (
	"slices"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// Admission is a transactional producer that wants to append.
type Admission struct {
	Ident

	V2        bool // Produce version 12 and above: an append makes its partition part of the transaction
	Abortable bool // version 11 and above: the client understands TransactionAbortable
}

// Ticket lets the batches of one request be queued. It is released as soon as they are.
type Ticket struct {
	s          *session
	v2         bool
	notPart    kafkaapi.Code
	partitions []store.PartitionID
}

// Admit decides whether a transactional producer may append now. It looks into memory alone and never waits: the first
// append of a transaction costs no commit of its own, because the store begins the transaction with it.
//
// With None the caller asks the ticket of each partition, queues the appends (store.AppendAsync) and then releases the
// ticket. Until then the transaction cannot end, so an append that was let in is ordered before the end; and the store itself
// refuses an epoch that was raised meanwhile.
//
// Codes, for the wire as they are: InvalidProducerIDMapping, InvalidProducerEpoch, ConcurrentTransactions (V2) or
// NotEnoughReplicas (else: what older clients try again), InvalidTxnState, TransactionAbortable.
// Source: ReplicaManager.appendRecords and AddPartitionsToTxnManager of Kafka 4.3, KIP-890.
func (c *Coordinator) Admit(a Admission) (Ticket, kafkaapi.Code) {
	c.mu.RLock()
	s := c.byProducer[a.Producer]
	c.mu.RUnlock()
	if s == nil || s.id != a.ID {
		return Ticket{}, kafkaapi.InvalidProducerIDMapping
	}
	if !s.gate.TryRLock() {
		return Ticket{}, later(a.V2) // the transaction is ending
	}
	t, first, code := s.admit(&a, c.opts.Store)
	if code != kafkaapi.None {
		s.gate.RUnlock()
		return Ticket{}, code
	}
	if first {
		c.mu.Lock()
		c.open[s] = struct{}{}
		c.mu.Unlock()
	}
	return t, kafkaapi.None
}

// admit tells besides whether this begins a transaction.
func (s *session) admit(a *Admission, st store.Store) (t Ticket, first bool, code kafkaapi.Code) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.rec
	switch {
	case s.stale, r.preparing():
		return t, false, later(a.V2)
	case r.producer != a.Producer:
		return t, false, kafkaapi.InvalidProducerIDMapping
	case r.epoch != a.Epoch:
		return t, false, kafkaapi.InvalidProducerEpoch
	case !a.V2 && r.state != Ongoing:
		return t, false, notPart(a.Abortable)
	}
	t = Ticket{s: s, v2: a.V2, notPart: notPart(a.Abortable), partitions: r.partitions}
	if a.V2 && !s.appended {
		s.appended, s.begun, first = true, st.Now(), true
	}
	return t, first, kafkaapi.None
}

// later is the code for a request that should be sent again.
func later(v2 bool) kafkaapi.Code {
	if v2 {
		return kafkaapi.ConcurrentTransactions
	}
	return kafkaapi.NotEnoughReplicas
}

// Check decides for one partition.
//
// Codes: InvalidTxnState or TransactionAbortable when a client under version 1 has not added it.
func (t *Ticket) Check(id store.PartitionID) kafkaapi.Code {
	if t.v2 {
		return kafkaapi.None
	}
	if _, ok := slices.BinarySearch(t.partitions, id); !ok {
		return t.notPart
	}
	return kafkaapi.None
}

// Release lets the transaction end. It is called once for a ticket that came with None, by any goroutine.
func (t *Ticket) Release() { t.s.gate.RUnlock() }
