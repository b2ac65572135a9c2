package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// TestSDKForGoAddsAnIndexToATableInUse does what lease tables of stream consumers go through: an index is added while there are
// items, awaited, queried page by page, also after a restart, and deleted.
func TestSDKForGoAddsAnIndexToATableInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off})
	c := tables(s)
	createTable(t, c, "leases")
	for i := range 30 {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("leases"), Item: map[string]types.AttributeValue{
			"pk": text(fmt.Sprintf("shard-%02d", i)), "sk": number("0"), "owner": text(fmt.Sprint("worker-", i%3)), "checkpoint": text("1"),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	const index = "OwnerIndex"
	out, err := c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName: aws.String("leases"),
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}, {AttributeName: aws.String("owner"), AttributeType: types.ScalarAttributeTypeS},
		},
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Create: &types.CreateGlobalSecondaryIndexAction{
			IndexName: aws.String(index), Projection: &types.Projection{ProjectionType: types.ProjectionTypeKeysOnly},
			KeySchema: []types.KeySchemaElement{
				{AttributeName: aws.String("owner"), KeyType: types.KeyTypeHash}, {AttributeName: aws.String("pk"), KeyType: types.KeyTypeRange},
			},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if g := out.TableDescription.GlobalSecondaryIndexes; len(g) != 1 || g[0].IndexStatus != types.IndexStatusCreating || aws.ToBool(g[0].Backfilling) {
		t.Errorf("the new index: got %+v", g)
	}
	awaitIndex(t, c, "leases", 1)
	_, err = c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("leases"), Key: map[string]types.AttributeValue{"pk": text("shard-00"), "sk": number("0")},
		UpdateExpression: aws.String("SET #o = :o"), ExpressionAttributeNames: map[string]string{"#o": "owner"},
		ExpressionAttributeValues: map[string]types.AttributeValue{":o": text("worker-1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := leasesOf(t, c, index, "worker-1"); len(got) != 11 || got[0] != "shard-00" || got[10] != "shard-28" {
		t.Errorf("leases of worker-1: got %v, want shard-00 and ten from shard-01 to shard-28", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off})
	c = tables(s)
	if got := leasesOf(t, c, index, "worker-0"); len(got) != 9 {
		t.Errorf("leases of worker-0 after a restart: got %v, want 9", got)
	}
	_, err = c.UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
		TableName:                   aws.String("leases"),
		GlobalSecondaryIndexUpdates: []types.GlobalSecondaryIndexUpdate{{Delete: &types.DeleteGlobalSecondaryIndexAction{IndexName: aws.String(index)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	awaitIndex(t, c, "leases", 0)
}

// awaitIndex returns when a table has so many indexes, all of them active.
func awaitIndex(t *testing.T, c *dynamodb.Client, table string, want int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		if err != nil {
			t.Fatal(err)
		}
		active := 0
		for _, g := range out.Table.GlobalSecondaryIndexes {
			if g.IndexStatus == types.IndexStatusActive {
				active++
			}
		}
		if active == want && len(out.Table.GlobalSecondaryIndexes) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("indexes: got %+v, want %d active ones", out.Table.GlobalSecondaryIndexes, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// leasesOf reads an index in pages of four.
func leasesOf(t *testing.T, c *dynamodb.Client, index, owner string) (keys []string) {
	t.Helper()
	pages := dynamodb.NewQueryPaginator(c, &dynamodb.QueryInput{
		TableName: aws.String("leases"), IndexName: &index, Limit: aws.Int32(4), KeyConditionExpression: aws.String("#o = :o"),
		ExpressionAttributeNames: map[string]string{"#o": "owner"}, ExpressionAttributeValues: map[string]types.AttributeValue{":o": text(owner)},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			keys = append(keys, item["pk"].(*types.AttributeValueMemberS).Value)
		}
	}
	return keys
}

func TestIndexLagIsSeenByReadsOfIndexesAlone(t *testing.T) {
	s := open(t, Options{Data: t.TempDir(), KafkaListen: []string{Off}, HTTPListen: Off, DynamoDBIndexLag: time.Hour})
	c := tables(s)
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("lagging"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: aws.String("late"), Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
			KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := dynamodb.NewTableExistsWaiter(c).Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("lagging")}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("lagging"), Item: map[string]types.AttributeValue{"pk": text("a")}}); err != nil {
		t.Fatal(err)
	}
	for index, want := range map[string]int32{"": 1, "late": 0} {
		in := &dynamodb.ScanInput{TableName: aws.String("lagging")}
		if index != "" {
			in.IndexName = &index
		}
		out, err := c.Scan(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if out.Count != want {
			t.Errorf("scan of index %q: %d items, want %d", index, out.Count, want)
		}
	}
}
