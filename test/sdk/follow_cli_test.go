//go:build system

package sdk

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/test/program"
)

// playFollowCLI uses indexes, streams and expiry in a shell: a call costs a third of a second.
func playFollowCLI(t *testing.T, endpoint, table string) {
	t.Helper()
	c := &cli{program: program.Part(t, "python", "venv", "bin", "aws"), service: "dynamodb", endpoint: endpoint, env: environment()}
	streams := *c
	streams.service = "dynamodbstreams"
	s := &cliFollower{&cliTable{cli: c, table: table}, &streams}
	for _, step := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"create", s.create},
		{"indexes", s.indexes},
		{"added", s.added},
		{"follow", s.follow},
		{"expiry", s.expiry},
		{"delete", s.delete},
	} {
		if !t.Run(step.name, step.run) {
			return // the steps build on each other
		}
	}
}

type cliFollower struct {
	*cliTable
	streams *cli
}

// active waits until the table and so many global indexes are.
func (c *cliFollower) active(t *testing.T, indexes int) {
	t.Helper()
	until(t, "ACTIVE", func() bool {
		var out struct {
			Table struct {
				TableStatus            string
				GlobalSecondaryIndexes []struct{ IndexStatus string }
			}
		}
		c.on(t, &out, "describe-table")
		found := out.Table.GlobalSecondaryIndexes
		return out.Table.TableStatus == "ACTIVE" && len(found) == indexes && !slices.ContainsFunc(found, func(i struct{ IndexStatus string }) bool { return i.IndexStatus != "ACTIVE" })
	})
}

func (c *cliFollower) create(t *testing.T) {
	c.on(t, nil, "create-table", "--billing-mode", "PAY_PER_REQUEST",
		"--attribute-definitions", "AttributeName=pk,AttributeType=S", "AttributeName=sk,AttributeType=N", "AttributeName=kind,AttributeType=S", "AttributeName=n,AttributeType=N",
		"--key-schema", "AttributeName=pk,KeyType=HASH", "AttributeName=sk,KeyType=RANGE",
		"--global-secondary-indexes", "IndexName=by-kind,KeySchema=[{AttributeName=kind,KeyType=HASH},{AttributeName=n,KeyType=RANGE}],"+
			"Projection={ProjectionType=INCLUDE,NonKeyAttributes=[text]}",
		"--local-secondary-indexes", "IndexName=by-n,KeySchema=[{AttributeName=pk,KeyType=HASH},{AttributeName=n,KeyType=RANGE}],Projection={ProjectionType=KEYS_ONLY}",
		"--stream-specification", "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES")
	c.active(t, 1)
}

// texts queries an index in pages of two, and gives the text of each item.
func (c *cliFollower) texts(t *testing.T, index, condition, values string) (got []any) {
	t.Helper()
	var found struct{ Items []cliItem }
	c.on(t, &found, "query", "--index-name", index, "--key-condition-expression", condition, "--expression-attribute-values", values,
		"--expression-attribute-names", `{"#t":"text"}`, "--projection-expression", "#t", "--page-size", "2")
	for _, item := range found.Items {
		got = append(got, item["text"]["S"])
	}
	return got
}

func (c *cliFollower) indexes(t *testing.T) {
	var puts []string
	for i := range 6 {
		puts = append(puts, fmt.Sprintf(`{"PutRequest":{"Item":{"pk":{"S":"p"},"sk":{"N":"%d"},"n":{"N":"%d"},"kind":{"S":"k%d"},"text":{"S":"item %d"}}}}`, i, 10-i, i%2, i))
	}
	c.ok(t, nil, "batch-write-item", "--request-items", `{"`+c.table+`":[`+strings.Join(puts, ",")+`]}`)
	if got, want := c.texts(t, "by-kind", "kind = :k", `{":k":{"S":"k0"}}`), []any{"item 4", "item 2", "item 0"}; !slices.Equal(got, want) {
		t.Errorf("by kind: got %v, want %v", got, want)
	}
	var local struct {
		Items            []cliItem
		ConsumedCapacity map[string]any
	}
	c.on(t, &local, "query", "--index-name", "by-n", "--key-condition-expression", "pk = :p AND n < :n", "--expression-attribute-values", `{":p":{"S":"p"},":n":{"N":"7"}}`,
		"--consistent-read", "--return-consumed-capacity", "INDEXES")
	if len(local.Items) != 2 || len(local.Items[0]) != 3 || local.Items[0]["sk"]["N"] != "5" ||
		!reflect.DeepEqual(local.ConsumedCapacity["LocalSecondaryIndexes"], map[string]any{"by-n": map[string]any{"CapacityUnits": 1.0}}) {
		t.Errorf("by n: got %+v", local)
	}
}

func (c *cliFollower) added(t *testing.T) {
	c.on(t, nil, "update-table", "--attribute-definitions", "AttributeName=text,AttributeType=S", "--global-secondary-index-updates",
		`[{"Create":{"IndexName":"by-text","KeySchema":[{"AttributeName":"text","KeyType":"HASH"}],"Projection":{"ProjectionType":"ALL"}}}]`)
	c.active(t, 2)
	if got := c.texts(t, "by-text", "#t = :t", `{":t":{"S":"item 3"}}`); !slices.Equal(got, []any{"item 3"}) {
		t.Errorf("by text: got %v, want item 3", got)
	}
}

// cliChange is a record as GetRecords prints it.
type cliChange struct {
	EventName    string
	UserIdentity map[string]string
	Dynamodb     struct{ Keys, OldImage, NewImage cliItem }
}

// changes are all records of an item so far, from every shard.
func (c *cliFollower) changes(t *testing.T, pk string) (found []cliChange) {
	t.Helper()
	var listed struct{ Streams []struct{ StreamArn string } }
	if c.streams.ok(t, &listed, "list-streams", "--table-name", c.table); len(listed.Streams) != 1 {
		t.Fatalf("list-streams: got %v, want one", listed)
	}
	arn := listed.Streams[0].StreamArn
	var d struct {
		StreamDescription struct {
			StreamStatus string
			Shards       []struct{ ShardID string }
		}
	}
	if c.streams.ok(t, &d, "describe-stream", "--stream-arn", arn); d.StreamDescription.StreamStatus != "ENABLED" {
		t.Errorf("describe-stream: got %+v, want ENABLED", d)
	}
	for _, shard := range d.StreamDescription.Shards {
		var at struct{ ShardIterator string }
		c.streams.ok(t, &at, "get-shard-iterator", "--stream-arn", arn, "--shard-id", shard.ShardID, "--shard-iterator-type", "TRIM_HORIZON")
		var page struct{ Records []cliChange }
		c.streams.ok(t, &page, "get-records", "--shard-iterator", at.ShardIterator)
		for _, r := range page.Records {
			if r.Dynamodb.Keys["pk"]["S"] == pk {
				found = append(found, r)
			}
		}
	}
	return found
}

func (c *cliFollower) follow(t *testing.T) {
	key := `{"pk":{"S":"s"},"sk":{"N":"1"}}`
	c.on(t, nil, "put-item", "--item", `{"pk":{"S":"s"},"sk":{"N":"1"},"v":{"S":"größe"}}`)
	c.on(t, nil, "update-item", "--key", key, "--update-expression", "SET v = :v", "--expression-attribute-values", `{":v":{"S":"2"}}`)
	c.on(t, nil, "delete-item", "--key", key)
	image := func(v string) cliItem { return cliItem{"pk": {"S": "s"}, "sk": {"N": "1"}, "v": {"S": v}} }
	found := c.changes(t, "s")
	want := []struct {
		event    string
		old, new cliItem
	}{{"INSERT", nil, image("größe")}, {"MODIFY", image("größe"), image("2")}, {"REMOVE", image("2"), nil}}
	if len(found) != len(want) {
		t.Fatalf("got %d records, want %d", len(found), len(want))
	}
	for i, r := range found {
		if w := want[i]; r.EventName != w.event || !reflect.DeepEqual(r.Dynamodb.OldImage, w.old) || !reflect.DeepEqual(r.Dynamodb.NewImage, w.new) || r.UserIdentity != nil {
			t.Errorf("record %d: got %+v, want %+v", i, r, w)
		}
	}
}

func (c *cliFollower) expiry(t *testing.T) {
	c.on(t, nil, "update-time-to-live", "--time-to-live-specification", "Enabled=true,AttributeName=expires")
	until(t, "time to live", func() bool {
		var out struct{ TimeToLiveDescription map[string]string }
		c.on(t, &out, "describe-time-to-live")
		return reflect.DeepEqual(out.TimeToLiveDescription, map[string]string{"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"})
	})
	key := `{"pk":{"S":"goes"},"sk":{"N":"1"}}`
	c.on(t, nil, "put-item", "--item", fmt.Sprintf(`{"pk":{"S":"goes"},"sk":{"N":"1"},"expires":{"N":"%d"}}`, time.Now().Unix()-10))
	until(t, "the end of an item", func() bool {
		var out struct{ Item cliItem }
		c.on(t, &out, "get-item", "--key", key, "--return-consumed-capacity", "TOTAL") // the CLI prints nothing at all without an item
		return out.Item == nil
	})
	found := c.changes(t, "goes")
	last := found[len(found)-1]
	want := map[string]string{"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
	if last.EventName != "REMOVE" || !reflect.DeepEqual(last.UserIdentity, want) {
		t.Errorf("got %+v, want REMOVE by %v", last, want)
	}
}
