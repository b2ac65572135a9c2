package txn

import (
	"context"
	"sync"

	"millrace/internal/core/store"
)

// Coordinator is the transaction coordinator of one process. All methods may be called by many goroutines at once.
type Coordinator struct {
	opts Options

	mu         sync.RWMutex                  // guards all below
	byID       map[string]*session           // every transactional id
	byProducer map[store.ProducerID]*session // those by the producer id of now
	open       map[*session]struct{}         // those with a transaction that is open or being ended

	ctx  context.Context // of the background work
	stop context.CancelFunc
	done sync.WaitGroup
}

// Ident is how a client names itself in every request of a transaction.
type Ident struct {
	ID       string // transactional id
	Producer store.ProducerID
	Epoch    int16
}

// Producer is the identity that a client goes on with.
type Producer struct {
	ID    store.ProducerID
	Epoch int16
}

// loadPage is how many transactional ids one view reads: well within its 10 s.
const loadPage = 1000

// New reads all transactional ids and starts the background work: it ends transactions that were decided before,
// aborts those that time out, and forgets what is idle. Close ends it.
//
// Errors: those of the store.
func New(ctx context.Context, o Options) (*Coordinator, error) {
	c := &Coordinator{
		opts:       o.withDefaults(),
		byID:       map[string]*session{},
		byProducer: map[store.ProducerID]*session{},
		open:       map[*session]struct{}{},
	}
	for from := idKey(""); from != nil; {
		var err error
		if from, err = c.loadFrom(ctx, from); err != nil {
			return nil, err
		}
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.done.Go(c.runTimeouts)
	c.done.Go(c.runSweeps)
	return c, nil
}

// Close ends the background work and waits for it. It may be called again.
func (c *Coordinator) Close() error {
	c.stop()
	c.done.Wait()
	return nil
}

// loadFrom reads a page of ids and returns where the next begins, nil after the last.
func (c *Coordinator) loadFrom(ctx context.Context, from []byte) (next []byte, err error) {
	var found []*session
	err = c.opts.Store.View(ctx, func(tx store.ReadTx) error {
		found, next = found[:0], nil
		kvs, err := tx.Scan(from, []byte{byte(store.FamilyKafkaTxn), kindID + 1}, loadPage, false)
		if err != nil {
			return err
		}
		for _, kv := range kvs {
			s := newSession(string(kv.Key[2:]))
			r, err := decodeRecord(kv.Value)
			if err != nil {
				return corrupt(kv.Key, err)
			}
			p, _, err := tx.Producer(r.producer)
			if err != nil {
				return err
			}
			s.rec, s.appended, s.begun = *r, len(p.Open) > 0, tx.Now()
			found = append(found, s)
		}
		if len(kvs) == loadPage {
			next = append(kvs[len(kvs)-1].Key, 0)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, s := range found {
		c.byID[s.id] = s
		c.remember(s, &s.rec, false)
	}
	return next, nil
}

// Open is how many transactions are open or being ended.
func (c *Coordinator) Open() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.open)
}
