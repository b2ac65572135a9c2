//go:build system

package crash

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"millrace/test/process"
)

var changesFlag = flag.Int("changes", 200, "how many splits, merges and scalings are accepted at least")

const (
	// reshardWriters put at a pace that leaves the processor to the server.
	reshardWriters = 8
	reshardPause   = 8 * time.Millisecond

	// reshardLife is the longest life of the server, unless its share of the changes takes longer: ten of them, at a
	// tenth of a second each.
	reshardLife = 2500 * time.Millisecond

	// shareTime bounds what a life waits for its share of the changes, and consumers take to come to the end.
	shareTime = time.Minute

	// reshardKills bounds the kills of this run, whose lives are longer.
	reshardKills = 20

	changedStream = "changing"
	firstShards   = 2
)

// reshardRun is one run of kills while shards are split and merged.
type reshardRun struct {
	*harness
	resharder *resharder
	consumers []*consumer
}

func TestNothingIsLostRepeatedOrOutOfOrderWhileShardsChangeAndTheProcessIsKilled(t *testing.T) {
	seed := newSeed()
	kills := min(*killsFlag, reshardKills)
	t.Logf("seed %d, %d kills", seed, kills)
	r := newReshardRun(t, seed)
	for kill := range kills {
		if err := r.live(t.Context(), *changesFlag*(kill+1)/kills); err != nil {
			t.Fatalf("seed %d, kill %d: %v", seed, kill, err)
		}
	}
	order, parents := r.readAllShards(t)
	v := Check(r.history)
	problems := append(v.Problems, CheckKeys(r.history, order)...)
	for _, c := range r.consumers {
		for _, p := range CheckConsumed(r.history, parents, changedStream, c.seen) {
			problems = append(problems, "consumer "+c.name+": "+p)
		}
	}
	t.Logf("%d kills, %d changes accepted, %d shards: %d records acknowledged, %d unanswered of which %d are there; polled %d, pushed %d",
		kills, r.resharder.changes.Load(), len(order), v.Acknowledged, v.Unanswered, v.Kept, r.consumers[0].has(), r.consumers[1].has())
	for _, p := range problems {
		t.Errorf("seed %d: %s", seed, p)
	}
	if v.Acknowledged < 100*kills {
		t.Errorf("%d records were acknowledged: the run proves little", v.Acknowledged)
	}
}

func newReshardRun(t *testing.T, seed uint64) *reshardRun {
	t.Helper()
	h := &harness{
		lives: lives{
			options: process.Options{Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--kinesis-quotas", "off"}},
			random:  rand.New(rand.NewPCG(seed, 0)),
		},
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
	polling, pushed := newConsumer("polling", changedStream, firstShards), newConsumer("pushed", changedStream, firstShards)
	pushed.arn = register(t, c)
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	return &reshardRun{
		harness:   h,
		resharder: &resharder{stream: changedStream, random: rand.New(rand.NewPCG(seed, 100))},
		consumers: []*consumer{polling, pushed},
	}
}

// register makes a consumer of the stream and gives its ARN when it is ACTIVE.
func register(t *testing.T, c *client) string {
	t.Helper()
	var stream struct {
		StreamDescriptionSummary struct {
			StreamARN string
		}
	}
	if err := c.call("DescribeStreamSummary", object{"StreamName": changedStream}, &stream); err != nil {
		t.Fatal(err)
	}
	in := object{"StreamARN": stream.StreamDescriptionSummary.StreamARN, "ConsumerName": "pushed"}
	if err := c.call("RegisterStreamConsumer", in, nil); err != nil {
		t.Fatal(err)
	}
	for {
		var out struct {
			ConsumerDescription struct{ ConsumerARN, ConsumerStatus string }
		}
		if err := c.call("DescribeStreamConsumer", in, &out); err != nil {
			t.Fatal(err)
		}
		if out.ConsumerDescription.ConsumerStatus == "ACTIVE" {
			return out.ConsumerDescription.ConsumerARN
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("the consumer is %s", out.ConsumerDescription.ConsumerStatus)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// live is one life of the server under load and changes, until so many changes were accepted in all, then kill -9 at a
// random moment.
func (r *reshardRun) live(ctx context.Context, changes int) error {
	s, err := process.Start(ctx, r.options)
	if err != nil {
		return err
	}
	load := []func(addr string) error{r.resharder.run}
	for _, w := range r.writers {
		load = append(load, w.run)
	}
	for _, c := range r.consumers {
		load = append(load, func(addr string) error { return c.run(ctx, addr) })
	}
	return r.killUnder(ctx, s, reshardLife, load, func() error {
		return r.await(s, fmt.Sprintf("%d changes", changes), func() bool { return int(r.resharder.changes.Load()) >= changes })
	})
}

// await waits for something to be so while the server runs.
func (r *reshardRun) await(s *process.Server, what string, so func() bool) error {
	deadline := time.After(shareTime)
	for !so() {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-s.Done():
			return fmt.Errorf("the server ended by itself:\n%s", s.Tail())
		case <-deadline:
			return fmt.Errorf("after %v there are no %s", shareTime, what)
		}
	}
	return nil
}

// readAllShards reads every shard there is and lets the consumers come to the end. It returns the shards, parents
// before children: the order of their indexes; and the parents of each.
func (r *reshardRun) readAllShards(t *testing.T) (order []Shard, parents map[string][]string) {
	t.Helper()
	s, c := r.start(t)
	awaitActive(t, c, changedStream)
	listed, err := c.listShards(changedStream, false)
	if err != nil {
		t.Fatal(err)
	}
	parents = map[string][]string{}
	records := 0
	for _, s := range listed {
		shard := Shard{changedStream, s.ShardID}
		run, err := readAll(c, shard)
		if err != nil {
			t.Fatal(err)
		}
		r.history.Final = append(r.history.Final, run)
		order = append(order, shard)
		parents[s.ShardID] = []string{s.ParentShardID, s.AdjacentID}
		records += len(run.Records)
	}
	r.finish(t, s, records)
	return order, parents
}

// finish runs the consumers until they have so many records: one that they got twice stands for one that is missing.
func (r *reshardRun) finish(t *testing.T, s *process.Server, records int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, c := range r.consumers {
		wg.Go(func() {
			if err := c.run(ctx, s.Ready.AWS); err != nil {
				t.Error(err)
			}
		})
	}
	err := r.await(s, "consumers at the end", func() bool {
		return !slices.ContainsFunc(r.consumers, func(c *consumer) bool { return c.has() < records })
	})
	if err != nil {
		t.Errorf("%v: polled %d, pushed %d of %d records", err, r.consumers[0].has(), r.consumers[1].has(), records)
	}
	cancel()
	wg.Wait()
}
