package field

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestFieldsComeBackInTheirOrder(t *testing.T) {
	long := bytes.Repeat([]byte{'x'}, 255)
	b := []byte{7, 1, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 9}
	b = binary.AppendUvarint(b, 300)
	b = binary.AppendVarint(b, -300)
	b = append(append(b, 255), long...)
	b = append(b, 0, 2, 'h', 'i', 2, 'y', 'o', 1, 'e')
	r := Reader{B: b}
	if r.Byte() != 7 || r.Uint16() != 0x102 || r.Uint32() != 256 || r.Uint64() != 9 || r.Uvarint() != 300 || r.Varint() != -300 ||
		!bytes.Equal(r.Bytes8(), long) || r.Text16() != "hi" || r.TextVar() != "yo" || r.Text8() != "e" || !r.Done() {
		t.Fatalf("left: %+v", r)
	}
}

func TestFieldThatDoesNotFitEndsTheValue(t *testing.T) {
	for name, read := range map[string]func(r *Reader){
		"byte":            func(r *Reader) { r.Take(3); r.Byte() },
		"two bytes":       func(r *Reader) { r.Take(2); r.Uint16() },
		"four bytes":      func(r *Reader) { r.Uint32() },
		"eight bytes":     func(r *Reader) { r.Uint64() },
		"text":            func(r *Reader) { r.Text8() },
		"long text":       func(r *Reader) { r.Text16() },
		"varint text":     func(r *Reader) { r.TextVar() },
		"open varint":     func(r *Reader) { r.B = []byte{0x80}; r.Uvarint() },
		"open signed one": func(r *Reader) { r.B = []byte{0x80}; r.Varint() },
		"count over most": func(r *Reader) { r.B = []byte{2, 0, 0}; r.Count(1) },
		"count over rest": func(r *Reader) { r.Count(1 << 20) },
		"negative":        func(r *Reader) { r.Take(-1) },
	} {
		r := Reader{B: []byte{4, 4, 4}}
		read(&r)
		if !r.Bad || r.Done() || r.Byte() != 0 || r.Uint64() != 0 || r.Text8() != "" || r.Take(0) != nil && len(r.B) > 0 {
			t.Errorf("%s: got %+v, want a reader that stays bad", name, r)
		}
	}
}

func TestWhatIsTakenHasNoRoomBehindIt(t *testing.T) {
	r := Reader{B: []byte("abcd")}
	_ = append(r.Take(2), 'X')
	if got := string(r.Take(2)); got != "cd" {
		t.Fatalf("got %q, want what followed untouched", got)
	}
}
