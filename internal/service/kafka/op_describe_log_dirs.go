package kafka

import (
	"context"
	"errors"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/catalog"
	"millrace/internal/core/store"
)

// defaultLogDir is shown for the folder of the logs where Options do not say one.
const defaultLogDir = "/millrace-data"

// DescribeLogDirs: how many bytes partitions hold.
//
// Behaviour
//   - there is one folder, log.dirs of the broker's configs; a store in memory has one too
//   - sizes are those of stored batches, before the store compresses them by itself
//   - topics and partitions that do not exist are left out
//
// Errors: none of its own
// Source: DescribeLogDirsRequest.json of Kafka 4.3.1, KIP-113, KIP-827
func (b *Broker) describeLogDirs(c *Call, req *kafkaapi.DescribeLogDirsRequest) *kafkaapi.DescribeLogDirsResponse {
	dir := kafkaapi.NewDescribeLogDirsResponseDescribeLogDirsResult()
	dir.LogDir = b.logDir()
	dir.Topics = []kafkaapi.DescribeLogDirsResponseDescribeLogDirsTopic{}
	var failed error
	add := func(t *topic, only []int32) bool {
		var sizes kafkaapi.DescribeLogDirsResponseDescribeLogDirsTopic
		if sizes, failed = b.sizes(c.Context, t, only); failed == nil && len(sizes.Partitions) > 0 {
			dir.Topics = append(dir.Topics, sizes)
		}
		return failed == nil
	}
	if req.Topics == nil {
		if err := b.allTopics(c.Context, "", func(t *topic) bool { return add(t, nil) }); err != nil {
			failed = err
		}
	}
	for _, asked := range req.Topics {
		t, err := b.current(c.Context, asked.Topic)
		if errors.Is(err, catalog.ErrNotFound) {
			continue
		}
		if failed = err; failed != nil || !add(t, asked.Partitions) {
			break
		}
	}
	res := &kafkaapi.DescribeLogDirsResponse{}
	if res.ErrorCode = b.codeOf("describe log dirs", failed); failed == nil {
		res.Results = []kafkaapi.DescribeLogDirsResponseDescribeLogDirsResult{dir}
	}
	return res
}

// logDir is the one folder of the logs, by the name that clients know.
func (b *Broker) logDir() string {
	if v, ok := b.topics.broker.Load().Value("log.dirs"); ok {
		return v
	}
	return defaultLogDir
}

// sizes are the bytes of a topic's partitions, of all when only is nil.
func (b *Broker) sizes(ctx context.Context, t *topic, only []int32) (kafkaapi.DescribeLogDirsResponseDescribeLogDirsTopic, error) {
	d := kafkaapi.DescribeLogDirsResponseDescribeLogDirsTopic{Name: t.name}
	add := func(index int32) error {
		p, ok := t.partition(index)
		if !ok {
			return nil
		}
		size := kafkaapi.DescribeLogDirsResponseDescribeLogDirsPartition{PartitionIndex: index}
		if p.id != 0 {
			st, err := b.store.Stat(ctx, p.id)
			if err != nil && !errors.Is(err, store.ErrNoPartition) {
				return err
			}
			size.PartitionSize = st.Bytes
		}
		d.Partitions = append(d.Partitions, size)
		return nil
	}
	if only != nil {
		for _, index := range only {
			if err := add(index); err != nil {
				return d, err
			}
		}
		return d, nil
	}
	for index := range t.partitions {
		if err := add(int32(index)); err != nil {
			return d, err
		}
	}
	return d, nil
}
