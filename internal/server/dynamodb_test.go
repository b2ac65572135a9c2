package server

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func tables(s *Server) *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: "us-east-2", BaseEndpoint: aws.String("http://" + s.Addresses().AWS), RetryMaxAttempts: 1,
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
