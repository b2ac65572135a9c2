//go:build system

package sdk

import (
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streamtypes "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
)

// goFollower uses indexes, streams and expiry with the AWS SDK for Go v2.
type goFollower struct{ *goTables }

func playFollowGo(t *testing.T, endpoint, table string) {
	t.Helper()
	c := goFollower{newGoTables(endpoint, table, http.DefaultClient)}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", c.create},
		{"indexes", c.indexes},
		{"added", c.added},
		{"capacity", c.capacity},
		{"follow", c.follow},
		{"expiry", c.expiry},
		{"delete", c.delete},
	} {
		if !t.Run(step.name, step.run) {
			return // the steps build on each other
		}
	}
}

// newGoStreams is a client of the streams of the tables that another one uses.
func newGoStreams(c *dynamodb.Client) *dynamodbstreams.Client {
	return dynamodbstreams.New(dynamodbstreams.Options{
		Region: region, BaseEndpoint: c.Options().BaseEndpoint, HTTPClient: http.DefaultClient, Retryer: onConnectionErrors(),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})
}

// defined and keyed are the attributes and the keys of a table or an index: "pk:S", partition before sort.
func defined(attributes ...string) (all []types.AttributeDefinition) {
	for _, a := range attributes {
		name, kind, _ := strings.Cut(a, ":")
		all = append(all, types.AttributeDefinition{AttributeName: &name, AttributeType: types.ScalarAttributeType(kind)})
	}
	return all
}

func keyed(names ...string) (all []types.KeySchemaElement) {
	for i, name := range names {
		all = append(all, types.KeySchemaElement{AttributeName: &name, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]})
	}
	return all
}

func (c goFollower) create(t *testing.T) {
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: c.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: defined("pk:S", "sk:N", "kind:S", "n:N"), KeySchema: keyed("pk", "sk"),
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("by-kind"), KeySchema: keyed("kind", "n"),
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeInclude, NonKeyAttributes: []string{"text"}},
		}},
		LocalSecondaryIndexes: []types.LocalSecondaryIndex{{
			IndexName: aws.String("by-n"), KeySchema: keyed("pk", "n"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
		}},
		StreamSpecification: &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages},
	})
	noErr(t, err)
	c.awaitIndexes(t, "by-kind")
	d := c.describe(t)
	if got, want := *d.LocalSecondaryIndexes[0].IndexArn, *d.TableArn+"/index/by-n"; got != want {
		t.Errorf("the local index is %s, want %s", got, want)
	}
}

func (c goFollower) describe(t *testing.T) *types.TableDescription {
	t.Helper()
	return must[*dynamodb.DescribeTableOutput](t)(c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: c.table})).Table
}

// awaitIndexes waits until table and global indexes are active, which are these.
func (c goFollower) awaitIndexes(t *testing.T, want ...string) {
	t.Helper()
	until(t, "the table and its indexes", func() bool {
		d := c.describe(t)
		var active []string
		for _, i := range d.GlobalSecondaryIndexes {
			if i.IndexStatus == types.IndexStatusActive {
				active = append(active, *i.IndexName)
			}
		}
		slices.Sort(active)
		return d.TableStatus == types.TableStatusActive && slices.Equal(active, want)
	})
}

func (c goFollower) item(t *testing.T, i int) map[string]types.AttributeValue {
	t.Helper()
	return marshal(t, map[string]any{"pk": "p", "sk": i, "n": 30 - i, "kind": []string{"even", "odd"}[i%2], "text": fmt.Sprint("item ", i), "hidden": "x"})
}

// query reads an index page by page: items as Go has them, and how many were on each page.
func (c goFollower) query(t *testing.T, in *dynamodb.QueryInput) (items []map[string]any, sizes []int) {
	t.Helper()
	in.TableName = c.table
	for pages := dynamodb.NewQueryPaginator(c.Client, in); pages.HasMorePages(); {
		page := must[*dynamodb.QueryOutput](t)(pages.NextPage(t.Context()))
		sizes = append(sizes, len(page.Items))
		var some []map[string]any
		noErr(t, attributevalue.UnmarshalListOfMaps(page.Items, &some))
		items = append(items, some...)
	}
	return items, sizes
}

func (c goFollower) indexes(t *testing.T) {
	for from := 0; from < 30; from += 15 {
		var requests []types.WriteRequest
		for i := range 15 {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: c.item(t, from+i)}})
		}
		_, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*c.table: requests}})
		noErr(t, err)
	}
	even := &dynamodb.QueryInput{
		IndexName: aws.String("by-kind"), KeyConditionExpression: aws.String("kind = :k"), Limit: aws.Int32(4),
		ExpressionAttributeValues: marshal(t, map[string]string{":k": "even"}),
	}
	got, sizes := c.query(t, even)
	var want []map[string]any
	for i := 28; i >= 0; i -= 2 {
		want = append(want, map[string]any{"pk": "p", "sk": float64(i), "n": float64(30 - i), "kind": "even", "text": fmt.Sprint("item ", i)})
	}
	if !reflect.DeepEqual(got, want) || !slices.Equal(sizes[:4], []int{4, 4, 4, 3}) {
		t.Errorf("by kind: got %v in pages of %v, want %v", got, sizes, want)
	}
	got, _ = c.query(t, &dynamodb.QueryInput{
		IndexName: aws.String("by-n"), KeyConditionExpression: aws.String("pk = :p AND n < :n"), ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false),
		ExpressionAttributeValues: marshal(t, map[string]any{":p": "p", ":n": 3}),
	})
	if want := []map[string]any{{"pk": "p", "sk": 28.0, "n": 2.0}, {"pk": "p", "sk": 29.0, "n": 1.0}}; !reflect.DeepEqual(got, want) {
		t.Errorf("by n: got %v, want %v", got, want)
	}
	even.ConsistentRead = aws.Bool(true)
	_, err := c.Query(t.Context(), even)
	wantError(t, err, "ValidationException")
}

func (c goFollower) added(t *testing.T) {
	_, err := c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: c.table, AttributeDefinitions: defined("text:S"),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String("by-text"), KeySchema: keyed("text"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}}},
	})
	noErr(t, err)
	c.awaitIndexes(t, "by-kind", "by-text")
	got, _ := c.query(t, &dynamodb.QueryInput{
		IndexName: aws.String("by-text"), KeyConditionExpression: aws.String("#t = :t"), ExpressionAttributeNames: map[string]string{"#t": "text"},
		ExpressionAttributeValues: marshal(t, map[string]string{":t": "item 7"}),
	})
	if want := []map[string]any{{"pk": "p", "sk": 7.0, "n": 23.0, "kind": "odd", "text": "item 7", "hidden": "x"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("by text: got %v, want %v", got, want)
	}
}

func (c goFollower) capacity(t *testing.T) {
	got := must[*dynamodb.PutItemOutput](t)(c.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: c.table, Item: c.item(t, 100), ReturnConsumedCapacity: types.ReturnConsumedCapacityIndexes,
	})).ConsumedCapacity
	one := types.Capacity{CapacityUnits: aws.Float64(1)}
	want := &types.ConsumedCapacity{
		TableName: c.table, CapacityUnits: aws.Float64(4), Table: &one,
		GlobalSecondaryIndexes: map[string]types.Capacity{"by-kind": one, "by-text": one}, LocalSecondaryIndexes: map[string]types.Capacity{"by-n": one},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// changes are all records of an item so far, from every shard.
func (c goFollower) changes(t *testing.T, pk string) (found []streamtypes.Record) {
	t.Helper()
	streams := newGoStreams(c.Client)
	listed := must[*dynamodbstreams.ListStreamsOutput](t)(streams.ListStreams(t.Context(), &dynamodbstreams.ListStreamsInput{TableName: c.table})).Streams
	if len(listed) != 1 || *listed[0].StreamArn != *c.describe(t).LatestStreamArn {
		t.Fatalf("ListStreams: got %+v, want that of the table", listed)
	}
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: listed[0].StreamArn}
	for _, shard := range must[*dynamodbstreams.DescribeStreamOutput](t)(streams.DescribeStream(t.Context(), in)).StreamDescription.Shards {
		iterator := must[*dynamodbstreams.GetShardIteratorOutput](t)(streams.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
			StreamArn: in.StreamArn, ShardId: shard.ShardId, ShardIteratorType: streamtypes.ShardIteratorTypeTrimHorizon,
		})).ShardIterator
		for iterator != nil {
			page := must[*dynamodbstreams.GetRecordsOutput](t)(streams.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: aws.Int32(20)}))
			for _, r := range page.Records {
				if key, ok := r.Dynamodb.Keys["pk"].(*streamtypes.AttributeValueMemberS); ok && key.Value == pk {
					found = append(found, r)
				}
			}
			if iterator = page.NextShardIterator; len(page.Records) == 0 {
				break
			}
		}
	}
	return found
}

func (c goFollower) follow(t *testing.T) {
	first := map[string]types.AttributeValue{"v": &types.AttributeValueMemberS{Value: "größe"}, "b": &types.AttributeValueMemberB{Value: []byte{0, 255}}}
	maps.Copy(first, goKey(t, "s", "1"))
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: c.table, Item: first})
	noErr(t, err)
	_, err = c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: c.table, Key: goKey(t, "s", "1"), UpdateExpression: aws.String("SET v = :v"), ExpressionAttributeValues: marshal(t, map[string]string{":v": "2"}),
	})
	noErr(t, err)
	_, err = c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: c.table, Key: goKey(t, "s", "1")})
	noErr(t, err)
	type image = map[string]streamtypes.AttributeValue
	shown := func(v string) image {
		return image{
			"pk": &streamtypes.AttributeValueMemberS{Value: "s"}, "sk": &streamtypes.AttributeValueMemberN{Value: "1"},
			"v": &streamtypes.AttributeValueMemberS{Value: v}, "b": &streamtypes.AttributeValueMemberB{Value: []byte{0, 255}},
		}
	}
	found := c.changes(t, "s")
	want := []struct {
		event    streamtypes.OperationType
		old, new image
	}{{streamtypes.OperationTypeInsert, nil, shown("größe")}, {streamtypes.OperationTypeModify, shown("größe"), shown("2")}, {streamtypes.OperationTypeRemove, shown("2"), nil}}
	if len(found) != len(want) {
		t.Fatalf("got %d records, want %d", len(found), len(want))
	}
	for i, r := range found {
		if w := want[i]; r.EventName != w.event || !reflect.DeepEqual(r.Dynamodb.OldImage, w.old) || !reflect.DeepEqual(r.Dynamodb.NewImage, w.new) || r.UserIdentity != nil {
			t.Errorf("record %d: got %s of %v and %v by %v, want %+v", i, r.EventName, r.Dynamodb.OldImage, r.Dynamodb.NewImage, r.UserIdentity, w)
		}
	}
}

func (c goFollower) expiry(t *testing.T) {
	_, err := c.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: c.table, TimeToLiveSpecification: &types.TimeToLiveSpecification{Enabled: aws.Bool(true), AttributeName: aws.String("expires")},
	})
	noErr(t, err)
	until(t, "time to live", func() bool {
		out := must[*dynamodb.DescribeTimeToLiveOutput](t)(c.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: c.table}))
		return out.TimeToLiveDescription.TimeToLiveStatus == types.TimeToLiveStatusEnabled && *out.TimeToLiveDescription.AttributeName == "expires"
	})
	now := time.Now().Unix()
	for pk, expires := range map[string]int64{"stays": now + 3600, "goes": now - 10} {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: c.table, Item: marshal(t, map[string]any{"pk": pk, "sk": 1, "expires": expires})})
		noErr(t, err)
	}
	there := func(pk string) bool {
		in := &dynamodb.GetItemInput{TableName: c.table, Key: goKey(t, pk, "1")}
		return must[*dynamodb.GetItemOutput](t)(c.GetItem(t.Context(), in)).Item != nil
	}
	until(t, "the end of an item", func() bool { return !there("goes") })
	found := c.changes(t, "goes")
	last := found[len(found)-1]
	want := &streamtypes.AttributeValueMemberN{Value: strconv.FormatInt(now-10, 10)}
	if id := last.UserIdentity; last.EventName != streamtypes.OperationTypeRemove || id == nil || *id.PrincipalId != "dynamodb.amazonaws.com" || *id.Type != "Service" ||
		!reflect.DeepEqual(last.Dynamodb.OldImage["expires"], want) {
		t.Errorf("got %s by %+v, want REMOVE by the service", last.EventName, id)
	}
	if !there("stays") {
		t.Error("an item went before its time")
	}
}
