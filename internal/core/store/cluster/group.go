package cluster

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"millrace/internal/core/datakey"
	"millrace/internal/core/store"
)

// groupWriter decides the requests of a group and writes what they do.
type groupWriter struct {
	s *Store
	g *store.Group
	// keys are those that the group's batches are sealed with.
	keys datakey.Keys
	// parts are partitions whose rows change, beside those that the group names.
	parts map[store.PartitionID]bool
}

// decide answers one item. An error is the database's: the group cannot go on.
func (w *groupWriter) decide(it *item) (answer, error) {
	state := w.s.decided
	if it.appends != nil {
		results := make([]store.AppendResult, len(it.appends))
		for i := range it.appends {
			if it.appends[i].Key != 0 {
				own, err := w.openKeys(it.appends[i:i+1], nil)
				if w.fatal(err) {
					return answer{}, err
				}
				if results[i].Err = err; err != nil {
					continue
				}
				w.keep(own)
			}
			results[i] = state.DecideAppend(&it.appends[i], w.g)
		}
		return answer{results: results}, nil
	}
	changed, err := w.changedSince(it.tx)
	if err != nil {
		return answer{}, err
	}
	for _, c := range it.tx.Producers {
		if c.Kind == store.ProducerDelete {
			for _, id := range state.ProducerPartitions(c.Producer) {
				w.parts[id] = true
			}
		}
	}
	own, err := w.openKeys(appendsOf(it.tx), it.tx.Keys)
	if w.fatal(err) {
		return answer{}, err
	}
	if err != nil {
		return answer{err: err}, nil //nolint:nilerr // the item's own error, not the database's
	}
	before := w.effects()
	a := answer{err: state.Decide(it.tx, w.g, &lookback{inDatabase: changed, pending: w.g.Keys})}
	if w.effects() != before {
		a.commit = store.Commit{Sequence: w.g.Seq, Time: w.g.Time}
		w.keep(own)
	}
	return a, nil
}

// effects counts what the group changes.
func (w *groupWriter) effects() int {
	return len(w.g.Keys) + len(w.g.Parts) + len(w.g.Producers) + len(w.g.Appends)
}

// changedSince asks the database for groups after the request's snapshot that wrote what it has read.
func (w *groupWriter) changedSince(req *store.Request) (changed bool, err error) {
	if len(req.ReadKeys)+len(req.ReadRanges) == 0 || req.Snapshot == w.g.Seq-1 {
		return false, nil
	}
	keys := make([][]byte, len(req.ReadKeys))
	for i, k := range req.ReadKeys {
		keys[i] = indexKey(k)
	}
	low, high := make([][]byte, len(req.ReadRanges)), make([][]byte, len(req.ReadRanges))
	for i, r := range req.ReadRanges {
		low[i], high[i] = indexBounds(r.From, r.To)
	}
	err = w.s.conn.QueryRow(w.s.work, `SELECT
		EXISTS (SELECT FROM store_keys WHERE domain = 1 AND key = ANY($1::bytea[]) AND seq > $2)
		OR EXISTS (SELECT FROM unnest($3::bytea[], $4::bytea[]) AS r (low, high), LATERAL
			(SELECT FROM store_keys k WHERE k.domain = 1 AND k.key >= r.low AND k.key < r.high AND k.seq > $2 LIMIT 1) found)`,
		keys, int64(req.Snapshot), low, high).Scan(&changed)
	if err != nil {
		return false, fmt.Errorf("look for conflicts: %w", err)
	}
	return changed, nil
}

// write writes the group's effects and its row under id, and commits.
func (w *groupWriter) write(id string) error {
	var b pgx.Batch
	g, state := w.g, w.s.decided
	b.Queue("INSERT INTO store_groups (id, domain, seq, time, committed) VALUES ($1, 1, $2, $3, true)", id, int64(g.Seq), g.Time)
	b.Queue("UPDATE store_commit SET seq = $1, time = $2, last_partition = $3 WHERE domain = 1", int64(g.Seq), g.Time, int64(state.LastPartitionID()))
	w.writeKeys(&b)
	w.writeBatches(&b)
	w.writePartitions(&b)
	w.writeProducers(&b)
	b.Queue("COMMIT")
	if err := w.s.conn.SendBatch(w.s.work, &b).Close(); err != nil {
		return fmt.Errorf("write group %d: %w", g.Seq, err)
	}
	return nil
}

// writeKeys writes each key once, with its last value.
func (w *groupWriter) writeKeys(b *pgx.Batch) {
	at := map[string]int{}
	var keys, full, values [][]byte
	for _, c := range w.g.Keys {
		k := indexKey(c.Key)
		if i, ok := at[string(k)]; ok {
			values[i] = c.Value
			continue
		}
		at[string(k)] = len(keys)
		keys, full, values = append(keys, k), append(full, fullKey(c.Key)), append(values, c.Value)
	}
	if len(keys) > 0 {
		b.Queue(`INSERT INTO store_keys (domain, key, full_key, value, seq)
			SELECT 1, k, f, v, $4 FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) AS x (k, f, v)
			ON CONFLICT (domain, key) DO UPDATE SET value = excluded.value, seq = excluded.seq`, keys, full, values, int64(w.g.Seq))
	}
}

func (w *groupWriter) writeBatches(b *pgx.Batch) {
	n := len(w.g.Appends)
	if n == 0 {
		return
	}
	columns := make([][]int64, 7)
	for i := range columns {
		columns[i] = make([]int64, n)
	}
	sealed, nonces := make([][]byte, n), make([][]byte, n)
	for i := range w.g.Appends {
		a := &w.g.Appends[i]
		sealed[i] = a.AppendSealed(nil)
		if a.Key != 0 {
			var nonce datakey.Nonce
			sealed[i], nonce = datakey.Seal(w.keys[a.Key], datakey.PlaceOf(a), sealed[i])
			nonces[i] = nonce[:]
		}
		a.Size = len(sealed[i])
		for c, v := range []int64{int64(a.Partition), int64(a.Base), int64(a.Next()), a.AppendTime, a.MaxTimestamp, int64(a.Size), int64(a.Key)} {
			columns[c][i] = v
		}
	}
	b.Queue(`INSERT INTO store_batches (domain, partition, base, next, append_time, max_timestamp, size, key_id, bytes, nonce, seq)
		SELECT 1, x.*, $10 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bytea[], $9::bytea[]) AS x`,
		columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], columns[6], sealed, nonces, int64(w.g.Seq))
}

func (w *groupWriter) writePartitions(b *pgx.Batch) {
	for i := range w.g.Appends {
		w.parts[w.g.Appends[i].Partition] = true
	}
	for i := range w.g.Parts {
		w.parts[w.g.Parts[i].Partition] = true
	}
	var ids, gone []int64
	var states [][]byte
	for id := range w.parts {
		if state, ok := w.s.decided.AppendPartitionState(nil, id); ok {
			ids, states = append(ids, int64(id)), append(states, state)
		} else {
			gone = append(gone, int64(id))
		}
	}
	writeStates(b, "store_partitions", ids, states, gone)
}

func (w *groupWriter) writeProducers(b *pgx.Batch) {
	var ids, gone []int64
	var states [][]byte
	seen := map[store.ProducerID]bool{}
	for _, c := range w.g.Producers {
		if seen[c.Producer] {
			continue
		}
		seen[c.Producer] = true
		if state, ok := w.s.decided.AppendProducerState(nil, c.Producer); ok {
			ids, states = append(ids, int64(c.Producer)), append(states, state)
		} else {
			gone = append(gone, int64(c.Producer))
		}
	}
	writeStates(b, "store_producers", ids, states, gone)
}

func writeStates(b *pgx.Batch, table string, ids []int64, states [][]byte, gone []int64) {
	if len(ids) > 0 {
		b.Queue("INSERT INTO "+table+` (domain, id, state) SELECT 1, * FROM unnest($1::bigint[], $2::bytea[])
			ON CONFLICT (domain, id) DO UPDATE SET state = excluded.state`, ids, states)
	}
	if len(gone) > 0 {
		b.Queue("DELETE FROM "+table+" WHERE domain = 1 AND id = ANY($1::bigint[])", gone)
	}
}
