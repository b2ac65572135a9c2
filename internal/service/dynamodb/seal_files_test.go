package dynamodb

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// secret is what is looked for in files: bytes that no compression changes.
func secret(seed uint64) []byte {
	b := make([]byte, 24)
	rnd := rand.New(rand.NewPCG(seed, seed))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

// filesWith are the kinds of files in a folder that hold a text, by the ends of their names.
func filesWith(t *testing.T, dir string, text []byte) (kinds []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, text) && !slices.Contains(kinds, filepath.Ext(path)) {
			kinds = append(kinds, filepath.Ext(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(kinds)
	return kinds
}

// useSecretly does with a table all that leaves something of an item in the store: puts, updates, batches, transactions, deletions, an index that
// is filled later, a stream, items that expire, reads of indexes that lag behind.
func (c *caller) useSecretly(form string, text []byte) {
	c.t.Helper()
	value := `{"B":"` + base64.StdEncoding.EncodeToString(text) + `"}`
	in := sealedAs(input(expiring, "h:S", "r:N"), form)
	in.AttributeDefinitions = append(in.AttributeDefinitions, dynamodbapi.AttributeDefinition{AttributeName: "g", AttributeType: "S"})
	in.GlobalSecondaryIndexes = []dynamodbapi.GlobalSecondaryIndex{{
		IndexName: "g", KeySchema: (&modelIndex{hash: []string{"g"}}).keys(),
		Projection: &dynamodbapi.Projection{ProjectionType: new(dynamodbapi.ProjectionTypeAll)},
	}}
	arn := c.withStream(in, dynamodbapi.StreamViewTypeNewAndOldImages)
	item := func(i int, more string) api.JSON {
		return api.JSON(fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"},"g":{"S":"g"},"l":{"S":"l"},"v":%s%s}`, i, value, more))
	}
	key := func(i int) api.JSON { return api.JSON(fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"}}`, i)) }
	for i := range 20 {
		put(c, expiring, string(item(i, "")))
	}
	_, err := c.svc.UpdateItem(c.ctx(), &dynamodbapi.UpdateItemInput{TableName: expiring, Key: key(0), UpdateExpression: new("SET m = v, n = :v"), ExpressionAttributeValues: api.JSON(`{":v":` + value + `}`)})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err = c.svc.BatchWriteItem(c.ctx(), &dynamodbapi.BatchWriteItemInput{RequestItems: map[string][]dynamodbapi.WriteRequest{expiring: {
		{PutRequest: &dynamodbapi.PutRequest{Item: item(1, `,"x":{"S":"x"}`)}}, {DeleteRequest: &dynamodbapi.DeleteRequest{Key: key(2)}},
	}}}); err != nil {
		c.t.Fatal(err)
	}
	if _, err = c.svc.TransactWriteItems(c.ctx(), &dynamodbapi.TransactWriteItemsInput{ClientRequestToken: new("token"), TransactItems: []dynamodbapi.TransactWriteItem{
		{Put: &dynamodbapi.Put{TableName: expiring, Item: item(3, `,"x":{"S":"x"}`)}}, {Delete: &dynamodbapi.Delete{TableName: expiring, Key: key(4)}},
	}}); err != nil {
		c.t.Fatal(err)
	}
	put(c, expiring, string(item(5, fmt.Sprintf(`,"ttl":{"N":"%d"}`, time.Now().Unix()-10))))
	c.setTTL(true)
	later := modelIndex{name: laterIndex.name, hash: laterIndex.hash, sort: laterIndex.sort, shown: allNames}
	if err := c.addIndex(expiring, later); err != nil {
		c.t.Fatal(err)
	}
	c.eventually("the index is filled and the old item is gone", func() bool {
		return c.indexStatus(expiring, later.name) == dynamodbapi.IndexStatusActive && c.countItems() == 17
	})
	items, _ := c.replay(arn)
	c.agree(expiring, items)
}

// eventually waits until something is so.
func (c *caller) eventually(what string, is func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("it never came that %s", what)
		}
	}
}

// TestItemsOfASealedTableAreInNoFile does the same with a plain table, whose items are found.
func TestItemsOfASealedTableAreInNoFile(t *testing.T) {
	for i, form := range forms {
		t.Run(form, func(t *testing.T) {
			dir, text := t.TempDir(), secret(uint64(i))
			var c *caller
			var st *embedded.Store
			open := func() {
				var err error
				st, err = embedded.Open(embedded.Options{Dir: dir, BallastBytes: -1, RootKey: storetest.RootKey, JournalFileBytes: 1 << 20, FirstFileBytes: 256 << 10})
				if err != nil {
					t.Fatal(err)
				}
				svc, err := New(Options{Store: st, RootKey: storetest.RootKey, StateDelay: -1, IndexDelay: time.Nanosecond})
				if err != nil {
					t.Fatal(err)
				}
				c = &caller{t: t, account: "000000000000", region: "us-east-2", svc: svc}
			}
			end := func() {
				_ = c.svc.Close()
				if err := st.Close(); err != nil {
					t.Fatal(err)
				}
			}
			open()
			c.useSecretly(form, text)
			for i := range 40 { // more than a journal file, which is moved into segments
				put(c, expiring, fmt.Sprintf(`{"h":{"S":"b"},"r":{"N":"%d"},"v":{"B":"%s"},"w":{"S":"%s"}}`, i, base64.StdEncoding.EncodeToString(text), strings.Repeat("w", 100<<10)))
			}
			kinds := filesWith(t, dir, text)
			end()
			kinds = append(kinds, filesWith(t, dir, text)...)
			open()
			if out := c.get(`{"h":{"S":"b"},"r":{"N":"7"}}`); !strings.Contains(string(out), base64.StdEncoding.EncodeToString(text)) {
				t.Errorf("after a restart: got %.200s", out)
			}
			end()
			kinds = append(kinds, filesWith(t, dir, text)...)
			slices.Sort(kinds)
			kinds = slices.Compact(kinds)
			if form == "sealed" && len(kinds) > 0 {
				t.Errorf("files of the kinds %q hold what a sealed item says", kinds)
			}
			t.Logf("found in files of the kinds %q", kinds)
			if form == "plain" && len(kinds) < 2 {
				t.Errorf("only files of the kinds %q hold what a plain item says: this test would not find it", kinds)
			}
		})
	}
}
