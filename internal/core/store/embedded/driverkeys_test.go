package embedded

import (
	"fmt"
	"testing"
)

// TestRunsAreGolden: what stands in stores must be read for ever.
func TestRunsAreGolden(t *testing.T) {
	r := run{part: 7, base: 100, next: 300, bytes: 4000, batches: 5, firstAppend: 10, lastAppend: 20, maxTime: 30, file: fileID{fileSegment, 9}}
	compacted := r
	compacted.clean, compacted.horizon = true, 1000
	shared := r
	shared.file.kind = fileShared
	for _, c := range []struct {
		run   run
		value string
	}{{r, "01ac02a01f050a141e"}, {compacted, "02ac02a01f050a141ee807"}, {shared, "03ac02a01f050a141e"}} {
		key, value := c.run.key(), c.run.encode()
		if got, want := fmt.Sprintf("%x", key), fmt.Sprintf("007200000000000000070000000000000064%02x0000000000000009", c.run.file.kind); got != want {
			t.Errorf("key: got %s, want %s", got, want)
		}
		if got := fmt.Sprintf("%x", value); got != c.value {
			t.Errorf("%+v: got %s, want %s", c.run, got, c.value)
		}
		if got, err := decodeRun(key, value); err != nil || got != c.run {
			t.Errorf("%s: got %+v, %v, want %+v", c.value, got, err, c.run)
		}
		for n := range value {
			if got, err := decodeRun(key, value[:n]); err == nil {
				t.Errorf("%x: got %+v", value[:n], got)
			}
		}
	}
}
