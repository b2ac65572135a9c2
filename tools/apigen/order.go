package main

import (
	"slices"
	"unicode"
)

// reportOrder is the order in which AWS reports violations of a structure's members: the order of a
// java.util.HashMap (as of Java 6 and 7) over the member names in lower camel case. It was found by
// comparing with what kinesalite recorded: it agrees on all operations up to 2017 but MergeShards and
// SplitShard, where two members share a bucket. ListShards, recorded later, is in alphabetical order
// there, and the later tests compare without order: AWS's may have changed since.
//
// java8 is the order of the HashMap of that and later versions, in which what DynamoDB answered in 2026 is (paritysuite
// dynamodb-conformance, tests/tier3/validation-ordering).
func reportOrder(names []string, java8 bool) []int {
	size := 16
	for len(names) > size*3/4 {
		size *= 2
	}
	buckets := make([][]int, size)
	for i, name := range names {
		b := javaBucket(lowerFirst(name), size, java8)
		buckets[b] = append(buckets[b], i)
	}
	order := make([]int, 0, len(names))
	for _, b := range buckets {
		if !java8 {
			slices.Reverse(b) // a new entry goes to the head of its chain
		}
		order = append(order, b...)
	}
	return order
}

func javaBucket(s string, size int, java8 bool) int {
	var h uint32
	for _, c := range s {
		h = 31*h + uint32(c)
	}
	if java8 {
		return int((h ^ h>>16) & uint32(size-1))
	}
	h ^= h>>20 ^ h>>12
	h ^= h>>7 ^ h>>4
	return int(h & uint32(size-1))
}

func lowerFirst(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
