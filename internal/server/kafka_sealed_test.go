package server

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	awskinesis "github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKafkaRecordsOfAnEncryptedStreamAreSealed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Options{Data: dir, Region: "us-east-1"})
	c := client(s)
	if _, err := c.CreateStream(t.Context(), &awskinesis.CreateStreamInput{StreamName: new("secret"), ShardCount: new(int32(1))}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, "secret", 1)
	if _, err := c.StartStreamEncryption(t.Context(), &awskinesis.StartStreamEncryptionInput{
		StreamName: new("secret"), EncryptionType: types.EncryptionTypeKms, KeyId: new("alias/aws/kinesis"),
	}); err != nil {
		t.Fatal(err)
	}
	awaitShards(t, c, "secret", 1)
	k, err := kgo.NewClient(kgo.SeedBrokers(s.Addresses().Kafka), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ConsumeTopics("secret"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	text := strings.Repeat("nobody reads this on the disk", 10)
	if err := k.ProduceSync(t.Context(), &kgo.Record{Topic: "secret", Key: []byte("k"), Value: []byte(text)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	got := k.PollFetches(t.Context())
	if r := got.Records(); got.Err() != nil || len(r) != 1 || string(r[0].Value) != text {
		t.Fatalf("fetch: got %d records, %v", len(r), got.Err())
	}
	it, err := c.GetShardIterator(t.Context(), &awskinesis.GetShardIteratorInput{StreamName: new("secret"), ShardId: new("shardId-000000000000"), ShardIteratorType: types.ShardIteratorTypeTrimHorizon})
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.GetRecords(t.Context(), &awskinesis.GetRecordsInput{ShardIterator: it.ShardIterator})
	if err != nil || len(page.Records) != 1 || string(page.Records[0].Data) != text || page.Records[0].EncryptionType != types.EncryptionTypeKms {
		t.Fatalf("GetRecords: got %+v, %v", page, err)
	}
	k.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	inNoFile(t, dir)
}

// inNoFile looks for what nobody reads in all files of a folder.
func inNoFile(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("nobody reads this")) {
			t.Errorf("%s holds what nobody is to read", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
