package dynamodb

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/clock"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// caller is one account in one region.
type caller struct {
	t               testing.TB
	account, region string
	svc             *Service
	iterator        string // of scripts: the last that was answered
	hot             bool   // of scripts: through the codecs by hand, where they know a body
	operation       string // of scripts: what is called
}

func (c *caller) ctx() context.Context {
	return api.WithCall(c.t.Context(), &api.Call{Account: c.account, Region: c.region, AccessKeyID: "AKIA", Operation: c.operation})
}

// start opens a service on a new store.
func start(tb testing.TB) *caller {
	tb.Helper()
	return startOn(tb, newStore(tb, "model"), -1)
}

// startOn opens a service on a store.
func startOn(tb testing.TB, st store.Store, delay time.Duration) *caller {
	tb.Helper()
	return startBy(tb, st, delay, clock.Real())
}

// startBy opens a service on a store, with a clock for its workers.
func startBy(tb testing.TB, st store.Store, delay time.Duration, wakes clock.Clock) *caller {
	tb.Helper()
	svc, err := New(Options{RootKey: storetest.RootKey, Store: st, StateDelay: delay, Clock: wakes})
	if err != nil {
		tb.Fatalf("New: %v", err)
	}
	tb.Cleanup(func() { _ = svc.Close() })
	return &caller{t: tb, account: "000000000000", region: "us-east-2", svc: svc}
}

// input makes the input of CreateTable: keys are "name:TYPE", the partition key first.
func input(name string, keys ...string) *dynamodbapi.CreateTableInput {
	in := &dynamodbapi.CreateTableInput{TableName: name, BillingMode: new(dynamodbapi.BillingModePayPerRequest)}
	for i, k := range keys {
		attribute, kind, _ := strings.Cut(k, ":")
		in.AttributeDefinitions = append(in.AttributeDefinitions, dynamodbapi.AttributeDefinition{
			AttributeName: attribute, AttributeType: dynamodbapi.ScalarAttributeType(kind),
		})
		role := []dynamodbapi.KeyType{dynamodbapi.KeyTypeHash, dynamodbapi.KeyTypeRange, dynamodbapi.KeyTypeRange}[i]
		in.KeySchema = append(in.KeySchema, dynamodbapi.KeySchemaElement{AttributeName: attribute, KeyType: role})
	}
	return in
}

// create makes an active table.
func (c *caller) create(name string, keys ...string) {
	c.t.Helper()
	if _, err := c.svc.CreateTable(c.ctx(), input(name, keys...)); err != nil {
		c.t.Fatalf("CreateTable %s: %v", name, err)
	}
	c.await(name, dynamodbapi.TableStatusActive)
}

// describe is DescribeTable; nil when there is no such table.
func (c *caller) describe(name string) *dynamodbapi.TableDescription {
	c.t.Helper()
	out, err := c.svc.DescribeTable(c.ctx(), &dynamodbapi.DescribeTableInput{TableName: name})
	if errors.Is(err, dynamodbapi.ResourceNotFoundException("")) {
		return nil
	}
	if err != nil {
		c.t.Fatalf("DescribeTable %s: %v", name, err)
	}
	return out.Table
}

// await returns when a table is in a state; "" means gone.
func (c *caller) await(name string, want dynamodbapi.TableStatus) {
	c.t.Helper()
	c.awaitTable(name, string(want), func(d *dynamodbapi.TableDescription) bool {
		return d == nil && want == "" || d != nil && *d.TableStatus == want
	})
}

// awaitTable waits until a table, nil once it is gone, is as it should be.
func (c *caller) awaitTable(name, what string, is func(d *dynamodbapi.TableDescription) bool) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		d := c.describe(name)
		if is(d) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("table %s is not %q in time: %+v", name, what, d)
		}
		time.Sleep(time.Millisecond)
	}
}

func wantError(tb testing.TB, err error, code, message string) {
	tb.Helper()
	e := api.AsError(err)
	if e == nil || e.Code != code || e.Message != message {
		tb.Errorf("got error  %v\nwant error %s: %s", err, code, message)
	}
}
