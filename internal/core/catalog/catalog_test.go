package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// fixture is a catalogue on a new store.
type fixture struct {
	t  *testing.T
	st store.Store
	c  Catalog
}

func open(t *testing.T) *fixture { return &fixture{t: t, st: storetest.NewModel()} }

func (f *fixture) update(fn func(tx store.Tx) error) error {
	_, err := f.st.Update(f.t.Context(), fn)
	return err
}

func (f *fixture) must(fn func(tx store.Tx) error) {
	f.t.Helper()
	if err := f.update(fn); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) create(account, region, name string, partitions int) (*Topic, error) {
	var made *Topic
	err := f.update(func(tx store.Tx) error {
		made = &Topic{Account: account, Region: region, Name: name, Origin: OriginKinesis, State: StateActive, Created: tx.Now()}
		copy(made.ID[:], name+region+account)
		parts := make([]Partition, partitions)
		for i := range parts {
			parts[i] = Partition{Created: int64(i), Attr: fmt.Append(nil, "attribute ", i)}
		}
		return f.c.Create(tx, made, parts, store.Retention{Millis: 1000})
	})
	return made, err
}

func (f *fixture) mustCreate(account, region, name string, partitions int) *Topic {
	f.t.Helper()
	topic, err := f.create(account, region, name, partitions)
	if err != nil {
		f.t.Fatalf("create %s %s %s: %v", account, region, name, err)
	}
	return topic
}

func (f *fixture) fixRegion(region string) {
	f.t.Helper()
	f.must(func(tx store.Tx) error { return f.c.FixRegion(tx, region) })
	f.must(func(tx store.Tx) error { return f.c.LoadRegion(tx) })
}

func TestCreatedTopicIsFoundByAllItsNames(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	want := f.mustCreate("123456789012", "eu-west-1", "orders", 3)
	f.must(func(tx store.Tx) error {
		for how, find := range map[string]func() (*Topic, error){
			"name":   func() (*Topic, error) { return f.c.Lookup(tx, "123456789012", "eu-west-1", "orders") },
			"kafka":  func() (*Topic, error) { return f.c.LookupKafka(tx, "123456789012.eu-west-1.orders") },
			"id":     func() (*Topic, error) { return f.c.LookupID(tx, want.ID) },
			"number": func() (*Topic, error) { return f.c.Get(tx, want.Num) },
		} {
			got, err := find()
			if err != nil || *got != *want {
				t.Errorf("by %s: got %+v, %v\nwant %+v", how, got, err, want)
			}
		}
		for how, find := range map[string]func() (*Topic, error){
			"other account": func() (*Topic, error) { return f.c.Lookup(tx, "123456789013", "eu-west-1", "orders") },
			"other region":  func() (*Topic, error) { return f.c.Lookup(tx, "123456789012", "us-east-1", "orders") },
			"plain name":    func() (*Topic, error) { return f.c.LookupKafka(tx, "orders") },
		} {
			if got, err := find(); !errors.Is(err, ErrNotFound) {
				t.Errorf("by %s: got %+v, %v, want %v", how, got, err, ErrNotFound)
			}
		}
		return nil
	})
}

func TestNamesAreUniqueInTheirPlace(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	f.mustCreate(DefaultAccount, "us-east-1", "a", 1)
	f.mustCreate(DefaultAccount, "us-west-2", "a", 1)
	f.mustCreate("123456789012", "us-east-1", "a", 1)
	for _, place := range [][2]string{{DefaultAccount, "us-east-1"}, {DefaultAccount, "us-west-2"}, {"123456789012", "us-east-1"}} {
		if _, err := f.create(place[0], place[1], "a", 1); !errors.Is(err, ErrExists) {
			t.Errorf("second a in %v: got %v, want %v", place, err, ErrExists)
		}
	}
}

func TestKafkaNames(t *testing.T) {
	for _, c := range []struct {
		account, region, name string
		home                  bool
		want                  string
	}{
		{DefaultAccount, "us-east-1", "orders", true, "orders"},
		{DefaultAccount, "us-west-2", "orders", false, "000000000000.us-west-2.orders"},
		{"123456789012", "us-east-1", "orders", true, "123456789012.us-east-1.orders"},
		{DefaultAccount, "us-east-1", "123456789012.us-east-1.orders", true, "000000000000.us-east-1.123456789012.us-east-1.orders"},
		{DefaultAccount, "us-east-1", "12345678901.us-east-1.orders", true, "12345678901.us-east-1.orders"},
		{DefaultAccount, "us-east-1", "123456789012.us-east-1", true, "123456789012.us-east-1"},
		{DefaultAccount, "us-east-1", "ddb.orders", true, "000000000000.us-east-1.ddb.orders"},
		{DefaultAccount, "us-east-1", "..", true, "000000000000.us-east-1..."},
	} {
		if got := KafkaName(c.account, c.region, c.name, c.home); got != c.want {
			t.Errorf("%+v: got %s", c, got)
		}
	}
}

func TestDefaultRegionIsKeptAndOldTopicsBelongToIt(t *testing.T) {
	f := open(t)
	before := f.mustCreate(DefaultAccount, "", "made-by-kafka", 1)
	f.fixRegion("eu-central-1")
	f.fixRegion("us-east-1")
	if got, ok := f.c.Region(); got != "eu-central-1" || !ok {
		t.Errorf("region: got %q, %v, want the first one", got, ok)
	}
	var again Catalog
	f.must(func(tx store.Tx) error {
		if err := again.LoadRegion(tx); err != nil {
			return err
		}
		got, err := again.Lookup(tx, DefaultAccount, "eu-central-1", "made-by-kafka")
		if err != nil || got.Num != before.Num || got.Kafka != "made-by-kafka" {
			t.Errorf("got %+v, %v, want topic %d", got, err, before.Num)
		}
		if _, err := again.Lookup(tx, DefaultAccount, "us-east-1", "made-by-kafka"); !errors.Is(err, ErrNotFound) {
			t.Errorf("in another region: got %v, want %v", err, ErrNotFound)
		}
		return nil
	})
}

func TestPartitionsOfManyChunksAreReadInOrder(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	topic := f.mustCreate(DefaultAccount, "us-east-1", "large", 600)
	f.must(func(tx store.Tx) error {
		more := []Partition{{Created: 600}, {Created: 601}}
		if err := f.c.AddPartitions(tx, topic, more, store.Retention{}); err != nil {
			return err
		}
		if err := f.c.SetPartitions(tx, topic, 254, []Partition{{ID: 255, Created: -1}, {ID: 256, Created: -2}, {ID: 257, Created: -3}}); err != nil {
			return err
		}
		return f.c.Save(tx, topic)
	})
	f.must(func(tx store.Tx) error {
		got, err := f.c.Get(tx, topic.Num)
		if err != nil {
			return err
		}
		parts, err := f.c.Partitions(tx, got)
		if err != nil || len(parts) != 602 {
			t.Fatalf("got %d partitions, %v, want 602", len(parts), err)
		}
		for i, p := range parts {
			want := int64(i)
			if i >= 254 && i <= 256 {
				want = int64(253 - i)
			}
			if p.ID != store.PartitionID(i+1) || p.Created != want {
				t.Errorf("partition %d: got %+v", i, p)
			}
			if h, err := tx.Head(p.ID, store.FieldOpen); err != nil || h.Closed {
				t.Errorf("partition %d in the store: %+v, %v", i, h, err)
			}
		}
		return nil
	})
}

func TestListGoesThroughOnePlaceInOrderOfNames(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	for _, name := range []string{"b", "a", "c-1", "c", "a.b"} {
		f.mustCreate("123456789012", "us-east-1", name, 1)
		f.mustCreate("123456789012", "us-east-12", name, 1)
		f.mustCreate("12345678901", "us-east-1", name, 1)
	}
	want := []string{"a", "a.b", "b", "c", "c-1"}
	for limit := 1; limit <= 6; limit++ {
		var got []string
		for after, more := "", true; more; {
			f.must(func(tx store.Tx) error {
				var topics []*Topic
				var err error
				topics, more, err = f.c.List(tx, "123456789012", "us-east-1", after, limit)
				for _, topic := range topics {
					got, after = append(got, topic.Name), topic.Name
				}
				return err
			})
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: got %v, want %v", limit, got, want)
		}
	}
}

func TestTopicsAreDueInOrderOfTime(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	topics := map[string]*Topic{}
	for name, due := range map[string]int64{"a": 300, "b": 100, "c": 200, "d": 0} {
		topic := f.mustCreate(DefaultAccount, "us-east-1", name, 1)
		topic.Due = due
		f.must(func(tx store.Tx) error { return f.c.Save(tx, topic) })
		topics[name] = topic
	}
	check := func(now int64, limit int, wantNext int64, want ...string) {
		t.Helper()
		f.must(func(tx store.Tx) error {
			nums, next, err := f.c.Due(tx, now, limit)
			var wantNums []uint64
			for _, name := range want {
				wantNums = append(wantNums, topics[name].Num)
			}
			if err != nil || next != wantNext || !slices.Equal(nums, wantNums) {
				t.Errorf("due at %d, limit %d: got %v, next %d, %v, want %v, next %d", now, limit, nums, next, err, wantNums, wantNext)
			}
			return nil
		})
	}
	check(99, 10, 100)
	check(200, 10, 300, "b", "c")
	check(1000, 2, 300, "b", "c")
	check(1000, 10, 0, "b", "c", "a")
	topics["b"].Due = 0
	f.must(func(tx store.Tx) error { return f.c.Save(tx, topics["b"]) })
	check(1000, 10, 0, "c", "a")
}

func TestAttributesOfAPrefixAreListedInOrder(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	topic, other := f.mustCreate(DefaultAccount, "us-east-1", "a", 1), f.mustCreate(DefaultAccount, "us-east-1", "b", 1)
	f.must(func(tx store.Tx) error {
		for _, name := range []string{"x/2", "x/", "x/1", "x/10", "x", "x0", "w/9", "x/\xff"} {
			if err := f.c.SetAttribute(tx, topic, name, []byte(name)); err != nil {
				return err
			}
		}
		if err := f.c.DeleteAttribute(tx, topic, "x/2"); err != nil {
			return err
		}
		if err := f.c.DeleteAttribute(tx, topic, "never"); err != nil {
			return err
		}
		return f.c.SetAttribute(tx, other, "x/other", nil)
	})
	for _, c := range []struct {
		after string
		limit int
		want  []string
	}{
		{"", 100, []string{"", "1", "10", "\xff"}},
		{"", 2, []string{"", "1"}},
		{"1", 100, []string{"10", "\xff"}},
		{"2", 100, []string{"\xff"}},
		{"\xff", 100, nil},
	} {
		var got []string
		f.must(func(tx store.Tx) error {
			found, err := f.c.Attributes(tx, topic, "x/", c.after, c.limit)
			for _, a := range found {
				got = append(got, a.Name)
				if string(a.Value) != "x/"+a.Name {
					t.Errorf("after %q: %q holds %q", c.after, a.Name, a.Value)
				}
			}
			return err
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("after %q, limit %d: got %q, want %q", c.after, c.limit, got, c.want)
		}
	}
}

func TestRemovedTopicLeavesNothing(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	kept := f.mustCreate(DefaultAccount, "us-east-1", "kept", 2)
	gone := f.mustCreate(DefaultAccount, "us-east-1", "gone", 300)
	var parts []Partition
	f.must(func(tx store.Tx) (err error) {
		gone.Due = 5
		for _, topic := range []*Topic{kept, gone} {
			if err := f.c.SetAttribute(tx, topic, "service", []byte{1}); err != nil {
				return err
			}
		}
		return f.c.Save(tx, gone)
	})
	keysOf := func() (n int) {
		f.must(func(tx store.Tx) error {
			kvs, err := tx.Scan([]byte{byte(store.FamilyTopic)}, nil, store.MaxScanKeys, false)
			n = len(kvs)
			return err
		})
		return n
	}
	f.must(func(tx store.Tx) error {
		topic, err := f.c.Get(tx, gone.Num)
		if err != nil {
			return err
		}
		if parts, err = f.c.Partitions(tx, topic); err != nil {
			return err
		}
		return f.c.Remove(tx, topic)
	})
	// topic, chunk, name, Kafka name, id, attribute
	if got := keysOf(); got != 6 {
		t.Errorf("%d keys are left, want the 6 of the other topic", got)
	}
	for _, p := range parts {
		if _, err := f.st.Head(t.Context(), p.ID); !errors.Is(err, store.ErrNoPartition) {
			t.Errorf("partition %d: %v, want %v", p.ID, err, store.ErrNoPartition)
		}
	}
	if again := f.mustCreate(DefaultAccount, "us-east-1", "gone", 1); again.Num <= gone.Num {
		t.Errorf("number %d was used again as %d", gone.Num, again.Num)
	}
}

func TestRevisionRisesWithEverySave(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	topic := f.mustCreate(DefaultAccount, "us-east-1", "a", 1)
	before := topic.Revision
	f.must(func(tx store.Tx) error { return f.c.Save(tx, topic) })
	f.must(func(tx store.Tx) error {
		got, err := f.c.Get(tx, topic.Num)
		if err != nil || got.Revision != before+1 {
			t.Errorf("got %+v, %v, want revision %d", got, err, before+1)
		}
		return nil
	})
}

func TestDamagedValueIsNamed(t *testing.T) {
	f := open(t)
	f.fixRegion("us-east-1")
	topic := f.mustCreate(DefaultAccount, "us-east-1", "a", 1)
	for _, k := range [][]byte{topicKey(topic.Num), chunkKey(topic.Num, 0), nameKey(DefaultAccount, "", "a")} {
		f.must(func(tx store.Tx) error {
			v, _, err := tx.Get(k)
			if err != nil {
				return err
			}
			return tx.Set(k, append(v, 0))
		})
		err := f.update(func(tx store.Tx) error {
			topic, err := f.c.Lookup(tx, DefaultAccount, "us-east-1", "a")
			if err != nil {
				return err
			}
			_, err = f.c.Partitions(tx, topic)
			return err
		})
		if _, ok := errors.AsType[*store.CorruptError](err); !ok {
			t.Errorf("key %x with a byte too many: got %v, want a CorruptError", k, err)
		}
		f.must(func(tx store.Tx) error {
			v, _, err := tx.Get(k)
			if err != nil {
				return err
			}
			return tx.Set(k, v[:len(v)-1])
		})
	}
}

func FuzzTopic(f *testing.F) {
	f.Add(encodeTopic(&Topic{Account: DefaultAccount, Name: "a", Kafka: "a", State: StateActive, Origin: OriginKafka, Partitions: 3}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, v []byte) {
		topic, err := decodeTopic(1, v)
		if err != nil {
			return
		}
		if again := encodeTopic(topic); !bytes.Equal(again, v) {
			t.Fatalf("%x: read as %+v and written as %x", v, topic, again)
		}
	})
}

func FuzzChunk(f *testing.F) {
	f.Add(encodeChunk([]Partition{{ID: 1, Created: 2, Attr: []byte{3}}, {ID: 4}}))
	f.Add([]byte{1, 0, 1})
	f.Fuzz(func(t *testing.T, v []byte) {
		parts, err := decodeChunk(nil, v)
		if err != nil {
			return
		}
		if again := encodeChunk(parts); !bytes.Equal(again, v) {
			t.Fatalf("%x: read as %+v and written as %x", v, parts, again)
		}
	})
}

// Golden values: what stands in stores must be read for ever.
func TestValuesAreWrittenAsDocumented(t *testing.T) {
	topic := &Topic{
		Num: 7, ID: ID{0xaa, 15: 0xbb}, Account: "000000000000", Name: "s", Kafka: "k", Origin: OriginKinesis,
		State: StateCreating, Created: 0x0102, Due: 0x0304, Revision: 5, Partitions: 6,
	}
	for _, c := range []struct {
		name      string
		got, want []byte
	}{
		{"topic", encodeTopic(topic), []byte("\x01\xaa\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xbb" + "\x02\x01" +
			"\x00\x00\x00\x00\x00\x00\x01\x02" + "\x00\x00\x00\x00\x00\x00\x03\x04" + "\x00\x00\x00\x00\x00\x00\x00\x05" +
			"\x00\x00\x00\x06" + "\x0c000000000000" + "\x00" + "\x01s" + "\x01k")},
		{"chunk", encodeChunk([]Partition{{ID: 9, Created: 8, Attr: []byte("at")}}), []byte("\x01\x00\x01" +
			"\x00\x00\x00\x00\x00\x00\x00\x09" + "\x00\x00\x00\x00\x00\x00\x00\x08" + "\x00\x02at")},
		{"number", encodeNumber(7), []byte("\x01\x00\x00\x00\x00\x00\x00\x00\x07")},
		{"topic key", topicKey(7), []byte("\x10\x01\x00\x00\x00\x00\x00\x00\x00\x07")},
		{"chunk key", chunkKey(7, 2), []byte("\x10\x02\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x02")},
		{"name key", nameKey("000000000000", "", "s"), []byte("\x10\x03000000000000\x00\x00s")},
		{"kafka key", kafkaKey("k"), []byte("\x10\x04k")},
		{"attribute key", attributeKey(7, "kinesis"), []byte("\x10\x05\x00\x00\x00\x00\x00\x00\x00\x07kinesis")},
		{"id key", idKey(topic.ID), []byte("\x10\x06\xaa\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xbb")},
		{"due key", dueKey(0x0304, 7), []byte("\x10\x07\x00\x00\x00\x00\x00\x00\x03\x04\x00\x00\x00\x00\x00\x00\x00\x07")},
		{"region key", regionKey(), []byte("\x03region")},
	} {
		if !bytes.Equal(c.got, c.want) {
			t.Errorf("%s: got  %x\nwant %x", c.name, c.got, c.want)
		}
	}
}

func TestForgottenPartitionsKeepTheirPlaces(t *testing.T) {
	f := open(t)
	made := f.mustCreate("123456789012", "eu-west-1", "orders", 600)
	f.must(func(tx store.Tx) error {
		parts, err := f.c.Partitions(tx, made)
		if err != nil {
			return err
		}
		if err := f.c.Forget(tx, made, 200, slices.Clone(parts[200:400])); err != nil {
			return err
		}
		return f.c.Save(tx, made)
	})
	f.must(func(tx store.Tx) error {
		parts, err := f.c.Partitions(tx, made)
		for i := range parts {
			gone := i >= 200 && i < 400
			if (parts[i].ID == 0) != gone || string(parts[i].Attr) != fmt.Sprint("attribute ", i) {
				t.Errorf("partition %d: got id %d, %q, want forgotten %v", i, parts[i].ID, parts[i].Attr, gone)
			}
		}
		return err
	})
	left, err := f.st.Partitions(t.Context(), 0, 1000)
	if err != nil || len(left) != 400 {
		t.Errorf("got %d partitions in the store, %v, want 400", len(left), err)
	}
	f.must(func(tx store.Tx) error { return f.c.Remove(tx, made) })
	if left, err := f.st.Partitions(t.Context(), 0, 1000); err != nil || len(left) != 0 {
		t.Errorf("after the removal: got %d partitions in the store, %v, want none", len(left), err)
	}
}
