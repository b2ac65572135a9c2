package crash

import (
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"

	"millrace/test/load"
)

// client is one connection to the server, for one goroutine; it ends with the server.
type client struct {
	conn   load.Conn
	signer load.Signer
}

func dial(addr string) (*client, error) {
	conn, err := load.DialHTTP1(addr)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, signer: load.Signer{
		Host: addr, Region: "us-east-1",
		Credentials: aws.Credentials{AccessKeyID: "123456789012", SecretAccessKey: "any"},
	}}, nil
}

func (c *client) close() { _ = c.conn.Close() } // the server may be gone: nothing to add

// call sends one request and decodes the answer into out unless that is nil.
//
// Errors: *load.StatusError for a refusal; anything else means that the outcome is not known.
func (c *client) call(op string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.do(op, out, func() (*load.Request, error) { return c.signer.Kinesis(op, body) })
}

// do sends what sign returns and decodes the answer into out unless that is nil.
func (c *client) do(op string, out any, sign func() (*load.Request, error)) error {
	req, err := sign()
	if err != nil {
		return err
	}
	answer, err := c.conn.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// object is a JSON object.
type object map[string]any

// records of GetRecords; Data is base64 on the wire.
type page struct {
	NextShardIterator  string
	MillisBehindLatest int64
	Records            []struct {
		SequenceNumber string
		PartitionKey   string
		Data           []byte
	}
}

// iterator begins after the given sequence number, or at the beginning when that is empty.
func (c *client) iterator(s Shard, after string) (string, error) {
	in := object{"StreamName": s.Stream, "ShardId": s.ID, "ShardIteratorType": "TRIM_HORIZON"}
	if after != "" {
		in["ShardIteratorType"], in["StartingSequenceNumber"] = "AFTER_SEQUENCE_NUMBER", after
	}
	var out struct{ ShardIterator string }
	err := c.call("GetShardIterator", in, &out)
	return out.ShardIterator, err
}

// page reads on from iterator.
func (c *client) page(iterator string) (next string, behind int64, records []Found, err error) {
	var out page
	if err := c.call("GetRecords", object{"ShardIterator": iterator}, &out); err != nil {
		return "", 0, nil, err
	}
	for _, r := range out.Records {
		records = append(records, Found{Sequence: r.SequenceNumber, Key: r.PartitionKey, Data: string(r.Data)})
	}
	return out.NextShardIterator, out.MillisBehindLatest, records, nil
}
