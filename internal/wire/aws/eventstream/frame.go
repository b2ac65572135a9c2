// Package eventstream writes messages of application/vnd.amazon.eventstream, the form of answers that
// stay open. All numbers are big-endian, sums are CRC-32 (IEEE):
//
//	0   length of the whole message  4
//	4   length of the headers        4
//	8   sum of the 8 bytes before    4
//	12  headers: for each            name length 1 | name | 07 | value length 2 | value
//	    payload
//	    sum of all before            4
//
// A message is written in place around its payload, which is never copied:
//
//	b = eventstream.Open(b, eventstream.Header{...})
//	b = append(b, payload...)
//	b = eventstream.Close(b, start)
//
// Source: Smithy specification, "Amazon Event Stream" (read 2026-11). Values are strings here (type 7);
// no service answers other types in what it describes events with.
package eventstream

import (
	"encoding/binary"
	"hash/crc32"
)

// ContentType is that of the HTTP answer.
const ContentType = "application/vnd.amazon.eventstream"

// Header is one header of a message. A name has at most 255 bytes, a value 32,767; longer ones are cut.
type Header struct{ Name, Value string }

const (
	preludeSize = 12
	sumSize     = 4
	typeString  = 7
	maxName     = 1<<8 - 1
	maxValue    = 1<<15 - 1
)

// Open begins a message at the end of b. The payload is appended after it, then Close ends it.
func Open(b []byte, headers ...Header) []byte {
	start := len(b)
	b = append(b, make([]byte, preludeSize)...)
	for _, h := range headers {
		name, value := h.Name[:min(len(h.Name), maxName)], h.Value[:min(len(h.Value), maxValue)]
		b = append(append(b, byte(len(name))), name...)
		b = append(b, typeString)
		b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
		b = append(b, value...)
	}
	binary.BigEndian.PutUint32(b[start+4:], uint32(len(b)-start-preludeSize))
	return b
}

// Close ends the message that begins at start. Nothing else follows it in b.
func Close(b []byte, start int) []byte {
	m := b[start:]
	binary.BigEndian.PutUint32(m, uint32(len(m)+sumSize))
	binary.BigEndian.PutUint32(m[8:], crc32.ChecksumIEEE(m[:8]))
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(m))
}
