package aws

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// ids makes request ids. They must not repeat, but may be guessed: the runtime's generator is enough.
type ids struct{}

// request is a random UUID (version 4), as AWS's are in form.
func (ids) request() string {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(raw[8:], rand.Uint64())
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:8], raw[0:4])
	hex.Encode(text[9:13], raw[4:6])
	hex.Encode(text[14:18], raw[6:8])
	hex.Encode(text[19:23], raw[8:10])
	hex.Encode(text[24:36], raw[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// long is an id as DynamoDB's are: 52 random digits and letters.
func (ids) long() string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
	var text [52]byte
	var r uint64
	for i := range text {
		if i%12 == 0 { // five bits each
			r = rand.Uint64()
		}
		text[i] = digits[r&31]
		r >>= 5
	}
	return string(text[:])
}

// id2 is an x-amz-id-2: 72 random bytes in base64.
func (ids) id2() string {
	var raw [72]byte
	for i := 0; i < len(raw); i += 8 {
		binary.LittleEndian.PutUint64(raw[i:], rand.Uint64())
	}
	var text [96]byte
	base64.StdEncoding.Encode(text[:], raw[:])
	return string(text[:])
}
