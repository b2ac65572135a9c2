package codec

import (
	"fmt"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
	"millrace/internal/api/kinesisapi"
)

// manyTags is a body that becomes many times larger.
func manyTags(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"StreamName":"s","Tags":{"":""`)
	for i := range n {
		fmt.Fprintf(&b, `,"%d":""`, i)
	}
	return []byte(b.String() + "}}")
}

func TestMemoryIsAskedForWhatABodyBecomes(t *testing.T) {
	op := kinesis.Operations["AddTagsToStream"]
	for _, n := range []int{10, 1000, 20_000} {
		body, given := manyTags(n), 0
		in := op.New().(*kinesisapi.AddTagsToStreamInput)
		err := Memory(func(n int) *api.Error { given += n; return nil }).DecodeJSON(body, op.Input, in)
		if err != nil || len(in.Tags) != n+1 {
			t.Fatalf("%d tags: got %d, %v", n, len(in.Tags), err)
		}
		needed := n*mapEntrySize - len(body) - budgetBase
		if given < needed || given > max(0, 2*needed+memoryStep) {
			t.Errorf("%d tags: asked for %d, want at least %d and little more", n, given, needed)
		}
	}
	list := []byte("Action=PutMetricData" + strings.Repeat("&A=", 50_000))
	metrics := cloudwatch.Operations["PutMetricData"]
	given := 0
	if err := Memory(func(n int) *api.Error { given += n; return nil }).DecodeQuery(list, metrics.Input, new(cloudwatchapi.PutMetricDataInput)); err != nil {
		t.Fatal(err)
	}
	if given < 50_000*paramSize-len(list)-budgetBase {
		t.Errorf("50,000 parameters: asked for %d", given)
	}
}

func TestABodyThatGetsNoMemoryIsRefused(t *testing.T) {
	op := kinesis.Operations["AddTagsToStream"]
	refused := api.ClientError("Slow", "down")
	err := Memory(func(int) *api.Error { return refused }).DecodeJSON(manyTags(20_000), op.Input, op.New())
	if err != refused {
		t.Errorf("got %v, want the error of the memory", err)
	}
}
