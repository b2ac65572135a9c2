package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go/logging"
)

// wireTap hands out answers as they came, and changes those that spoil says. It keeps their heads, and what the SDK logs.
type wireTap struct {
	spoil   bool
	headers []http.Header
	log     strings.Builder
}

func (w *wireTap) Logf(_ logging.Classification, format string, v ...any) {
	fmt.Fprintf(&w.log, format+"\n", v...)
}

func (w *wireTap) Do(r *http.Request) (*http.Response, error) {
	answer, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return nil, err
	}
	w.headers = append(w.headers, answer.Header)
	if !w.spoil {
		return answer, nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte("wire"), []byte("wier"), 1)))
	return answer, nil
}

// The SDK holds X-Amz-Crc32 against the body as it came, and says so in its log when they differ.
func TestSDKForGoChecksTheSumsOfPlainAndCompressedAnswers(t *testing.T) {
	s := open(t, Options{KafkaListen: []string{Off}, HTTPListen: Off})
	createTable(t, tables(s), "sums")
	for _, compressed := range []bool{false, true} {
		tap := &wireTap{}
		c := dynamodb.New(tables(s).Options(), func(o *dynamodb.Options) { o.HTTPClient, o.Logger, o.EnableAcceptEncodingGzip = tap, tap, compressed })
		item := map[string]types.AttributeValue{"pk": text("wire"), "sk": number("1"), "text": text(strings.Repeat("long ", 2000))}
		key := map[string]types.AttributeValue{"pk": item["pk"], "sk": item["sk"]}
		if _, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("sums"), Item: item}); err != nil {
			t.Fatal(err)
		}
		get := func(ctx context.Context) (*dynamodb.GetItemOutput, error) {
			return c.GetItem(ctx, &dynamodb.GetItemInput{TableName: aws.String("sums"), Key: key})
		}
		out, err := get(t.Context())
		if err != nil || len(out.Item) != len(item) {
			t.Fatalf("compressed %v: %d attributes, %v", compressed, len(out.Item), err)
		}
		if is := tap.headers[1].Get("Content-Encoding") == "gzip"; is != compressed {
			t.Errorf("answer compressed: %v, want %v", is, compressed)
		}
		if _, err := c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: aws.String("none"), Key: key}); !errors.As(err, new(*types.ResourceNotFoundException)) {
			t.Errorf("got %v, want ResourceNotFoundException", err)
		}
		for i, h := range tap.headers {
			if h.Get("X-Amz-Crc32") == "" {
				t.Errorf("answer %d has no sum", i)
			}
		}
		if tap.log.Len() > 0 {
			t.Errorf("compressed %v: the SDK found %s", compressed, tap.log.String())
		}
		if compressed {
			continue // where a gzip reader finds a changed byte first
		}
		tap.spoil = true
		if _, err := get(t.Context()); err != nil || !strings.Contains(tap.log.String(), "did not match expected checksum") {
			t.Errorf("changed answer: got %v and the log %q, want a word about its checksum", err, tap.log.String())
		}
	}
}
