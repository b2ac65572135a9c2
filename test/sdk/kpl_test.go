//go:build system

package sdk

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"

	"millrace/internal/service/kinesis/kpl"
	"millrace/test/process"
	"millrace/test/program"
)

// place is where the service says that a record is.
type place struct{ shard, sequence string }

// playProducer puts records with the Kinesis Producer Library over TLS: each of so many keys. All are acknowledged, at the first try;
// the answer says where each is, by "key/number".
func playProducer(t *testing.T, classPath, addr, stream, ca string, keys, each int) map[string]place {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	play(t, []string{"produce"}, nil, "java", "-Xmx256m", "-cp", classPath, "Producer", "localhost", port, stream, ca, folder,
		fmt.Sprint(keys), fmt.Sprint(each))
	acknowledged := map[string]place{}
	for line := range strings.Lines(string(must[[]byte](t)(os.ReadFile(filepath.Join(folder, "acknowledged"))))) {
		f := strings.Fields(line)
		acknowledged[f[0]] = place{f[1], f[2]}
	}
	if len(acknowledged) != keys*each {
		t.Errorf("%d records are acknowledged, want %d", len(acknowledged), keys*each)
	}
	return acknowledged
}

func TestKPLAggregatesRecordsThatArriveOnceWhereItIsTold(t *testing.T) {
	const keys, each = 50, 200
	data := filepath.Join(t.TempDir(), "data")
	s := startOn(t, process.Options{Data: data, Args: noQuotas})
	ca, _ := authority(t, data)
	c := newGoClient(s.Endpoint(), "produced", http.DefaultClient, accessKey, secretKey)
	c.create(t)
	acknowledged := playProducer(t, compile(t, program.Part(t, "kcl", "lib", "*"), "clients/Producer.java"), s.Ready.AWS, c.stream, ca, keys, each)
	users, records := c.unpacked(t)
	if len(users) != keys*each || records > len(users)/10 {
		t.Errorf("got %d user records in %d records, want %d in far fewer", len(users), records, keys*each)
	}
	for _, u := range users {
		if got, want := acknowledged[u.name], (place{u.shard, u.sequence}); got != want || u.key != "schlüssel-"+strings.Split(u.name, "/")[0] {
			t.Fatalf("record %s of %s is at %v, and was acknowledged at %v", u.name, u.key, want, got)
		}
		delete(acknowledged, u.name) // so that it is found once
	}
}

// userRecord is what an application put: name is its data up to the second slash.
type userRecord struct{ shard, sequence, key, name string }

// unpacked reads all shards, each in its order, and takes aggregates apart; records is how many the shards hold.
func (c *goClient) unpacked(t *testing.T) (users []userRecord, records int) {
	t.Helper()
	for _, shard := range must[*kinesis.ListShardsOutput](t)(c.ListShards(t.Context(), &kinesis.ListShardsInput{StreamName: &c.stream})).Shards {
		iterator := c.iterator(t, kinesis.GetShardIteratorInput{ShardId: shard.ShardId, ShardIteratorType: "TRIM_HORIZON"})
		for iterator != nil { // a closed shard ends
			out := must[*kinesis.GetRecordsOutput](t)(c.GetRecords(t.Context(), &kinesis.GetRecordsInput{ShardIterator: iterator}))
			for _, r := range out.Records {
				records++
				inside := []kpl.Record{{PartitionKey: []byte(*r.PartitionKey), Data: r.Data}}
				if kpl.IsAggregated(r.Data) {
					inside = must[[]kpl.Record](t)(kpl.Split(r.Data))
				}
				for _, u := range inside {
					parts := strings.SplitN(string(u.Data), "/", 3)
					users = append(users, userRecord{*shard.ShardId, *r.SequenceNumber, string(u.PartitionKey), parts[0] + "/" + parts[1]})
				}
			}
			if iterator = out.NextShardIterator; len(out.Records) == 0 && aws.ToInt64(out.MillisBehindLatest) == 0 {
				break
			}
		}
	}
	return users, records
}
