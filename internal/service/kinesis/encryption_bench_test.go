package kinesis

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/store/embedded"
	"millrace/internal/core/store/storetest"
)

// BenchmarkGetRecordsEncrypted is GetRecords of 1,000 records of 1 KiB from the tail cache, of a stream that is plain and
// of one that is encrypted.
func BenchmarkGetRecordsEncrypted(b *testing.B) {
	for name, encrypted := range map[string]bool{"plain": false, "encrypted": true} {
		st, err := embedded.Open(embedded.Options{
			Dir: "data", FS: vfs.NewMem(), BallastBytes: -1, RootKey: storetest.RootKey, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		c := startOn(b, st, nil)
		c.create("s", 1)
		if encrypted {
			c.encrypt("s")
		}
		in := &kinesisapi.PutRecordsInput{StreamName: new("s")}
		for i := range 100 {
			in.Records = append(in.Records, kinesisapi.PutRecordsRequestEntry{PartitionKey: new(fmt.Sprint(i)), Data: make([]byte, 1<<10)})
		}
		for range 10 {
			if _, err := c.svc.PutRecords(c.ctx(), in); err != nil {
				b.Fatal(err)
			}
		}

		copied, err := c.svc.fetch(c.ctx(), place{c.account, c.region, "s"})
		if err != nil {
			b.Fatal(err)
		}
		h, err := st.Head(b.Context(), copied.shards[0].partition)
		if err != nil {
			b.Fatal(err)
		}
		from := c.svc.sealIterator(copied.place, &copied.shards[0], h.Next-1000, c.svc.store.Now())
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(1000 << 10)
			for b.Loop() {
				if out := c.get(from, 1000); len(out.Records) != 1000 {
					b.Fatalf("%d records", len(out.Records))
				}
			}
		})
		if err := c.svc.Close(); err != nil {
			b.Fatal(err)
		}
		c.last.Sent()
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
