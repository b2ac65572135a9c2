//go:build system

package kafka

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
)

var (
	killsFlag = flag.Int("kills", 20, "how often the server is killed")
	seedFlag  = flag.Uint64("seed", 0, "of the random choices; 0 takes one from the clock")
)

const (
	txnClients = 4
	// lifeShort and lifeLong bound how long a server lives under load: clients need some 100 ms to find it again.
	lifeShort, lifeLong = 200 * time.Millisecond, 1200 * time.Millisecond
	// earlyEvery: one kill in so many comes while the server starts, at most earlyMax after exec.
	earlyEvery, earlyMax = 5, 40 * time.Millisecond
	// idempotentTopic has a partition for each idempotent producer, one that all share, and one for each further client.
	idempotentTopic      = "idempotent"
	idempotentProducers  = 3
	idempotentPartitions = idempotentProducers + 3
)

// killing is one run of many kills on one folder.
type killing struct {
	options   process.Options
	bootstrap string
	folder    string
	random    *rand.Rand
	server    *process.Server
	clients   [txnClients]*process.Child
}

func TestTransactionsAndIdempotentProducersSurviveKills(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %d kills", seed, *killsFlag)
	k := newKilling(t, seed)
	k.launch(t)
	k.createTopics(t)
	live := k.follow(t)
	producers := k.startProducers(t)
	writers := []*writer{
		startWriter(t, k.bootstrap, "librdkafka", idempotentProducers+1, python(t, "writer.py")),
		startWriter(t, k.bootstrap, "java", idempotentProducers+2, java(t, "Writer")),
	}
	for i := range k.clients {
		k.startClient(t, i)
	}
	for kill := range *killsFlag {
		k.live(t, kill)
	}
	k.endClients(t)
	producers.stop(t)
	for _, w := range writers {
		producers.sent[w.name] = w.stop(t)
	}
	k.sentinels(t)
	seen := k.read(t)
	k.checkTransactions(t, seen)
	live.compare(t, seen)
	producers.check(t, seen)
	if err := k.server.Stop(); err != nil {
		t.Error(err)
	}
}

func newKilling(t *testing.T, seed uint64) *killing {
	t.Helper()
	folder, bootstrap := t.TempDir(), fixedAddress(t)
	return &killing{
		// The same address in every life, as clients need it; small bounds, so that files fill and are moved.
		options: process.Options{
			Data: filepath.Join(folder, "data"), KafkaListen: []string{bootstrap},
			Args: []string{"--max-unmoved-mib", "8", "--journal-file-mib", "2", "--memtable-mib", "1"},
		},
		bootstrap: bootstrap, folder: folder, random: rand.New(rand.NewPCG(seed, 0)),
	}
}

// launch starts the server and waits until it serves.
func (k *killing) launch(t *testing.T) {
	t.Helper()
	k.server = startToKill(t, k.options)
}

func (k *killing) createTopics(t *testing.T) {
	t.Helper()
	admin := kadm.NewClient(connect(t, k.bootstrap))
	topics := maps.Clone(txnTopics)
	topics[idempotentTopic] = idempotentPartitions
	for topic, partitions := range topics {
		if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, topic); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *killing) notes(i int) string { return filepath.Join(k.folder, fmt.Sprint("notes-", i)) }

func (k *killing) startClient(t *testing.T, i int) {
	t.Helper()
	c, err := process.StartChild(filepath.Join(k.folder, fmt.Sprint("client-", i, ".log")), []string{roleVariable + "=transactions"},
		os.Args[0], k.bootstrap, fmt.Sprint("txn-", i), k.notes(i))
	if err != nil {
		t.Fatal(err)
	}
	k.clients[i] = c
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
}

// live is one life of the server; in the middle of half of them a client is killed too, and starts again.
func (k *killing) live(t *testing.T, kill int) {
	t.Helper()
	if kill%earlyEvery == earlyEvery-1 {
		k.killEarly(t)
	}
	life := lifeShort + time.Duration(k.random.Int64N(int64(lifeLong-lifeShort)))
	victim := k.random.IntN(2 * txnClients)
	for part := range 2 {
		select {
		case <-time.After(life / 2):
		case <-k.server.Done():
			t.Fatalf("kill %d: the server ended by itself:\n%s", kill, k.server.Tail())
		}
		if part == 0 && victim < txnClients {
			if err := k.clients[victim].Kill(); err != nil {
				t.Fatal(err)
			}
			k.startClient(t, victim)
		}
	}
	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	k.launch(t)
}

// killEarly kills the server, and the next one while it recovers.
func (k *killing) killEarly(t *testing.T) {
	t.Helper()
	if err := k.server.Kill(); err != nil {
		t.Fatal(err)
	}
	s, err := process.Launch(k.options)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-time.After(time.Duration(k.random.Int64N(int64(earlyMax)))):
	case <-s.Done():
		t.Fatalf("the server ended by itself:\n%s", s.Tail())
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	k.launch(t)
}

// endClients kills the transactional clients, and ends what they left open as their successors would.
func (k *killing) endClients(t *testing.T) {
	t.Helper()
	for i, c := range k.clients {
		if err := c.Kill(); err != nil {
			t.Fatal(err)
		}
		p := connect(t, k.bootstrap, kgo.TransactionalID(fmt.Sprint("txn-", i)))
		if _, _, err := p.ProducerID(t.Context()); err != nil {
			t.Fatalf("take over transactional id %d: %v", i, err)
		}
	}
}

// sentinel is the value of the last record of every partition.
const sentinel = "the end"

func (k *killing) sentinels(t *testing.T) {
	t.Helper()
	c := connect(t, k.bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for topic, partitions := range k.partitions() {
		for partition := range partitions {
			if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: partition, Value: []byte(sentinel)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (k *killing) partitions() map[string]int32 {
	all := maps.Clone(txnTopics)
	all[idempotentTopic] = idempotentPartitions
	return all
}

// read reads all that is committed, from the beginning to the sentinels.
func (k *killing) read(t *testing.T) []Seen {
	t.Helper()
	f := k.follow(t)
	f.await(t)
	return f.all()
}

func (k *killing) checkTransactions(t *testing.T, seen []Seen) {
	t.Helper()
	all := map[string]*Transaction{}
	for i := range k.clients {
		text, err := os.ReadFile(k.notes(i))
		if err != nil {
			t.Fatal(err)
		}
		noted, err := ReadNotes(string(text))
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, noted)
	}
	count := map[Outcome]int{}
	for _, transaction := range all {
		count[transaction.Outcome]++
	}
	seen = slices.DeleteFunc(slices.Clone(seen), func(s Seen) bool { return s.Topic == idempotentTopic })
	t.Logf("transactions: %d committed, %d aborted, %d without an answer; %d records seen", count[Committed], count[Aborted], count[Unknown], len(seen))
	for i, problem := range CheckTransactions(all, seen) {
		if i == 10 {
			t.Error("and more")
			break
		}
		t.Error(problem)
	}
	if count[Committed] < 5**killsFlag {
		t.Errorf("only %d transactions were committed: the run proves little", count[Committed])
	}
}
