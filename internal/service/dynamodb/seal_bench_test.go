package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

// BenchmarkSealedTable is a put, a get and a page of items of 1 KiB of a plain table and of a sealed one.
func BenchmarkSealedTable(b *testing.B) {
	item := func(i int) string {
		return fmt.Sprintf(`{"pk":{"S":"%d"},"v":{"S":"%s"},"n":{"N":"%d"}}`, i%1000, strings.Repeat("x", 1000), i)
	}
	for _, form := range forms {
		c := onEmbedded(b)
		c.as(form, "bench")
		for i := range 1000 {
			put(c, "bench", item(i))
		}
		b.Run("put/"+form, func(b *testing.B) {
			b.ReportAllocs()
			for i := 1000; b.Loop(); i++ {
				put(c, "bench", item(i))
			}
		})
		b.Run("get/"+form, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				in := &dynamodbapi.GetItemInput{TableName: "bench", Key: api.JSON(fmt.Sprintf(`{"pk":{"S":"%d"}}`, i%1000))}
				if out, err := c.svc.GetItem(c.ctx(), in); err != nil || len(out.Item) < 1000 {
					b.Fatalf("got %s, %v", out.Item, err)
				}
			}
		})
		b.Run("scan/"+form, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := c.svc.Scan(c.ctx(), &dynamodbapi.ScanInput{TableName: "bench"})
				if err != nil || *out.Count < 900 {
					b.Fatalf("got %d items, %v", *out.Count, err)
				}
			}
		})
	}
}
