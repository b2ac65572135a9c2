package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/internal/core/datakey"
)

func TestItemsOfAnEncryptedTableAreSealed(t *testing.T) {
	o := Options{Data: t.TempDir(), Region: "us-east-2"}
	s := open(t, o)
	c := tables(s)
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: aws.String("secret"), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		SSESpecification:     &types.SSESpecification{Enabled: aws.Bool(true)},
		StreamSpecification:  &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewImage},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiter := dynamodb.NewTableExistsWaiter(c, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 20*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("secret")}, 20*time.Second); err != nil {
		t.Fatal(err)
	}
	value := strings.Repeat("nobody reads this on the disk", 10)
	item := map[string]types.AttributeValue{"pk": text("a"), "v": text(value)}
	if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("secret"), Item: item}); err != nil {
		t.Fatal(err)
	}
	k, err := kgo.NewClient(kgo.SeedBrokers(s.Addresses().Kafka), kgo.ConsumeTopics("ddb.secret"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	if got := k.PollFetches(t.Context()); got.Err() != nil || got.NumRecords() != 1 || !strings.Contains(string(got.Records()[0].Value), value) {
		t.Errorf("a consumer of Kafka got %d records, %v", got.NumRecords(), got.Err())
	}
	k.Close()
	inNoFile(t, o.Data)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	inNoFile(t, o.Data)

	other := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(other, datakey.NewRoot().Text(), 0o600); err != nil {
		t.Fatal(err)
	}
	if wrong, err := Open(Options{Data: o.Data, Region: o.Region, RootKeyFile: other}); err == nil {
		t.Error("opened with another root key")
		if err := wrong.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c = tables(open(t, o))
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("secret"), Key: map[string]types.AttributeValue{"pk": text("a")}})
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := out.Item["v"].(*types.AttributeValueMemberS); !ok || v.Value != value {
		t.Errorf("after a restart: got %v", out.Item)
	}
	inNoFile(t, o.Data)
}
