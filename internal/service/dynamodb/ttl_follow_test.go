package dynamodb

import (
	"testing"
	"testing/synctest"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/store/storetest"
)

// An item that expires leaves the indexes with it, and its record in the stream says who deleted it.
func TestExpiredItemLeavesIndexesAndHasARecordOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startOn(t, storetest.NewModel(), -1)
		defer c.svc.Close()
		in := input(expiring, "pk:S")
		in.GlobalSecondaryIndexes = []dynamodbapi.GlobalSecondaryIndex{{
			IndexName: "by", KeySchema: in.KeySchema, Projection: &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeAll)},
		}}
		arn := c.withStream(in, dynamodbapi.StreamViewTypeKeysOnly)
		time.Sleep(time.Second)
		c.setTTL(true)
		c.fill(3, 5*time.Second)
		time.Sleep(10 * time.Second)
		out, err := c.svc.Scan(c.ctx(), &dynamodbapi.ScanInput{TableName: expiring, IndexName: new("by")})
		if err != nil || *out.Count != 0 {
			t.Errorf("the index has %+v, %v, want none", out, err)
		}
		inserts, removes := 0, 0
		for _, sh := range c.shards(arn) {
			c.iterate(arn, *sh.ShardId, func(r *dynamodbstreamsapi.Record) {
				switch *r.EventName {
				case dynamodbstreamsapi.OperationTypeInsert:
					inserts++
					if r.UserIdentity != nil {
						t.Errorf("a client's write has the identity %+v", r.UserIdentity)
					}
				case dynamodbstreamsapi.OperationTypeRemove:
					removes++
					if r.UserIdentity == nil || *r.UserIdentity.PrincipalId != "dynamodb.amazonaws.com" || *r.UserIdentity.Type != "Service" {
						t.Errorf("identity %+v, want that of the service", r.UserIdentity)
					}
				default:
					t.Errorf("event %s", *r.EventName)
				}
			})
		}
		if inserts != 3 || removes != 3 {
			t.Errorf("%d inserts and %d removes, want three of each", inserts, removes)
		}
	})
}
