package dynamodb

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store/storetest"
)

func TestAccountHasNoMoreTablesThanItsQuotaInEachRegion(t *testing.T) {
	svc, err := New(Options{Store: storetest.NewModel(), StateDelay: -1, MaxTables: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer svc.Close()
	c := &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
	for i := range 3 {
		c.create(fmt.Sprintf("table-%d", i), "pk:S")
	}
	_, err = c.svc.CreateTable(c.ctx(), input("more", "pk:S"))
	wantError(t, err, "LimitExceededException", "Subscriber limit exceeded: There is a limit of 3 tables per subscriber")
	(&caller{t: t, account: c.account, region: "eu-west-1", svc: svc}).create("more", "pk:S")
	(&caller{t: t, account: "111111111111", region: c.region, svc: svc}).create("more", "pk:S")
	if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "table-1"}); err != nil {
		t.Fatal(err)
	}
	c.await("table-1", "")
	c.create("more", "pk:S")
}

func TestNoMoreThanFiveHundredTablesChangeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), time.Hour)
		defer c.svc.Close()
		for i := range maxControl {
			if _, err := c.svc.CreateTable(c.ctx(), input(fmt.Sprintf("table-%d", i), "pk:S")); err != nil {
				t.Fatal(err)
			}
		}
		const text = "Subscriber limit exceeded: Only 500 tables can be created, updated, or deleted simultaneously"
		_, err := c.svc.CreateTable(c.ctx(), input("more", "pk:S"))
		wantError(t, err, "LimitExceededException", text)
		_, err = c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "table-1"})
		wantError(t, err, "LimitExceededException", text)
		time.Sleep(time.Hour)
		synctest.Wait()
		if _, err := c.svc.CreateTable(c.ctx(), input("more", "pk:S")); err != nil {
			t.Errorf("once the others are made: %v", err)
		}
	})
}

func TestTimeToLiveIsNotDescribedBeforeTheTableIsMade(t *testing.T) {
	c := startOn(t, storetest.NewModel(), time.Hour)
	if _, err := c.svc.CreateTable(c.ctx(), input("new", "pk:S")); err != nil {
		t.Fatal(err)
	}
	_, err := c.svc.DescribeTimeToLive(c.ctx(), &dynamodbapi.DescribeTimeToLiveInput{TableName: "new"})
	wantError(t, err, "ValidationException", "Cannot describe time to live while table is in CREATING state: Current table state is CREATING")
	_, err = c.svc.UpdateTimeToLive(c.ctx(), &dynamodbapi.UpdateTimeToLiveInput{
		TableName: "new", TimeToLiveSpecification: &dynamodbapi.TimeToLiveSpecification{Enabled: true, AttributeName: "ttl"},
	})
	wantError(t, err, "ResourceInUseException", "Attempt to change a resource which is still in use: Table is being created: new")
}

func TestClassOfATableChangesTwiceInThirtyDays(t *testing.T) {
	const day = int64(24 * time.Hour / time.Millisecond)
	tab := &table{}
	for _, x := range []struct {
		at int64
		to class
		ok bool
	}{
		{1, classInfrequent, true},
		{5 * day, classInfrequent, true}, // it is that already
		{10 * day, classStandard, true},
		{20 * day, classStandard, false}, // also what it is already, once the changes are spent
		{20 * day, classInfrequent, false},
		{30 * day, classInfrequent, false},
		{30*day + 1, classInfrequent, true},
		{39 * day, classStandard, false},
		{40 * day, classStandard, true},
	} {
		if err := tab.changeClass(x.to, x.at); (err == nil) != x.ok {
			t.Errorf("on day %d to class %d: got %v, want it taken %v", x.at/day, x.to, err, x.ok)
		}
	}
}
