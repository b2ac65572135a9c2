package dynamodb

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"millrace/internal/api/dynamodbapi"
)

// maxTags is how many tags a table has at most. Source: developer guide, "Tagging restrictions" (read 2026-11).
const maxTags = 50

// tag is one tag of a table.
type tag struct{ key, value string }

// addTags returns tags with those of more added or replaced, in order of keys; tags is kept as it is.
//
// Errors: ValidationException. Source of texts: AWS Controllers for Kubernetes, findings about DynamoDB, recorded 2026-10.
func addTags(tags []tag, more []dynamodbapi.Tag) ([]tag, error) {
	merged := slices.Clone(tags)
	for i, m := range more {
		if slices.ContainsFunc(more[:i], func(o dynamodbapi.Tag) bool { return o.Key == m.Key }) {
			return nil, errInvalid("Duplicate Tag Keys provided as input: Duplicate Tag Key found " + m.Key)
		}
		if m.MissingMembers().Has(tagKeyMember) {
			return nil, errTagKey("null")
		}
		if err := checkTagKey(m.Key); err != nil {
			return nil, err
		}
		if m.MissingMembers().Has(tagValueMember) {
			return nil, errTagValue("null")
		}
		if !isTagText(m.Value, maxTagValue) {
			return nil, errTagValue(m.Value)
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

// Members of a Tag in its model, and how long they are at most, in characters. Source: API reference, Tag (read 2026-11).
const (
	tagKeyMember   = 0
	tagValueMember = 1
	maxTagKey      = 128
	maxTagValue    = 256
)

func errTagKey(key string) error { return errInvalid("The Tag Key provided is invalid, Key: " + key) }

func errTagValue(v string) error { return errInvalid("The Tag Value provided is invalid, Value: " + v) }

func checkTagKey(key string) error {
	if strings.HasPrefix(strings.ToLower(key), "aws:") {
		return errInvalid("Tag Key cannot be prefixed with aws:, Key: " + key)
	}
	if key == "" || !isTagText(key, maxTagKey) {
		return errTagKey(key)
	}
	return nil
}

// isTagText says whether a key or value is not too long and has only characters that tags may have: letters, digits and spaces of any
// script, and some signs.
func isTagText(s string, most int) bool {
	if utf8.RuneCountInString(s) > most {
		return false
	}
	for _, c := range s {
		if !unicode.In(c, unicode.L, unicode.N, unicode.Z) && !strings.ContainsRune("+-=._:/@", c) {
			return false
		}
	}
	return true
}

func checkTags(tags []dynamodbapi.Tag) error {
	if len(tags) == 0 {
		return errInvalid("Atleast one Tag needs to be provided as Input.")
	}
	return nil
}

// checkTagKeys checks the keys of tags to remove: as many as a table can have.
//
// Errors: ValidationException.
func checkTagKeys(keys []string) error {
	if len(keys) == 0 {
		return errInvalid("Atleast one Tag Key needs to be provided as Input.")
	}
	if len(keys) > maxTags {
		return errInvalid("Number of Tags exceed the current limit for the provided ResourceArn")
	}
	for _, k := range keys {
		if err := checkTagKey(k); err != nil {
			return err
		}
	}
	return nil
}
