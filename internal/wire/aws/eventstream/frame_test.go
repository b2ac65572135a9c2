package eventstream

import (
	"bytes"
	"strings"
	"testing"

	oracle "github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// write makes one message behind what is in b.
func write(b []byte, payload []byte, headers ...Header) []byte {
	start := len(b)
	return Close(append(Open(b, headers...), payload...), start)
}

func TestMessagesAreThoseOfTheSDK(t *testing.T) {
	for _, c := range []struct {
		name    string
		payload []byte
		headers []Header
	}{
		{"empty", nil, nil},
		{"payload only", []byte("{}"), nil},
		{"header only", nil, []Header{{":message-type", "event"}}},
		{"event", bytes.Repeat([]byte("x"), 100_000), []Header{{":event-type", "SubscribeToShardEvent"}, {":message-type", "event"}}},
		{"empty value", []byte{0}, []Header{{"a", ""}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := oracle.Message{Payload: c.payload}
			for _, h := range c.headers {
				m.Headers.Set(h.Name, oracle.StringValue(h.Value))
			}
			var want bytes.Buffer
			if err := oracle.NewEncoder().Encode(&want, m); err != nil {
				t.Fatal(err)
			}
			before := []byte("before")
			got := write(before, c.payload, c.headers...)
			if !bytes.Equal(got, append(before, want.Bytes()...)) {
				t.Errorf("got  %x\nwant %x", got[len(before):], want.Bytes())
			}
		})
	}
}

func TestMessagesOfAStreamAreReadOneAfterTheOther(t *testing.T) {
	var b []byte
	for _, p := range []string{"one", "", "three"} {
		b = write(b, []byte(p), Header{":message-type", "event"})
	}
	r := bytes.NewReader(b)
	for _, want := range []string{"one", "", "three"} {
		m, err := oracle.NewDecoder().Decode(r, nil)
		if err != nil || string(m.Payload) != want || m.Headers.Get(":message-type").String() != "event" {
			t.Errorf("got %q, %v, %v; want %q", m.Payload, m.Headers, err, want)
		}
	}
	if r.Len() != 0 {
		t.Errorf("%d bytes are left over", r.Len())
	}
}

func FuzzMessageIsReadBack(f *testing.F) {
	f.Add("name", "value", []byte("payload"))
	f.Add("", "", []byte{})
	f.Add(strings.Repeat("n", 300), strings.Repeat("v", 40_000), []byte("x"))
	f.Fuzz(func(t *testing.T, name, value string, payload []byte) {
		m, err := oracle.NewDecoder().Decode(bytes.NewReader(write(nil, payload, Header{name, value})), nil)
		if err != nil {
			t.Fatalf("name %q, value %q, payload %x: %v", name, value, payload, err)
		}
		name, value = name[:min(len(name), 255)], value[:min(len(value), 32767)]
		if got := m.Headers.Get(name); got == nil || got.String() != value || !bytes.Equal(m.Payload, payload) {
			t.Errorf("got %v, %x; want %q: %q, %x", m.Headers, m.Payload, name, value, payload)
		}
	})
}
