package dynamodb

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
)

// thing is an item of the model: attributes that are "" are missing. d and r are numbers, the rest are strings.
type thing map[string]string

func (x thing) json(names ...string) string {
	var parts []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		if v := x[name]; v != "" {
			kind := "S"
			if name == "d" || name == "r" {
				kind = "N"
			}
			parts = append(parts, fmt.Sprintf(`%q:{%q:%q}`, name, kind, v))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// modelIndex is an index of the model: what its rows are is said in the simplest way.
type modelIndex struct {
	name       string
	local      bool
	hash, sort []string
	shown      []string
}

var allNames = []string{"d", "g", "h", "l", "p", "r"}

var modelIndexes = []modelIndex{
	{name: "byG", hash: []string{"g"}, shown: []string{"g", "h", "r", "p"}},
	{name: "byGD", hash: []string{"g"}, sort: []string{"d"}, shown: []string{"d", "g", "h", "r"}},
	{name: "multi", hash: []string{"g", "h"}, sort: []string{"d", "l"}, shown: allNames},
	{name: "local", local: true, hash: []string{"h"}, sort: []string{"l"}, shown: []string{"h", "l", "r"}},
}

// laterIndex comes and goes while the table is used.
var laterIndex = modelIndex{name: "later", hash: []string{"l"}, sort: []string{"r"}, shown: []string{"h", "l", "r"}}

func (m *modelIndex) keys() (out []dynamodbapi.KeySchemaElement) {
	for _, name := range m.hash {
		out = append(out, dynamodbapi.KeySchemaElement{AttributeName: name, KeyType: dynamodbapi.KeyTypeHash})
	}
	for _, name := range m.sort {
		out = append(out, dynamodbapi.KeySchemaElement{AttributeName: name, KeyType: dynamodbapi.KeyTypeRange})
	}
	return out
}

func (m *modelIndex) projection() *dynamodbapi.Projection {
	switch {
	case len(m.shown) == len(allNames):
		return &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeAll)}
	case slices.Contains(m.shown, "p"):
		return &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeInclude), NonKeyAttributes: []string{"p"}}
	}
	return &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeKeysOnly)}
}

// rows are what the index has, in its order under each partition.
func (m *modelIndex) rows(items map[string]thing) map[string][]string {
	var in []thing
	for _, x := range items {
		if !slices.ContainsFunc(append(slices.Clone(m.hash), m.sort...), func(name string) bool { return x[name] == "" }) {
			in = append(in, x)
		}
	}
	order := append(slices.Clone(m.sort), "h", "r")
	slices.SortFunc(in, func(a, b thing) int {
		for _, name := range order {
			c := cmp.Compare(a[name], b[name])
			if name == "d" || name == "r" {
				c = cmp.Or(cmp.Compare(len(a[name]), len(b[name])), c) // not negative, so the shorter is the smaller
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	out := map[string][]string{}
	for _, x := range in {
		partition := x.json(m.hash...)
		out[partition] = append(out[partition], x.json(m.shown...))
	}
	return out
}

// indexed makes a table with indexes.
func (c *caller) indexed(name string, indexes []modelIndex) {
	c.t.Helper()
	in := input(name, "h:S", "r:N")
	for _, attribute := range []string{"d:N", "g:S", "l:S"} {
		attr, kind, _ := strings.Cut(attribute, ":")
		if slices.ContainsFunc(indexes, func(m modelIndex) bool { return slices.Contains(m.hash, attr) || slices.Contains(m.sort, attr) }) {
			in.AttributeDefinitions = append(in.AttributeDefinitions, dynamodbapi.AttributeDefinition{
				AttributeName: attr, AttributeType: dynamodbapi.ScalarAttributeType(kind),
			})
		}
	}
	for _, m := range indexes {
		if m.local {
			in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, dynamodbapi.LocalSecondaryIndex{IndexName: m.name, KeySchema: m.keys(), Projection: m.projection()})
		} else {
			in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, dynamodbapi.GlobalSecondaryIndex{IndexName: m.name, KeySchema: m.keys(), Projection: m.projection()})
		}
	}
	if _, err := c.svc.CreateTable(c.ctx(), in); err != nil {
		c.t.Fatalf("CreateTable %s: %v", name, err)
	}
	c.await(name, dynamodbapi.TableStatusActive)
}

// addIndex is UpdateTable that adds an index.
func (c *caller) addIndex(table string, m modelIndex) error {
	_, err := c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{
		TableName: table,
		AttributeDefinitions: []dynamodbapi.AttributeDefinition{
			{AttributeName: "l", AttributeType: "S"}, {AttributeName: "r", AttributeType: "N"}, {AttributeName: "g", AttributeType: "S"},
		},
		GlobalSecondaryIndexUpdates: []dynamodbapi.GlobalSecondaryIndexUpdate{{Create: &dynamodbapi.CreateGlobalSecondaryIndexAction{
			IndexName: m.name, KeySchema: m.keys(), Projection: m.projection(),
		}}},
	})
	return err
}

func (c *caller) dropIndex(table, name string) error {
	_, err := c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{
		TableName:                   table,
		GlobalSecondaryIndexUpdates: []dynamodbapi.GlobalSecondaryIndexUpdate{{Delete: &dynamodbapi.DeleteGlobalSecondaryIndexAction{IndexName: name}}},
	})
	return err
}

// indexStatus is "" when there is no such index.
func (c *caller) indexStatus(table, name string) dynamodbapi.IndexStatus {
	c.t.Helper()
	for _, g := range c.describe(table).GlobalSecondaryIndexes {
		if *g.IndexName == name {
			return *g.IndexStatus
		}
	}
	return ""
}

// compareIndex queries every partition of an index, and scans it in segments, page by page.
func (c *caller) compareIndex(rnd *rand.Rand, table string, m *modelIndex, items map[string]thing, what string) {
	c.t.Helper()
	want := m.rows(items)
	var all []string
	for partition, rows := range want {
		all = append(all, rows...)
		var conditions []string
		for i, name := range m.hash {
			conditions = append(conditions, fmt.Sprintf("%s = :v%d", name, i))
		}
		values := partition
		for i, name := range m.hash {
			values = strings.Replace(values, fmt.Sprintf("%q:{", name), fmt.Sprintf(`":v%d":{`, i), 1)
		}
		forward := rnd.IntN(2) == 0
		got := queryAll(c, dynamodbapi.QueryInput{
			TableName: table, IndexName: &m.name, KeyConditionExpression: new(strings.Join(conditions, " AND ")),
			ExpressionAttributeValues: api.JSON(values), Limit: new(int32(1 + rnd.IntN(4))), ScanIndexForward: &forward,
		})
		if !forward {
			slices.Reverse(got)
		}
		if !slices.Equal(got, rows) {
			c.t.Fatalf("%s: index %s of %s:\ngot  %v\nwant %v", what, m.name, partition, got, rows)
		}
	}
	var got []string
	segments := int32(1 + rnd.IntN(3))
	for segment := range segments {
		in := &dynamodbapi.ScanInput{TableName: table, IndexName: &m.name, Segment: &segment, TotalSegments: &segments, Limit: new(int32(1 + rnd.IntN(5)))}
		for {
			out, err := c.svc.Scan(c.ctx(), in)
			if err != nil {
				c.t.Fatalf("%s: scan of %s: %v", what, m.name, err)
			}
			for _, item := range out.Items {
				got = append(got, string(item))
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				break
			}
		}
	}
	slices.Sort(got)
	slices.Sort(all)
	if !slices.Equal(got, all) {
		c.t.Fatalf("%s: scan of %s:\ngot  %v\nwant %v", what, m.name, got, all)
	}
}

// TestRandomItemsAreInTheirIndexesAsInANaiveModel writes, changes and deletes items at random, alone, in batches and in transactions, on a
// store that is closed and opened again in between, while one more index comes and goes, and compares every index with a model.
func TestRandomItemsAreInTheirIndexesAsInANaiveModel(t *testing.T) {
	for _, form := range forms {
		t.Run(form, func(t *testing.T) { randomItemsAreInTheirIndexesAsInANaiveModel(t, form) })
	}
}

func randomItemsAreInTheirIndexesAsInANaiveModel(t *testing.T, form string) {
	t.Helper()
	const seed = 11
	rnd := rand.New(rand.NewPCG(seed, seed))
	st := newStore(t, "embedded")
	c := startOn(t, st, -1)
	c.indexed("model", modelIndexes)
	c.as(form, "model")
	items := map[string]thing{}
	pick := func(of ...string) string { return of[rnd.IntN(len(of))] }
	random := func() thing {
		x := thing{"h": pick("a", "b", "c"), "r": fmt.Sprint(rnd.IntN(12))}
		x["g"], x["d"], x["l"], x["p"] = pick("", "x", "y", "z"), pick("", "1", "2", "10"), pick("", "k", "m"), pick("", "P", "Q")
		return x
	}
	write := func(x thing) dynamodbapi.WriteRequest {
		items[x.json("h", "r")] = x
		return dynamodbapi.WriteRequest{PutRequest: &dynamodbapi.PutRequest{Item: api.JSON(x.json(allNames...))}}
	}
	for i := range 1500 {
		what := fmt.Sprintf("seed %d, step %d", seed, i)
		var err error
		x := random()
		key := x.json("h", "r")
		switch rnd.IntN(12) {
		case 0, 1, 2:
			put(c, "model", x.json(allNames...))
			items[key] = x
		case 3, 4, 5: // one attribute is set or removed
			name := pick("g", "d", "l", "p")
			in := &dynamodbapi.UpdateItemInput{TableName: "model", Key: api.JSON(key), UpdateExpression: new("REMOVE " + name)}
			if x[name] != "" {
				in.UpdateExpression, in.ExpressionAttributeValues = new("SET "+name+" = :v"), api.JSON(strings.Replace(x.json(name), name, ":v", 1))
			}
			_, err = c.svc.UpdateItem(c.ctx(), in)
			was := items[key]
			if was == nil && x[name] == "" {
				break // taking away from an item that is not there makes none
			}
			if was == nil {
				was = thing{"h": x["h"], "r": x["r"]}
			}
			was[name] = x[name]
			items[key] = was
		case 6, 7:
			_, err = c.svc.DeleteItem(c.ctx(), &dynamodbapi.DeleteItemInput{TableName: "model", Key: api.JSON(key)})
			delete(items, key)
		case 8:
			y := random()
			if y.json("h", "r") != key {
				_, err = c.svc.BatchWriteItem(c.ctx(), &dynamodbapi.BatchWriteItemInput{
					RequestItems: map[string][]dynamodbapi.WriteRequest{"model": {write(x), write(y)}},
				})
			}
		case 9:
			y := random()
			if other := y.json("h", "r"); other != key {
				_, err = c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{TransactItems: []dynamodbapi.TransactWriteItem{
					{Delete: &dynamodbapi.Delete{TableName: "model", Key: api.JSON(other)}},
					{Put: &dynamodbapi.Put{TableName: "model", Item: api.JSON(x.json(allNames...))}},
				}})
				delete(items, other)
				items[key] = x
			}
		case 10:
			status := c.indexStatus("model", laterIndex.name)
			if status == "" {
				c.await("model", dynamodbapi.TableStatusActive)
				err = c.addIndex("model", laterIndex)
			}
			if status == dynamodbapi.IndexStatusActive {
				c.compareIndex(rnd, "model", &laterIndex, items, what)
				if rnd.IntN(3) == 0 {
					c.await("model", dynamodbapi.TableStatusActive)
					err = c.dropIndex("model", laterIndex.name)
				}
			}
		case 11:
			if i%10 == 0 {
				_ = c.svc.Close()
				st.reopen()
				c = startOn(t, st, -1)
				c.as(form, "model")
			}
			for j := range modelIndexes {
				c.compareIndex(rnd, "model", &modelIndexes[j], items, what)
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	c.compareCollections(items)
}

// compareCollections holds the sizes of item collections against those of the items and of their rows in the local index.
func (c *caller) compareCollections(items map[string]thing) {
	c.t.Helper()
	want := map[string]int64{}
	for _, x := range items {
		size := func(names ...string) (n int64) {
			for _, name := range names {
				switch {
				case x[name] == "":
				case name == "d" || name == "r":
					n += 1 + 1 + int64(len(x[name])+1)/2
					if x[name] == "10" || x[name] == "0" {
						n = n - 1 - int64(len(x[name])+1)/2 + map[string]int64{"10": 2, "0": 1}[x[name]]
					}
				default:
					n += int64(1 + len(x[name]))
				}
			}
			return n
		}
		want[x["h"]] += size(allNames...)
		if x["l"] != "" {
			want[x["h"]] += size("h", "l", "r")
		}
	}
	for _, h := range []string{"a", "b", "c"} {
		var got int64
		err := c.svc.store.View(c.ctx(), func(tx store.ReadTx) error {
			t, err := c.svc.readTable(tx, place{account: c.account, region: c.region, table: "model"})
			if err != nil {
				return err
			}
			at, bad := t.keyOf(mustItem(c.t, fmt.Sprintf(`{"h":{"S":%q},"r":{"N":"0"}}`, h)))
			if bad != nil {
				return bad
			}
			key, err := t.collectionKey(at)
			if err != nil {
				return err
			}
			got, err = readCollection(tx, key)
			return err
		})
		if err != nil || got != want[h] {
			c.t.Errorf("collection %s: got %d bytes, %v, want %d", h, got, err, want[h])
		}
	}
}
