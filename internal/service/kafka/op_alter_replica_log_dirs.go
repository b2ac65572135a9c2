package kafka

import (
	"millrace/internal/api/kafkaapi"
)

// AlterReplicaLogDirs: nothing to do, since there is one folder and each partition is in it.
//
// Behaviour
//   - a partition that is to go to the folder where it is has succeeded
//   - the folder is looked at before the partition
//
// Errors, each in its partition: LOG_DIR_NOT_FOUND, UNKNOWN_TOPIC_OR_PARTITION
// Source: AlterReplicaLogDirsRequest.json of Kafka 4.3.1, KIP-113; codes of a broker of that version (recorded 2026-11)
func (b *Broker) alterReplicaLogDirs(c *Call, req *kafkaapi.AlterReplicaLogDirsRequest) *kafkaapi.AlterReplicaLogDirsResponse {
	res := &kafkaapi.AlterReplicaLogDirsResponse{Results: []kafkaapi.AlterReplicaLogDirsResponseAlterReplicaLogDirTopicResult{}}
	here := b.logDir()
	for _, dir := range req.Dirs {
		for _, asked := range dir.Topics {
			r := kafkaapi.AlterReplicaLogDirsResponseAlterReplicaLogDirTopicResult{TopicName: asked.Name}
			t, missing := (*topic)(nil), kafkaapi.LogDirNotFound
			if dir.Path == here {
				t, missing = b.named(c.Context, asked.Name)
			}
			for _, index := range asked.Partitions {
				code := missing
				if code == kafkaapi.None {
					if _, ok := t.partition(index); !ok {
						code = kafkaapi.UnknownTopicOrPartition
					}
				}
				r.Partitions = append(r.Partitions, kafkaapi.AlterReplicaLogDirsResponseAlterReplicaLogDirPartitionResult{PartitionIndex: index, ErrorCode: code})
			}
			res.Results = append(res.Results, r)
		}
	}
	return res
}
