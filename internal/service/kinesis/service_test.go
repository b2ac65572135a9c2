package kinesis

import (
	"fmt"
	"testing"

	"millrace/internal/api/kinesisapi"
)

func TestRecordsAreReadBackInOrderOfTheirShard(t *testing.T) {
	c := start(t)
	c.create("s", 4)
	want := map[string][]string{}
	for i := range 200 {
		data := fmt.Sprint("data", i)
		out := c.put("s", fmt.Sprint("key", i), data)
		want[out.ShardId] = append(want[out.ShardId], out.SequenceNumber+" "+data)
	}
	if len(want) != 4 {
		t.Errorf("200 keys went to %d shards, want 4", len(want))
	}
	for shard, records := range want {
		var got []string
		for it := c.oldest("s", shard); ; {
			out := c.get(it, 7)
			for _, r := range out.Records {
				got = append(got, r.SequenceNumber+" "+string(r.Data))
			}
			if it = *out.NextShardIterator; *out.MillisBehindLatest == 0 {
				break
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(records) {
			t.Errorf("%s: got %v\nwant %v", shard, got, records)
		}
	}
}

func TestPutRecordsAnswersInOrderOfTheRequest(t *testing.T) {
	c := start(t)
	c.create("s", 3)
	in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
	for i := range 50 {
		in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{Data: fmt.Append(nil, i), PartitionKey: new(fmt.Sprint(i))})
	}
	out, err := c.svc.PutRecords(c.ctx(), in)
	if err != nil || *out.FailedRecordCount != 0 || len(out.Records) != 50 {
		t.Fatalf("PutRecords: %+v, %v", out, err)
	}
	for i, e := range out.Records {
		it := c.iterator(&kinesisapi.GetShardIteratorInput{
			StreamName: new("s"), ShardId: *e.ShardId,
			ShardIteratorType: kinesisapi.ShardIteratorTypeAtSequenceNumber, StartingSequenceNumber: e.SequenceNumber,
		})
		got := c.get(it, 1).Records
		if len(got) != 1 || string(got[0].Data) != fmt.Sprint(i) || *got[0].PartitionKey != fmt.Sprint(i) || got[0].SequenceNumber != *e.SequenceNumber {
			t.Errorf("record %d at %s %s: got %+v", i, *e.ShardId, *e.SequenceNumber, got)
		}
	}
}
