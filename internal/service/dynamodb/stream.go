package dynamodb

import (
	"time"

	"millrace/internal/api"
	"millrace/internal/api/dynamodbapi"
	"millrace/internal/core/store"
	"millrace/internal/service/dynamodb/capture"
	"millrace/internal/service/dynamodb/keyenc"
)

// viewType is what of an item a stream shows. Permanent.
type viewType uint8

const (
	viewKeys viewType = 1
	viewNew  viewType = 2
	viewOld  viewType = 3
	viewBoth viewType = 4
)

var viewNames = map[viewType]dynamodbapi.StreamViewType{
	viewKeys: dynamodbapi.StreamViewTypeKeysOnly, viewNew: dynamodbapi.StreamViewTypeNewImage,
	viewOld: dynamodbapi.StreamViewTypeOldImage, viewBoth: dynamodbapi.StreamViewTypeNewAndOldImages,
}

func viewOf(name dynamodbapi.StreamViewType) viewType {
	for v, n := range viewNames {
		if n == name {
			return v
		}
	}
	return viewKeys // the model lets no other name through
}

// tableStream is the stream that is enabled on a table.
type tableStream struct {
	view    viewType
	created int64 // ms, its label; 0: it is to begin with the commit
}

// need is why changes of a table are captured; they add up. Permanent.
type need uint8

// needStream is the need of an enabled stream. Whatever else reads changes has a bit of its own: it sets it on the capture that there is, or
// begins one (recapture).
const needStream need = 1 << 0

// captured is the capture that a table's changes go to. It never changes: a change is made on a new one.
type captured struct {
	topic  uint64 // number in the catalogue
	needs  need
	slices []capturedSlice // in order of hashes, all of them
}

// capturedSlice is an open partition and the last hash of its slice.
type capturedSlice struct {
	last uint16
	id   store.PartitionID
}

// partition is where changes of an item with a hash go.
func (c *captured) partition(hash uint16) store.PartitionID {
	for _, s := range c.slices {
		if hash <= s.last {
			return s.id
		}
	}
	panic("dynamodb: a capture without the last hash was decoded")
}

// capture appends the record of the change, if the table's are captured.
func (c *change) capture(tx store.Tx) error {
	to := c.table.capture
	if to == nil {
		return nil
	}
	key := c.at[itemPrefixSize:]
	hash, _ := keyenc.HashOf(key)
	if c.table.dataKey != 0 {
		c.table.vault.count(c.table.num, 1)
	}
	record := capture.Append(make([]byte, 0, capture.MaxOverhead+len(c.old)+len(c.new)), c.old, c.new, c.expired)
	_, err := tx.Append(store.AppendRequest{
		Partition: to.partition(hash), Records: []store.Record{{Key: key, Value: record}}, Key: c.table.dataKey,
	})
	return err
}

// newStream reads what a new table is to have.
func newStream(in *dynamodbapi.StreamSpecification) (*tableStream, error) {
	switch {
	case in == nil:
		return nil, nil
	case in.StreamEnabled && in.StreamViewType == nil:
		return nil, errParameter("Table is being created with a stream enabled, UpdateViewType is required")
	case !in.StreamEnabled && in.StreamViewType != nil:
		return nil, errParameter("Table is being created with a stream disabled, UpdateViewType should not be specified")
	case !in.StreamEnabled:
		return nil, nil
	}
	return &tableStream{view: viewOf(*in.StreamViewType)}, nil
}

// checkStreamChange checks what does not depend on the table.
func checkStreamChange(in *dynamodbapi.UpdateTableInput) error {
	spec := in.StreamSpecification
	switch {
	case spec == nil:
		return nil
	case spec.StreamEnabled && spec.StreamViewType == nil:
		return errParameter("If stream is being enabled then UpdateViewType is required")
	case !spec.StreamEnabled && spec.StreamViewType != nil:
		return errParameter("If stream is being disabled, then UpdateViewType must not be specified")
	case in.ProvisionedThroughput != nil, in.BillingMode != nil && *in.BillingMode == dynamodbapi.BillingModeProvisioned:
		return errParameter("You cannot modify stream status while updating table IOPS")
	}
	return nil
}

// updateStream enables or disables the stream.
func (t *table) updateStream(in *dynamodbapi.StreamSpecification, p place) error {
	switch {
	case in == nil:
	case in.StreamEnabled && t.stream != nil:
		return errInvalid("Table already has an enabled stream: TableName: " + p.table)
	case in.StreamEnabled:
		t.stream = &tableStream{view: viewOf(*in.StreamViewType)}
	case t.stream == nil:
		return errInvalid("Table has no stream to disable: TableName: " + p.table)
	default:
		t.stream = nil
	}
	return nil
}

// describeStream adds the stream to a description. The label stays when the stream is disabled.
func (t *table) describeStream(p place, d *dynamodbapi.TableDescription) {
	if t.stream != nil {
		d.StreamSpecification = &dynamodbapi.StreamSpecification{StreamEnabled: true, StreamViewType: new(viewNames[t.stream.view])}
	}
	if t.latest != 0 {
		d.LatestStreamLabel = new(labelOf(t.latest))
		d.LatestStreamArn = new(streamPlace{p, t.latest}.arn())
	}
}

// streamPlace says which stream: of a table, that of a moment.
type streamPlace struct {
	place
	created int64 // ms
}

func (p streamPlace) arn() string { return p.place.arn() + streamMark + labelOf(p.created) }

const (
	streamMark  = "/stream/"
	labelLayout = "2006-01-02T15:04:05.000"
)

func labelOf(ms int64) string { return time.UnixMilli(ms).UTC().Format(labelLayout) }

// streamAddress reads the ARN of a stream of the caller's own account and region.
//
// Errors: ValidationException, AccessDeniedException, ResourceNotFoundException.
func streamAddress(call *api.Call, arn string) (streamPlace, error) {
	table, label, ok := cutLast(arn, streamMark)
	if !ok {
		return streamPlace{}, errBadStream(arn)
	}
	p, err := address(call, table)
	if e := api.AsError(err); err != nil && e != nil && e.Code == "ValidationException" || p.named == p.table {
		return streamPlace{}, errBadStream(arn)
	}
	if err != nil {
		return streamPlace{}, err
	}
	at, err := time.Parse(labelLayout, label)
	if err != nil {
		return streamPlace{}, errNoStream(arn)
	}
	return streamPlace{p, at.UnixMilli()}, nil
}

// maxChangeAge is how long a change can be read. Source: developer guide, "Change data capture for DynamoDB Streams" (read 2026-11).
const maxChangeAge = 24 * time.Hour
