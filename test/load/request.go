package load

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Header is one header field; names are lower case.
type Header struct{ Name, Value string }

// Request is built once and sent many times. A signature is good for five minutes at least (AWS's
// tolerance for clocks), so a run builds its requests when it begins.
type Request struct {
	Headers []Header // without host and content-length
	Host    string
	Body    []byte
	http1   []byte // the whole request as HTTP/1.1
}

// Signer builds requests to one service.
type Signer struct {
	Host        string // HOST:PORT
	Credentials aws.Credentials
	Region      string
}

// Kinesis builds a signed request for the operation op with a JSON body.
func (s Signer) Kinesis(op string, body []byte) (*Request, error) {
	return s.sign("kinesis", "application/x-amz-json-1.1", "Kinesis_20131202."+op, body)
}

// DynamoDB builds a signed request for the operation op with a JSON body.
func (s Signer) DynamoDB(op string, body []byte) (*Request, error) {
	return s.sign("dynamodb", "application/x-amz-json-1.0", "DynamoDB_20120810."+op, body)
}

// Streams builds a signed request for the operation op of DynamoDB Streams with a JSON body.
func (s Signer) Streams(op string, body []byte) (*Request, error) {
	return s.sign("dynamodb", "application/x-amz-json-1.0", "DynamoDBStreams_20120810."+op, body)
}

func (s Signer) sign(service, contentType, target string, body []byte) (*Request, error) {
	r, err := http.NewRequest(http.MethodPost, "http://"+s.Host+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Amz-Target", target)
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(context.Background(), s.Credentials, r, hex.EncodeToString(sum[:]), service, s.Region, time.Now())
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", target, err)
	}
	req := &Request{Host: s.Host, Body: body}
	for _, name := range []string{"Content-Type", "X-Amz-Target", "X-Amz-Date", "Authorization"} {
		req.Headers = append(req.Headers, Header{string(bytes.ToLower([]byte(name))), r.Header.Get(name)})
	}
	req.http1 = req.encodeHTTP1()
	return req, nil
}

func (r *Request) encodeHTTP1() []byte {
	var b bytes.Buffer
	b.WriteString("POST / HTTP/1.1\r\nhost: " + r.Host + "\r\ncontent-length: " + strconv.Itoa(len(r.Body)) + "\r\n")
	for _, h := range r.Headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}
