package aws

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"millrace/internal/api/dynamodbapi"
)

func TestAnswersAreCompressedForWhoAsksWhenThatIsShorter(t *testing.T) {
	for _, netHTTPOnly := range []bool{false, true} {
		addr := serve(t, Options{netHTTPOnly: netHTTPOnly}, dynamodbapi.Bind(&table{}))
		for _, c := range []struct{ name, accept, text, want string }{
			{"gzip", "gzip", strings.Repeat("ab", 4000), "gzip"},
			{"deflate", "deflate", strings.Repeat("ab", 4000), "deflate"},
			{"several", "deflate;q=0.2, gzip;q=0.5", strings.Repeat("ab", 4000), "gzip"},
			{"nothing", "", strings.Repeat("ab", 4000), ""},
			{"identity", "identity", strings.Repeat("ab", 4000), ""},
			{"refused", "gzip;q=0", strings.Repeat("ab", 4000), ""},
			{"4,095 bytes", "gzip", strings.Repeat("a", 4095-len(`{"Item":{"a":{"S":""}}}`)), ""},
			{"4,096 bytes", "gzip", strings.Repeat("a", 4096-len(`{"Item":{"a":{"S":""}}}`)), "gzip"},
			{"letters without repetitions", "gzip", letters(100_000), "gzip"},
			{"letters without repetitions, deflate", "deflate", letters(100_000), "deflate"},
		} {
			item := `{"a":{"S":"` + c.text + `"}}`
			raw(t, addr, headers(typeJSON10, ddb+"PutItem"), []byte(`{"TableName":"t","Item":`+item+`}`))
			h := headers(typeJSON10, ddb+"GetItem")
			if c.accept != "" {
				h["Accept-Encoding"] = c.accept
			}
			a, got := raw(t, addr, h, []byte(`{"TableName":"t","Key":{}}`))
			wantSum(t, c.name, a, got)
			if is := a.Header.Get("Content-Encoding"); is != c.want {
				t.Errorf("%s: encoding %q, want %q", c.name, is, c.want)
			}
			sent := len(got)
			got = opened(t, got, a.Header.Get("Content-Encoding"))
			if want := `{"Item":` + item + `}`; got != want {
				t.Errorf("%s: got %.80q, want %.80q", c.name, got, want)
			}
			if c.want != "" && sent > len(got)*4/5 {
				t.Errorf("%s: %d bytes for %d, want at most four fifths", c.name, sent, len(got))
			}
		}
	}
}

// opened is what a body in an encoding stands for.
func opened(t *testing.T, body, encoding string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// letters are n capitals and digits at random.
func letters(n int) string {
	var b bytes.Buffer
	x := uint64(1)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
		b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[x>>40%36])
	}
	return b.String()
}

func TestWhatCompressesToNoLessIsSentAsItIs(t *testing.T) {
	noise := make([]byte, 10_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	for _, encoding := range []string{"gzip", "deflate", ""} {
		if got := compress(noise, encoding); got != nil {
			t.Errorf("%s: %d bytes for %d, want none", encoding, len(got), len(noise))
		}
	}
}

// Each line was seen at the service by the suite that encoding.go names.
func TestTheBestEncodingOfAnAnswerIsChosenAsDynamoDBDoes(t *testing.T) {
	for _, c := range []struct{ accept, want string }{
		{"identity", ""},
		{"", ""},
		{"br", ""},
		{"zstd", ""},
		{"compress", ""},
		{"x-gzip", ""},
		{"gzip, deflate", "gzip"},
		{"br, identity, deflate, gzip", "deflate"},
		{"GZIP, identity", "gzip"},
		{"dog, gzip ,, cat", "gzip"},
		{"gzip;q=0.8, deflate;q=0.5", "gzip"},
		{"br, gzip;q=0, deflate; q = 0.5 , identity;q=0", "deflate"},
		{"*", "gzip"},
		{"*, deflate;q=0.5", "gzip"},
		{"*, deflate", "deflate"},
		{"*, identity", "gzip"},
		{"*, gzip;q=0.5", "deflate"},
		{"gzip ;q=0", ""},
		{"identity;q=0", ""},
		{"*;q=0", ""},
		{"*;q=0.5,identity", "gzip"},
		{"gzip;q=0.5,identity;q=0.8", "gzip"},
		{"br;q=0.8,identity;q=0.5,*;q=0", ""},
		{`"gzip"`, ""},
		{"gzip br", ""},
		{"gzip:q=1", ""},
		{"deflate;q=0.5, gzip;q=31", "gzip"},
		{"gzip;q=31,deflate;q=51", "gzip"},
		{"deflate;q=0.5, gzip;q=0.2", "deflate"},
		{"deflate;q=0.5, gzip;q=1;q=0.2", "gzip"},
		{"deflate;q=0.5,gzip;q=0.", "deflate"},
		{"deflate;q=0.5,gzip;q=0.x", "gzip"},
		{"deflate;q=-0.5,gzip;q=0.2", "gzip"},
		{"gzip;nq=1;q=0 ", ""},
		{"gzip;q=0, gzip;q=1, gzip;q=0", "gzip"},
		{"br,identity;q=0.5,gzip;q=0.0001", "gzip"},
	} {
		if got := preferred(c.accept); got != c.want {
			t.Errorf("Accept-Encoding %q: got %q, want %q", c.accept, got, c.want)
		}
	}
}
