package kinesis

import (
	"fmt"

	"millrace/internal/api/kinesisapi"
)

// retain changes how long records are kept.
func (h *chronicle) retain(p place, k *knownStream) {
	hours := 24 + h.r.IntN(48)
	var err error
	if int64(hours) >= k.hours {
		_, err = h.svc.IncreaseStreamRetentionPeriod(h.ctx(), &kinesisapi.IncreaseStreamRetentionPeriodInput{StreamName: &p.stream, RetentionPeriodHours: int32(hours)})
	} else {
		_, err = h.svc.DecreaseStreamRetentionPeriod(h.ctx(), &kinesisapi.DecreaseStreamRetentionPeriodInput{StreamName: &p.stream, RetentionPeriodHours: int32(hours)})
	}
	if k.status != kinesisapi.StreamStatusActive {
		wantCode(h.t, "retention", err, "ResourceInUseException")
		return
	}
	if err != nil {
		h.t.Errorf("%v from %d to %d hours: %v", p, k.hours, hours, err)
	}
	k.hours = int64(hours)
}

// encrypt starts or stops encryption; what is put after the answer goes by it.
func (h *chronicle) encrypt(p place, k *knownStream) {
	var err error
	on, key := h.r.IntN(3) > 0, "alias/aws/kinesis"
	if on {
		_, err = h.svc.StartStreamEncryption(h.ctx(), &kinesisapi.StartStreamEncryptionInput{StreamName: &p.stream, EncryptionType: kinesisapi.EncryptionTypeKms, KeyId: key})
	} else {
		_, err = h.svc.StopStreamEncryption(h.ctx(), &kinesisapi.StopStreamEncryptionInput{StreamName: &p.stream, EncryptionType: kinesisapi.EncryptionTypeKms, KeyId: key})
	}
	if k.status != kinesisapi.StreamStatusActive {
		wantCode(h.t, "encryption", err, "ResourceInUseException")
		return
	}
	if err != nil {
		h.t.Errorf("%v: encryption %v: %v", p, on, err)
		return
	}
	k.status, k.wanted, k.count, k.asked = kinesisapi.StreamStatusUpdating, nil, len(k.open()), h.now()
	k.encrypted = on
}

// consumers registers a consumer, or deregisters one.
func (h *chronicle) consumers(p place, k *knownStream) {
	arn := p.arn()
	if len(k.consumers) > 3 || len(k.consumers) > 0 && h.r.IntN(3) == 0 {
		name := k.consumers[0]
		if _, err := h.svc.DeregisterStreamConsumer(h.ctx(), &kinesisapi.DeregisterStreamConsumerInput{StreamARN: &arn, ConsumerName: &name}); err != nil {
			h.t.Errorf("DeregisterStreamConsumer %s: %v", name, err)
		}
		k.consumers, k.deleted = k.consumers[1:], append(k.deleted, name)
		return
	}
	h.name++
	name := fmt.Sprint("consumer-", h.name)
	if _, err := h.svc.RegisterStreamConsumer(h.ctx(), &kinesisapi.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: name}); err != nil {
		h.t.Errorf("RegisterStreamConsumer %v: %v", p, err)
		return
	}
	k.consumers = append(k.consumers, name)
}
