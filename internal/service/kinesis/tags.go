package kinesis

import (
	"slices"
	"strings"
	"unicode"

	"millrace/internal/api/kinesisapi"
)

// addTags returns tags with those of more added or replaced; tags is kept as it is.
//
// Errors: InvalidArgumentException with AWS's texts.
//
// Source: kinesalite, actions/addTagsToStream.js and its test (read 2026-11); the limit was 10 then.
func addTags(p place, tags []tag, more map[string]string) ([]tag, error) {
	texts := make([]string, 0, 2*len(more))
	for k, v := range more {
		texts = append(texts, k, v)
	}
	if err := checkTagTexts(p, "add tags to", texts); err != nil {
		return nil, err
	}
	merged := slices.DeleteFunc(slices.Clone(tags), func(t tag) bool {
		_, replaced := more[t.key]
		return replaced
	})
	for k, v := range more {
		merged = append(merged, tag{k, v})
	}
	if len(merged) > maxTags {
		return nil, kinesisapi.InvalidArgumentException("Failed to add tags to stream " + p.stream + " under account " + p.account +
			" because a given stream cannot have more than 50 tags associated with it.")
	}
	return merged, nil
}

// checkTagTexts refuses characters as AWS does: some that cannot be there at all, and % although the
// first text allows it.
func checkTagTexts(p place, what string, texts []string) error {
	for _, s := range texts {
		if strings.ContainsFunc(s, func(r rune) bool { return !tagRune(r) }) {
			return kinesisapi.InvalidArgumentException("Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @ :.")
		}
	}
	if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "%") }) {
		return nil
	}
	return kinesisapi.InvalidArgumentException("Failed to " + what + " stream " + p.stream + " under account " + p.account +
		" because some tags contained illegal characters. The allowed characters are Unicode letters, white-spaces, '_',',','/','=','+','-','@',':'.")
}

func tagRune(r rune) bool {
	return r == ' ' || strings.ContainsRune("_./=+-%@:", r) || unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}
