package dynamodb

import (
	"slices"
	"strings"

	"millrace/internal/api/dynamodbapi"
)

// maxTags is how many tags a table has at most. Source: developer guide, "Tagging restrictions" (read 2026-11).
const maxTags = 50

// tag is one tag of a table.
type tag struct{ key, value string }

// addTags returns tags with those of more added or replaced, in order of keys; tags is kept as it is.
//
// Errors: ValidationException. Source of texts: public clients' tests against AWS, autumn 2026.
func addTags(tags []tag, more []dynamodbapi.Tag) ([]tag, error) {
	merged := slices.Clone(tags)
	for i, m := range more {
		if slices.ContainsFunc(more[:i], func(o dynamodbapi.Tag) bool { return o.Key == m.Key }) {
			return nil, errInvalid("Duplicate Tag Keys provided as input: Duplicate Tag Key found " + m.Key)
		}
		if strings.HasPrefix(strings.ToLower(m.Key), "aws:") {
			return nil, errInvalid("Tag Key cannot be prefixed with aws:, Key: " + m.Key)
		}
		at, found := slices.BinarySearchFunc(merged, m.Key, func(t tag, key string) int { return strings.Compare(t.key, key) })
		if found {
			merged[at].value = m.Value
			continue
		}
		merged = slices.Insert(merged, at, tag{strings.Clone(m.Key), strings.Clone(m.Value)})
	}
	if len(merged) > maxTags {
		return nil, errInvalid("Number of Tags exceed the current limit for the provided ResourceArn")
	}
	return merged, nil
}
