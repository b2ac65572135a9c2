package kafkaapi

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"millrace/internal/api/kafkaapi/kbin"
)

// fuzzRequest decodes anything as a request: it allocates at most 16 times the input plus 64 KiB, and what is
// decoded is the same after it was written and read once more.
func fuzzRequest(f *testing.F, key Key) {
	f.Helper()
	api, ok := find(key)
	if !ok {
		f.Fatalf("%s is not served", key)
	}
	versions := int(api.Max-api.lowest) + 1
	rnd := rand.New(rand.NewPCG(1, uint64(key)))
	for v := range versions {
		m := key.NewRequest()
		fill(rnd, reflect.ValueOf(m).Elem())
		var w kbin.Writer
		m.Encode(&w, api.lowest+int16(v))
		f.Add(byte(v), w.Bytes())
	}
	f.Fuzz(func(t *testing.T, v byte, body []byte) {
		checkDecoding(t, key, api.lowest+int16(int(v)%versions), body)
	})
}

func checkDecoding(t *testing.T, key Key, version int16, body []byte) {
	t.Helper()
	m, r := key.NewRequest(), kbin.NewReader(body)
	var err error
	if got, limit := allocated(func() { err = m.Decode(&r, version) }), uint64(16*len(body)+64<<10); got > limit {
		t.Errorf("%s v%d: decoding %d bytes allocated %d, at most %d are allowed\n% x", key, version, len(body), got, limit, body)
	}
	if err != nil {
		return
	}
	first := encode(t, m, version)
	again, r := key.NewRequest(), kbin.NewReader(first)
	if err := again.Decode(&r, version); err != nil || r.Len() != 0 {
		t.Errorf("%s v%d: what was written is not read: %v, %d bytes left\n% x", key, version, err, r.Len(), body)
	} else if second := encode(t, again, version); !bytes.Equal(first, second) {
		t.Errorf("%s v%d: % x\nis first % x\n and then % x", key, version, body, first, second)
	}
}

// allocated is how many bytes of heap run takes, also those that are garbage already. Other goroutines count
// too, so it is the least of three runs.
func allocated(run func()) uint64 {
	least := ^uint64(0)
	var before, after runtime.MemStats
	for range 3 {
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// TestMutatedRequestsStayWithinTheBudget is what the fuzz targets below do, for a moment and for each key.
func TestMutatedRequestsStayWithinTheBudget(t *testing.T) {
	for _, api := range served {
		if api.request == nil {
			continue
		}
		for version := api.lowest; version <= api.Max; version++ {
			rnd := rand.New(rand.NewPCG(uint64(api.Key), uint64(version)))
			for range 10 {
				m := api.request()
				fill(rnd, reflect.ValueOf(m).Elem())
				body := encode(t, m, version)
				for range 1 + rnd.IntN(3) {
					if len(body) > 0 {
						body[rnd.IntN(len(body))] = []byte{0, 1, 0x7f, 0x80, 0xff}[rnd.IntN(5)]
					}
				}
				checkDecoding(t, api.Key, version, body)
			}
		}
	}
}

// TestListsOfEmptyStructsAreRefused sends what would take the most memory for its size: as many elements as fit.
func TestListsOfEmptyStructsAreRefused(t *testing.T) {
	var w kbin.Writer
	w.SetFlexible(true)
	w.Count(1<<20, false)
	w.Raw(make([]byte, 4<<20))
	checkDecoding(t, KeyCreateTopics, 7, w.Bytes())
	m, r := KeyCreateTopics.NewRequest(), kbin.NewReader(w.Bytes())
	if err := m.Decode(&r, 7); err == nil {
		t.Errorf("a list of %d empty topics was read", 1<<20)
	}
}

func FuzzListOffsets(f *testing.F) { fuzzRequest(f, KeyListOffsets) }

func FuzzMetadata(f *testing.F) { fuzzRequest(f, KeyMetadata) }

func FuzzOffsetCommit(f *testing.F) { fuzzRequest(f, KeyOffsetCommit) }

func FuzzOffsetFetch(f *testing.F) { fuzzRequest(f, KeyOffsetFetch) }

func FuzzFindCoordinator(f *testing.F) { fuzzRequest(f, KeyFindCoordinator) }

func FuzzJoinGroup(f *testing.F) { fuzzRequest(f, KeyJoinGroup) }

func FuzzHeartbeat(f *testing.F) { fuzzRequest(f, KeyHeartbeat) }

func FuzzLeaveGroup(f *testing.F) { fuzzRequest(f, KeyLeaveGroup) }

func FuzzSyncGroup(f *testing.F) { fuzzRequest(f, KeySyncGroup) }

func FuzzDescribeGroups(f *testing.F) { fuzzRequest(f, KeyDescribeGroups) }

func FuzzListGroups(f *testing.F) { fuzzRequest(f, KeyListGroups) }

func FuzzSaslHandshake(f *testing.F) { fuzzRequest(f, KeySaslHandshake) }

func FuzzAPIVersions(f *testing.F) { fuzzRequest(f, KeyAPIVersions) }

func FuzzCreateTopics(f *testing.F) { fuzzRequest(f, KeyCreateTopics) }

func FuzzDeleteTopics(f *testing.F) { fuzzRequest(f, KeyDeleteTopics) }

func FuzzDeleteRecords(f *testing.F) { fuzzRequest(f, KeyDeleteRecords) }

func FuzzInitProducerID(f *testing.F) { fuzzRequest(f, KeyInitProducerID) }

func FuzzOffsetForLeaderEpoch(f *testing.F) { fuzzRequest(f, KeyOffsetForLeaderEpoch) }

func FuzzAddPartitionsToTxn(f *testing.F) { fuzzRequest(f, KeyAddPartitionsToTxn) }

func FuzzAddOffsetsToTxn(f *testing.F) { fuzzRequest(f, KeyAddOffsetsToTxn) }

func FuzzEndTxn(f *testing.F) { fuzzRequest(f, KeyEndTxn) }

func FuzzWriteTxnMarkers(f *testing.F) { fuzzRequest(f, KeyWriteTxnMarkers) }

func FuzzTxnOffsetCommit(f *testing.F) { fuzzRequest(f, KeyTxnOffsetCommit) }

func FuzzDescribeConfigs(f *testing.F) { fuzzRequest(f, KeyDescribeConfigs) }

func FuzzAlterConfigs(f *testing.F) { fuzzRequest(f, KeyAlterConfigs) }

func FuzzAlterReplicaLogDirs(f *testing.F) { fuzzRequest(f, KeyAlterReplicaLogDirs) }

func FuzzDescribeLogDirs(f *testing.F) { fuzzRequest(f, KeyDescribeLogDirs) }

func FuzzSaslAuthenticate(f *testing.F) { fuzzRequest(f, KeySaslAuthenticate) }

func FuzzCreatePartitions(f *testing.F) { fuzzRequest(f, KeyCreatePartitions) }

func FuzzDeleteGroups(f *testing.F) { fuzzRequest(f, KeyDeleteGroups) }

func FuzzElectLeaders(f *testing.F) { fuzzRequest(f, KeyElectLeaders) }

func FuzzIncrementalAlterConfigs(f *testing.F) { fuzzRequest(f, KeyIncrementalAlterConfigs) }

func FuzzAlterPartitionReassignments(f *testing.F) { fuzzRequest(f, KeyAlterPartitionReassignments) }

func FuzzListPartitionReassignments(f *testing.F) { fuzzRequest(f, KeyListPartitionReassignments) }

func FuzzOffsetDelete(f *testing.F) { fuzzRequest(f, KeyOffsetDelete) }

func FuzzDescribeUserScramCredentials(f *testing.F) { fuzzRequest(f, KeyDescribeUserScramCredentials) }

func FuzzAlterUserScramCredentials(f *testing.F) { fuzzRequest(f, KeyAlterUserScramCredentials) }

func FuzzDescribeQuorum(f *testing.F) { fuzzRequest(f, KeyDescribeQuorum) }

func FuzzUpdateFeatures(f *testing.F) { fuzzRequest(f, KeyUpdateFeatures) }

func FuzzDescribeCluster(f *testing.F) { fuzzRequest(f, KeyDescribeCluster) }

func FuzzDescribeProducers(f *testing.F) { fuzzRequest(f, KeyDescribeProducers) }

func FuzzDescribeTransactions(f *testing.F) { fuzzRequest(f, KeyDescribeTransactions) }

func FuzzListTransactions(f *testing.F) { fuzzRequest(f, KeyListTransactions) }

func FuzzGetTelemetrySubscriptions(f *testing.F) { fuzzRequest(f, KeyGetTelemetrySubscriptions) }

func FuzzPushTelemetry(f *testing.F) { fuzzRequest(f, KeyPushTelemetry) }

func FuzzListConfigResources(f *testing.F) { fuzzRequest(f, KeyListConfigResources) }

func FuzzDescribeTopicPartitions(f *testing.F) { fuzzRequest(f, KeyDescribeTopicPartitions) }
