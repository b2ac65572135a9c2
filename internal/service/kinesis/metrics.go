package kinesis

import (
	"sync/atomic"

	"millrace/internal/core/store"
)

// Metrics are counts since the start of a service.
type Metrics struct {
	RecordsPut     uint64
	BytesPut       uint64 // data and partition keys
	RecordsRead    uint64
	BytesRead      uint64 // data and partition keys
	Throttled      uint64 // records and calls that were refused for a quota
	RecordsSkipped uint64 // times a record or batch was passed over because GetRecords cannot show it
}

// Metrics gives the counts as they are now.
func (s *Service) Metrics() Metrics {
	c := &s.counts
	return Metrics{
		RecordsPut: c.recordsPut.Load(), BytesPut: c.bytesPut.Load(),
		RecordsRead: c.recordsRead.Load(), BytesRead: c.bytesRead.Load(),
		Throttled: c.throttled.Load(), RecordsSkipped: c.skipped.Load(),
	}
}

type counts struct {
	recordsPut, bytesPut   atomic.Uint64
	recordsRead, bytesRead atomic.Uint64
	throttled, skipped     atomic.Uint64
}

func (c *counts) put(records []store.Record) {
	n := 0
	for i := range records {
		n += len(records[i].Key) + len(records[i].Value)
	}
	c.recordsPut.Add(uint64(len(records)))
	c.bytesPut.Add(uint64(n))
}

func (c *counts) read(records, bytes int) {
	c.recordsRead.Add(uint64(records))
	c.bytesRead.Add(uint64(bytes))
}
