//go:build system

package sdk

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
)

// describe returns all shards of the stream: the parent of each, and those that are open.
func (c *changing) describe(t *testing.T) (parents map[string]string, open map[string]bool) {
	t.Helper()
	streams := newGoStreams(c.Client)
	parents, open = map[string]string{}, map[string]bool{}
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: &c.streamARN}
	for {
		d := must[*dynamodbstreams.DescribeStreamOutput](t)(streams.DescribeStream(t.Context(), in)).StreamDescription
		for _, s := range d.Shards {
			parents[*s.ShardId] = aws.ToString(s.ParentShardId)
			if s.SequenceNumberRange.EndingSequenceNumber == nil {
				open[*s.ShardId] = true
			}
		}
		if in.ExclusiveStartShardId = d.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return parents, open
		}
	}
}

// shards checks that shards ended while they were read: some with one child, some with two.
func (c *changing) shards(t *testing.T) {
	t.Helper()
	parents, _ := c.describe(t)
	children := map[string]int{}
	for _, parent := range parents {
		if parent != "" {
			children[parent]++
		}
	}
	count := map[int]int{}
	for _, n := range children {
		count[n]++
	}
	t.Logf("%d shards, of which %d went on in one and %d in two", len(parents), count[1], count[2])
	if count[1] == 0 || count[2] == 0 {
		t.Error("want some that went on in one, and some in two")
	}
}
