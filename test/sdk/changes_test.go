//go:build system

package sdk

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"millrace/test/process"
	"millrace/test/program"
)

// TestStreamsAdapterProcessesEveryChangeInOrder has the Kinesis Client Library read a stream of DynamoDB while shards end, go on and split
// and one of two workers is killed.
func TestStreamsAdapterProcessesEveryChangeInOrder(t *testing.T) {
	t.Parallel() // as the other application
	s := start(t, process.Options{Args: []string{"--dynamodb-stream-rotation", "4s", "--dynamodb-stream-split-rate", "20", "--state-delay", "1ms"}})
	classPath := compile(t, program.Part(t, "streams-adapter", "lib", "*"), "clients/StreamConsumer.java", "clients/Worker.java", "clients/Processor.java")
	c := &changing{goTables: newGoTables(s.Endpoint(), "changing", http.DefaultClient), workers: newWorkers(t), items: map[string]*history{}}
	c.create(t)
	args := []string{s.Endpoint(), c.streamARN, "app-changes"}
	c.start(t, "red", classPath, "StreamConsumer", args...)
	c.change(t, 200)
	c.await(t, "the first change", func() bool { return len(c.lines(t)) > 0 })
	c.start(t, "blue", classPath, "StreamConsumer", args...)
	c.changeUntil(t, "changes that blue processed", func(f []string) bool { return f[0] == "blue" && len(f) > 3 })
	c.changeUntil(t, "a child's shard", func(f []string) bool { return f[2] == "ended" })
	c.kill(t, "blue") // red has the lead, which this version of the library gives up after two minutes only
	c.change(t, 100)
	c.await(t, "every change", func() bool { return c.complete(t) })
	c.inOrder(t)
	c.shards(t)
	c.awaitLeases(t, s.Endpoint(), "app-changes", "red", 21, func() map[string]bool {
		_, open := c.describe(t)
		return open
	})
	// red is killed with the test: this version of the library often takes more than 15 s to end politely.
}

// changing is a table whose items change at random, and two workers that follow.
type changing struct {
	*goTables
	workers
	streamARN string
	items     map[string]*history
	total     int // changes
}

// history is what an item went through: the event and both images of each change as the workers write them.
type history struct {
	changes []string
	image   string // now; empty: there is none
}

func (c *changing) create(t *testing.T) {
	t.Helper()
	out, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: c.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	noErr(t, err)
	c.streamARN = *out.TableDescription.LatestStreamArn
	until(t, "ACTIVE", func() bool {
		out := must[*dynamodb.DescribeTableOutput](t)(c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: c.table}))
		return out.Table.TableStatus == types.TableStatusActive
	})
}

// change makes so many changes: of one item, or of several in a batch or a transaction.
func (c *changing) change(t *testing.T, count int) {
	t.Helper()
	for range count {
		key := fmt.Sprintf("schlüssel-%d", rand.IntN(40))
		put, absent := c.put(key)
		switch rand.IntN(6) {
		case 0:
			_, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: c.table, Key: marshal(t, map[string]string{"pk": key})})
			noErr(t, err)
			c.record(key, "")
		case 1:
			_, err := c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
				TableName: c.table, Key: marshal(t, map[string]string{"pk": key}), UpdateExpression: aws.String("SET n = :n, #t = :t, #b = :b"),
				ExpressionAttributeNames:  map[string]string{"#t": "text", "#b": "blob"},
				ExpressionAttributeValues: map[string]types.AttributeValue{":n": put["n"], ":t": put["text"], ":b": put["blob"]},
			})
			noErr(t, err)
			c.record(key, shown(put))
		case 2:
			other, _ := c.put("transaction-" + key)
			_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
				{Put: &types.Put{TableName: c.table, Item: put}}, {Put: &types.Put{TableName: c.table, Item: other}},
			}})
			noErr(t, err)
			c.record(key, shown(put))
			c.record("transaction-"+key, shown(other))
		case 3:
			other, _ := c.put("batch-" + key)
			out, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*c.table: {
				{PutRequest: &types.PutRequest{Item: put}}, {PutRequest: &types.PutRequest{Item: other}},
			}}})
			if noErr(t, err); len(out.UnprocessedItems) != 0 {
				t.Fatalf("unprocessed: %v", out.UnprocessedItems)
			}
			c.record(key, shown(put))
			c.record("batch-"+key, shown(other))
		default:
			in := &dynamodb.PutItemInput{TableName: c.table, Item: put}
			if absent {
				in.ConditionExpression = aws.String("attribute_not_exists(pk)")
			}
			_, err := c.PutItem(t.Context(), in)
			noErr(t, err)
			c.record(key, shown(put))
		}
	}
}

// changeUntil makes changes until a worker has written a line that is right.
func (c *changing) changeUntil(t *testing.T, what string, right func(fields []string) bool) {
	t.Helper()
	c.await(t, what, func() bool {
		c.change(t, 3)
		return slices.ContainsFunc(c.lines(t), right)
	})
}

// put is an item that differs from the one before it, and whether there is none.
func (c *changing) put(key string) (item map[string]types.AttributeValue, absent bool) {
	h := c.items[key]
	if h == nil {
		h = &history{}
		c.items[key] = h
	}
	n := len(h.changes)
	return map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: key}, "n": &types.AttributeValueMemberN{Value: strconv.Itoa(n)},
		"text": &types.AttributeValueMemberS{Value: fmt.Sprintf("größe-%s-%d", key, n)}, "blob": &types.AttributeValueMemberB{Value: []byte{0, byte(n), 255}},
	}, h.image == ""
}

// shown is an image as the workers write it.
func shown(item map[string]types.AttributeValue) string {
	return fmt.Sprintf("%s:%s:%x", item["n"].(*types.AttributeValueMemberN).Value, item["text"].(*types.AttributeValueMemberS).Value,
		item["blob"].(*types.AttributeValueMemberB).Value)
}

// record notes a change; what leaves an item as it was has none.
func (c *changing) record(key, image string) {
	h := c.items[key]
	was := h.image
	h.image = image
	switch {
	case was == image:
		return
	case was == "":
		h.changes = append(h.changes, "INSERT - "+image)
	case image == "":
		h.changes = append(h.changes, "REMOVE "+was+" -")
	default:
		h.changes = append(h.changes, "MODIFY "+was+" "+image)
	}
	c.total++
}

// changeOf takes a line of a worker apart: the item's key, and event and images.
func changeOf(fields []string) (key, change string, ok bool) {
	if len(fields) != 6 {
		return "", "", false // the end of a shard
	}
	return fields[3], strings.Join([]string{fields[2], fields[4], fields[5]}, " "), true
}

// complete says whether each change was processed once at least.
func (c *changing) complete(t *testing.T) bool {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range c.lines(t) {
		if key, change, ok := changeOf(f); ok {
			seen[key+" "+change] = true
		}
	}
	return len(seen) >= c.total
}

// inOrder checks that each change of an item was processed after those before it, with both images. What a worker processed after its last
// checkpoint comes again when it dies.
func (c *changing) inOrder(t *testing.T) {
	t.Helper()
	order, next := map[string]int{}, map[string]int{}
	for key, h := range c.items {
		for n, change := range h.changes {
			order[key+" "+change] = n
		}
	}
	again := 0
	for _, f := range c.lines(t) {
		key, change, ok := changeOf(f)
		if !ok {
			continue
		}
		n, known := order[key+" "+change]
		switch {
		case !known:
			t.Errorf("%s processed a change of %s that there was not: %s", f[0], key, change)
		case n == next[key]:
			next[key]++
		case n < next[key]:
			again++
		default:
			t.Errorf("%s processed change %d of %s, in %s, want %d first", f[0], n, key, f[1], next[key])
			next[key] = n + 1
		}
	}
	for key, h := range c.items {
		if next[key] != len(h.changes) {
			t.Errorf("%d changes of %s were processed, want %d", next[key], key, len(h.changes))
		}
	}
	t.Logf("%d changes of %d items, of which %d were processed again", c.total, len(c.items), again)
}
