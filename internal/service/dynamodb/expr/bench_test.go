package expr

import (
	"strings"
	"testing"
)

const (
	benchCondition = "#s = :active AND (attribute_not_exists(lease) OR lease.expires < :now) AND begins_with(owner_id, :prefix)"
	benchUpdate    = "SET #s = :active, lease.expires = :now, n = if_not_exists(n, :zero) + :one REMOVE former ADD tags :tags"
)

func benchRequest(b *testing.B, op Op) *Request {
	condition, update := benchCondition, benchUpdate
	r := &Request{Op: op, Names: Names{{"#s", "status"}}}
	if op == OpPut {
		r.Condition = &condition
		r.Values = itemOf(b, `{":active":{"S":"active"},":now":{"N":"1700000000"},":prefix":{"S":"user-"}}`)
		return r
	}
	r.Update = &update
	r.Values = itemOf(b, `{":active":{"S":"active"},":now":{"N":"1700000000"},":zero":{"N":"0"},":one":{"N":"1"},":tags":{"SS":["x"]}}`)
	return r
}

func benchmarkCompile(b *testing.B, op Op, cache *Cache) {
	r := benchRequest(b, op)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cache.Compile(r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompileCondition(b *testing.B)       { benchmarkCompile(b, OpPut, new(Cache)) }
func BenchmarkCompileConditionCached(b *testing.B) { benchmarkCompile(b, OpPut, NewCache(0)) }
func BenchmarkCompileUpdate(b *testing.B)          { benchmarkCompile(b, OpUpdate, new(Cache)) }
func BenchmarkCompileUpdateCached(b *testing.B)    { benchmarkCompile(b, OpUpdate, NewCache(0)) }

const benchItem = `{"pk":{"S":"user-1"},"status":{"S":"active"},"lease":{"M":{"expires":{"N":"1600000000"},"worker":{"S":"w"}}},
	"owner_id":{"S":"user-17"},"n":{"N":"41"},"former":{"S":"x"},"tags":{"SS":["a","b"]},"payload":{"S":"pppppppppppppppppppppppp"}}`

func BenchmarkHolds(b *testing.B) {
	plan, err := NewCache(0).Compile(benchRequest(b, OpPut))
	if err != nil {
		b.Fatal(err)
	}
	item := itemOf(b, benchItem)
	b.ReportAllocs()
	for b.Loop() {
		if !plan.Condition.Holds(item) {
			b.Fatal("does not hold")
		}
	}
}

func BenchmarkApply(b *testing.B) {
	plan, err := NewCache(0).Compile(benchRequest(b, OpUpdate))
	if err != nil {
		b.Fatal(err)
	}
	item := itemOf(b, benchItem)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plan.Update.Apply(item); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProject(b *testing.B) {
	text := "pk, lease.expires, n, tags"
	plan, err := NewCache(0).Compile(&Request{Op: OpGet, Projection: &text})
	if err != nil {
		b.Fatal(err)
	}
	item := itemOf(b, benchItem)
	b.ReportAllocs()
	for b.Loop() {
		plan.Projection.Of(item)
	}
}

// BenchmarkCompileManyPaths is an expression made to be slow: 620 paths into one map.
func BenchmarkCompileManyPaths(b *testing.B) {
	var text strings.Builder
	for i := range 620 {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString("a.z" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
	}
	projection := text.String()
	r := &Request{Op: OpGet, Projection: &projection}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := new(Cache).Compile(r); err != nil {
			b.Fatal(err)
		}
	}
}
