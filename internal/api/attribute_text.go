package api

import (
	"bytes"
	"encoding/json"
	"strings"
)

// attributeMembers are those of DynamoDB's AttributeValue in the order of its texts, with members that no model has. Source:
// paritysuite dynamodb-conformance, captures/cross-region-latest.json (2026-09-20, read 2026-11).
var attributeMembers = []string{
	"S", "N", "B", "INT", "DECIMAL", "DOUBLE", "SS", "NS", "BS", "INTSET", "DECIMALSET", "DOUBLESET", "M", "L", "NULL", "BOOL",
}

// attributeText is what AWS's texts show of a value that stayed JSON: an AttributeValue or a map of them.
func attributeText(s *Shape, body []byte) string {
	if len(body) > maxListed {
		return Clip(string(body)) // with less work
	}
	if s.Name == "AttributeValue" {
		return attributeValueText(body)
	}
	return attributeMapText(body)
}

// attributeMapText shows {pk=AttributeValue(s=a, n=null, ...)}; a body that is no map stays as it is.
func attributeMapText(body []byte) string {
	names, values, ok := members(body)
	if !ok {
		return string(body)
	}
	for i, v := range values {
		values[i] = []byte(names[i] + "=" + attributeValueText(v))
	}
	return "{" + string(bytes.Join(values, []byte(", "))) + "}"
}

func attributeValueText(body []byte) string {
	names, values, ok := members(body)
	if !ok {
		return string(body)
	}
	found := map[string]string{}
	for i, v := range values {
		found[names[i]] = contentText(names[i], v)
	}
	parts := make([]string, len(attributeMembers))
	for i, name := range attributeMembers {
		text, there := found[name]
		if !there {
			text = "null"
		}
		parts[i] = lowerFirst(name) + "=" + text
	}
	return "AttributeValue(" + strings.Join(parts, ", ") + ")"
}

// contentText shows what the member of an AttributeValue called kind holds.
func contentText(kind string, body []byte) string {
	switch kind {
	case "M":
		return attributeMapText(body)
	case "L", "SS", "NS", "BS":
		var elements []json.RawMessage
		if json.Unmarshal(body, &elements) != nil {
			return string(body)
		}
		parts := make([]string, len(elements))
		for i, e := range elements {
			parts[i] = plainText(e)
			if kind == "L" {
				parts[i] = attributeValueText(e)
			}
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return plainText(body)
	}
}

// plainText is a string without its quotes, and everything else as it is.
func plainText(body []byte) string {
	var s string
	if json.Unmarshal(body, &s) != nil {
		return string(body)
	}
	return s
}

// members are those of a JSON object in their order.
func members(body []byte) (names []string, values [][]byte, ok bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false
	}
	for d.More() {
		t, err := d.Token()
		name, is := t.(string)
		var value json.RawMessage
		if err != nil || !is || d.Decode(&value) != nil {
			return nil, nil, false
		}
		names, values = append(names, name), append(values, value)
	}
	return names, values, true
}
