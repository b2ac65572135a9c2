package server

import (
	"errors"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

func TestSDKForGoReadsAStreamOverARestart(t *testing.T) {
	dir := t.TempDir()
	var s *Server
	var c *dynamodbstreams.Client
	start := func() {
		s = open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off})
		c = dynamodbstreams.New(dynamodbstreams.Options{
			Region: "us-east-2", BaseEndpoint: aws.String("http://" + s.Addresses().AWS), Retryer: onConnectionErrors(),
			Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
		})
	}
	start()
	createTable(t, tables(s), "orders")
	changed, err := tables(s).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: aws.String("orders"), StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := changed.TableDescription.LatestStreamArn
	for i := range 20 {
		item := map[string]types.AttributeValue{"pk": text("k" + strconv.Itoa(i%5)), "sk": number("1"), "v": number(strconv.Itoa(i))}
		if _, err := tables(s).PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: item}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	start()
	listed, err := c.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{TableName: aws.String("orders")})
	if err != nil || len(listed.Streams) != 1 || *listed.Streams[0].StreamArn != *arn {
		t.Fatalf("ListStreams: got %+v, %v, want %s", listed, err, *arn)
	}
	described, err := c.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	if err != nil || described.StreamDescription.StreamStatus == streams.StreamStatusDisabled || len(described.StreamDescription.Shards) != 4 {
		t.Fatalf("DescribeStream: got %+v, %v", described.StreamDescription, err)
	}
	last := map[string]string{} // of a partition key, the value of its newest change
	records := 0
	for _, sh := range described.StreamDescription.Shards {
		it, err := c.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{StreamArn: arn, ShardId: sh.ShardId, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon})
		if err != nil {
			t.Fatal(err)
		}
		page, err := c.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
		if err != nil || page.NextShardIterator == nil {
			t.Fatalf("GetRecords: got %+v, %v", page, err)
		}
		for _, r := range page.Records {
			records++
			key := r.Dynamodb.Keys["pk"].(*streams.AttributeValueMemberS).Value
			before := ""
			if v, ok := r.Dynamodb.OldImage["v"].(*streams.AttributeValueMemberN); ok {
				before = v.Value
			}
			if before != last[key] || (r.EventName == streams.OperationTypeInsert) != (before == "") || *r.AwsRegion != "us-east-2" || *r.EventSource != "aws:dynamodb" {
				t.Errorf("%s of %s: from %q, it was %q", r.EventName, key, before, last[key])
			}
			last[key] = r.Dynamodb.NewImage["v"].(*streams.AttributeValueMemberN).Value
		}
	}
	if records != 20 || last["k4"] != "19" {
		t.Errorf("got %d records, ending at %v", records, last)
	}
	_, err = c.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: aws.String("nonsense")})
	if err == nil {
		t.Error("an iterator that nobody made was taken")
	}
	_, err = c.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: aws.String(*arn + "1")})
	if _, ok := errors.AsType[*streams.ResourceNotFoundException](err); !ok {
		t.Errorf("no such stream: got %v", err)
	}
}
