package dynamodb

import (
	"testing"
	"time"

	"millrace/internal/api/dynamodbapi"
)

// lasting is a caller of a service on c's store whose states do not end by themselves.
func (c *caller) lasting() *caller {
	c.t.Helper()
	return startOn(c.t, c.svc.store, time.Hour)
}

func TestTableThatIsMadeOrDeletedIsInUse(t *testing.T) {
	c := start(t).lasting()
	if _, err := c.svc.CreateTable(c.ctx(), input("tab", "pk:S")); err != nil {
		t.Fatal(err)
	}
	_, err := c.svc.CreateTable(c.ctx(), input("tab", "pk:S"))
	wantError(t, err, "ResourceInUseException", "Attempt to change a resource which is still in use: Table is being created: tab")
	_, err = c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{TableName: "tab", DeletionProtectionEnabled: new(true)})
	wantError(t, err, "ResourceInUseException", "Attempt to change a resource which is still in use: Table is being created: tab")
	arn := *c.describe("tab").TableArn
	_, err = c.svc.ListTagsOfResource(c.ctx(), &dynamodbapi.ListTagsOfResourceInput{ResourceArn: arn})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: ResourceArn: "+arn+" not found")
	_, err = c.svc.TagResource(c.ctx(), &dynamodbapi.TagResourceInput{ResourceArn: arn, Tags: []dynamodbapi.Tag{{Key: "a"}}})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: ResourceArn: "+arn+" not found")

	c = start(t)
	c.create("tab", "pk:S")
	c = c.lasting()
	if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "tab"}); err != nil {
		t.Fatal(err)
	}
	const deleted = "Attempt to change a resource which is still in use: Table is being deleted: tab"
	_, err = c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "tab"})
	wantError(t, err, "ResourceInUseException", deleted)
	_, err = c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{TableName: "tab", DeletionProtectionEnabled: new(true)})
	wantError(t, err, "ResourceInUseException", deleted)
	_, err = c.svc.TagResource(c.ctx(), &dynamodbapi.TagResourceInput{ResourceArn: arn, Tags: []dynamodbapi.Tag{{Key: "a"}}})
	wantError(t, err, "ResourceInUseException", deleted)
	_, err = c.svc.CreateTable(c.ctx(), input("tab", "pk:S"))
	wantError(t, err, "ResourceInUseException", "Table already exists: tab")
}

func TestTableThatIsUpdatingAdmitsWhatChangesBesideIt(t *testing.T) {
	c := start(t)
	c.create("tab", "pk:S")
	c = c.lasting()
	update := func(in dynamodbapi.UpdateTableInput) (*dynamodbapi.TableDescription, error) {
		in.TableName = "tab"
		out, err := c.svc.UpdateTable(c.ctx(), &in)
		if err != nil {
			return nil, err
		}
		return out.TableDescription, nil
	}
	units := func(n int64) *dynamodbapi.ProvisionedThroughput {
		return &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: n, WriteCapacityUnits: n}
	}
	d, err := update(dynamodbapi.UpdateTableInput{BillingMode: new(dynamodbapi.BillingModeProvisioned), ProvisionedThroughput: units(1)})
	if err != nil || *d.TableStatus != dynamodbapi.TableStatusUpdating || *d.BillingModeSummary.BillingMode != dynamodbapi.BillingModeProvisioned {
		t.Fatalf("billing: got %+v, %v; want it UPDATING, and PROVISIONED at once", d, err)
	}
	const inUse = "Attempt to change a resource which is still in use: "
	for _, x := range []struct {
		in   dynamodbapi.UpdateTableInput
		want string
	}{
		{dynamodbapi.UpdateTableInput{ProvisionedThroughput: units(2), BillingMode: new(dynamodbapi.BillingModeProvisioned)}, "Table IOPS are currently being updated. Table: tab"},
		{dynamodbapi.UpdateTableInput{OnDemandThroughput: &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: new(int64(9))}}, "OnDemandThroughput cannot be updated while BillingMode update is in progress"},
		{dynamodbapi.UpdateTableInput{StreamSpecification: &dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: new(dynamodbapi.StreamViewTypeKeysOnly)}}, "Can't enable or disable stream while table IOPS are being updated. Table: tab"},
		{dynamodbapi.UpdateTableInput{TableClass: new(dynamodbapi.TableClassStandardInfrequentAccess)}, "Table: tab is in the process of being updated."},
	} {
		_, err := update(x.in)
		wantError(t, err, "ResourceInUseException", inUse+x.want)
	}
	_, err = c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "tab"})
	wantError(t, err, "ResourceInUseException", inUse+"Table: tab is in the process of being updated.")
	for _, in := range []dynamodbapi.UpdateTableInput{
		{DeletionProtectionEnabled: new(true)},
		{WarmThroughput: &dynamodbapi.WarmThroughput{ReadUnitsPerSecond: new(int64(20_000))}},
		{SSESpecification: &dynamodbapi.SSESpecification{Enabled: new(true)}},
	} {
		if d, err := update(in); err != nil || *d.TableStatus != dynamodbapi.TableStatusUpdating {
			t.Errorf("%+v: got %+v, %v", in, d, err)
		}
	}
	d = c.describe("tab")
	if *d.WarmThroughput.Status != dynamodbapi.TableStatusUpdating || *d.WarmThroughput.ReadUnitsPerSecond != 12_000 || !*d.DeletionProtectionEnabled {
		t.Errorf("meanwhile: got %+v", d)
	}
}

func TestTableStaysActiveWhereAWSLeavesItSo(t *testing.T) {
	c := start(t)
	c.create("tab", "pk:S")
	c = c.lasting()
	update := func(in dynamodbapi.UpdateTableInput) *dynamodbapi.TableDescription {
		in.TableName = "tab"
		out, err := c.svc.UpdateTable(c.ctx(), &in)
		if err != nil {
			t.Fatalf("%+v: %v", in, err)
		}
		if d := c.describe("tab"); *d.TableStatus != dynamodbapi.TableStatusActive {
			t.Fatalf("%+v: the table is %s", in, *d.TableStatus)
		}
		return out.TableDescription
	}
	onDemand := func(read, write *int64) dynamodbapi.UpdateTableInput {
		return dynamodbapi.UpdateTableInput{OnDemandThroughput: &dynamodbapi.OnDemandThroughput{MaxReadRequestUnits: read, MaxWriteRequestUnits: write}}
	}
	for _, again := range []dynamodbapi.UpdateTableInput{
		{BillingMode: new(dynamodbapi.BillingModePayPerRequest)}, {TableClass: new(dynamodbapi.TableClassStandard)},
	} {
		if d := update(again); *d.TableStatus != dynamodbapi.TableStatusUpdating {
			t.Errorf("%+v again: answers %s", again, *d.TableStatus)
		}
	}
	if d := update(onDemand(new(int64(1000)), new(int64(500)))); *d.TableStatus != dynamodbapi.TableStatusActive || *d.OnDemandThroughput.MaxReadRequestUnits != 1000 {
		t.Errorf("limits: got %+v", d)
	}
	if d := update(onDemand(new(int64(-1)), nil)); *d.OnDemandThroughput.MaxReadRequestUnits != -1 || *d.OnDemandThroughput.MaxWriteRequestUnits != 500 {
		t.Errorf("one limit lifted: answers %+v", d.OnDemandThroughput)
	}
	if d := c.describe("tab"); d.OnDemandThroughput.MaxReadRequestUnits != nil || *d.OnDemandThroughput.MaxWriteRequestUnits != 500 {
		t.Errorf("one limit lifted: got %+v", d.OnDemandThroughput)
	}
	if d := update(onDemand(nil, new(int64(-1)))); d.OnDemandThroughput.MaxReadRequestUnits != nil || *d.OnDemandThroughput.MaxWriteRequestUnits != -1 {
		t.Errorf("both limits lifted: answers %+v", d.OnDemandThroughput)
	}
	if d := c.describe("tab"); d.OnDemandThroughput != nil {
		t.Errorf("both limits lifted: got %+v", d.OnDemandThroughput)
	}
	d := update(dynamodbapi.UpdateTableInput{WarmThroughput: &dynamodbapi.WarmThroughput{WriteUnitsPerSecond: new(int64(5000))}})
	if *d.TableStatus != dynamodbapi.TableStatusActive || *d.WarmThroughput.Status != dynamodbapi.TableStatusUpdating || *d.WarmThroughput.WriteUnitsPerSecond != 4000 {
		t.Errorf("warm throughput: got %+v", d)
	}
}

func TestWarmThroughputIsTheMostThatATableHad(t *testing.T) {
	c := start(t)
	in := input("tab", "pk:S")
	in.BillingMode, in.ProvisionedThroughput = nil, &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 3, WriteCapacityUnits: 3}
	out, err := c.svc.CreateTable(c.ctx(), in)
	if err != nil || out.TableDescription.WarmThroughput != nil || out.TableDescription.BillingModeSummary != nil {
		t.Fatalf("CreateTable: got %+v, %v", out, err)
	}
	c.await("tab", dynamodbapi.TableStatusActive)
	for _, x := range []struct {
		in          dynamodbapi.UpdateTableInput
		read, write int64
	}{
		{dynamodbapi.UpdateTableInput{ProvisionedThroughput: &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 1, WriteCapacityUnits: 4}}, 3, 4},
		{dynamodbapi.UpdateTableInput{WarmThroughput: &dynamodbapi.WarmThroughput{ReadUnitsPerSecond: new(int64(50))}}, 50, 4},
		{dynamodbapi.UpdateTableInput{BillingMode: new(dynamodbapi.BillingModePayPerRequest)}, 12_000, 4000},
		{dynamodbapi.UpdateTableInput{
			BillingMode: new(dynamodbapi.BillingModeProvisioned), ProvisionedThroughput: &dynamodbapi.ProvisionedThroughput{ReadCapacityUnits: 1, WriteCapacityUnits: 1},
		}, 12_000, 4000},
	} {
		x.in.TableName = "tab"
		if _, err := c.svc.UpdateTable(c.ctx(), &x.in); err != nil {
			t.Fatal(err)
		}
		c.await("tab", dynamodbapi.TableStatusActive)
		c.awaitTable("tab", "ready for more", func(d *dynamodbapi.TableDescription) bool {
			return *d.WarmThroughput.Status == dynamodbapi.TableStatusActive
		})
		if w := c.describe("tab").WarmThroughput; *w.ReadUnitsPerSecond != x.read || *w.WriteUnitsPerSecond != x.write {
			t.Errorf("after %+v: got %d, %d, want %d, %d", x.in, *w.ReadUnitsPerSecond, *w.WriteUnitsPerSecond, x.read, x.write)
		}
	}
	_, err = c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{
		TableName: "tab", BillingMode: new(dynamodbapi.BillingModePayPerRequest), ProvisionedThroughput: in.ProvisionedThroughput,
	})
	wantError(t, err, "ValidationException", "One or more parameter values were invalid: ProvisionedThroughput cannot be specified when BillingMode is PAY_PER_REQUEST")
}
