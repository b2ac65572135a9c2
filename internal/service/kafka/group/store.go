package group

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
)

// Keys of FamilyKafkaGroup. A head is by the group's id alone, so heads are in order of ids.
//
//	family | 1 | group id                                     → head
//	family | 2 | length of the id 2 | group id | chunk 4      → bytes of members
const (
	kindHead  = 1
	kindChunk = 2
)

func headKey(group string) []byte {
	k := make([]byte, 0, 2+len(group))
	return append(append(k, byte(store.FamilyKafkaGroup), kindHead), group...)
}

func chunkKey(group string, chunk int) []byte {
	k := make([]byte, 0, 8+len(group))
	k = append(k, byte(store.FamilyKafkaGroup), kindChunk)
	k = appendString(k, group)
	return binary.BigEndian.AppendUint32(k, uint32(chunk))
}

func chunks(size int) int { return (size + chunkSize - 1) / chunkSize }

// origin is which record of a group a coordinator goes on from; zero: none.
type origin struct{ writer, revision uint64 }

// errOther is the find that another coordinator has written a group since this one did.
var errOther = errors.New("group: another coordinator has written the group")

// current reads a group's head for changing it; nil when there is none.
func current(tx store.ReadTx, group string, from origin, writer uint64) (*head, error) {
	v, ok, err := tx.Get(headKey(group))
	if err != nil {
		return nil, err
	}
	if !ok {
		if from.writer != 0 && from.writer != writer {
			return nil, errOther // deleted by another
		}
		return nil, nil //nolint:nilnil // absence is no error and has no head
	}
	h, err := decodeHead(v)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", group, err)
	}
	if h.writer != writer && (origin{h.writer, h.revision}) != from {
		return nil, errOther
	}
	return h, nil
}

// put writes a record in place of what there is.
func put(tx store.Tx, group string, from origin, r *record) error {
	old, err := current(tx, group, from, r.head.writer)
	if err != nil {
		return err
	}
	if err := tx.Set(headKey(group), encodeHead(&r.head)); err != nil {
		return err
	}
	n := chunks(len(r.members))
	for i := range n {
		piece := r.members[i*chunkSize : min((i+1)*chunkSize, len(r.members))]
		if err := tx.Set(chunkKey(group, i), append([]byte{chunkVersion}, piece...)); err != nil {
			return err
		}
	}
	return dropChunks(tx, group, n, old)
}

// dropChunks deletes the chunks of an old record from one on.
func dropChunks(tx store.Tx, group string, from int, old *head) error {
	if old == nil {
		return nil
	}
	for i := from; i < chunks(old.size); i++ {
		if err := tx.Delete(chunkKey(group, i)); err != nil {
			return err
		}
	}
	return nil
}

// drop deletes a group's record.
func drop(tx store.Tx, group string, old *head) error {
	if old == nil {
		return nil
	}
	if err := tx.Delete(headKey(group)); err != nil {
		return err
	}
	return dropChunks(tx, group, 0, old)
}

// loadPage is how many groups one View reads: with a few kilobytes each it ends in milliseconds.
const loadPage = 500

// stored is a group as the store has it.
type storedGroup struct {
	id      string
	head    *head
	members []byte
}

// loadAll gives every stored group to fn.
func loadAll(ctx context.Context, s store.Store, fn func(*storedGroup) error) error {
	from := headKey("")
	to := []byte{byte(store.FamilyKafkaGroup), kindHead + 1}
	for from != nil {
		var page []*storedGroup
		next := from
		err := s.View(ctx, func(tx store.ReadTx) error {
			kvs, err := tx.Scan(from, to, loadPage, false)
			if err != nil {
				return err
			}
			page, next = page[:0], nil
			for _, kv := range kvs {
				sg, err := load(tx, string(kv.Key[2:]), kv.Value)
				if err != nil {
					return err
				}
				page = append(page, sg)
			}
			if len(kvs) == loadPage {
				next = append(kvs[loadPage-1].Key, 0)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("load groups: %w", err)
		}
		for _, sg := range page {
			if err := fn(sg); err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

// load reads the members that belong to a head.
func load(tx store.ReadTx, id string, headValue []byte) (*storedGroup, error) {
	h, err := decodeHead(headValue)
	if err != nil {
		return nil, fmt.Errorf("group %q: %w", id, err)
	}
	keys := make([][]byte, chunks(h.size))
	for i := range keys {
		keys[i] = chunkKey(id, i)
	}
	values, err := tx.GetMany(keys)
	if err != nil {
		return nil, err
	}
	members := make([]byte, 0, h.size)
	for _, v := range values {
		if len(v) == 0 || v[0] != chunkVersion {
			return nil, fmt.Errorf("group %q: %w", id, errRecord)
		}
		members = append(members, v[1:]...)
	}
	if len(members) != h.size {
		return nil, fmt.Errorf("group %q: %w", id, errRecord)
	}
	return &storedGroup{id, h, members}, nil
}

// Fence is the second half of CheckCommit, inside of the transaction that writes the offsets: it fails a
// commit of a generation that is older than the durable one. The transaction then depends on the group's
// record: a commit that was allowed is ordered before a later generation's assignments are given
// out, or runs again and fails here.
//
// Code: None or IllegalGeneration. The error is the store's.
func Fence(tx store.ReadTx, req CommitRequest) (kafkaapi.Code, error) {
	if req.Generation < 0 {
		return kafkaapi.None, nil
	}
	v, ok, err := tx.Get(headKey(req.Group))
	if err != nil || !ok {
		return kafkaapi.None, err
	}
	h, err := decodeHead(v)
	if err != nil {
		return kafkaapi.None, fmt.Errorf("group %q: %w", req.Group, err)
	}
	if req.Generation < h.generation {
		return kafkaapi.IllegalGeneration, nil
	}
	return kafkaapi.None, nil
}

// StillExpirable is the second half of Expirable, inside of the transaction that deletes offsets: whether
// an empty group is durably as it was. The transaction then depends on the group's record: offsets that
// a new member has committed meanwhile are not deleted with the old ones.
func StillExpirable(tx store.ReadTx, x Expirable) (bool, error) {
	if !x.Empty {
		return true, nil // each offset counts from its own commit
	}
	v, ok, err := tx.Get(headKey(x.Group))
	if err != nil || !ok {
		return x.Since == 0, err
	}
	h, err := decodeHead(v)
	if err != nil {
		return false, fmt.Errorf("group %q: %w", x.Group, err)
	}
	return h.members == 0 && (x.Since == 0 || x.Since == h.changed), nil
}

// codeOf is what a client is told of a failed write: to look for the coordinator again, or, of
// a group that no store takes, what Kafka tells of a record that is too large.
func codeOf(err error) kafkaapi.Code {
	switch {
	case err == nil:
		return kafkaapi.None
	case errors.Is(err, errOther):
		return kafkaapi.NotCoordinator
	case errors.Is(err, store.ErrTooLarge):
		return kafkaapi.UnknownServerError
	}
	return kafkaapi.CoordinatorNotAvailable
}
