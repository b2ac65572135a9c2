package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// onEmbedded is a caller of a service on an embedded store in memory, with a table of one key attribute.
func onEmbedded(b *testing.B) *caller {
	b.Helper()
	st, err := embedded.Open(embedded.Options{RootKey: storetest.RootKey, Dir: "bench", FS: vfs.NewMem(), BallastBytes: -1, JournalFileBytes: 8 << 20, FirstFileBytes: 256 << 10})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	c := startOn(b, st, -1)
	c.create("bench", "pk:S")
	return c
}

func BenchmarkPutItemOfOneKiB(b *testing.B) {
	c := onEmbedded(b)
	filler := strings.Repeat("x", 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		put(c, "bench", fmt.Sprintf(`{"pk":{"S":"%d"},"v":{"S":"%s"},"n":{"N":"%d"}}`, i%1000, filler, i))
	}
}

func BenchmarkGetItemOfOneKiB(b *testing.B) {
	c := onEmbedded(b)
	put(c, "bench", `{"pk":{"S":"a"},"v":{"S":"`+strings.Repeat("x", 1000)+`"}}`)
	in := &dynamodbapi.GetItemInput{TableName: "bench", Key: api.JSON(`{"pk":{"S":"a"}}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.svc.GetItem(c.ctx(), in); err != nil {
			b.Fatal(err)
		}
	}
}
