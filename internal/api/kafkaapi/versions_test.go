package kafkaapi

import "testing"

// notServed are keys that a client may send to a broker of Apache Kafka and not to us.
var notServed = map[Key]string{
	KeyDescribeAcls: "access control lists", KeyCreateAcls: "access control lists", KeyDeleteAcls: "access control lists",
	KeyUnregisterBroker:      "brokers of a KRaft quorum",
	KeyCreateDelegationToken: "delegation tokens", KeyRenewDelegationToken: "delegation tokens",
	KeyExpireDelegationToken: "delegation tokens", KeyDescribeDelegationToken: "delegation tokens",
	KeyDescribeClientQuotas: "quotas", KeyAlterClientQuotas: "quotas",
	KeyConsumerGroupHeartbeat: "groups of KIP-848", KeyConsumerGroupDescribe: "groups of KIP-848",
	KeyShareGroupHeartbeat: "share groups", KeyShareGroupDescribe: "share groups", KeyShareFetch: "share groups",
	KeyShareAcknowledge: "share groups", KeyInitializeShareGroupState: "share groups", KeyReadShareGroupState: "share groups",
	KeyWriteShareGroupState: "share groups", KeyDeleteShareGroupState: "share groups",
	KeyReadShareGroupStateSummary: "share groups", KeyDescribeShareGroupOffsets: "share groups",
	KeyAlterShareGroupOffsets: "share groups", KeyDeleteShareGroupOffsets: "share groups",
	KeyStreamsGroupHeartbeat: "streams groups", KeyStreamsGroupDescribe: "streams groups",
	KeyAddRaftVoter: "a KRaft quorum", KeyRemoveRaftVoter: "a KRaft quorum",
}

func TestServedVersionsAreThoseOfTheDefinitions(t *testing.T) {
	for key := range Key(len(definitions)) {
		d := definitions[key]
		api, isServed := find(key)
		if !d.broker || d.min > d.max {
			if isServed {
				t.Errorf("%s is not for clients of a broker, but served", key)
			}
			continue
		}
		if reason := notServed[key]; isServed == (reason != "") {
			t.Errorf("%s: served is %v, the reason not to is %q", key, isServed, reason)
		}
		if !isServed {
			continue
		}
		top := d.max
		if d.unstable {
			top--
		}
		bottom := d.min
		if key == KeyProduce {
			bottom = 0 // see served
		}
		if api.Min != bottom || api.Max != top || api.lowest != d.min {
			t.Errorf("%s: got %d to %d, decoded from %d, want %d to %d from %d", key, api.Min, api.Max, api.lowest, bottom, top, d.min)
		}
	}
}

func TestServedIsOrderedAndMakesRequestsOfItsKeys(t *testing.T) {
	last := Key(-1)
	for _, api := range Served() {
		if api.Key <= last {
			t.Errorf("%s stands behind %s", api.Key, last)
		}
		last = api.Key
		m := api.Key.NewRequest()
		if byHand := api.Key == KeyProduce || api.Key == KeyFetch; (m == nil) != byHand {
			t.Errorf("%s: got request %T", api.Key, m)
		}
		if m != nil && m.RequestKey() != api.Key {
			t.Errorf("%s: its request is of %s", api.Key, m.RequestKey())
		}
	}
}

func TestVersionsOutsideTheTableAreNotTold(t *testing.T) {
	for _, c := range []struct {
		key           Key
		version       int16
		told, decoded bool
	}{
		{KeyProduce, 0, true, false},
		{KeyProduce, 2, true, false},
		{KeyProduce, 3, true, true},
		{KeyProduce, 13, true, true},
		{KeyProduce, 14, false, false},
		{KeyProduce, -1, false, false},
		{KeyFetch, 3, false, false},
		{KeyInitProducerID, 6, false, false},
		{KeyVote, 0, false, false},
		{KeyShareFetch, 1, false, false},
		{-1, 0, false, false},
		{1000, 0, false, false},
	} {
		if told, decoded := c.key.Told(c.version), c.key.Decoded(c.version); told != c.told || decoded != c.decoded {
			t.Errorf("%s v%d: told %v, decoded %v, want %v, %v", c.key, c.version, told, decoded, c.told, c.decoded)
		}
	}
}

func TestFlexibleVersionsBeginWhereTheDefinitionsSay(t *testing.T) {
	for _, c := range []struct {
		key     Key
		version int16
		want    bool
	}{
		{KeyProduce, 8, false},
		{KeyProduce, 9, true},
		{KeyAPIVersions, 2, false},
		{KeyAPIVersions, 3, true},
		{KeySaslHandshake, 1, false},
		{KeyOffsetDelete, 0, false},
		{KeyDescribeCluster, 0, true},
		{-5, 0, false},
		{999, 9, false},
	} {
		if got := c.key.Flexible(c.version); got != c.want {
			t.Errorf("%s v%d: got %v, want %v", c.key, c.version, got, c.want)
		}
	}
}
