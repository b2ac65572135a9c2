//go:build system

package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// pause is between two looks at something that the server brings about by itself.
const pause = 10 * time.Millisecond

// firstTime is the time of the first record: an hour ago, in whole seconds, so that no retention takes the records away.
var firstTime = time.Now().Add(-time.Hour).Truncate(time.Second)

// record is what a client sent or read, in a form that can be compared and printed.
type record struct {
	key, value string
	headers    string // NAME=HEX, in order
	time       int64  // milliseconds
}

// place of a record.
type place struct {
	partition int32
	offset    int64
}

// makeRecords makes count records: binary headers, one of them twice, and values that compress well.
func makeRecords(name string, count int) []record {
	all := make([]record, count)
	for i := range all {
		all[i] = record{
			key:     fmt.Sprintf("%s-%d", name, i),
			value:   strings.Repeat(fmt.Sprintf("%s %d ", name, i), 20),
			headers: headers(header{"codec", []byte(name)}, header{"n", []byte{byte(i), 0}}, header{"n", nil}),
			time:    firstTime.Add(time.Duration(i) * time.Second).UnixMilli(),
		}
	}
	return all
}

type header struct {
	name  string
	value []byte
}

func headers(all ...header) string {
	var b strings.Builder
	for _, h := range all {
		fmt.Fprintf(&b, "%s=%x ", h.name, h.value)
	}
	return b.String()
}

// parseHeaders is the reverse of headers.
func (r record) parseHeaders(t *testing.T) []header {
	t.Helper()
	var all []header
	for field := range strings.FieldsSeq(r.headers) {
		name, digits, _ := strings.Cut(field, "=")
		var value []byte
		if _, err := fmt.Sscanf(digits, "%x", &value); err != nil && digits != "" {
			t.Fatalf("header %q: %v", field, err)
		}
		all = append(all, header{name, value})
	}
	return all
}

// expectRecords compares what was read with what was acknowledged, place by place.
func expectRecords(t *testing.T, what string, got, want map[place]record) {
	t.Helper()
	const shown = 3 // differences; the first ones tell the story
	problems := 0
	for at, w := range want {
		if g, found := got[at]; g != w && problems < shown {
			t.Errorf("%s: at %v got %+v (there: %v), want %+v", what, at, g, found, w)
			problems++
		}
	}
	for at, g := range got {
		if _, found := want[at]; !found && problems < shown {
			t.Errorf("%s: at %v got %+v, want none", what, at, g)
			problems++
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: got %d records, want %d", what, len(got), len(want))
	}
}

// until asks again and again until condition holds.
func until(t *testing.T, what string, condition func(ctx context.Context) (bool, error)) {
	t.Helper()
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	for {
		ok, err := condition(ctx)
		if ok {
			return
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within %v: %v", what, patience, errors.Join(last, err))
		case <-time.After(pause):
		}
	}
}
