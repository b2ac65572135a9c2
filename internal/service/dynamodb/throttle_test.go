package dynamodb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store/storetest"
)

// throttling runs a test with a service that throttles, on a simulated clock.
func throttling(t *testing.T, run func(t *testing.T, c *caller)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		svc, err := New(Options{Store: storetest.NewModel(), StateDelay: -1, Throttle: true})
		if err != nil {
			t.Fatal(err)
		}
		defer svc.Close()
		run(t, &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc})
	})
}

// provision makes the table "units" with units, one for writes.
func (c *caller) provision(read int64) {
	c.t.Helper()
	in := input("units", "pk:S")
	in.BillingMode, in.ProvisionedThroughput = nil, &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: read, WriteCapacityUnits: 1}
	if _, err := c.svc.CreateTable(c.ctx(), in); err != nil {
		c.t.Fatal(err)
	}
	c.await("units", dynamodbapi.TableStatusActive)
}

func putItem(name, key string) *dynamodbapi.PutItemInput {
	return &dynamodbapi.PutItemInput{TableName: name, Item: fmt.Appendf(nil, `{"pk":{"S":"%s"}}`, key)}
}

func getItem(name, key string) *dynamodbapi.GetItemInput {
	return &dynamodbapi.GetItemInput{TableName: name, Key: fmt.Appendf(nil, `{"pk":{"S":"%s"}}`, key), ConsistentRead: new(true)}
}

// takes counts the calls that succeed until one is throttled.
func takes(t *testing.T, call func(i int) error) (n int, last error) {
	t.Helper()
	for n = range 10_000 {
		if err := call(n); err != nil {
			return n, err
		}
	}
	t.Fatal("10,000 calls and none was throttled")
	return n, nil
}

func TestProvisionedTableServesItsUnitsAndABurstOfFiveMinutes(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		c.provision(2)
		write := func(i int) error {
			_, err := c.svc.PutItem(c.ctx(), putItem("units", fmt.Sprint(i)))
			return err
		}
		read := func(int) error {
			_, err := c.svc.GetItem(c.ctx(), getItem("units", "0"))
			return err
		}
		n, err := takes(t, write)
		if n != 300 {
			t.Errorf("%d writes at once, want the burst of 300", n)
		}
		wantError(t, err, "ProvisionedThroughputExceededException", textThroughput)
		fields := api.AsError(err).Fields.(*dynamodbapi.ProvisionedThroughputExceededExceptionFields)
		if r := fields.ThrottlingReasons; len(r) != 1 || *r[0].Reason != "TableWriteProvisionedThroughputExceeded" || *r[0].Resource != "arn:aws:dynamodb:us-east-2:000000000000:table/units" {
			t.Errorf("reasons %+v", r)
		}
		if n, _ := takes(t, read); n != 600 {
			t.Errorf("%d reads at once, want the burst of 600", n)
		}
		time.Sleep(10 * time.Second)
		if n, _ := takes(t, write); n != 10 {
			t.Errorf("%d writes after ten seconds, want 10", n)
		}
		if n, _ := takes(t, read); n != 20 {
			t.Errorf("%d reads after ten seconds, want 20", n)
		}
		time.Sleep(time.Second)
		if _, err := c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: "units", Item: api.JSON(`{"pk":{"S":"large"},"x":{"S":"` + strings.Repeat("x", 20_000) + `"}}`)}); err != nil {
			t.Errorf("an item of 20 units while there is one: %v", err)
		}
		time.Sleep(18 * time.Second)
		if n, _ := takes(t, write); n != 0 {
			t.Errorf("%d writes while the large one is paid back, want none", n)
		}
		time.Sleep(2 * time.Second)
		if n, _ := takes(t, write); n != 1 {
			t.Errorf("%d writes when it is, want 1", n)
		}
	})
}

func TestMostUnitsOnDemandAreThoseOfOneSecond(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		in := input("most", "pk:S")
		in.OnDemandThroughput = &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: new(int64(5))}
		if _, err := c.svc.CreateTable(c.ctx(), in); err != nil {
			t.Fatal(err)
		}
		c.await("most", dynamodbapi.TableStatusActive)
		for i := range 1000 {
			put(c, "most", fmt.Sprintf(`{"pk":{"S":"%d"}}`, i)) // writes have no limit
		}
		time.Sleep(time.Hour)
		n, err := takes(t, func(int) error {
			_, err := c.svc.GetItem(c.ctx(), getItem("most", "0"))
			return err
		})
		if n != 5 {
			t.Errorf("%d reads in a second, want 5", n)
		}
		wantError(t, err, "ThrottlingException", textMaxOnDemand)
		fields, ok := api.AsError(err).Fields.(*dynamodbapi.ThrottlingExceptionFields)
		if !ok || *fields.ThrottlingReasons[0].Reason != "TableReadMaxOnDemandThroughputExceeded" {
			t.Errorf("reasons %+v", fields)
		}
		_, err = c.svc.Scan(c.ctx(), &dynamodbapi.ScanInput{TableName: "most"})
		wantError(t, err, "ThrottlingException", textMaxOnDemand)
		_, err = c.svc.Query(c.ctx(), &dynamodbapi.QueryInput{TableName: "most", KeyConditionExpression: new("pk = :k"), ExpressionAttributeValues: api.JSON(`{":k":{"S":"1"}}`)})
		wantError(t, err, "ThrottlingException", textMaxOnDemand)
		time.Sleep(time.Second)
		if _, err = c.svc.Scan(c.ctx(), &dynamodbapi.ScanInput{TableName: "most"}); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}

func TestBatchesDoWhatThereAreUnitsForAndFailWhenThereAreNone(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		c.provision(1)
		c.create("free", "pk:S")
		batch := func(names ...string) *dynamodbapi.BatchWriteItemInput {
			in := &dynamodbapi.BatchWriteItemInput{RequestItems: map[string][]dynamodbapi.WriteRequest{}}
			for _, name := range names {
				for i := range 10 {
					in.RequestItems[name] = append(in.RequestItems[name], dynamodbapi.WriteRequest{PutRequest: &dynamodbapi.PutRequest{Item: putItem(name, fmt.Sprint(i)).Item}})
				}
			}
			return in
		}
		gets := func(names ...string) *dynamodbapi.BatchGetItemInput {
			in := &dynamodbapi.BatchGetItemInput{RequestItems: map[string]dynamodbapi.KeysAndAttributes{}}
			for _, name := range names {
				k := dynamodbapi.KeysAndAttributes{ConsistentRead: new(true)}
				for i := range 10 {
					k.Keys = append(k.Keys, getItem(name, fmt.Sprint(i)).Key)
				}
				in.RequestItems[name] = k
			}
			return in
		}
		for range 29 {
			if out, err := c.svc.BatchWriteItem(c.ctx(), batch("units")); err != nil || len(out.UnprocessedItems) != 0 {
				t.Fatalf("got %+v, %v within the burst", out, err)
			}
			if out, err := c.svc.BatchGetItem(c.ctx(), gets("units")); err != nil || len(out.UnprocessedKeys) != 0 {
				t.Fatalf("got %+v, %v within the burst", out, err)
			}
		}
		for range 5 {
			put(c, "units", `{"pk":{"S":"a"}}`)
			if _, err := c.svc.GetItem(c.ctx(), getItem("units", "a")); err != nil {
				t.Fatal(err)
			}
		}
		in := batch("units", "free")
		out, err := c.svc.BatchWriteItem(c.ctx(), in)
		if err != nil || len(out.UnprocessedItems["free"]) != 0 || len(out.UnprocessedItems["units"]) != 5 || !slices.EqualFunc(out.UnprocessedItems["units"], in.RequestItems["units"][5:], func(a, b dynamodbapi.WriteRequest) bool { return a.PutRequest == b.PutRequest }) {
			t.Errorf("got %+v, %v, want the last five of the table without units left", out, err)
		}
		got, err := c.svc.BatchGetItem(c.ctx(), gets("units", "free"))
		if err != nil || len(got.Responses["free"]) != 10 || len(got.Responses["units"]) != 5 || len(got.UnprocessedKeys) != 1 || len(got.UnprocessedKeys["units"].Keys) != 5 {
			t.Errorf("got %+v, %v, want five keys left", got, err)
		}
		out, err = c.svc.BatchWriteItem(c.ctx(), batch("units", "free"))
		if err != nil || len(out.UnprocessedItems["units"]) != 10 {
			t.Errorf("got %+v, %v, want all ten left of one table", out, err)
		}
		_, err = c.svc.BatchWriteItem(c.ctx(), batch("units"))
		wantError(t, err, "ProvisionedThroughputExceededException", textThroughput)
		_, err = c.svc.BatchGetItem(c.ctx(), gets("units"))
		wantError(t, err, "ProvisionedThroughputExceededException", textThroughput)
	})
}

func TestTransactionsAreCancelledWithTheReasonOfThrottling(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		c.provision(1)
		c.create("free", "pk:S")
		write := &dynamodbapi.TransactWriteItemsInput{TransactItems: []dynamodbapi.TransactWriteItem{
			{Put: &dynamodbapi.Put{TableName: "free", Item: putItem("", "a").Item}},
			{Put: &dynamodbapi.Put{TableName: "units", Item: putItem("", "a").Item}},
		}}
		read := &dynamodbapi.TransactGetItemsInput{TransactItems: []dynamodbapi.TransactGetItem{
			{Get: &dynamodbapi.Get{TableName: "free", Key: getItem("", "a").Key}},
			{Get: &dynamodbapi.Get{TableName: "units", Key: getItem("", "a").Key}},
		}}
		for what, call := range map[string]func(int) error{
			"writes": func(int) error { _, err := c.svc.TransactWriteItems(c.ctx(), write); return err },
			"reads":  func(int) error { _, err := c.svc.TransactGetItems(c.ctx(), read); return err },
		} {
			n, err := takes(t, call)
			if n != 150 {
				t.Errorf("%d %s at two units each, want 150", n, what)
			}
			wantError(t, err, "TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ProvisionedThroughputExceeded]")
			if r := api.AsError(err).Fields.(*dynamodbapi.TransactionCanceledExceptionFields).CancellationReasons; *r[1].Message != textThroughput {
				t.Errorf("reasons %+v", r)
			}
		}
	})
}

func TestIndexWithoutUnitsHoldsUpWritesAndReadsOfItself(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		in := input("units", "pk:S")
		in.BillingMode, in.ProvisionedThroughput = nil, &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 10, WriteCapacityUnits: 10}
		in.GlobalSecondaryIndexes = []dynamodbapi.GlobalSecondaryIndex{{
			IndexName: "by", KeySchema: in.KeySchema, Projection: &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeAll)},
			ProvisionedThroughput: &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 1, WriteCapacityUnits: 1},
		}}
		if _, err := c.svc.CreateTable(c.ctx(), in); err != nil {
			t.Fatal(err)
		}
		c.await("units", dynamodbapi.TableStatusActive)
		want := func(err error, text, reason string) {
			t.Helper()
			wantError(t, err, "ProvisionedThroughputExceededException", text)
			r := api.AsError(err).Fields.(*dynamodbapi.ProvisionedThroughputExceededExceptionFields).ThrottlingReasons[0]
			if *r.Reason != reason || *r.Resource != "arn:aws:dynamodb:us-east-2:000000000000:table/units/index/by" {
				t.Errorf("reason %s of %s, want %s of the index", *r.Reason, *r.Resource, reason)
			}
		}
		n, err := takes(t, func(i int) error {
			_, err := c.svc.PutItem(c.ctx(), putItem("units", fmt.Sprint(i)))
			return err
		})
		if n != 300 {
			t.Errorf("%d writes, want the 300 of the index", n)
		}
		want(err, textIndexThroughput, "IndexWriteProvisionedThroughputExceeded")
		n, err = takes(t, func(int) error {
			_, err := c.svc.Query(c.ctx(), &dynamodbapi.QueryInput{TableName: "units", IndexName: new("by"), KeyConditionExpression: new("pk = :k"), ExpressionAttributeValues: api.JSON(`{":k":{"S":"1"}}`)})
			return err
		})
		if n != 600 {
			t.Errorf("%d queries at half a unit, want the 600 of the index", n)
		}
		want(err, textIndexThroughput, "IndexReadProvisionedThroughputExceeded")
		if _, err := c.svc.GetItem(c.ctx(), getItem("units", "1")); err != nil {
			t.Errorf("the table has units: %v", err)
		}
	})
}

func TestAWriteWaitsForUnitsOfTheIndexesThatItChangesAlone(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		in := input("units", "pk:S", "by:S")
		in.KeySchema = in.KeySchema[:1]
		in.GlobalSecondaryIndexes = []dynamodbapi.GlobalSecondaryIndex{{
			IndexName: "by", KeySchema: []dynamodbapi.KeySchemaElement{{AttributeName: "by", KeyType: dynamodbapi.KeyTypeHash}},
			Projection:         &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeKeysOnly)},
			OnDemandThroughput: &dynamodbapi.OnDemandThroughput{MaxWriteRequestUnits: new(int64(5))},
		}}
		if _, err := c.svc.CreateTable(c.ctx(), in); err != nil {
			t.Fatal(err)
		}
		c.await("units", dynamodbapi.TableStatusActive)
		put := func(item string) error {
			_, err := c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: "units", Item: api.JSON(item)})
			return err
		}
		n, err := takes(t, func(i int) error { return put(fmt.Sprintf(`{"pk":{"S":"%d"},"by":{"S":"a"}}`, i)) })
		if n != 5 {
			t.Errorf("%d writes, want the 5 of the index", n)
		}
		wantError(t, err, "ThrottlingException", textMaxOnDemand)
		for _, item := range []string{`{"pk":{"S":"free"}}`, `{"pk":{"S":"0"},"by":{"S":"a"},"other":{"N":"1"}}`} {
			if err := put(item); err != nil {
				t.Errorf("%s does not change the index: %v", item, err)
			}
		}
		for _, item := range []string{`{"pk":{"S":"0"}}`, `{"pk":{"S":"0"},"by":{"S":"b"}}`, `{"pk":{"S":"new"},"by":{"S":"b"}}`} {
			wantError(t, put(item), "ThrottlingException", textMaxOnDemand)
		}
		write := func(item string) dynamodbapi.WriteRequest {
			return dynamodbapi.WriteRequest{PutRequest: &dynamodbapi.PutRequest{Item: api.JSON(item)}}
		}
		batch := func(items ...dynamodbapi.WriteRequest) (*dynamodbapi.BatchWriteItemOutput, error) {
			return c.svc.BatchWriteItem(c.ctx(), &dynamodbapi.BatchWriteItemInput{RequestItems: map[string][]dynamodbapi.WriteRequest{"units": items}})
		}
		out, err := batch(write(`{"pk":{"S":"b"},"by":{"S":"b"}}`), write(`{"pk":{"S":"c"}}`))
		if err != nil {
			t.Fatal(err)
		}
		if left := out.UnprocessedItems["units"]; len(left) != 1 || !strings.Contains(string(left[0].PutRequest.Item), `"b"`) {
			t.Errorf("left of the batch: %v, want the item of the index", left)
		}
		_, err = batch(write(`{"pk":{"S":"d"},"by":{"S":"b"}}`))
		wantError(t, err, "ThrottlingException", textMaxOnDemand)
		_, err = c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{TransactItems: []dynamodbapi.TransactWriteItem{
			{Put: &dynamodbapi.Put{TableName: "units", Item: api.JSON(`{"pk":{"S":"e"}}`)}},
			{Put: &dynamodbapi.Put{TableName: "units", Item: api.JSON(`{"pk":{"S":"f"},"by":{"S":"b"}}`)}},
		}})
		wantError(t, err, "TransactionCanceledException", "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ThrottlingError]")
	})
}

func TestFailedConditionsUseUnitsAndWithoutThrottlingNothingIsRefused(t *testing.T) {
	throttling(t, func(t *testing.T, c *caller) {
		c.provision(1)
		failed := 0
		_, err := takes(t, func(int) error {
			in := putItem("units", "a")
			in.ConditionExpression = new("attribute_exists(pk)")
			_, err := c.svc.PutItem(c.ctx(), in)
			if errors.Is(err, dynamodbapi.ConditionalCheckFailedException("", nil)) {
				failed++
				return nil
			}
			return err
		})
		if failed != 300 {
			t.Errorf("%d conditions failed before throttling (%v), want 300", failed, err)
		}
		c.svc.throttle.on = false
		for range 1000 {
			put(c, "units", `{"pk":{"S":"a"}}`)
		}
	})
}
