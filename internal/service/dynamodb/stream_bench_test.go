package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
)

// BenchmarkPutItemWithAStream is BenchmarkPutItemOfOneKiB on tables with and without a stream, of which one has had so many changes before.
func BenchmarkPutItemWithAStream(b *testing.B) {
	filler := strings.Repeat("x", 1000)
	item := func(i int) string {
		return fmt.Sprintf(`{"pk":{"S":"%d"},"v":{"S":"%s"},"n":{"N":"%d"}}`, i%1000, filler, i)
	}
	type setting struct {
		name   string
		stream bool
		before int
	}
	settings := []setting{{"off", false, 1000}, {"on/after=1000", true, 1000}}
	if !testing.Short() { // half a minute of changes before the first that is measured
		settings = append(settings, setting{"on/after=1000000", true, 1_000_000})
	}
	for _, x := range settings {
		b.Run(x.name, func(b *testing.B) {
			c := onEmbedded(b)
			if x.stream {
				c.withStream(input("streamed", "pk:S"), dynamodbapi.StreamViewTypeNewAndOldImages)
			} else {
				c.create("streamed", "pk:S")
			}
			for i := range x.before {
				put(c, "streamed", fmt.Sprintf(`{"pk":{"S":"%d"},"n":{"N":"%d"}}`, i%1000, i))
			}
			for i := range 1000 {
				put(c, "streamed", item(i))
			}
			b.ReportAllocs()
			for i := 1000; b.Loop(); i++ {
				put(c, "streamed", item(i))
			}
		})
	}
}

// BenchmarkGetRecordsOfAThousandChanges reads full pages of changes with both images of 1 KiB.
func BenchmarkGetRecordsOfAThousandChanges(b *testing.B) {
	c := onEmbedded(b)
	in := input("read", "pk:S")
	in.BillingMode, in.ProvisionedThroughput = nil, &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 1, WriteCapacityUnits: 1}
	arn := c.withStream(in, dynamodbapi.StreamViewTypeNewAndOldImages)
	for i := range 1000 {
		put(c, "read", fmt.Sprintf(`{"pk":{"S":"%d"},"v":{"S":"%s"},"n":{"N":"%d"}}`, i%100, strings.Repeat("x", 400), i))
	}
	shard := *c.shards(arn)[0].ShardId
	b.ReportAllocs()
	for b.Loop() {
		c.readPage(b, arn, shard)
	}
}

func (c *caller) readPage(b *testing.B, arn, shard string) {
	b.Helper()
	it, err := c.svc.GetShardIterator(c.ctx(), &dynamodbstreamsapi.GetShardIteratorInput{
		StreamArn: arn, ShardId: shard, ShardIteratorType: dynamodbstreamsapi.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.svc.GetRecords(c.ctx(), &dynamodbstreamsapi.GetRecordsInput{ShardIterator: *it.ShardIterator})
	if err != nil || len(out.Records) < 900 {
		b.Fatalf("got %d records, %v", len(out.Records), err)
	}
}
