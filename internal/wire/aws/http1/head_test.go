package http1

import (
	"bufio"
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const sdkHead = "POST / HTTP/1.1\r\nHost: localhost:4566\r\nUser-Agent: aws-sdk-go-v2/1.47.5 ua/2.1 os/linux\r\nContent-Length: 69\r\n" +
	"Amz-Sdk-Invocation-Id: 3b241101-e2bb-4255-8caf-4136c566a962\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=0\r\n" +
	"Content-Type: application/x-amz-json-1.1\r\nX-Amz-Date: 20261120T093000Z\r\nX-Amz-Target: Kinesis_20131202.PutRecord\r\nAccept-Encoding: gzip\r\n\r\n"

func TestHeadOfTheSDKIsKnown(t *testing.T) {
	var h Head
	n, verdict := ParseHead([]byte(sdkHead+"{}"), &h)
	if verdict != Known || n != len(sdkHead) {
		t.Fatalf("got %d, %v, want %d, Known", n, verdict, len(sdkHead))
	}
	if h.Host != "localhost:4566" || h.Target != "Kinesis_20131202.PutRecord" || h.ContentType != "application/x-amz-json-1.1" || h.Length != 69 {
		t.Errorf("got %q %q %q %d", h.Host, h.Target, h.ContentType, h.Length)
	}
	if got := h.Values("x-amz-date"); !slices.Equal(got, []string{"20261120T093000Z"}) {
		t.Errorf("got date %q", got)
	}
	if got := h.Values("absent"); got != nil {
		t.Errorf("got %q for an absent header", got)
	}
}

func TestEveryPrefixOfAHeadIsIncomplete(t *testing.T) {
	var h Head
	for i := range len(sdkHead) {
		if _, verdict := ParseHead([]byte(sdkHead[:i]), &h); verdict != Incomplete {
			t.Fatalf("first %d bytes: got %v, want Incomplete", i, verdict)
		}
	}
}

func TestWhatIsNotPlainIsUnknown(t *testing.T) {
	const fine = "Host: h\r\nContent-Length: 2\r\n"
	for _, head := range []string{
		"GET / HTTP/1.1\r\n" + fine, "POST /x HTTP/1.1\r\n" + fine, "POST / HTTP/1.0\r\n" + fine, "PRI * HTTP/2.0\r\n\r\nSM\r\n", "\r\nPOST / HTTP/1.1\r\n" + fine,
		"POST / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: h\r\n", "POST / HTTP/1.1\r\nContent-Length: 2\r\n", "POST / HTTP/1.1\n" + fine,
	} {
		expectUnknown(t, head+"\r\n")
	}
	for _, line := range []string{
		"Content-Length: 2", "Host: h", "Host: ", "Transfer-Encoding: chunked", "Expect: 100-continue", "Upgrade: h2c", "Trailer: x", "Origin: http://x",
		"Connection: close", "Connection: keep-alive, close", " folded", "\tfolded", "A : b", ": b", "A", "A\x00: b", "A: b\x00c", "A: \xff", "A: b\nC: d", "A: b\rC", "X-Amz-Target: ",
	} {
		expectUnknown(t, "POST / HTTP/1.1\r\n"+fine+line+"\r\n\r\n")
	}
	for _, length := range []string{"", "+2", "-1", "0x2", "2 2", "2,2", "1234567890"} {
		expectUnknown(t, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: "+length+"\r\n\r\n")
	}
	expectUnknown(t, "POST / HTTP/1.1\r\n"+fine+strings.Repeat("A: b\r\n", MaxHeaders-1)+"\r\n")
}

func expectUnknown(t *testing.T, head string) {
	t.Helper()
	var h Head
	if _, verdict := ParseHead([]byte(head), &h); verdict != Unknown {
		t.Errorf("%q: got %v, want Unknown", head, verdict)
	}
}

func TestRepeatedHeadersKeepAllValues(t *testing.T) {
	var h Head
	if _, verdict := ParseHead([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\na: 1\r\nA:2\r\nb: x\r\na: \t3 \r\n\r\n"), &h); verdict != Known {
		t.Fatalf("got %v, want Known", verdict)
	}
	if got := h.Values("a"); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("got %q", got)
	}
}

// FuzzHead: net/http reads what is Known in the same way.
func FuzzHead(f *testing.F) {
	f.Add([]byte(sdkHead))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\ncontent-encoding: gzip\r\n\r\n{}"))
	f.Add([]byte("POST / HTTP/1.1\r\nhost:[::1]:80\r\nCONTENT-LENGTH:0\r\nx: \t y \r\nConnection: Keep-Alive\r\n\r\nrest"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Head
		n, verdict := ParseHead(b, &h)
		if verdict != Known {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", b, err)
		}
		if r.Method != http.MethodPost || r.RequestURI != "/" || r.Host != h.Host || r.ContentLength != h.Length || r.Close ||
			r.Header.Get("X-Amz-Target") != h.Target || r.Header.Get("Content-Type") != h.ContentType || r.Header.Get("Authorization") != h.Authorization ||
			r.Header.Get("Content-Encoding") != h.ContentEncoding {
			t.Fatalf("net/http reads %q differently\n got %+v\nwant %+v", b, h, r)
		}
		if len(r.TransferEncoding) != 0 || len(r.Trailer) != 0 || !bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
			t.Fatalf("%q should not be known", b)
		}
		for name, want := range r.Header {
			if got := h.Values(strings.ToLower(name)); !slices.Equal(got, want) {
				t.Fatalf("%q: header %s is %q, net/http says %q", b, name, got, want)
			}
		}
	})
}

func BenchmarkParseHead(b *testing.B) {
	b.ReportAllocs()
	var h Head
	for b.Loop() {
		if _, verdict := ParseHead([]byte(sdkHead), &h); verdict != Known {
			b.Fatal(verdict)
		}
	}
}
