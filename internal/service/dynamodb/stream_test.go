package dynamodb

import (
	"testing"
	"time"

	"millrace/internal/api/dynamodbapi"
	"millrace/internal/api/dynamodbstreamsapi"
	"millrace/internal/core/store"
)

// turn has the worker's work done.
func (c *caller) turn() {
	c.t.Helper()
	for {
		wait, err := c.svc.turnStreams(c.t.Context())
		if err != nil {
			c.t.Fatal(err)
		}
		if wait > 0 {
			return
		}
	}
}

func TestEachViewShowsWhatItIsFor(t *testing.T) {
	c := start(t)
	for _, x := range []struct {
		view     dynamodbapi.StreamViewType
		old, new bool
	}{
		{dynamodbapi.StreamViewTypeKeysOnly, false, false},
		{dynamodbapi.StreamViewTypeNewImage, false, true},
		{dynamodbapi.StreamViewTypeOldImage, true, false},
		{dynamodbapi.StreamViewTypeNewAndOldImages, true, true},
	} {
		in := input("views."+string(x.view), "h:S", "r:B")
		arn := c.withStream(in, x.view)
		put(c, in.TableName, `{"h":{"S":"a"},"r":{"B":"AAE="},"v":{"S":"old"}}`)
		put(c, in.TableName, `{"h":{"S":"a"},"r":{"B":"AAE="},"v":{"S":"new"}}`)
		var last *dynamodbstreamsapi.Record
		for _, sh := range c.shards(arn) {
			c.iterate(arn, *sh.ShardId, func(r *dynamodbstreamsapi.Record) { last = r })
		}
		d := last.Dynamodb
		var old, now string
		size := int64(5)
		if x.old {
			old = `{"h":{"S":"a"},"r":{"B":"AAE="},"v":{"S":"old"}}`
			size += 9
		}
		if x.new {
			now = `{"h":{"S":"a"},"r":{"B":"AAE="},"v":{"S":"new"}}`
			size += 9
		}
		if string(d.Keys) != `{"h":{"S":"a"},"r":{"B":"AAE="}}` || string(d.OldImage) != old || string(d.NewImage) != now || *d.SizeBytes != size || string(*d.StreamViewType) != string(x.view) {
			t.Errorf("%s: got keys %s, old %s, new %s, %d bytes, want %d", x.view, d.Keys, d.OldImage, d.NewImage, *d.SizeBytes, size)
		}
	}
}

func TestServiceIsNamedAsWhoRemovedAnExpiredItem(t *testing.T) {
	c := start(t)
	arn := c.withStream(input("expiry", "h:S"), dynamodbapi.StreamViewTypeKeysOnly)
	put(c, "expiry", `{"h":{"S":"a"}}`)
	p, err := c.svc.resolve(c.ctx(), "expiry")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.svc.store.Update(t.Context(), func(tx store.Tx) error {
		table, err := c.svc.readTable(tx, p)
		if err != nil {
			return err
		}
		kvs, err := tx.Scan(itemPrefix(table.num), itemPrefix(table.num+1), 1, false)
		if err != nil {
			return err
		}
		gone := change{table: table, at: kvs[0].Key, old: kvs[0].Value, expired: true}
		return gone.commit(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	var who []*dynamodbstreamsapi.Identity
	for _, sh := range c.shards(arn) {
		c.iterate(arn, *sh.ShardId, func(r *dynamodbstreamsapi.Record) { who = append(who, r.UserIdentity) })
	}
	if len(who) != 2 || who[0] != nil || who[1] == nil || *who[1].PrincipalId != "dynamodb.amazonaws.com" || *who[1].Type != "Service" {
		t.Errorf("got %+v", who)
	}
}

func TestChangesAndShardsAreGoneAfterADay(t *testing.T) {
	st, now := manualStore()
	c := startOn(t, st, -1)
	arn := c.withStream(input("old", "h:S"), dynamodbapi.StreamViewTypeNewImage)
	forward := func(d time.Duration) {
		t.Helper()
		now.Add(d.Milliseconds())
		c.turn()
	}
	put(c, "old", `{"h":{"S":"a"},"n":{"N":"1"}}`)
	var shard, number string
	for _, sh := range c.shards(arn) {
		c.iterate(arn, *sh.ShardId, func(r *dynamodbstreamsapi.Record) { shard, number = *sh.ShardId, *r.Dynamodb.SequenceNumber })
	}
	iterator := func(kind dynamodbstreamsapi.ShardIteratorType, number *string) (string, error) {
		out, err := c.svc.GetShardIterator(c.ctx(), &dynamodbstreamsapi.GetShardIteratorInput{StreamArn: arn, ShardId: shard, ShardIteratorType: kind, SequenceNumber: number})
		if err != nil {
			return "", err
		}
		return *out.ShardIterator, nil
	}
	get := func(text string) (*dynamodbstreamsapi.GetRecordsOutput, error) {
		return c.svc.GetRecords(c.ctx(), &dynamodbstreamsapi.GetRecordsInput{ShardIterator: text})
	}
	forward(4 * time.Hour) // the shard ends with its one record
	if n := len(c.shards(arn)); n != slicesOnDemand+1 {
		t.Fatalf("after the rotation: got %d shards, want %d", n, slicesOnDemand+1)
	}
	now.Add((20*time.Hour - time.Minute).Milliseconds())
	early, err := iterator(dynamodbstreamsapi.ShardIteratorTypeAtSequenceNumber, &number)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := get(early); err != nil || len(out.Records) != 1 || out.NextShardIterator != nil {
		t.Fatalf("a minute before: got %+v, %v", out, err)
	}
	now.Add((2 * time.Minute).Milliseconds())
	_, err = get(early)
	wantError(t, err, "TrimmedDataAccessException", "The data you are trying to access has been trimmed.")
	_, err = iterator(dynamodbstreamsapi.ShardIteratorTypeAtSequenceNumber, &number)
	wantError(t, err, "TrimmedDataAccessException", "The data you are trying to access has been trimmed.")
	after, err := iterator(dynamodbstreamsapi.ShardIteratorTypeAfterSequenceNumber, &number)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{after, must(iterator(dynamodbstreamsapi.ShardIteratorTypeTrimHorizon, nil))} {
		if out, err := get(text); err != nil || len(out.Records) != 0 || out.NextShardIterator != nil {
			t.Errorf("behind the last record: got %+v, %v", out, err)
		}
	}
	forward(4 * time.Hour) // a day after it has ended
	_, err = iterator(dynamodbstreamsapi.ShardIteratorTypeTrimHorizon, nil)
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: Shard does not exist")
	if n := len(c.shards(arn)); n != slicesOnDemand {
		t.Errorf("a day later: got %d shards, want %d", n, slicesOnDemand)
	}
}

func must(text string, err error) string {
	if err != nil {
		panic(err)
	}
	return text
}

func TestStreamOfADeletedTableIsGoneADayLaterWithAllThatItHad(t *testing.T) {
	st, now := manualStore()
	c := startOn(t, st, -1)
	arn := c.withStream(input("gone", "h:S"), dynamodbapi.StreamViewTypeNewImage)
	put(c, "gone", `{"h":{"S":"a"}}`)
	if _, err := c.svc.DeleteTable(c.ctx(), &dynamodbapi.DeleteTableInput{TableName: "gone"}); err != nil {
		t.Fatal(err)
	}
	c.await("gone", "")
	c.create("gone", "h:S")
	records := 0
	for _, sh := range c.shards(arn) {
		if !c.iterate(arn, *sh.ShardId, func(*dynamodbstreamsapi.Record) { records++ }) {
			t.Errorf("shard %s has not ended", *sh.ShardId)
		}
	}
	if records != 1 {
		t.Errorf("got %d records of the deleted table, want 1", records)
	}
	if d := c.describe("gone"); d.LatestStreamArn != nil {
		t.Errorf("the new table shows the stream %s of the old one", *d.LatestStreamArn)
	}
	now.Add((24 * time.Hour).Milliseconds())
	_, err := c.svc.DescribeStream(c.ctx(), &dynamodbstreamsapi.DescribeStreamInput{StreamArn: arn})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: Stream: "+arn+" not found")
	c.turn()
	left, err := st.Partitions(t.Context(), 0, 10)
	if err != nil || len(left) != 0 {
		t.Errorf("partitions %v are left, %v", left, err)
	}
	err = st.View(t.Context(), func(tx store.ReadTx) error {
		for _, family := range []store.Family{store.FamilyTopic, store.FamilyTable} {
			from, to := []byte{byte(family)}, []byte{byte(family), 0xff}
			if family == store.FamilyTable {
				from, to = []byte{byte(family), kindStream}, []byte{byte(family), kindStreamDue + 1}
			}
			kvs, err := tx.Scan(from, to, 10, false)
			if err != nil || len(kvs) > 0 {
				t.Errorf("keys %x are left, %v", kvs, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestStreamThatIsEnabledAgainBeginsAnew(t *testing.T) {
	st, now := manualStore()
	c := startOn(t, st, -1)
	first := c.withStream(input("again", "h:S"), dynamodbapi.StreamViewTypeNewImage)
	put(c, "again", `{"h":{"S":"a"}}`)
	change := func(spec *dynamodbapi.StreamSpecification) {
		t.Helper()
		if _, err := c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{TableName: "again", StreamSpecification: spec}); err != nil {
			t.Fatal(err)
		}
		c.await("again", dynamodbapi.TableStatusActive)
	}
	change(&dynamodbapi.StreamSpecification{})
	put(c, "again", `{"h":{"S":"b"}}`)
	now.Add(1)
	change(&dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: new(dynamodbapi.StreamViewTypeKeysOnly)})
	put(c, "again", `{"h":{"S":"c"}}`)
	second := *c.describe("again").LatestStreamArn
	for arn, want := range map[string]string{first: `{"h":{"S":"a"}}`, second: `{"h":{"S":"c"}}`} {
		got := ""
		for _, sh := range c.shards(arn) {
			c.iterate(arn, *sh.ShardId, func(r *dynamodbstreamsapi.Record) { got += string(r.Dynamodb.Keys) })
		}
		if got != want {
			t.Errorf("stream %s: got %s, want %s", arn, got, want)
		}
	}
	now.Add((24 * time.Hour).Milliseconds())
	c.turn()
	out, err := c.svc.ListStreams(c.ctx(), &dynamodbstreamsapi.ListStreamsInput{})
	if err != nil || len(out.Streams) != 1 || *out.Streams[0].StreamArn != second {
		t.Errorf("a day later: got %+v, %v, want %s alone", out, err, second)
	}
}

func TestStreamIsBetweenStatesWhileItsTableIs(t *testing.T) {
	st, now := manualStore()
	c := startOn(t, st, time.Minute)
	in := input("states", "h:S")
	in.StreamSpecification = &dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: new(dynamodbapi.StreamViewTypeKeysOnly)}
	made, err := c.svc.CreateTable(c.ctx(), in)
	if err != nil {
		t.Fatal(err)
	}
	status := func(want dynamodbstreamsapi.StreamStatus) {
		t.Helper()
		out, err := c.svc.DescribeStream(c.ctx(), &dynamodbstreamsapi.DescribeStreamInput{StreamArn: *made.TableDescription.LatestStreamArn})
		if err != nil || *out.StreamDescription.StreamStatus != want {
			t.Fatalf("got %+v, %v, want %s", out, err, want)
		}
	}
	status(dynamodbstreamsapi.StreamStatusEnabling)
	now.Add(time.Minute.Milliseconds())
	c.svc.states.Poke()
	c.await("states", dynamodbapi.TableStatusActive)
	status(dynamodbstreamsapi.StreamStatusEnabled)
	if _, err := c.svc.UpdateTable(c.ctx(), &dynamodbapi.UpdateTableInput{TableName: "states", StreamSpecification: &dynamodbapi.StreamSpecification{}}); err != nil {
		t.Fatal(err)
	}
	status(dynamodbstreamsapi.StreamStatusDisabling)
	now.Add(time.Minute.Milliseconds())
	status(dynamodbstreamsapi.StreamStatusDisabled)
}
