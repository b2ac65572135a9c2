package kinesis

import (
	"context"
	"fmt"

	"millrace/internal/api/kinesisapi"
	"millrace/internal/core/catalog"
)

// changeRetention sets the retention of an active stream; check compares it with what it is now.
func (s *Service) changeRetention(ctx context.Context, p place, hours int32, check func(now int32) error) error {
	err := s.setRetention(ctx, p, hours, func(st *stream) error {
		if hours < minRetentionHours {
			return kinesisapi.InvalidArgumentException(fmt.Sprintf("Minimum allowed retention period is %d hours. "+
				"Requested retention period (%d hours) is too short.", minRetentionHours, hours))
		}
		if hours > maxRetentionHours {
			return kinesisapi.InvalidArgumentException(fmt.Sprintf("Maximum allowed retention period is %d hours. "+
				"Requested retention period (%d hours) is too long.", maxRetentionHours, hours))
		}
		if st.topic.State != catalog.StateActive {
			return errNotActive(p, st.topic.State)
		}
		return check(st.settings.retentionHours)
	})
	s.cache.expire(p)
	return err
}

func errRetention(p place, asked, now int32, how, use string) error {
	return kinesisapi.InvalidArgumentException(fmt.Sprintf("Requested retention period (%d hours) for stream %s can not be %s than "+
		"existing retention period (%d hours). Use %s API.", asked, p.stream, how, now, use))
}
