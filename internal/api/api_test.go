package api_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

func TestErrorsAreFoundByCode(t *testing.T) {
	err := fmt.Errorf("put: %w", kinesisapi.ResourceNotFoundException("Stream s under account a not found."))
	if !errors.Is(err, kinesisapi.ResourceNotFoundException("")) {
		t.Errorf("%v is not found by its code", err)
	}
	if errors.Is(err, kinesisapi.ResourceInUseException("")) {
		t.Errorf("%v is found by another code", err)
	}
	got := api.AsError(err)
	if got.Code != "ResourceNotFoundException" || got.Status != 400 || got.Fault != api.FaultClient {
		t.Errorf("got %+v", got)
	}
}

func TestUnknownErrorsBecomeInternalFailure(t *testing.T) {
	cause := errors.New("disk on fire")
	got := api.AsError(cause)
	if got.Code != "InternalFailure" || got.Message != "" || got.Status != 500 || got.Fault != api.FaultServer || !errors.Is(got, cause) {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(got.Error(), "disk on fire") {
		t.Errorf("the log would read %q, without the cause", got.Error())
	}
	if api.AsError(nil) != nil {
		t.Error("no error became one")
	}
}

func TestCallIsFoundThroughDerivedContexts(t *testing.T) {
	call := &api.Call{Account: "123456789012", Operation: "PutRecord"}
	ctx, cancel := context.WithCancel(api.WithCall(t.Context(), call))
	defer cancel()
	if got := api.CallFrom(ctx); got != call {
		t.Errorf("got %+v, want %+v", got, call)
	}
	if got := api.CallFrom(t.Context()); got.Account != api.DefaultAccount || got.Region != api.DefaultRegion {
		t.Errorf("without a call: got %+v", got)
	}
}

func TestSentRunsOnceLastAddedFirst(t *testing.T) {
	var got []int
	call := &api.Call{}
	for i := range 3 {
		call.OnSent(func() { got = append(got, i) })
	}
	call.Sent()
	call.Sent()
	if want := []int{2, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAnInputMadeInGoIsComplete(t *testing.T) {
	op := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["CreateStream"]
	in := &kinesisapi.CreateStreamInput{StreamName: "s"}
	if err := api.Validate(op.Input, in); err != nil {
		t.Errorf("got %v, want no violation", err)
	}
	in.MissingMembers().Add(0)
	want := "1 validation error detected: Value null at 'streamName' failed to satisfy constraint: Member must not be null"
	if err := api.Validate(op.Input, in); err == nil || err.Message != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLengthIsCountedInUTF16(t *testing.T) {
	op := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["PutRecord"]
	for key, ok := range map[string]bool{
		strings.Repeat("é", 256): true, strings.Repeat("\U0001F600", 128): true, strings.Repeat("\U0001F600", 129): false,
	} {
		in := &kinesisapi.PutRecordInput{StreamName: new("s"), PartitionKey: &key, Data: []byte{}}
		if err := api.Validate(op.Input, in); (err == nil) != ok {
			t.Errorf("key of %d bytes: got %v, want valid %v", len(key), err, ok)
		}
	}
}

func TestLongValuesAreClippedInTexts(t *testing.T) {
	op := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["DeleteStream"]
	err := api.Validate(op.Input, &kinesisapi.DeleteStreamInput{StreamName: new(strings.Repeat("é", 1<<20))})
	if err == nil || len(err.Message) > 32<<10 || !strings.Contains(err.Message, "...'") && !strings.Contains(err.Message, "... at") {
		t.Errorf("got a message of %d bytes", len(err.Message))
	}
}

// TestEveryShapeIsWhole walks the table of a service: fields match members, patterns compile, and
// the order of violations names every member once.
func TestEveryShapeIsWhole(t *testing.T) {
	seen := map[*api.Shape]bool{}
	for name, op := range kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations {
		if op.Name != name {
			t.Errorf("operation %s is filed as %s", op.Name, name)
		}
		walk(t, seen, op.Input)
		if op.Output != nil {
			walk(t, seen, op.Output)
		}
	}
	if len(seen) < 150 {
		t.Errorf("got %d shapes, the model has more", len(seen))
	}
}

func walk(t *testing.T, seen map[*api.Shape]bool, s *api.Shape) {
	t.Helper()
	if seen[s] {
		return
	}
	seen[s] = true
	if s.Pattern != "" && !api.PatternCompiles(s.Pattern) {
		t.Errorf("%s: pattern %s does not compile", s.Name, s.Pattern)
	}
	for _, next := range []*api.Shape{s.Key, s.Elem} {
		if next != nil {
			walk(t, seen, next)
		}
	}
	if s.Kind != api.KindStruct {
		return
	}
	order := slices.Clone(s.Order)
	slices.Sort(order)
	for i, m := range s.Members {
		if int(order[i]) != i || m.Index != i || s.Type.Field(i).Name != m.Name {
			t.Errorf("%s.%s: index %d, order %v, field %s", s.Name, m.Name, m.Index, s.Order, s.Type.Field(i).Name)
		}
		walk(t, seen, m.Shape)
	}
}

func TestDataOfApplicationsAreKeptOutOfErrors(t *testing.T) {
	op := kinesisapi.Bind(kinesisapi.Unimplemented{}).Operations["PutRecords"]
	entry := kinesisapi.PutRecordsRequestEntry{Data: []byte("secret"), PartitionKey: new("k")}
	large := kinesisapi.PutRecordsRequestEntry{Data: make([]byte, 10<<20+1), PartitionKey: new("k")}
	for want, records := range map[string][]kinesisapi.PutRecordsRequestEntry{
		"1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500":                    slices.Repeat([]kinesisapi.PutRecordsRequestEntry{entry}, 501),
		"1 validation error detected: Value at 'records.2.member.data' failed to satisfy constraint: Member must have length less than or equal to 10485760": {entry, large},
		"1 validation error detected: Value '[]' at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1":              {},
	} {
		if err := api.Validate(op.Input, &kinesisapi.PutRecordsInput{StreamName: new("s"), Records: records}); err == nil || err.Message != want {
			t.Errorf("%d records: got %v, want %s", len(records), err, want)
		}
	}
}
