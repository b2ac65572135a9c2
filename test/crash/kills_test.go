//go:build system

package crash

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"millrace/test/process"
)

var (
	killsFlag = flag.Int("kills", 50, "how often the server is killed")
	seedFlag  = flag.Uint64("seed", 0, "of the random choices; 0 takes one from the clock")
)

const (
	writers = 6

	// bytesPerKill bounds the data of one life of the server: 50 lives stay under 200 MB.
	bytesPerKill = 7 << 19

	// lifeMax is the longest a server lives under load before it is killed.
	lifeMax = 400 * time.Millisecond

	// earlyEvery: one kill in so many comes while the server starts, at most earlyMax after exec.
	earlyEvery = 5
	earlyMax   = 40 * time.Millisecond
)

// smallBounds have files fill, flush, move and be used again within a short run.
var smallBounds = []string{"--max-unmoved-mib", "8", "--journal-file-mib", "2", "--memtable-mib", "1", "--tail-cache-mib", "1"}

// streams and their shards.
var streams = map[string]int{"one": 1, "two": 2, "four": 4}

// harnessLoad is what writers send and how the server is started.
type harnessLoad struct {
	fill int // bytes of data of most records, at most
	args []string
}

// harness is one run of many kills on one folder.
type harness struct {
	lives
	history *History
	budget  atomic.Int64
	writers []*writer
	readers []*reader
	tagger  *tagger
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	seed := newSeed()
	t.Logf("seed %d, %d kills", seed, *killsFlag)
	for name, load := range map[string]harnessLoad{
		"small records": {fill: 600},
		// Little memory and little journal beside more data: files fill, flushes, segments and recycling.
		"small bounds": {fill: 4000, args: smallBounds},
	} {
		t.Run(name, func(t *testing.T) { killAgainAndAgain(t, seed, load) })
	}
}

func killAgainAndAgain(t *testing.T, seed uint64, load harnessLoad) {
	t.Helper()
	h := newHarness(t, seed, load)
	h.createStreams(t)
	early := h.again(t, seed, h.live)
	h.readEverything(t)
	v := Check(h.history)
	t.Logf("%d kills, %d of them during start: %d records acknowledged, %d unanswered of which %d are there; %d observations; tag %d of %d",
		*killsFlag, early, v.Acknowledged, v.Unanswered, v.Kept, len(h.history.Runs), h.tagger.acked, h.tagger.sent)
	for _, p := range v.Problems {
		t.Errorf("seed %d: %s", seed, p)
	}
	if v.Acknowledged < 100*(*killsFlag-early) {
		t.Errorf("only %d records were acknowledged: the run proves little", v.Acknowledged)
	}
}

func newHarness(t *testing.T, seed uint64, load harnessLoad) *harness {
	t.Helper()
	h := &harness{
		lives: lives{
			options: process.Options{Data: filepath.Join(t.TempDir(), "data"), Args: append([]string{"--kinesis-quotas", "off"}, load.args...)},
			random:  rand.New(rand.NewPCG(seed, 0)),
		},
		history: &History{},
		tagger:  &tagger{stream: "four"},
	}
	names := []string{"one", "two", "four"}
	for i := range writers {
		h.writers = append(h.writers, &writer{
			name: fmt.Sprint("w", i), history: h.history, streams: names, budget: &h.budget, fill: load.fill,
			random: rand.New(rand.NewPCG(seed, uint64(i)+1)),
		})
	}
	for _, s := range shards() {
		h.readers = append(h.readers, &reader{history: h.history, shard: s})
	}
	return h
}

func shards() []Shard {
	var all []Shard
	for stream, count := range streams {
		for i := range count {
			all = append(all, Shard{stream, fmt.Sprintf("shardId-%012d", i)})
		}
	}
	return all
}

// createStreams makes the streams in a first life, which ends with kill -9 too.
func (h *harness) createStreams(t *testing.T) {
	t.Helper()
	s, c := h.start(t)
	for name, count := range streams {
		if err := c.call("CreateStream", object{"StreamName": name, "ShardCount": count}, nil); err != nil {
			t.Fatal(err)
		}
		awaitActive(t, c, name)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}

func awaitActive(t *testing.T, c *client, stream string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		var out struct {
			StreamDescriptionSummary struct{ StreamStatus string }
		}
		if err := c.call("DescribeStreamSummary", object{"StreamName": stream}, &out); err != nil {
			t.Fatal(err)
		}
		if out.StreamDescriptionSummary.StreamStatus == "ACTIVE" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("stream %s is %s for 30 s", stream, out.StreamDescriptionSummary.StreamStatus)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// live is one life of the server: load, then kill -9 at a random moment.
func (h *harness) live(ctx context.Context, _ int) error {
	s, err := process.Start(ctx, h.options)
	if err != nil {
		return err
	}
	if err := h.checkTag(s.Ready.AWS); err != nil {
		return errors.Join(err, s.Kill())
	}
	h.budget.Store(bytesPerKill)
	load := []func(addr string) error{h.tagger.run}
	for _, w := range h.writers {
		load = append(load, w.run)
	}
	for _, r := range h.readers {
		load = append(load, r.run)
	}
	return h.killUnder(ctx, s, lifeMax, load, nil)
}

func (h *harness) checkTag(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	return h.tagger.check(c)
}

// readEverything reads all shards, ends the server politely, has the folder checked offline, and reads again:
// both readings are part of the history, the first as an observation.
func (h *harness) readEverything(t *testing.T) {
	t.Helper()
	s, c := h.start(t)
	for _, shard := range shards() {
		run, err := readAll(c, shard)
		if err != nil {
			t.Fatal(err)
		}
		h.history.Saw(run)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	binary, err := process.Binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "check", h.options.Data).CombinedOutput()
	if err != nil {
		t.Errorf("millrace check: %v", err)
	}
	t.Logf("millrace check: %s", out)
	_, c = h.start(t)
	if err := h.tagger.check(c); err != nil {
		t.Error(err)
	}
	for _, shard := range shards() {
		run, err := readAll(c, shard)
		if err != nil {
			t.Fatal(err)
		}
		h.history.Final = append(h.history.Final, run)
	}
}
