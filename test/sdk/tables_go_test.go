//go:build system

package sdk

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/expression"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// goTables plays the scenario of tables with the AWS SDK for Go v2 and its packages of values and expressions.
type goTables struct {
	*dynamodb.Client
	table *string
}

// order is an item as an application writes it.
type order struct {
	Customer string                `dynamodbav:"pk"`
	Number   attributevalue.Number `dynamodbav:"sk"`
	Text     string                `dynamodbav:"text"`
	Blob     []byte                `dynamodbav:"blob,omitempty"`
	Labels   []string              `dynamodbav:"labels,stringset,omitempty"`
	Sizes    []int64               `dynamodbav:"sizes,numberset,omitempty"`
	Lines    []line                `dynamodbav:"lines"`
	Counts   map[string]int        `dynamodbav:"counts,omitempty"`
	Exact    attributevalue.Number `dynamodbav:"exact,omitempty"`
	Paid     *bool                 `dynamodbav:"paid"`
	When     time.Time             `dynamodbav:"when,unixtime"`
}

type line struct {
	Article string
	Price   float64
}

func playTablesGo(t *testing.T, endpoint, table string, httpClient *http.Client) {
	t.Helper()
	c := newGoTables(endpoint, table, httpClient)
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", c.create},
		{"items", c.items},
		{"expressions", c.expressions},
		{"batches", c.batches},
		{"pages", c.pages},
		{"transactions", c.transactions},
		{"errors", c.errors},
		{"delete", c.delete},
	} {
		if !t.Run(step.name, step.run) {
			return // the steps build on each other
		}
	}
}

func newGoTables(endpoint, table string, httpClient *http.Client) *goTables {
	return &goTables{table: &table, Client: dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &endpoint, HTTPClient: httpClient, Retryer: onConnectionErrors(),
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
	})}
}

// onConnectionErrors tries again what a connection broke, and nothing else. The SDK for Go needs that here: it closes the body of a request as
// soon as the answer begins, and when its transport has not yet seen the end of that body, it takes this for a failure and closes the
// connection below a long answer (smithy-go 1.28.7). A server that answers within a tenth of a millisecond meets this now and then.
func onConnectionErrors() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = []retry.IsErrorRetryable{retry.RetryableConnectionError{}}
	})
}

func noErr(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, in any) map[string]types.AttributeValue {
	t.Helper()
	return must[map[string]types.AttributeValue](t)(attributevalue.MarshalMap(in))
}

func goKey(t *testing.T, pk, sk string) map[string]types.AttributeValue {
	t.Helper()
	return marshal(t, map[string]any{"pk": pk, "sk": attributevalue.Number(sk)})
}

func (c *goTables) create(t *testing.T) {
	_, err := c.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: c.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("sk"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("sk"), KeyType: types.KeyTypeRange},
		},
	})
	noErr(t, err)
	exists := dynamodb.NewTableExistsWaiter(c.Client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 20*time.Millisecond
	})
	out, err := exists.WaitForOutput(t.Context(), &dynamodb.DescribeTableInput{TableName: c.table}, 30*time.Second)
	if noErr(t, err); out.Table.TableStatus != types.TableStatusActive {
		t.Errorf("the waiter ended with %+v", out.Table)
	}
}

func (c *goTables) items(t *testing.T) {
	want := order{
		Customer: "Müller ✓", Number: "-1.5", Text: "größe\n\x00", Blob: []byte{0, 255}, Labels: []string{"a", "ü"}, Sizes: []int64{-1, 2},
		Lines: []line{{"鍵", 1.25}, {}}, Counts: map[string]int{"x": 1}, Exact: "12345678901234567890123456789012345678",
		Paid: aws.Bool(false), When: time.Unix(1_700_000_000, 0),
	}
	_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: c.table, Item: marshal(t, want)})
	noErr(t, err)
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{
		TableName: c.table, Key: goKey(t, want.Customer, "-1.50"), ConsistentRead: aws.Bool(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	noErr(t, err)
	var got order
	if err := attributevalue.UnmarshalMap(out.Item, &got); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got.Labels)
	slices.Sort(got.Sizes)
	if !reflect.DeepEqual(got, want) || *out.ConsumedCapacity.CapacityUnits != 1 {
		t.Errorf("got %+v (%v units), want %+v", got, *out.ConsumedCapacity.CapacityUnits, want)
	}
	deleted, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: c.table, Key: goKey(t, want.Customer, "-1.5"), ReturnValues: types.ReturnValueAllOld})
	if noErr(t, err); !reflect.DeepEqual(deleted.Attributes["lines"], out.Item["lines"]) {
		t.Errorf("deleted %v, want %v", deleted.Attributes, out.Item)
	}
}

// expressions uses what the package expression writes.
func (c *goTables) expressions(t *testing.T) {
	e := must[expression.Expression](t)(expression.NewBuilder().
		WithCondition(expression.AttributeNotExists(expression.Name("pk")).Or(expression.Name("counts.x").LessThan(expression.Value(3)))).
		WithUpdate(expression.Set(expression.Name("text"), expression.IfNotExists(expression.Name("text"), expression.Value("first"))).
			Set(expression.Name("lines"), expression.ListAppend(expression.IfNotExists(expression.Name("lines"), expression.Value([]int{})), expression.Value([]int{1}))).
			Add(expression.Name("n"), expression.Value(2)).Remove(expression.Name("absent"))).Build())
	update := &dynamodb.UpdateItemInput{
		TableName: c.table, Key: goKey(t, "e", "1"), ConditionExpression: e.Condition(), UpdateExpression: e.Update(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(), ReturnValues: types.ReturnValueAllNew,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	out, err := c.UpdateItem(t.Context(), update)
	noErr(t, err)
	var got map[string]any
	if err := attributevalue.UnmarshalMap(out.Attributes, &got); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"pk": "e", "sk": 1.0, "text": "first", "lines": []any{1.0}, "n": 2.0}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	_, err = c.UpdateItem(t.Context(), update)
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) || !reflect.DeepEqual(failed.Item, out.Attributes) {
		t.Errorf("got %v with item %v, want the condition to fail with %v", err, failed, out.Attributes)
	}
}

func (c *goTables) batches(t *testing.T) {
	for from := range 3 {
		var requests []types.WriteRequest
		for i := range 25 {
			item := marshal(t, map[string]any{"pk": "batch", "sk": from*25 + i, "text": strings.Repeat(".", 1000)})
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
		}
		out, err := c.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{*c.table: requests}})
		if noErr(t, err); len(out.UnprocessedItems) != 0 {
			t.Errorf("unprocessed: %v", out.UnprocessedItems)
		}
	}
	keys := []map[string]types.AttributeValue{goKey(t, "batch", "74"), goKey(t, "batch", "75")}
	out, err := c.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{*c.table: {Keys: keys}}})
	if noErr(t, err); len(out.Responses[*c.table]) != 1 || len(out.UnprocessedKeys) != 0 {
		t.Errorf("got %+v, want one item", out)
	}
}

func (c *goTables) pages(t *testing.T) {
	e := must[expression.Expression](t)(expression.NewBuilder().WithKeyCondition(expression.Key("pk").Equal(expression.Value("batch")).
		And(expression.Key("sk").Between(expression.Value(10), expression.Value(39)))).
		WithProjection(expression.NamesList(expression.Name("sk"))).Build())
	pages := dynamodb.NewQueryPaginator(c.Client, &dynamodb.QueryInput{
		TableName: c.table, KeyConditionExpression: e.KeyCondition(), ProjectionExpression: e.Projection(),
		ExpressionAttributeNames: e.Names(), ExpressionAttributeValues: e.Values(), Limit: aws.Int32(7), ScanIndexForward: aws.Bool(false),
	})
	var got, want []int
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		noErr(t, err)
		var items []struct {
			Number int `dynamodbav:"sk"`
		}
		if err := attributevalue.UnmarshalListOfMaps(page.Items, &items); err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			got = append(got, item.Number)
		}
	}
	for n := range 30 {
		want = append(want, 39-n)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	count := int32(0)
	for segment := range int32(4) {
		scan := dynamodb.NewScanPaginator(c.Client, &dynamodb.ScanInput{TableName: c.table, Segment: &segment, TotalSegments: aws.Int32(4), Limit: aws.Int32(10)})
		for scan.HasMorePages() {
			page, err := scan.NextPage(t.Context())
			noErr(t, err)
			count += page.Count
		}
	}
	if count != 76 {
		t.Errorf("scanned %d items, want 76", count)
	}
}

func (c *goTables) transactions(t *testing.T) {
	put := func(pk string, condition *string) types.TransactWriteItem {
		return types.TransactWriteItem{Put: &types.Put{
			TableName: c.table, Item: goKey(t, pk, "0"), ConditionExpression: condition,
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}}
	}
	write := func(items ...types.TransactWriteItem) error { // the SDK makes a token
		_, err := c.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: items})
		return err
	}
	noErr(t, write(put("t1", nil), put("t2", nil)))
	var cancelled *types.TransactionCanceledException
	err := write(put("t3", nil), put("t1", aws.String("attribute_not_exists(pk)")))
	if !errors.As(err, &cancelled) || len(cancelled.CancellationReasons) != 2 {
		t.Fatalf("got %v, want a cancelled transaction with two reasons", err)
	}
	first, second := cancelled.CancellationReasons[0], cancelled.CancellationReasons[1]
	if *first.Code != "None" || *second.Code != "ConditionalCheckFailed" || !maps.EqualFunc(second.Item, goKey(t, "t1", "0"), sameValue) {
		t.Errorf("got reasons %v %v %v", *first.Code, *second.Code, second.Item)
	}
	get := func(pk string) types.TransactGetItem {
		return types.TransactGetItem{Get: &types.Get{TableName: c.table, Key: goKey(t, pk, "0")}}
	}
	out, err := c.TransactGetItems(t.Context(), &dynamodb.TransactGetItemsInput{TransactItems: []types.TransactGetItem{get("t2"), get("t3")}})
	if noErr(t, err); len(out.Responses) != 2 || out.Responses[0].Item == nil || out.Responses[1].Item != nil {
		t.Errorf("got %+v, want t2 alone", out.Responses)
	}
}

func sameValue(a, b types.AttributeValue) bool { return reflect.DeepEqual(a, b) }

func (c *goTables) errors(t *testing.T) {
	for want, call := range map[string]func(context.Context) error{
		"ResourceNotFoundException": func(ctx context.Context) error {
			_, err := c.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String("absent")})
			return err
		},
		"ValidationException": func(ctx context.Context) error {
			_, err := c.GetItem(ctx, &dynamodb.GetItemInput{TableName: c.table, Key: marshal(t, map[string]any{"pk": "a"})})
			return err
		},
		"ResourceInUseException": func(ctx context.Context) error {
			_, err := c.CreateTable(ctx, &dynamodb.CreateTableInput{
				TableName: c.table, BillingMode: types.BillingModePayPerRequest,
				AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"), AttributeType: types.ScalarAttributeTypeS}},
				KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
			})
			return err
		},
	} {
		wantError(t, call(t.Context()), want)
	}
}

func (c *goTables) delete(t *testing.T) {
	_, err := c.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: c.table})
	noErr(t, err)
	gone := dynamodb.NewTableNotExistsWaiter(c.Client, func(o *dynamodb.TableNotExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 20*time.Millisecond, 20*time.Millisecond
	})
	noErr(t, gone.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: c.table}, 30*time.Second))
}
