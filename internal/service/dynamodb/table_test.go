package dynamodb

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/expr"
	"millrace/internal/service/dynamodb/value"
)

func TestCreatedTableIsDescribedAsItWasAskedFor(t *testing.T) {
	c := start(t)
	in := input("orders", "pk:S", "sk:N")
	in.DeletionProtectionEnabled, in.Tags = new(true), []dynamodbapi.Tag{{Key: "env", Value: "test"}}
	in.TableClass = new(dynamodbapi.TableClassStandardInfrequentAccess)
	in.OnDemandThroughput = &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: new(int64(10))}
	out, err := c.svc.CreateTable(c.ctx(), in)
	if err != nil || *out.TableDescription.TableStatus != dynamodbapi.TableStatusCreating {
		t.Fatalf("CreateTable: got %+v, %v", out, err)
	}
	c.await("orders", dynamodbapi.TableStatusActive)
	d := c.describe("orders")
	if got, want := *d.TableArn, "arn:aws:dynamodb:us-east-2:000000000000:table/orders"; got != want {
		t.Errorf("TableArn: got %s, want %s", got, want)
	}
	if !reflect.DeepEqual(d.KeySchema, in.KeySchema) || !reflect.DeepEqual(d.AttributeDefinitions, in.AttributeDefinitions) {
		t.Errorf("keys: got %+v of %+v, want %+v of %+v", d.KeySchema, d.AttributeDefinitions, in.KeySchema, in.AttributeDefinitions)
	}
	if *d.BillingModeSummary.BillingMode != dynamodbapi.BillingModePayPerRequest || *d.ProvisionedThroughput.ReadCapacityUnits != 0 ||
		*d.WarmThroughput.ReadUnitsPerSecond != 12000 || !*d.DeletionProtectionEnabled || *d.OnDemandThroughput.MaxReadRequestUnits != 10 ||
		d.OnDemandThroughput.MaxWriteRequestUnits != nil || *d.TableClassSummary.TableClass != *in.TableClass {
		t.Errorf("description: got %+v", d)
	}
	byARN := c.describe(*d.TableArn)
	if *byARN.TableId != *d.TableId || len(*d.TableId) != 36 {
		t.Errorf("by ARN: got table %s, want %s", *byARN.TableId, *d.TableId)
	}
	tags, err := c.svc.ListTagsOfResource(c.ctx(), &dynamodbapi.ListTagsOfResourceInput{ResourceArn: *d.TableArn})
	if err != nil || len(tags.Tags) != 1 || tags.Tags[0].Key != "env" {
		t.Errorf("tags: got %+v, %v", tags, err)
	}
}

func TestCreateTableIsRefusedWithTextsOfAWS(t *testing.T) {
	c := start(t)
	c.create("taken", "pk:S")
	const param = "One or more parameter values were invalid: "
	units := func(r, w int64) *dynamodbapi.ProvisionedThroughput {
		return &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: r, WriteCapacityUnits: w}
	}
	for _, x := range []struct {
		name   string
		in     *dynamodbapi.CreateTableInput
		change func(in *dynamodbapi.CreateTableInput)
		code   string
		want   string
	}{
		{"short name", input("ab", "pk:S"), nil, "ValidationException", "1 validation error detected: Value 'ab' at 'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3"},
		{"bad name", input("a/bc", "pk:S"), nil, "ValidationException", "1 validation error detected: Value 'a/bc' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"},
		{"name taken", input("taken", "pk:S"), nil, "ResourceInUseException", "Table already exists: taken"},
		{"one attribute twice", input("abc", "pk:S", "pk:S"), func(in *dynamodbapi.CreateTableInput) { in.AttributeDefinitions = in.AttributeDefinitions[:1] }, "ValidationException", "Invalid KeySchema: Some index key attribute have no definition"},
		{"same name", input("abc", "pk:S", "pk:S"), nil, "ValidationException", "Both the Hash Key and the Range Key element in the KeySchema have the same name"},
		{"three keys", input("abc", "a:S", "b:S", "c:S"), nil, "ValidationException", "1 validation error detected: Value '[KeySchemaElement(attributeName=a, keyType=HASH), KeySchemaElement(attributeName=b, keyType=RANGE), KeySchemaElement(attributeName=c, keyType=RANGE)]' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2"},
		{"not defined", input("abc", "pk:S"), func(in *dynamodbapi.CreateTableInput) { in.KeySchema[0].AttributeName = "x" }, "ValidationException", param + "Some index key attributes are not defined in AttributeDefinitions. Keys: [x], AttributeDefinitions: [pk]"},
		{"range first", input("abc", "pk:S"), func(in *dynamodbapi.CreateTableInput) { in.KeySchema[0].KeyType = "RANGE" }, "ValidationException", "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"},
		{"hash second", input("abc", "pk:S", "sk:S"), func(in *dynamodbapi.CreateTableInput) { in.KeySchema[1].KeyType = "HASH" }, "ValidationException", "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type"},
		{"one definition too many", input("abc", "pk:S", "sk:S"), func(in *dynamodbapi.CreateTableInput) { in.KeySchema = in.KeySchema[:1] }, "ValidationException", param + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"},
		{"units on demand", input("abc", "pk:S"), func(in *dynamodbapi.CreateTableInput) { in.ProvisionedThroughput = units(1, 1) }, "ValidationException", param + textNoUnits},
		{"no units", input("abc", "pk:S"), func(in *dynamodbapi.CreateTableInput) { in.BillingMode = nil }, "ValidationException", param + "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"},
		{"too many units", input("abc", "pk:S"), func(in *dynamodbapi.CreateTableInput) {
			in.BillingMode, in.ProvisionedThroughput = nil, units(1_000_000_000_001, 1)
		}, "ValidationException", "Given value 1000000000001 for ReadCapacityUnits is out of bounds"},
		{"stream", input("abc", "pk:S"), func(in *dynamodbapi.CreateTableInput) {
			in.StreamSpecification = &dynamodbapi.StreamSpecification{StreamEnabled: true}
		}, "ValidationException", "One or more parameter values were invalid: Table is being created with a stream enabled, UpdateViewType is required"},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.change != nil {
				x.change(x.in)
			}
			_, err := c.svc.CreateTable(c.ctx(), x.in)
			wantError(t, err, x.code, x.want)
		})
	}
	if d := c.describe("abc"); d != nil {
		t.Errorf("a refused table is there: %+v", d)
	}
}

func TestTablesAreListedInPagesByPlace(t *testing.T) {
	c := start(t)
	names := []string{"aaa", "aaa.b", "bbb", "ccc", "ddd"}
	for _, name := range names {
		c.create(name, "pk:S")
	}
	other := &caller{t: t, account: c.account, region: "eu-west-1", svc: c.svc}
	other.create("elsewhere", "pk:S")
	var got []string
	in := &dynamodbapi.ListTablesInput{Limit: new(int32(2))}
	for range len(names) {
		out, err := c.svc.ListTables(c.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, out.TableNames...)
		if in.ExclusiveStartTableName = out.LastEvaluatedTableName; in.ExclusiveStartTableName == nil {
			break
		}
	}
	if !slices.Equal(got, names) {
		t.Errorf("got %v, want %v", got, names)
	}
	out, err := other.svc.ListTables(other.ctx(), &dynamodbapi.ListTablesInput{})
	if err != nil || !slices.Equal(out.TableNames, []string{"elsewhere"}) {
		t.Errorf("other region: got %+v, %v", out, err)
	}
}

func TestTableMovesThroughItsStatesAlsoOverRestarts(t *testing.T) {
	st := newStore(t, "model")
	c := startOn(t, st, 50*time.Millisecond)
	if _, err := c.svc.CreateTable(c.ctx(), input("moving", "pk:S")); err != nil {
		t.Fatal(err)
	}
	_, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "moving"})
	wantError(t, err, "ResourceInUseException", "Attempt to change a resource which is still in use: Table is being created: moving")
	if err := c.svc.Close(); err != nil {
		t.Fatal(err)
	}
	c = startOn(t, st, 50*time.Millisecond)
	c.await("moving", dynamodbapi.TableStatusActive)

	update := func(in dynamodbapi.UpdateTableInput) (*dynamodbapi.TableDescription, error) {
		in.TableName = "moving"
		out, err := c.svc.UpdateTable(c.ctx(), &in)
		if err != nil {
			return nil, err
		}
		return out.TableDescription, nil
	}
	_, err = update(dynamodbapi.UpdateTableInput{})
	wantError(t, err, "ValidationException", "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, OnDemandThroughput, WarmThroughput or TableClass is required")
	five := &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 5, WriteCapacityUnits: 6}
	_, err = update(dynamodbapi.UpdateTableInput{ProvisionedThroughput: five})
	wantError(t, err, "ValidationException", "One or more parameter values were invalid: "+textNoUnits)
	d, err := update(dynamodbapi.UpdateTableInput{BillingMode: new(dynamodbapi.BillingModeProvisioned), ProvisionedThroughput: five})
	if err != nil || *d.TableStatus != dynamodbapi.TableStatusUpdating || *d.ProvisionedThroughput.ReadCapacityUnits != 5 {
		t.Fatalf("UpdateTable: got %+v, %v", d, err)
	}
	c.await("moving", dynamodbapi.TableStatusActive)
	d = c.describe("moving")
	if *d.ProvisionedThroughput.ReadCapacityUnits != 5 || *d.ProvisionedThroughput.WriteCapacityUnits != 6 || *d.BillingModeSummary.BillingMode != dynamodbapi.BillingModeProvisioned {
		t.Errorf("after the update: got %+v", d)
	}
	_, err = update(dynamodbapi.UpdateTableInput{ProvisionedThroughput: five})
	if err == nil || !strings.HasPrefix(err.Error(), "ValidationException: The provisioned throughput for the table will not change.") {
		t.Errorf("same throughput: got %v", err)
	}
	if d, err := update(dynamodbapi.UpdateTableInput{DeletionProtectionEnabled: new(true)}); err != nil || *d.TableStatus != dynamodbapi.TableStatusActive {
		t.Fatalf("protected: got %+v, %v", d, err)
	}
	_, err = c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "moving"})
	wantError(t, err, "ValidationException", "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.")
	if _, err := update(dynamodbapi.UpdateTableInput{DeletionProtectionEnabled: new(false)}); err != nil {
		t.Fatal(err)
	}
	if _, err := update(dynamodbapi.UpdateTableInput{ProvisionedThroughput: &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 1, WriteCapacityUnits: 6}}); err != nil {
		t.Fatal(err)
	}
	c.await("moving", dynamodbapi.TableStatusActive)
	if d := c.describe("moving"); *d.ProvisionedThroughput.NumberOfDecreasesToday != 1 || d.ProvisionedThroughput.LastDecreaseDateTime == nil {
		t.Errorf("after the decrease: got %+v", d.ProvisionedThroughput)
	}
	out, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "moving"})
	if err != nil || *out.TableDescription.TableStatus != dynamodbapi.TableStatusDeleting {
		t.Fatalf("DeleteTable: got %+v, %v", out, err)
	}
	c.await("moving", "")
	_, err = c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "moving"})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: Table: moving not found")
}

func TestTagsOfTablesChange(t *testing.T) {
	c := start(t)
	c.create("tagged", "pk:S")
	arn := *c.describe("tagged").TableArn
	if _, err := c.svc.TagResource(c.ctx(), &dynamodbapi.TagResourceInput{ResourceArn: arn, Tags: []dynamodbapi.Tag{{Key: "b", Value: "1"}, {Key: "a", Value: "2"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.svc.TagResource(c.ctx(), &dynamodbapi.TagResourceInput{ResourceArn: arn, Tags: []dynamodbapi.Tag{{Key: "b", Value: "3"}, {Key: "c", Value: ""}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.svc.UntagResource(c.ctx(), &dynamodbapi.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a", "z"}}); err != nil {
		t.Fatal(err)
	}
	out, err := c.svc.ListTagsOfResource(c.ctx(), &dynamodbapi.ListTagsOfResourceInput{ResourceArn: arn})
	if want := []dynamodbapi.Tag{{Key: "b", Value: "3"}, {Key: "c"}}; err != nil || !reflect.DeepEqual(out.Tags, want) {
		t.Errorf("got %+v, %v, want %+v", out, err, want)
	}
	_, err = c.svc.ListTagsOfResource(c.ctx(), &dynamodbapi.ListTagsOfResourceInput{ResourceArn: arn + "2"})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: ResourceArn: "+arn+"2 not found")
	_, err = c.svc.TagResource(c.ctx(), &dynamodbapi.TagResourceInput{ResourceArn: "not-an-arn"})
	wantError(t, err, "ValidationException", "One or more parameter values were invalid: ARNs must start with 'arn:': not-an-arn")
}

// full is a table with every field set.
func full() *table {
	return &table{
		num: 7, id: [16]byte{1, 2}, state: stateUpdating, due: 300, created: 5,
		attributes: []expr.KeyAttribute{{Name: "sk", Kind: value.KindB}, {Name: "pk", Kind: value.KindN}}, hash: "pk", sort: "sk",
		throughput: throughput{provisioned, 5, 6}, next: &throughput{onDemand, 0, 0},
		increased: 1, decreased: 2, decreases: 3, onDemandSince: 4, class: classInfrequent, classChanged: 9,
		maxRead: 10, maxWrite: 11, warmRead: 12, warmWrite: 13, nextRead: 14, nextWrite: 15, protected: true, tags: []tag{{"a", ""}, {"b", "c"}},
		ttl: timeToLive{ttlOn, "t", 200}, sse: sse{"k", "n", true, 1, 2, 3}, classBefore: 8,
	}
}

func TestTableIsReadBackAsItWasWritten(t *testing.T) {
	for _, want := range []*table{full(), {num: 1, state: stateActive, attributes: []expr.KeyAttribute{{Name: "h", Kind: value.KindS}}, hash: "h"}} {
		got, err := decodeTable(encodeTable(want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v\nwant %+v", got, err, want)
		}
	}
	if _, err := decodeTable(append(encodeTable(full()), 99, 0)); err == nil {
		t.Error("an unknown field was taken")
	}
}

func FuzzTable(f *testing.F) {
	f.Add(encodeTable(full()))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeTable(b)
		if err != nil {
			return
		}
		again, err := decodeTable(encodeTable(got))
		if err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("got %+v, %v after writing %+v", again, err, got)
		}
	})
}

func TestPurgeOfADroppedTableDeletesItsItemsAndNoOthers(t *testing.T) {
	st := newStore(t, "model")
	put := func(num uint64, n int) {
		_, err := st.Update(t.Context(), func(tx store.Tx) error {
			for i := range n {
				if err := tx.Set(append(itemPrefix(num), byte(i>>8), byte(i)), present); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(num uint64) (n int) {
		if err := st.View(t.Context(), func(tx store.ReadTx) error {
			kvs, err := tx.Scan(itemPrefix(num), itemPrefix(num+1), 10_000, false)
			n = len(kvs)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	c := startOn(t, st, -1)
	c.create("first", "pk:S")
	c.create("second", "pk:S")
	put(1, 3*purgeSlice+1)
	put(2, 10)
	if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "first"}); err != nil {
		t.Fatal(err)
	}
	c.await("first", "")
	for deadline := time.Now().Add(20 * time.Second); count(1) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d items are left", count(1))
		}
	}
	if got := count(2); got != 10 {
		t.Errorf("items of the other table: got %d, want 10", got)
	}
}

func TestTableIsWrittenAsDocumented(t *testing.T) {
	got := fmt.Sprintf("%x", encodeTable(full()))
	want := "01" + "010107" + "021001020000000000000000000000000000" + "030103" + // number, id, state
		"060303736b" + "060302706b" + "0702706b" + "0802736b" + // attributes, keys
		"100102" + // class
		"0402ac02" + "050105" + "0a0105" + "0b0106" + "0c0101" + "0d0102" + "0e0103" + "0f0104" + "110109" + "250108" + "12010a" + "13010b" + "14010c" + "15010d" +
		"2e010e" + "2f010f" + // next warm throughput
		"160101" + "17020161" + "1703016263" + "1803010000" +
		"230402c80174" + "240701020301016b6e" // time to live, key of KMS
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
