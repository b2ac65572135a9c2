//go:build system

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"millrace/test/process"
)

const (
	// reshardWriters put at a pace that leaves the processor to the server.
	reshardWriters = 8
	reshardPause   = 8 * time.Millisecond

	// reshardLife is the longest life of the server: 200 changes in 20 lives, at a tenth of a second each.
	reshardLife = 2500 * time.Millisecond

	// reshardKills bounds the kills of this run, whose lives are longer.
	reshardKills = 20

	changedStream = "changing"
	firstShards   = 2
)

// reshardRun is one run of kills while shards are split and merged.
type reshardRun struct {
	*harness
	resharder *resharder
	follower  *follower
}

func TestNothingIsLostRepeatedOrOutOfOrderWhileShardsChangeAndTheProcessIsKilled(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	kills := min(*killsFlag, reshardKills)
	t.Logf("seed %d, %d kills", seed, kills)
	r := newReshardRun(t, seed)
	for kill := range kills {
		if err := r.live(t.Context()); err != nil {
			t.Fatalf("seed %d, kill %d: %v", seed, kill, err)
		}
	}
	order := r.readAllShards(t)
	v := Check(r.history)
	t.Logf("%d kills, %d changes accepted, %d shards: %d records acknowledged, %d unanswered of which %d are there; %d observations",
		kills, r.resharder.changes, len(order), v.Acknowledged, v.Unanswered, v.Kept, len(r.history.Runs))
	for _, p := range append(v.Problems, CheckKeys(r.history, order)...) {
		t.Errorf("seed %d: %s", seed, p)
	}
	if v.Acknowledged < 100*kills || r.resharder.changes < 2*kills {
		t.Errorf("%d records were acknowledged and %d changes accepted: the run proves little", v.Acknowledged, r.resharder.changes)
	}
}

func newReshardRun(t *testing.T, seed uint64) *reshardRun {
	t.Helper()
	h := &harness{
		options: process.Options{Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--kinesis-quotas", "off"}},
		random:  rand.New(rand.NewPCG(seed, 0)),
		history: &History{},
	}
	h.budget.Store(1 << 40)
	for i := range reshardWriters {
		h.writers = append(h.writers, &writer{
			name: fmt.Sprint("w", i), history: h.history, streams: []string{changedStream}, budget: &h.budget, fill: 100,
			pause: reshardPause, random: rand.New(rand.NewPCG(seed, uint64(i)+1)),
		})
	}
	s, c := h.start(t)
	if err := c.call("CreateStream", object{"StreamName": changedStream, "ShardCount": firstShards}, nil); err != nil {
		t.Fatal(err)
	}
	awaitActive(t, c, changedStream)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	return &reshardRun{
		harness:   h,
		resharder: &resharder{stream: changedStream, random: rand.New(rand.NewPCG(seed, 100))},
		follower:  newFollower(h.history, changedStream, firstShards),
	}
}

// live is one life of the server under load and changes, then kill -9 at a random moment.
func (r *reshardRun) live(ctx context.Context) error {
	s, err := process.Start(ctx, r.options)
	if err != nil {
		return err
	}
	errs := make(chan error, reshardWriters+2)
	var wg sync.WaitGroup
	run := func(f func(addr string) error) {
		wg.Go(func() { errs <- f(s.Ready.AWS) })
	}
	for _, w := range r.writers {
		run(w.run)
	}
	run(r.resharder.run)
	run(r.follower.run)
	select {
	case <-time.After(time.Duration(r.random.Int64N(int64(reshardLife)))):
	case <-s.Done():
		err = fmt.Errorf("the server ended by itself:\n%s", s.Tail())
	case <-ctx.Done():
		err = ctx.Err()
	}
	err = errors.Join(err, s.Kill())
	wg.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	return err
}

// readAllShards reads every shard there is and returns them, parents before children: the order of their
// indexes.
func (r *reshardRun) readAllShards(t *testing.T) []Shard {
	t.Helper()
	_, c := r.start(t)
	awaitActive(t, c, changedStream)
	listed, err := c.listShards(changedStream, false)
	if err != nil {
		t.Fatal(err)
	}
	var order []Shard
	for _, s := range listed {
		shard := Shard{changedStream, s.ShardID}
		run, err := readAll(c, shard)
		if err != nil {
			t.Fatal(err)
		}
		r.history.Final = append(r.history.Final, run)
		order = append(order, shard)
	}
	return order
}
