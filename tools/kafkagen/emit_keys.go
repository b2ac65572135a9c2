package main

import "strings"

// emitKeys writes the keys of all requests, also of those that are not generated, and what their
// definitions say of versions.
func emitKeys(all []*definition) ([]byte, error) {
	f := newFile()
	f.line("// Keys of all requests, in every listener; see [Served] for those that are answered.\nconst (")
	requests := byKey(all, "request")
	for _, d := range requests {
		f.line("Key%s Key = %d", keyName(d), *d.APIKey)
	}
	f.line(")\n\n// definitions is what the definitions say, by key.\nvar definitions = [...]definition{")
	for _, d := range requests {
		flexible := d.Flexible.from
		if d.Flexible.empty() {
			flexible = 1<<15 - 1
		}
		f.line("Key%s: {%q, %d, %d, %d, %v, %v},", keyName(d), strings.TrimSuffix(d.Name, "Request"),
			d.Valid.from, d.Valid.to, flexible, d.Unstable, isBrokers(d))
	}
	f.line("}")
	return f.formatted()
}

// emitTests writes a list of all messages, for tests alone, so that the binary holds only what it serves.
func emitTests(messages []*message) ([]byte, error) {
	f := newFile()
	f.line("// generated is every message with its key (-1 for data), kind and versions.\nvar generated = []generatedMessage{")
	for _, m := range messages {
		key := int16(-1)
		if m.APIKey != nil {
			key = *m.APIKey
		}
		f.line("{%d, %q, %d, %d, func() Message { return new(%s) }},", key, m.Type, m.Valid.from, m.Valid.to, m.structs[0].name)
	}
	f.line("}")
	return f.formatted()
}

func keyName(d *definition) string { return goName(strings.TrimSuffix(d.Name, "Request")) }
