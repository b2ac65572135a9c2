package cloudwatch

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"millrace/internal/core/store"
)

// disk is a store of metrics: what pages of changes have made.
type disk map[string][]byte

// write applies a page. No points may stand without the name of their metric, between two pages neither: the process may end there.
func (k disk) write(t *testing.T, page []change) {
	t.Helper()
	for _, c := range page {
		if c.value == nil {
			delete(k, string(c.key))
		} else {
			k[string(c.key)] = c.value
		}
	}
	for key := range k {
		if h := [hashSize]byte([]byte(key[2:])); key[1] == kindChunk && k[string(metricKey(h))] == nil {
			t.Fatalf("points %x without the name of their metric", key)
		}
	}
}

func (k disk) writeAll(t *testing.T, d *data) {
	t.Helper()
	for page := d.changed(); len(page) > 0; page = d.changed() {
		k.write(t, page)
	}
}

func putOne(d *data, name string, at int64) {
	d.put(place{"a", "r"}, []datum{{identity: newIdentity("n", name, nil), fine: true, at: at, summary: of(1)}}, at)
}

// manyMetrics are so many that their keys, five each, are some pages.
const manyMetrics = 1000

// forgotten has a store with many metrics of which memory has none left.
func forgotten(t *testing.T) (d *data, k disk) {
	t.Helper()
	d, k = newData(64<<20, slog.New(slog.DiscardHandler)), disk{}
	for i := range manyMetrics {
		putOne(d, fmt.Sprint("m", i), noon.Unix())
	}
	k.writeAll(t, d)
	d.sweep(noon.Add(1000 * 24 * time.Hour).Unix())
	return d, k
}

func TestMetricThatIsPutAgainBeforeItsDeletionIsWrittenStaysInTheStore(t *testing.T) {
	d, k := forgotten(t)
	for i := range 10 {
		putOne(d, fmt.Sprint("m", i), noon.Unix())
	}
	k.writeAll(t, d)
	if want := 10 * (1 + len(tiers)); len(k) != want {
		t.Errorf("the store has %d keys of ten metrics, want %d", len(k), want)
	}
}

func TestDeletionsThatFailAreTriedInTheirOrder(t *testing.T) {
	d, k := forgotten(t)
	for range 3 {
		d.unwritten(d.changed())
		k.write(t, d.changed())
	}
	k.writeAll(t, d)
	if len(k) != 0 {
		t.Errorf("the store has %d keys, want none", len(k))
	}
}

func TestPlacesWithoutMetricsTakeNoMemory(t *testing.T) {
	d, _ := forgotten(t)
	if len(d.places) != 0 || d.bytes != 0 {
		t.Errorf("without metrics: %d places, %d bytes", len(d.places), d.bytes)
	}
}

func TestDamagedValuesHideNoOthers(t *testing.T) {
	c := start(t)
	for i := range 3 {
		c.put("n", c.value(fmt.Sprint("m", i), 1, 0))
	}
	if err := c.svc.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.store.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(tx.Set(metricKey([hashSize]byte{}), []byte("?")), tx.Set(chunkKey([hashSize]byte{}, 0, 1, 7200), []byte("?")))
	}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	again := startOn(t, c.store, noon.Add(time.Minute), func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for i := range 3 {
		if got := again.statistics(fmt.Sprint("m", i), 5*time.Minute, 60, "Sum"); len(got) != 1 {
			t.Errorf("m%d has %d points, want 1", i, len(got))
		}
	}
	if said := log.String(); !strings.Contains(said, errCorrupt.Error()) {
		t.Errorf("nothing is said of the damage: %s", said)
	}
}
