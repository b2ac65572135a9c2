package dynamodb

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// idle is a service on a store whose workers have ended: the test does their work.
func idle(t *testing.T, st store.Store, hands *clock.Manual, rotation time.Duration) *caller {
	t.Helper()
	svc, err := New(Options{RootKey: storetest.RootKey, Store: st, StateDelay: -1, Clock: hands, StreamRotation: rotation})
	if err != nil {
		t.Fatal(err)
	}
	_ = svc.Close()
	return &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
}

func TestShorterRotationHoldsForStreamsThatAreThere(t *testing.T) {
	hands := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	st := newStoreAt(t, "model", hands)
	c := idle(t, st, hands, 4*time.Hour)
	in := input("table", "pk:S")
	in.StreamSpecification = &dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: new(dynamodbapi.StreamViewTypeKeysOnly)}
	out, err := c.svc.CreateTable(c.ctx(), in)
	if err != nil {
		t.Fatal(err)
	}
	workOff(t, c.svc)
	put(c, "table", `{"pk":{"S":"a"}}`)
	arn := *out.TableDescription.LatestStreamArn
	before := len(c.shards(arn))

	hands.Advance(time.Minute)
	c.turn()
	if got := len(c.shards(arn)); got != before {
		t.Fatalf("%d shards a minute before a rotation of four hours, want %d", got, before)
	}
	c = idle(t, st, hands, 10*time.Second)
	c.turn()
	if got := len(c.shards(arn)); got != before+1 {
		t.Errorf("%d shards with a rotation of ten seconds, want %d: one with a record goes on in a child", got, before+1)
	}
	put(c, "table", `{"pk":{"S":"a"},"n":{"N":"1"}}`)

	c = idle(t, st, hands, 4*time.Hour)
	hands.Advance(time.Minute)
	c.turn()
	if got := len(c.shards(arn)); got != before+1 {
		t.Errorf("%d shards a minute after the rotation is four hours again, want %d", got, before+1)
	}
}

// broken are keys that no service has written, where its workers look.
var broken = map[string][]byte{
	"state of a table":        {kindDue, 0},
	"stream that is due":      {kindStreamDue, 0},
	"stream":                  {kindStream, 0},
	"filling of an index":     {kindChore, choreFill, 0},
	"deletion of an index":    {kindChore, choreDrop, 0},
	"note of time to live":    {kindUpkeep, upkeepTTL, 0, 0, 0, 0, 0, 0, 0, 1, 0},
	"purge of a table":        {kindPurge, 0},
	"end of a token":          {kindEnd, 0},
	"note of a data key":      {kindUpkeep, upkeepSeal, 0, 0, 0, 0, 0, 0, 0, 1, 0},
	"stream that is due, too": append([]byte{kindStreamDue}, make([]byte, 20)...),
}

func TestWhatCannotBeReadIsReportedAndHoldsUpNothingElse(t *testing.T) {
	hands := clock.NewManual(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	st := newStoreAt(t, "model", hands)
	_, err := st.Update(t.Context(), func(tx store.Tx) error {
		for _, key := range broken {
			if err := tx.Set(append([]byte{byte(store.FamilyTable)}, key...), []byte{0xff}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := idle(t, st, hands, time.Minute)
	var reported []string
	work := func(step func(context.Context) (time.Duration, error)) {
		t.Helper()
		_, err := step(t.Context())
		for _, e := range flat(err) {
			bad, ok := errors.AsType[*store.CorruptError](e)
			if !ok {
				t.Fatal(e)
			}
			reported = append(reported, bad.File)
		}
	}

	in := input("table", "pk:S")
	in.StreamSpecification = &dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: new(dynamodbapi.StreamViewTypeKeysOnly)}
	in.SSESpecification = &dynamodbapi.SSESpecification{Enabled: new(true)}
	created, err := c.svc.CreateTable(c.ctx(), in)
	if err != nil {
		t.Fatal(err)
	}
	arn := *created.TableDescription.LatestStreamArn
	work(c.svc.step)
	if d := c.describe("table"); *d.TableStatus != dynamodbapi.TableStatusActive {
		t.Fatalf("the table is %s", *d.TableStatus)
	}
	put(c, "table", `{"pk":{"S":"a"},"by":{"S":"b"},"ends":{"N":"1767225600"}}`)

	before := len(c.shards(arn))
	hands.Advance(time.Hour)
	work(c.svc.turnStreams)
	if got := len(c.shards(arn)); got != before+1 {
		t.Errorf("%d shards, want %d", got, before+1)
	}
	_, err = c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{
		TableName: "table", AttributeDefinitions: []dynamodbapi.AttributeDefinition{{AttributeName: "by", AttributeType: "S"}},
		GlobalSecondaryIndexUpdates: []dynamodbapi.GlobalSecondaryIndexUpdate{{Create: &dynamodbapi.CreateGlobalSecondaryIndexAction{
			IndexName: "index", KeySchema: []dynamodbapi.KeySchemaElement{{AttributeName: "by", KeyType: dynamodbapi.KeyTypeHash}},
			Projection: &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeAll)},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	work(c.svc.step)
	work(c.svc.stepIndexes)
	if ix := c.describe("table").GlobalSecondaryIndexes[0]; *ix.IndexStatus != dynamodbapi.IndexStatusActive {
		t.Errorf("the index is %s", *ix.IndexStatus)
	}
	_, err = c.svc.UpdateTimeToLive(c.ctx(), &dynamodbapi.UpdateTimeToLiveInput{TableName: "table", TimeToLiveSpecification: &dynamodbapi.TimeToLiveSpecification{AttributeName: "ends", Enabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 { // note the item, then delete it
		work(c.svc.stepTTL)
	}
	if out, err := c.svc.GetItem(c.ctx(), &dynamodbapi.GetItemInput{TableName: "table", Key: api.JSON(`{"pk":{"S":"a"}}`)}); err != nil || out.Item != nil {
		t.Errorf("the item that has expired: %s, %v", out.Item, err)
	}
	work(c.svc.stepSeals)
	work(c.svc.stepKeys)

	_, err = c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{
		ClientRequestToken: new("token"),
		TransactItems:      []dynamodbapi.TransactWriteItem{{Put: &dynamodbapi.Put{TableName: "table", Item: api.JSON(`{"pk":{"S":"z"}}`)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	hands.Advance(tokenLife + time.Millisecond)
	if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "table"}); err != nil {
		t.Fatal(err)
	}
	for range 10 { // until there is nothing left to do but to report
		work(c.svc.step)
	}
	for _, kind := range []byte{kindToken, kindItem, kindPurge, kindEnd} {
		var left int
		err := st.View(t.Context(), func(tx store.ReadTx) error {
			kvs, err := tx.Scan([]byte{byte(store.FamilyTable), kind, 0, 0}, []byte{byte(store.FamilyTable), kind + 1}, 10, false)
			left = len(kvs)
			return err
		})
		if err != nil || left != 0 {
			t.Errorf("%d keys of kind %d are left, %v; want what can be read to go", left, kind, err)
		}
	}
	for what := range broken {
		if !slices.Contains(reported, what) && what != "stream that is due, too" {
			t.Errorf("%s is not reported, but %q", what, reported)
		}
	}
}

// flat are the errors that were joined.
func flat(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flat(e)...)
	}
	return all
}
