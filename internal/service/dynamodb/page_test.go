package dynamodb

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
)

func put(c *caller, table, item string) {
	c.t.Helper()
	if _, err := c.svc.PutItem(c.ctx(), &dynamodbapi.PutItemInput{TableName: table, Item: api.JSON(item)}); err != nil {
		c.t.Fatalf("PutItem %s: %v", item, err)
	}
}

// queryAll is the sort keys that a query answers, page by page.
func queryAll(c *caller, in dynamodbapi.QueryInput) []string {
	c.t.Helper()
	var got []string
	for {
		out, err := c.svc.Query(c.ctx(), &in)
		if err != nil {
			c.t.Fatalf("Query %s: %v", *in.KeyConditionExpression, err)
		}
		for _, item := range out.Items {
			got = append(got, string(item))
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return got
		}
	}
}

func TestQueriesFindTheRangeTheyNameInOrder(t *testing.T) {
	c := start(t)
	c.create("ranges", "h:S", "r:N")
	var keys []int
	for i := -30; i < 30; i += 3 {
		keys = append(keys, i)
		put(c, "ranges", fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"}}`, i))
		put(c, "ranges", fmt.Sprintf(`{"h":{"S":"a\u0000"},"r":{"N":"%d"}}`, i))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	conditions := map[string]func(k, low, high int) bool{
		"r = :l":              func(k, l, _ int) bool { return k == l },
		"r < :l":              func(k, l, _ int) bool { return k < l },
		"r <= :l":             func(k, l, _ int) bool { return k <= l },
		"r > :l":              func(k, l, _ int) bool { return k > l },
		"r >= :l":             func(k, l, _ int) bool { return k >= l },
		"r BETWEEN :l AND :u": func(k, l, u int) bool { return l <= k && k <= u },
	}
	for range 200 {
		name := slices.Sorted(maps.Keys(conditions))[rnd.IntN(len(conditions))]
		low := rnd.IntN(70) - 35
		high := low + rnd.IntN(20)
		values := fmt.Sprintf(`{":h":{"S":"a"},":l":{"N":"%d"}}`, low)
		if name == "r BETWEEN :l AND :u" {
			values = fmt.Sprintf(`{":h":{"S":"a"},":l":{"N":"%d"},":u":{"N":"%d"}}`, low, high)
		}
		var want []string
		for _, k := range keys {
			if conditions[name](k, low, high) {
				want = append(want, fmt.Sprintf(`{"r":{"N":"%d"}}`, k))
			}
		}
		forward, limit := rnd.IntN(2) == 0, int32(1+rnd.IntN(8))
		if !forward {
			slices.Reverse(want)
		}
		got := queryAll(c, dynamodbapi.QueryInput{
			TableName: "ranges", KeyConditionExpression: new("h = :h AND " + name), ExpressionAttributeValues: api.JSON(values),
			ProjectionExpression: new("r"), ScanIndexForward: &forward, Limit: &limit,
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%s with %s, forward %v, limit %d:\ngot  %v\nwant %v", name, values, forward, limit, got, want)
		}
	}
}

func TestQueryByPrefixFindsWhatBeginsWithIt(t *testing.T) {
	c := start(t)
	c.create("prefixes", "h:S", "r:S")
	for _, r := range []string{"a", "a\\u0000b", "ab", "abc", "ac", "b"} {
		put(c, "prefixes", `{"h":{"S":"h"},"r":{"S":"`+r+`"}}`)
	}
	got := queryAll(c, dynamodbapi.QueryInput{
		TableName: "prefixes", KeyConditionExpression: new("h = :h AND begins_with(r, :p)"), ProjectionExpression: new("r"),
		ExpressionAttributeValues: api.JSON(`{":h":{"S":"h"},":p":{"S":"ab"}}`),
	})
	if want := []string{`{"r":{"S":"ab"}}`, `{"r":{"S":"abc"}}`}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSegmentsOfAScanAreTheWholeTableOnce(t *testing.T) {
	c := start(t)
	c.create("segments", "h:N")
	for i := range 300 {
		put(c, "segments", `{"h":{"N":"`+strconv.Itoa(i)+`"}}`)
	}
	for _, total := range []int32{0, 1, 3, 16, 1_000_000} {
		seen := map[string]int{}
		for segment := range max(total, 1) {
			if total > 1000 && segment%1000 != 0 {
				continue // most of these are empty
			}
			in := &dynamodbapi.ScanInput{TableName: "segments", Limit: new(int32(7))}
			if total > 0 {
				in.TotalSegments, in.Segment = &total, new(segment)
			}
			for {
				out, err := c.svc.Scan(c.ctx(), in)
				if err != nil {
					t.Fatal(err)
				}
				for _, item := range out.Items {
					seen[string(item)]++
				}
				if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
					break
				}
			}
		}
		for item, n := range seen {
			if n != 1 {
				t.Errorf("%d segments: %s was seen %d times", total, item, n)
			}
		}
		if total <= 1000 && len(seen) != 300 {
			t.Errorf("%d segments: got %d items, want 300", total, len(seen))
		}
	}
}

func TestPageEndsWithTheItemThatPassesOneMegabyte(t *testing.T) {
	c := start(t)
	c.create("large", "h:S", "r:N")
	filler := make([]byte, 100_000)
	for i := range filler {
		filler[i] = 'x'
	}
	for i := range 25 {
		put(c, "large", fmt.Sprintf(`{"h":{"S":"a"},"r":{"N":"%d"},"x":{"S":"%s"}}`, i, filler))
	}
	in := &dynamodbapi.QueryInput{
		TableName: "large", KeyConditionExpression: new("h = :h"), ExpressionAttributeValues: api.JSON(`{":h":{"S":"a"}}`),
		ProjectionExpression: new("r"), ReturnConsumedCapacity: new(dynamodbapi.ReturnConsumedCapacityTotal),
	}
	var counts []int32
	for {
		out, err := c.svc.Query(c.ctx(), in)
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, *out.Count)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			break
		}
	}
	if want := []int32{11, 11, 3}; !slices.Equal(counts, want) {
		t.Errorf("items on pages: got %v, want %v", counts, want)
	}
}
