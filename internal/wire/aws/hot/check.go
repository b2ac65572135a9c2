package hot

import "bytes"

// The checks below are the model's constraints, or stricter: what they refuse the general codec looks
// at again. A test compares them with the model.

const maxData = 10 << 20

// isName is a stream's name: 1 to 128 characters of [a-zA-Z0-9_.-].
func isName(b []byte) bool {
	if len(b) < 1 || len(b) > 128 {
		return false
	}
	for _, c := range b {
		if !nameByte[c] {
			return false
		}
	}
	return true
}

var nameByte = func() (t [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-" {
		t[c] = true
	}
	return t
}()

// isKey is a partition key of 1 to 256 bytes, and so of at most as many characters.
func isKey(b []byte) bool { return len(b) >= 1 && len(b) <= 256 }

// isDecimal is 0 or a number without leading zeros of at most digits digits.
func isDecimal(b []byte, digits int) bool {
	if len(b) < 1 || len(b) > digits || b[0] == '0' && len(b) > 1 {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isStreamARN is the usual form of arn:aws.*:kinesis:.*:\d{12}:stream/\S+:
// arn:PARTITION:kinesis:REGION:ACCOUNT:stream/NAME.
func isStreamARN(b []byte) bool {
	if len(b) > 2048 || !bytes.HasPrefix(b, []byte("arn:aws")) {
		return false
	}
	_, b, _ = bytes.Cut(b[len("arn:"):], []byte(":"))
	service, b, _ := bytes.Cut(b, []byte(":"))
	_, b, _ = bytes.Cut(b, []byte(":"))
	account, name, _ := bytes.Cut(b, []byte(":"))
	if string(service) != "kinesis" || len(account) != 12 {
		return false
	}
	for _, c := range account {
		if c < '0' || c > '9' {
			return false
		}
	}
	return bytes.HasPrefix(name, []byte("stream/")) && isName(name[len("stream/"):])
}

// isIterator is a shard iterator of 1 to 512 bytes.
func isIterator(b []byte) bool { return len(b) >= 1 && len(b) <= 512 }
