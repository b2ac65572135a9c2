package kafka

import (
	"bytes"
	"errors"
	"testing"

	"millrace/internal/core/store"
	"millrace/internal/service/kafka/config"
)

func TestWhatIsKeptOfATopicIsReadBack(t *testing.T) {
	k := kept{replicas: 3, applied: store.Retention{Millis: 5, Bytes: 7}, own: config.Set{"a": "b"}}
	v := k.encode()
	want := "\x01\x00\x03\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x07\x01\x00\x01\x00\x01a\x00\x01b"
	if string(v) != want {
		t.Errorf("stored form: got %q, want %q", v, want)
	}
	got, err := decodeKept(v)
	if err != nil || got.replicas != 3 || got.applied != k.applied || !got.own.Equal(k.own) {
		t.Errorf("read back %+v, %v", got, err)
	}
	for n := range v {
		if got, err := decodeKept(v[:n]); !errors.Is(err, config.ErrSet) {
			t.Errorf("the first %d bytes: got %+v, %v", n, got, err)
		}
	}
}

func FuzzDecodeKept(f *testing.F) {
	f.Add((&kept{replicas: 1}).encode())
	f.Add((&kept{replicas: 3, applied: store.Retention{Millis: 5}, own: config.Set{"retention.ms": "5"}}).encode())
	f.Fuzz(func(t *testing.T, v []byte) {
		k, err := decodeKept(v)
		if err != nil {
			return
		}
		if again := k.encode(); !bytes.Equal(again, v) {
			t.Errorf("%x: written again as %x", v, again)
		}
	})
}
