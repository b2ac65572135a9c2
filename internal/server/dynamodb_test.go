package server

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func tables(s *Server) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-2", BaseEndpoint: aws.String("http://" + s.Addresses().AWS), Retryer: onConnectionErrors(),
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", ""),
	})
}

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(n string) types.AttributeValue { return &types.AttributeValueMemberN{Value: n} }

// createTable makes a table with the keys pk and sk and waits for it as applications do.
func createTable(t *testing.T, c *dynamodb.Client, name string) {
	t.Helper()
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: &name, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiter := dynamodb.NewTableExistsWaiter(c, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 20*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, 20*time.Second); err != nil {
		t.Fatal(err)
	}
}

// onConnectionErrors tries again what a connection broke, and nothing else: the SDK for Go closes the body of a request as soon as the answer begins,
// and when its transport has not yet seen the end of that body, it cuts a long answer short (smithy-go 1.28.7).
func onConnectionErrors() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
	})
}

func TestSDKForGoKeepsItemsOverARestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off})
	c := tables(s)
	createTable(t, c, "orders")
	item := map[string]types.AttributeValue{
		"pk": text("kéy"), "sk": number("-12.5"), "bin": &types.AttributeValueMemberB{Value: []byte{0, 1, 255}},
		"list": &types.AttributeValueMemberL{Value: []types.AttributeValue{text(""), &types.AttributeValueMemberBOOL{Value: true}}},
		"set":  &types.AttributeValueMemberNS{Value: []string{"1", "2.50"}},
	}
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("orders"), Item: item}); err != nil {
		t.Fatal(err)
	}
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("orders"), Item: item, ConditionExpression: aws.String("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok || len(failed.Item) != len(item) || *failed.Message != "The conditional request failed" {
		t.Fatalf("put with a condition: got %v, item %v", err, failed)
	}
	key := map[string]types.AttributeValue{"pk": item["pk"], "sk": number("-12.50")}
	for want := range 3 {
		out, err := c.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String("orders"), Key: key, UpdateExpression: aws.String("ADD n :one"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":one": number("1")}, ReturnValues: types.ReturnValueUpdatedNew,
		})
		if err != nil || out.Attributes["n"].(*types.AttributeValueMemberN).Value != string(rune('1'+want)) {
			t.Fatalf("update %d: got %+v, %v", want, out, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c = tables(open(t, Options{Data: dir, KafkaListen: []string{Off}, HTTPListen: Off}))
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("orders"), Key: key, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	if err != nil {
		t.Fatal(err)
	}
	bin, _ := out.Item["bin"].(*types.AttributeValueMemberB)
	n, _ := out.Item["n"].(*types.AttributeValueMemberN)
	if len(out.Item) != 6 || bin == nil || string(bin.Value) != "\x00\x01\xff" || n == nil || n.Value != "3" || *out.ConsumedCapacity.CapacityUnits != 0.5 {
		t.Errorf("after the restart: got %+v", out)
	}
	if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("orders"), Key: key}); err != nil {
		t.Fatal(err)
	}
	if out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("orders"), Key: key}); err != nil || out.Item != nil {
		t.Errorf("after the delete: got %+v, %v", out, err)
	}
	if _, err := c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: aws.String("orders")}); err != nil {
		t.Fatal(err)
	}
	gone := dynamodb.NewTableNotExistsWaiter(c, func(o *dynamodb.TableNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 20*time.Millisecond
	})
	if err := gone.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("orders")}, 20*time.Second); err != nil {
		t.Error(err)
	}
}

func TestSDKForGoQueriesScansAndTransacts(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{Off}, HTTPListen: Off})
	c := tables(s)
	createTable(t, c, "ledger")
	name := aws.String("ledger")
	var requests []types.WriteRequest
	for i := range 20 {
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: map[string]types.AttributeValue{
			"pk": text("a"), "sk": number(strconv.Itoa(i)), "v": number("1"),
		}}})
	}
	if out, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*name: requests}}); err != nil || len(out.UnprocessedItems) != 0 {
		t.Fatalf("BatchWriteItem: got %+v, %v", out, err)
	}
	var got []string
	pages := dynamodb.NewQueryPaginator(c, &dynamodb.QueryInput{
		TableName: name, Limit: aws.Int32(7), ScanIndexForward: aws.Bool(false), KeyConditionExpression: aws.String("pk = :p AND sk >= :s"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":p": text("a"), ":s": number("5")},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			got = append(got, item["sk"].(*types.AttributeValueMemberN).Value)
		}
	}
	if want := "19 18 17 16 15 14 13 12 11 10 9 8 7 6 5"; strings.Join(got, " ") != want {
		t.Errorf("Query: got %v, want %s", got, want)
	}
	count := 0
	for segment := range int32(3) {
		out, err := c.Scan(t.Context(), &dynamodb.ScanInput{TableName: name, TotalSegments: aws.Int32(3), Segment: aws.Int32(segment), Select: types.SelectCount})
		if err != nil {
			t.Fatal(err)
		}
		count += int(out.Count)
	}
	if count != 20 {
		t.Errorf("Scan: got %d items, want 20", count)
	}
	update := func(sk, least string) types.TransactWriteItem {
		return types.TransactWriteItem{Update: &types.Update{
			TableName: name, Key: map[string]types.AttributeValue{"pk": text("a"), "sk": number(sk)}, UpdateExpression: aws.String("SET v = v + :one"),
			ConditionExpression:       aws.String("v >= :least"),
			ExpressionAttributeValues: map[string]types.AttributeValue{":one": number("1"), ":least": number(least)},
		}}
	}
	if _, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{update("1", "1"), update("2", "1")}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{update("1", "2"), update("3", "2")}})
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok || len(cancelled.CancellationReasons) != 2 || *cancelled.CancellationReasons[0].Code != "None" || *cancelled.CancellationReasons[1].Code != "ConditionalCheckFailed" {
		t.Fatalf("TransactWriteItems: got %v", err)
	}
	out, err := c.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{
		{Get: &types.Get{TableName: name, Key: map[string]types.AttributeValue{"pk": text("a"), "sk": number("1")}}},
		{Get: &types.Get{TableName: name, Key: map[string]types.AttributeValue{"pk": text("a"), "sk": number("3")}}},
	}})
	if err != nil || out.Responses[0].Item["v"].(*types.AttributeValueMemberN).Value != "2" || out.Responses[1].Item["v"].(*types.AttributeValueMemberN).Value != "1" {
		t.Errorf("TransactGetItems: got %+v, %v", out, err)
	}
	endpoints, err := c.DescribeEndpoints(t.Context(), &dynamodb.DescribeEndpointsInput{})
	if err != nil || *endpoints.Endpoints[0].Address != s.Addresses().AWS {
		t.Errorf("DescribeEndpoints: got %+v, %v, want %s", endpoints, err, s.Addresses().AWS)
	}
	limits, err := c.DescribeLimits(t.Context(), &dynamodb.DescribeLimitsInput{})
	if err != nil || *limits.TableMaxReadCapacityUnits != 40_000 {
		t.Errorf("DescribeLimits: got %+v, %v", limits, err)
	}
}
