package kinesis

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/storetest"
)

// Writers and readers at once, answers given back as soon as they are read: what is pooled is used by
// many (run with -race).
func TestConcurrentWritersAndReadersSeeEveryRecordOnce(t *testing.T) {
	c := startOn(t, storetest.NewModel(), nil)
	c.create("s", 3)
	const writers, puts, batch = 6, 30, 7
	var mu sync.Mutex // guards answered
	answered := map[string]string{}
	var work sync.WaitGroup
	for w := range writers {
		work.Go(func() {
			for p := range puts {
				in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
				for i := range batch {
					data := fmt.Sprintf("%d.%d.%d", w, p, i)
					in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: &data, Data: []byte(data)})
				}
				call := &api.Call{Account: c.account, Region: c.region}
				out, err := c.svc.PutRecords(api.WithCall(t.Context(), call), in)
				if err != nil {
					t.Errorf("PutRecords: %v", err)
					return
				}
				mu.Lock()
				for i, e := range out.Records {
					answered[*e.ShardId+" "+*e.SequenceNumber] = string(in.Records[i].Data)
				}
				mu.Unlock()
				call.Sent()
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()

	var readers sync.WaitGroup
	read := make([]map[string]string, 3)
	for i := range read {
		readers.Go(func() { read[i] = follow(t, c, shardID(int32(i)), done) })
	}
	readers.Wait()
	all := map[string]string{}
	for _, m := range read {
		maps.Copy(all, m)
	}
	if len(all) != writers*puts*batch || len(answered) != len(all) {
		t.Errorf("%d records were read, %d answered, %d put", len(all), len(answered), writers*puts*batch)
	}
	for k, v := range answered {
		if all[k] != v {
			t.Errorf("%s: read %q, put %q", k, all[k], v)
		}
	}
}

// follow reads a shard until it has met its end after done was closed.
func follow(t *testing.T, c *caller, id string, done <-chan struct{}) map[string]string {
	found := map[string]string{}
	var numbers []string
	call := func() *api.Call { return &api.Call{Account: c.account, Region: c.region} }
	out, err := c.svc.GetShardIterator(api.WithCall(t.Context(), call()), &kinesisapi.GetShardIteratorInput{
		StreamName: new("s"), ShardId: id, ShardIteratorType: kinesisapi.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		t.Errorf("GetShardIterator: %v", err)
		return nil
	}
	for it := *out.ShardIterator; ; {
		ended := false
		select {
		case <-done:
			ended = true
		default:
		}
		one := call()
		out, err := c.svc.GetRecords(api.WithCall(t.Context(), one), &kinesisapi.GetRecordsInput{ShardIterator: it, Limit: new(int32(50))})
		if err != nil {
			t.Errorf("GetRecords: %v", err)
			return nil
		}
		for _, r := range out.Records {
			number := string([]byte(r.SequenceNumber))
			numbers = append(numbers, number)
			found[id+" "+number] = string(r.Data)
		}
		it = *out.NextShardIterator
		behind := *out.MillisBehindLatest
		one.Sent()
		if ended && behind == 0 {
			break
		}
	}
	if !slices.IsSorted(numbers) || len(found) != len(numbers) {
		t.Errorf("%s: numbers do not rise", id)
	}
	return found
}
