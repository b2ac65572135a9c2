package wirejson

import (
	"encoding/binary"

	"millrace/internal/api"
)

// Form is the stored form of items and of maps of values, for the codecs by hand: an item begins with its version, which is below a tab.
var Form = &api.Form{
	NewReader: func() api.FormReader { return new(formReader) },
	Size:      sizeOf,
	Append: func(b []byte, form api.JSON) []byte {
		b, _ = AppendItem(b, form) // the service has opened it
		return b
	},
}

// formReader is a Decoder that gives up on what is not as it should be: the service reads that once more, for the words.
type formReader struct{ Decoder }

// Read is api.FormReader's.
func (f *formReader) Read(body []byte, at int) (form api.JSON, end int, ok bool) {
	d := &f.Decoder
	d.data, d.pos, d.first, d.unknown = body, at, false, false
	start := d.build.Len()
	form = d.Item()
	if form != nil && d.invalid == nil && !d.unknown {
		return form, d.pos, true
	}
	d.err, d.invalid, d.unnamed = nil, nil, 0
	d.build.Truncate(start)
	return nil, 0, false
}

// Reset is api.FormReader's.
func (f *formReader) Reset() { f.Decoder.Reset(nil) }

// sizeOf estimates the JSON of a stored item by its bytes and its number of attributes.
func sizeOf(item api.JSON) int {
	_, k := binary.Uvarint(item[1:])
	if k <= 0 {
		return 0
	}
	head, _ := binary.Uvarint(item[1+k:])
	return len(item) + len(item)/4 + attributeRoom*int(head>>2)
}
