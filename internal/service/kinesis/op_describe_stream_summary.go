package kinesis

import (
	"context"
	"time"

	"millrace/internal/api/kinesisapi"
)

// DescribeStreamSummary: a stream without its shards.
//
// Behaviour
//   - counts open shards; 0 while the stream is being created
//   - twenty calls a second for each account
//
// Errors: ResourceNotFoundException, InvalidArgumentException, LimitExceededException
// Source: Kinesis API reference, DescribeStreamSummary (read 2026-11)
func (s *Service) DescribeStreamSummary(ctx context.Context, in *kinesisapi.DescribeStreamSummaryInput) (*kinesisapi.DescribeStreamSummaryOutput, error) {
	p, err := s.begin(ctx, "DescribeStreamSummary", in.StreamName, in.StreamARN)
	if err != nil {
		return nil, err
	}
	st, registered, err := s.fetchCounted(ctx, p)
	if err != nil {
		return nil, apiError(err)
	}
	open := int32(len(st.leaves()))
	if !st.shows() {
		open = 0
	}
	consumers, largest := int32(registered), st.settings.maxRecordKiB
	encrypted, keyID := st.encryption.described()
	d := &kinesisapi.StreamDescriptionSummary{
		StreamName:              p.stream,
		StreamARN:               p.arn(),
		StreamStatus:            kinesisapi.StreamStatus(st.topic.State.String()),
		StreamModeDetails:       st.settings.modeDetails(),
		RetentionPeriodHours:    st.settings.retentionHours,
		StreamCreationTimestamp: time.UnixMilli(st.topic.Created).UTC(),
		EnhancedMonitoring:      st.metrics.enhanced(),
		EncryptionType:          encrypted,
		KeyId:                   keyID,
		OpenShardCount:          open,
		ConsumerCount:           &consumers,
		MaxRecordSizeInKiB:      &largest,

		RecordDistributionStrategy: st.settings.strategy(),
	}
	if warm := st.settings.warmMiBps; warm > 0 {
		d.WarmThroughput = &kinesisapi.WarmThroughputObject{TargetMiBps: &warm, CurrentMiBps: &warm}
	}
	return &kinesisapi.DescribeStreamSummaryOutput{StreamDescriptionSummary: d}, nil
}
