package kafka

import (
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/api/kafkaapi/kbin"
	"millrace/internal/core/store/storetest"
)

// FuzzOperations gives whatever a client can send to the operation of its key. None may panic, and those that need not
// wait answer with a message that can be written in the version that was asked for.
func FuzzOperations(f *testing.F) {
	for _, api := range kafkaapi.Served() {
		req := api.Key.NewRequest()
		if req == nil {
			continue
		}
		for v := max(api.Min, 0); v <= api.Max; v++ {
			w := kbin.NewWriter(nil)
			req.Encode(&w, v)
			f.Add(int16(api.Key), v, w.Bytes())
		}
	}
	b, err := New(Options{Store: storetest.NewModel()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { b.Close() })
	f.Fuzz(func(t *testing.T, key, version int16, body []byte) {
		k := kafkaapi.Key(key)
		if !k.Told(version) || !k.Decoded(version) || operations[k] == nil || len(body) > 4<<10 {
			return
		}
		req := k.NewRequest()
		r := kbin.NewReader(body)
		if req.Decode(&r, version) != nil || tooLong(req) {
			return
		}
		answers := 0
		c := &Call{Context: t.Context(), Key: k, Version: version, Client: Client{Principal: Anonymous}, Listener: Listener{Host: "h", Port: 1}}
		b.Serve(c, req, func(m kafkaapi.Message) {
			answers++
			w := kbin.NewWriter(nil)
			m.Encode(&w, version)
			if err := w.Err(); err != nil {
				t.Errorf("%s version %d: the answer to %x cannot be written: %v", k, version, body, err)
			}
		})
		switch k {
		case kafkaapi.KeyJoinGroup, kafkaapi.KeySyncGroup, kafkaapi.KeyLeaveGroup, kafkaapi.KeyDeleteGroups:
		default:
			if answers != 1 {
				t.Errorf("%s version %d: %d answers to %x", k, version, answers, body)
			}
		}
	})
}

// tooLong leaves out what is right and takes long: making thousands of partitions again and again.
func tooLong(req kafkaapi.Request) bool {
	switch req := req.(type) {
	case *kafkaapi.CreateTopicsRequest:
		for i := range req.Topics {
			if req.Topics[i].NumPartitions > 100 {
				return true
			}
		}
	case *kafkaapi.CreatePartitionsRequest:
		for i := range req.Topics {
			if req.Topics[i].Count > 100 {
				return true
			}
		}
	}
	return false
}
