//go:build system

package sdk

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"millrace/test/process"
	"millrace/test/program"
)

const (
	// produced and producedEach are keys and records for each that the Kinesis Producer Library puts.
	produced, producedEach = 40, 50
	// plain is the number of keys that are put one record at a time, while shards come and go and a worker dies.
	plain = 20
	// plainFrom keeps the numbers of plain keys apart from those of produced ones.
	plainFrom = 1000
)

// An application is a stream with what is put into it, and two workers.
type application struct {
	*goClient
	workers
	endpoint string
	name     string // of the application, and so of its table of leases
	next     int    // of each plain key
}

func TestKCLProcessesEveryRecordInOrder(t *testing.T) {
	t.Parallel() // the library mostly waits for its own intervals
	data := filepath.Join(t.TempDir(), "data")
	s := startOn(t, process.Options{Data: data, Args: noQuotas})
	ca, _ := authority(t, data)
	classPath := compile(t, program.Part(t, "kcl", "lib", "*"), "clients/Consumer.java", "clients/Worker.java", "clients/Processor.java", "clients/Producer.java")
	for _, retrieval := range []string{"polling", "fanout"} {
		t.Run(retrieval, func(t *testing.T) {
			t.Parallel()
			a := &application{
				goClient: newGoClient(s.Endpoint(), "kcl-"+retrieval, http.DefaultClient, accessKey, secretKey), workers: newWorkers(t),
				endpoint: s.Endpoint(), name: "app-" + retrieval,
			}
			must[*kinesis.CreateStreamOutput](t)(a.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: &a.stream, ShardCount: aws.Int32(4)}))
			a.active(t)
			a.start(t, "red", classPath, "Consumer", a.endpoint, a.stream, a.name, retrieval)
			playProducer(t, classPath, s.Ready.AWS, a.stream, ca, produced, producedEach)
			a.firstIsThere(t)
			a.start(t, "blue", classPath, "Consumer", a.endpoint, a.stream, a.name, retrieval)
			a.play(t)
		})
	}
}

func (a *application) active(t *testing.T) {
	t.Helper()
	until(t, "ACTIVE", func() bool { return a.summary(t).StreamStatus == types.StreamStatusActive })
}

// firstIsThere waits for the state that the first worker of a new application writes: when two write it at once, the library fails in
// the one that loses.
func (a *application) firstIsThere(t *testing.T) {
	t.Helper()
	c := newGoTables(a.endpoint, a.name, http.DefaultClient)
	a.await(t, "the state of the application", func() bool {
		out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: c.table, Key: marshal(t, map[string]string{"leaseKey": "Migration3.0"})})
		return err == nil && out.Item != nil
	})
}

// play splits, merges and kills while records are put; then all of them were processed, those of a key in order.
func (a *application) play(t *testing.T) {
	a.putPlain(t, 20)
	a.await(t, "the first record", func() bool { return len(a.processed(t)) > 0 })
	must[*kinesis.SplitShardOutput](t)(a.SplitShard(t.Context(), &kinesis.SplitShardInput{
		StreamName: &a.stream, ShardToSplit: aws.String("shardId-000000000000"), NewStartingHashKey: aws.String("42535295865117307932921825928971026432"),
	}))
	a.putPlain(t, 20)
	a.active(t)
	must[*kinesis.MergeShardsOutput](t)(a.MergeShards(t.Context(), &kinesis.MergeShardsInput{
		StreamName: &a.stream, ShardToMerge: aws.String("shardId-000000000002"), AdjacentShardToMerge: aws.String("shardId-000000000003"),
	}))
	a.putPlain(t, 10)
	a.active(t)
	a.putPlain(t, 10) // some keys of these belong to the merged shard
	a.await(t, "records of the merged shard", func() bool {
		return slices.ContainsFunc(a.processed(t), func(p processed) bool { return p.shard == "shardId-000000000006" && p.key != "" })
	})
	a.putPlain(t, 20)
	lines := a.processed(t)
	a.kill(t, lines[len(lines)-1].worker)
	a.putPlain(t, 20)
	a.await(t, "every record", func() bool { return a.complete(t) })
	a.inOrder(t)
	for name, survivor := range a.running {
		a.awaitLeases(t, a.endpoint, a.name, name, 56, func() map[string]bool {
			return map[string]bool{"shardId-000000000001": true, "shardId-000000000004": true, "shardId-000000000005": true, "shardId-000000000006": true}
		})
		a.metrics(t)
		if err := survivor.Stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// putPlain puts count further records of each plain key.
func (a *application) putPlain(t *testing.T, count int) {
	t.Helper()
	for range count {
		var records []types.PutRecordsRequestEntry
		for k := range plain {
			records = append(records, types.PutRecordsRequestEntry{
				PartitionKey: aws.String(fmt.Sprintf("plain-%d", plainFrom+k)), Data: fmt.Appendf(nil, "%d/%d/", plainFrom+k, a.next),
			})
		}
		a.next++
		if out := must[*kinesis.PutRecordsOutput](t)(a.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: &a.stream, Records: records})); *out.FailedRecordCount != 0 {
			t.Fatalf("PutRecords: %+v", out)
		}
	}
}

// processed is a line of clients/Consumer.java: a record, or the end of a shard, which has no key.
type processed struct{ worker, shard, key, data string }

func (a *application) processed(t *testing.T) []processed {
	t.Helper()
	var all []processed
	for _, f := range a.lines(t) {
		p := processed{worker: f[0], shard: f[1]}
		if len(f) == 4 {
			p.key, p.data = f[2], f[3]
		}
		all = append(all, p)
	}
	return all
}

// complete says whether each record was processed once at least.
func (a *application) complete(t *testing.T) bool {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range a.processed(t) {
		if p.key != "" {
			seen[p.data] = true
		}
	}
	return len(seen) == produced*producedEach+plain*a.next
}

// inOrder checks that no record was processed before those of its key that stand earlier in the stream, and that its key came along.
// What was processed after the last checkpoint of a worker that died comes again.
func (a *application) inOrder(t *testing.T) {
	t.Helper()
	order := map[string]int{} // of each record among those of its key
	next := map[string]int{}
	users, _ := a.unpacked(t)
	for _, u := range users { // a shard comes after its parents
		order[u.name] = next[u.key]
		next[u.key]++
	}
	clear(next)
	again := 0
	for _, p := range a.processed(t) {
		if p.key == "" {
			continue
		}
		if p.key != "schlüssel-"+strings.Split(p.data, "/")[0] && p.key != "plain-"+strings.Split(p.data, "/")[0] {
			t.Fatalf("the line %+v is not of a record that was put", p)
		}
		switch n := order[p.data]; {
		case n == next[p.key]:
			next[p.key]++
		case n < next[p.key]:
			again++
		default:
			t.Errorf("%s processed record %d of key %s, in %s, want %d first", p.worker, n, p.key, p.shard, next[p.key])
			next[p.key] = n + 1
		}
	}
	t.Logf("%d records were processed again after a worker died", again)
}

// metrics waits for a metric of the library, which it sends each second.
func (a *application) metrics(t *testing.T) {
	t.Helper()
	c := cloudwatch.New(cloudwatch.Options{
		Region: region, BaseEndpoint: &a.endpoint, Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
	until(t, "metrics of the application", func() bool {
		in := &cloudwatch.ListMetricsInput{Namespace: &a.name, MetricName: aws.String("RecordsProcessed")}
		return len(must[*cloudwatch.ListMetricsOutput](t)(c.ListMetrics(t.Context(), in)).Metrics) > 0
	})
}
