package dynamodb

import (
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

func TestCallsAreCountedForCloudWatch(t *testing.T) {
	c := start(t)
	c.create("tab", "k:S")
	b := Bind(c.svc)
	call := func(name string, in any) {
		t.Helper()
		if _, err := b.Operations[name].Invoke(c.ctx(), in); err != nil && name != "DescribeTable" {
			t.Fatalf("%s: %v", name, err)
		}
	}
	c.svc.Samples() // forgets what making the table has counted
	key := api.JSON(`{"k":{"S":"a"}}`)
	call("PutItem", &dynamodbapi.PutItemInput{TableName: "tab", Item: key})
	call("GetItem", &dynamodbapi.GetItemInput{TableName: "tab", Key: key})
	call("GetItem", &dynamodbapi.GetItemInput{TableName: "tab", Key: key})
	call("Scan", &dynamodbapi.ScanInput{TableName: "tab"})
	call("DescribeTable", &dynamodbapi.DescribeTableInput{TableName: "nothing"})
	got := map[string]Sample{}
	for s := range c.svc.Samples() {
		got[s.Name+" "+s.Table+" "+s.Operation] = s
	}
	for name, want := range map[string][2]float64{ // count, sum
		"ConsumedWriteCapacityUnits tab ":      {1, 1},
		"ConsumedReadCapacityUnits tab ":       {3, 1.5},
		"ReturnedItemCount tab Scan":           {1, 1},
		"UserErrors  ":                         {1, 1},
		"SuccessfulRequestLatency tab PutItem": {1, -1},
		"SuccessfulRequestLatency tab GetItem": {2, -1},
		"SuccessfulRequestLatency tab Scan":    {1, -1},
	} {
		s, ok := got[name]
		if !ok || s.Count != want[0] || want[1] >= 0 && s.Sum != want[1] || s.Account != c.account || s.Region != c.region || s.Min > s.Max {
			t.Errorf("%s: got %+v, want count and sum %v", name, s, want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("beside that: %+v", got)
	}
	for s := range c.svc.Samples() {
		t.Errorf("told twice: %+v", s)
	}
}
