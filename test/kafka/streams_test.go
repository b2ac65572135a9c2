//go:build system

package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
	"millrace/test/program"
)

// startChild runs p until it is killed or t ends; its output goes to a file that is named when it fails.
func startChild(t *testing.T, p program.Program, log string) *process.Child {
	t.Helper()
	c, err := process.StartChild(log, p.Env, p.Name, p.Args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the end of what %s wrote:\n%s", p.Args[len(p.Args)-1], c.Tail())
		}
	})
	return c
}

// wordCounter is what the application of clients/StreamsApp.java has to bring about.
type wordCounter struct {
	bootstrap string
	want      map[string]int // how often each word was sent
	got       map[string]int // the last counter read of each word
	output    *kgo.Client
	random    *rand.Rand
}

const (
	streamsInput  = "lines"
	streamsOutput = "counts"
)

// send produces lines of words from a small vocabulary.
func (w *wordCounter) send(t *testing.T, c *kgo.Client, lines int) {
	t.Helper()
	all := make([]record, lines)
	for i := range all {
		words := make([]string, 5)
		for j := range words {
			words[j] = fmt.Sprint("word", w.random.IntN(50))
			w.want[words[j]]++
		}
		all[i] = record{key: fmt.Sprint(i), value: strings.Join(words, " ")}
	}
	sendAll(t, c, streamsInput, all)
}

// total is the number of output records that a map of counters stands for.
func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

// await reads the committed output until there are count records; each counter has to be one above the word's last.
func (w *wordCounter) await(t *testing.T, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	for total(w.got) < count {
		fetches := w.output.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("got %d records of output, want %d", total(w.got), count)
		}
		for _, r := range fetches.Records() {
			n, err := strconv.Atoi(string(r.Value))
			if word := string(r.Key); err != nil || n != w.got[word]+1 {
				t.Fatalf("counter of %s at %d/%d: got %q, want %d: not exactly once", word, r.Partition, r.Offset, r.Value, w.got[word]+1)
			}
			w.got[string(r.Key)]++
		}
	}
}

func TestKafkaStreamsCountsExactlyOnceThroughKills(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	o := process.Options{Data: filepath.Join(folder, "data"), KafkaListen: []string{fixedAddress(t)}}
	s := startToKill(t, o)
	admin := kadm.NewClient(connect(t, s.Ready.Kafka))
	if _, err := admin.CreateTopics(t.Context(), 2, 1, nil, streamsInput, streamsOutput); err != nil {
		t.Fatal(err)
	}
	w := &wordCounter{
		bootstrap: s.Ready.Kafka, want: map[string]int{}, got: map[string]int{}, random: rand.New(rand.NewPCG(1, 2)),
		output: connect(t, s.Ready.Kafka, kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.ConsumeTopics(streamsOutput), kgo.FetchIsolationLevel(kgo.ReadCommitted())),
	}
	p := java(t, "StreamsApp", s.Ready.Kafka, "word-count", streamsInput, streamsOutput, filepath.Join(folder, "state"))
	log := filepath.Join(folder, "streams.log")
	lines := connect(t, s.Ready.Kafka)
	app := startChild(t, p, log)
	const kills = 3
	for kill := range kills {
		before := total(w.want)
		w.send(t, lines, 2000)
		w.await(t, before+1) // the work has begun, of which each 100 ms are a transaction
		if kill == 1 {       // the broker, under an application that goes on
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			s = start(t, o)
			continue
		}
		if err := app.Kill(); err != nil {
			t.Fatal(err)
		}
		t.Logf("the application was killed after %d of %d records of output", total(w.got), total(w.want))
		if kill < kills-1 {
			app = startChild(t, p, log)
		}
	}
	// What it keeps on disk is lost too: the stores come back from their changelogs.
	if err := os.RemoveAll(filepath.Join(folder, "state")); err != nil {
		t.Fatal(err)
	}
	startChild(t, p, log)
	w.send(t, lines, 100)
	w.await(t, total(w.want))
	for word, n := range w.want {
		if w.got[word] != n {
			t.Errorf("%s: got %d, want %d", word, w.got[word], n)
		}
	}
	w.checkTopics(t, admin)
}

// checkTopics looks at the topics that the application made for itself.
func (w *wordCounter) checkTopics(t *testing.T, admin *kadm.Client) {
	t.Helper()
	for topic, policy := range map[string]string{"word-count-counts-changelog": "compact", "word-count-words-repartition": "delete"} {
		configs, err := admin.DescribeTopicConfigs(t.Context(), topic)
		if err != nil || len(configs) != 1 || configs[0].Err != nil {
			t.Fatalf("%s: %v, %+v", topic, err, configs)
		}
		for _, c := range configs[0].Configs {
			if c.Key == "cleanup.policy" && c.MaybeValue() != policy {
				t.Errorf("cleanup.policy of %s: got %s, want %s", topic, c.MaybeValue(), policy)
			}
		}
	}
}
