package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/internal/core/store"
)

// serverLeast is PostgreSQL 15, the oldest version that is tested.
const serverLeast = 150000

// schema makes the tables of level 1: see docs/format/cluster.md. Every row belongs to a domain, of
// which there is one now: 1. Bytes are stored outside of the row and as they are: batches are
// compressed by their producers.
const schema = `
CREATE TABLE store_meta (name text PRIMARY KEY, value bigint NOT NULL);
CREATE TABLE store_commit (
	domain int PRIMARY KEY, seq bigint NOT NULL, time bigint NOT NULL,
	epoch bigint NOT NULL, last_partition bigint NOT NULL);
CREATE TABLE store_time (domain int PRIMARY KEY, told bigint NOT NULL);
CREATE TABLE store_groups (
	id text PRIMARY KEY, domain int NOT NULL, seq bigint NOT NULL, time bigint NOT NULL, committed boolean NOT NULL);
CREATE INDEX store_groups_seq ON store_groups (domain, seq);
CREATE TABLE store_keys (
	domain int NOT NULL, key bytea NOT NULL, full_key bytea, value bytea, seq bigint NOT NULL,
	PRIMARY KEY (domain, key));
ALTER TABLE store_keys ALTER full_key SET STORAGE EXTERNAL, ALTER value SET STORAGE EXTERNAL;
CREATE INDEX store_keys_deleted ON store_keys (domain, seq) WHERE value IS NULL;
CREATE TABLE store_partitions (domain int NOT NULL, id bigint NOT NULL, state bytea NOT NULL, PRIMARY KEY (domain, id));
CREATE TABLE store_producers (domain int NOT NULL, id bigint NOT NULL, state bytea NOT NULL, PRIMARY KEY (domain, id));
CREATE TABLE store_batches (
	domain int NOT NULL, partition bigint NOT NULL, base bigint NOT NULL, next bigint NOT NULL, seq bigint NOT NULL,
	append_time bigint NOT NULL, max_timestamp bigint NOT NULL, size int NOT NULL, bytes bytea NOT NULL,
	key_id bigint NOT NULL DEFAULT 0, nonce bytea,
	PRIMARY KEY (domain, partition, base));
ALTER TABLE store_batches ALTER bytes SET STORAGE EXTERNAL;
CREATE INDEX store_batches_time ON store_batches (domain, partition, append_time, base);
INSERT INTO store_commit VALUES (1, 0, 0, 0, 0);
INSERT INTO store_time VALUES (1, 0);
`

// checkServer refuses a server that would answer before it is durable, or is too old.
func checkServer(ctx context.Context, conn *pgx.Conn) error {
	found := map[string]string{}
	for _, name := range []string{"fsync", "synchronous_commit", "server_version_num"} {
		var v string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&v); err != nil {
			return fmt.Errorf("read setting %s: %w", name, err)
		}
		found[name] = v
	}
	if err := checkSettings(found); err != nil {
		return err
	}
	return checkClock(ctx, conn)
}

// clockApart is how far the machine's clock may be from the database's: store time of a group is the
// node's, and the next node must not find it in its future.
const clockApart = 500 * time.Millisecond

func checkClock(ctx context.Context, conn *pgx.Conn) error {
	begin := time.Now()
	var theirs time.Time
	if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return fmt.Errorf("read the database's clock: %w", err)
	}
	way := time.Since(begin) // the answer was made somewhere in it
	if apart := theirs.Sub(begin.Add(way / 2)); apart.Abs() > clockApart+way/2 {
		return fmt.Errorf("cluster: this machine's clock and the database's are %v apart, %v are allowed: set them by NTP", apart, clockApart)
	}
	return nil
}

func checkSettings(found map[string]string) error {
	for _, name := range []string{"fsync", "synchronous_commit"} {
		if found[name] == "off" {
			return fmt.Errorf("cluster: the database has %s off, so that commits can be lost: turn it on", name)
		}
	}
	version, err := strconv.Atoi(found["server_version_num"])
	if err != nil || version < serverLeast {
		return fmt.Errorf("cluster: the database is version %q, at least %d is needed", found["server_version_num"], serverLeast)
	}
	return nil
}

// prepare makes the tables if they are not there, and refuses those of a newer binary.
func prepare(ctx context.Context, conn *pgx.Conn, name string) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	var there bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('store_meta') IS NOT NULL").Scan(&there); err != nil {
		return fmt.Errorf("look for tables: %w", err)
	}
	if there {
		if err := checkLevel(ctx, tx); err != nil {
			return err
		}
		if err := checkFamilies(ctx, tx); err != nil {
			return err
		}
		if err := addColumns(ctx, tx); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
	if _, err := tx.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+quoted(name)); err != nil {
		return fmt.Errorf("make schema %s: %w", name, err)
	}
	if _, err := tx.Exec(ctx, schema); err != nil {
		return fmt.Errorf("make tables: %w", err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO store_meta VALUES ('level', $1)", int64(store.LevelWrite)); err != nil {
		return fmt.Errorf("write level: %w", err)
	}
	return tx.Commit(ctx)
}

// addColumns makes what tables of level 1 did not have from the beginning. A binary that does not know of sealed
// batches refuses a store that has some: it does not know the family of data keys either.
func addColumns(ctx context.Context, tx pgx.Tx) error {
	var there bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'store_batches'::regclass AND attname = 'key_id')").Scan(&there)
	if err != nil {
		return fmt.Errorf("look for columns: %w", err)
	}
	if there {
		return nil
	}
	if _, err := tx.Exec(ctx, "ALTER TABLE store_batches ADD COLUMN key_id bigint NOT NULL DEFAULT 0, ADD COLUMN nonce bytea"); err != nil {
		return fmt.Errorf("add columns: %w", err)
	}
	return nil
}

// rollback ends a transaction that has only read or has failed; after Commit it does nothing.
func rollback(ctx context.Context, tx pgx.Tx) {
	_ = tx.Rollback(context.WithoutCancel(ctx)) // a connection that fails here is not used again
}

// quoted is a name as SQL wants it.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func checkLevel(ctx context.Context, tx pgx.Tx) error {
	var level int64
	if err := tx.QueryRow(ctx, "SELECT value FROM store_meta WHERE name = 'level'").Scan(&level); err != nil {
		return fmt.Errorf("read level: %w", err)
	}
	if level < 1 || level > int64(store.LevelRead) {
		return &store.LevelError{Found: store.Level(level), Readable: store.LevelRead}
	}
	return nil
}

// checkFamilies looks at one key of each family: each step of the index skips the rest.
func checkFamilies(ctx context.Context, tx pgx.Tx) error {
	for next := 0; next < 256; {
		var k []byte
		err := tx.QueryRow(ctx, "SELECT key FROM store_keys WHERE domain = 1 AND key >= $1 AND value IS NOT NULL ORDER BY key LIMIT 1",
			[]byte{byte(next)}).Scan(&k)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read families: %w", err)
		}
		if f := store.Family(k[0]); !f.Known() {
			return &store.FamilyError{Found: f}
		}
		next = int(k[0]) + 1
	}
	return nil
}

// load reads the State that the rows stand for.
func load(ctx context.Context, conn *pgx.Conn) (*store.State, error) {
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, err
	}
	defer rollback(ctx, tx)
	var seq, ms, last int64
	if err := tx.QueryRow(ctx, "SELECT seq, time, last_partition FROM store_commit WHERE domain = 1").Scan(&seq, &ms, &last); err != nil {
		return nil, fmt.Errorf("read position: %w", err)
	}
	s := store.NewState()
	s.Restore(uint64(seq), ms, store.PartitionID(last))
	err = eachState(ctx, tx, "store_producers", func(id int64, b []byte) error { return s.RestoreProducer(store.ProducerID(id), b) })
	if err != nil {
		return nil, err
	}
	err = eachState(ctx, tx, "store_partitions", func(id int64, b []byte) error { return s.RestorePartition(store.PartitionID(id), b) })
	if err != nil {
		return nil, err
	}
	return s, nil
}

func eachState(ctx context.Context, tx pgx.Tx, table string, restore func(id int64, b []byte) error) error {
	rows, err := tx.Query(ctx, "SELECT id, state FROM "+table+" WHERE domain = 1 ORDER BY id")
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	var id int64
	var b []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &b}, func() error {
		if err := restore(id, b); err != nil {
			return &store.CorruptError{File: fmt.Sprintf("row %d of %s", id, table), Reason: err.Error()}
		}
		return nil
	})
	return err
}
