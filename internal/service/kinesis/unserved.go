package kinesis

import (
	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// unserved are operations of the service model that do not exist here. The front does not know them, so that
// they answer as AWS answers an unknown operation whatever their input is.
var unserved = []string{
	"AcknowledgeDeadLetterQueueRecords",
	"AcknowledgeQueueRecords",
	"CreateChannel",
	"CreateQueue",
	"DeleteChannel",
	"DeleteQueue",
	"DescribeChannel",
	"DescribeQueue",
	"ListChannels",
	"ListQueues",
	"ReceiveDeadLetterQueueRecords",
	"ReceiveQueueRecords",
	"RestoreDeadLetterQueueRecords",
	"UpdateChannel",
	"UpdateDeadLetterQueueRecordsVisibility",
	"UpdateQueue",
	"UpdateQueueRecordsVisibility",
}

// Bind makes s ready for the front.
func Bind(s *Service) *api.Binding {
	b := kinesisapi.Bind(s)
	for _, name := range unserved {
		delete(b.Operations, name)
	}
	return b
}
