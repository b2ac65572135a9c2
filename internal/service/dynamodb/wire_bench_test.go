package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	"millrace/internal/api"
	"millrace/internal/wire/aws/hot"
)

// BenchmarkBodies is what calls cost from the body to the answer, on a store in memory: with items that go between body and stored form in
// one pass, and with items that are text in between.
func BenchmarkBodies(b *testing.B) {
	long := strings.Repeat("x", 1000)
	var many strings.Builder
	for i := range 10 {
		fmt.Fprintf(&many, `,"text%d":{"S":"%s"},"number%d":{"N":"%d"}`, i, strings.Repeat("y", 40), i, i*1000)
	}
	items := map[string]string{
		"1KiB":          `{"pk":{"S":"%d"},"data":{"S":"` + long + `"}}`,
		"22-attributes": `{"pk":{"S":"%d"},"tags":{"SS":["a","b","c"]}` + many.String() + `}`,
	}
	for name, item := range items {
		b.Run(name, func(b *testing.B) {
			c := onEmbedded(b)
			puts := make([]string, 25)
			for i := range puts {
				puts[i] = `{"PutRequest":{"Item":` + fmt.Sprintf(item, i) + `}}`
			}
			for _, one := range []struct{ op, body string }{
				{"PutItem", `{"TableName":"bench","Item":` + fmt.Sprintf(item, 0) + `}`},
				{"GetItem", `{"TableName":"bench","Key":{"pk":{"S":"0"}}}`},
				{"UpdateItem", `{"TableName":"bench","Key":{"pk":{"S":"n"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}}}`},
				{"BatchWriteItem", `{"RequestItems":{"bench":[` + strings.Join(puts, ",") + `]}}`},
				{"Scan", `{"TableName":"bench"}`},
			} {
				b.Run(one.op, func(b *testing.B) {
					b.Run("one-pass", func(b *testing.B) { c.benchBody(b, one.op, one.body, true) })
					b.Run("two-passes", func(b *testing.B) { c.benchBody(b, one.op, one.body, false) })
				})
			}
		})
	}
}

func (c *caller) benchBody(b *testing.B, name, body string, form bool) {
	binding := Bind(c.svc)
	if !form {
		binding.Form = nil
	}
	op, codec := binding.Operations[name], hot.For(binding, name)
	ctx := api.WithCall(b.Context(), &api.Call{Account: c.account, Region: c.region, Form: form, Checked: true})
	data := []byte(body)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		s := hot.Get()
		in := codec.Decode(data, s)
		if in == nil {
			b.Fatal("the body is not known")
		}
		out, err := op.Invoke(ctx, in)
		if err != nil {
			b.Fatal(err)
		}
		buf = codec.Append(buf[:0], out)
		s.Put()
	}
}
