package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"millrace/test/load"
)

// The peers, as they are called in the tables.
const (
	dynamodbLocal  = "DynamoDB Local"
	dynoxideMemory = "dynoxide"
	dynoxideOnDisk = "dynoxide on disk"
)

// startDynamoDBLocal starts the part dynamodb-local, in memory.
func (b *bench) startDynamoDBLocal(ctx context.Context) (*server, error) {
	lib := filepath.Join(b.root, "build", "parts", "dynamodb-local", "lib")
	if _, err := os.Stat(lib); err != nil {
		return nil, fmt.Errorf("%w; `go run ./tools/parts dynamodb-local` prepares it", err)
	}
	return b.startPeer(ctx, dynamodbLocal, func(port string) []string {
		return []string{
			"java", "-Duser.dir=" + b.dir, "-Dsqlite4java.library.path=" + lib, "-cp", filepath.Join(lib, "*"),
			"com.amazonaws.services.dynamodbv2.local.main.ServerRunner", "-inMemory", "-sharedDb", "-disableTelemetry", "-port", port,
		}
	})
}

// startDynoxide starts the part dynoxide, in memory.
func (b *bench) startDynoxide(ctx context.Context) (*server, error) {
	return b.dynoxide(ctx, dynoxideMemory)
}

// startDynoxideOnDisk starts it on a file.
func (b *bench) startDynoxideOnDisk(ctx context.Context) (*server, error) {
	return b.dynoxide(ctx, dynoxideOnDisk, "--db-path", filepath.Join(b.dir, "dynoxide.db"))
}

func (b *bench) dynoxide(ctx context.Context, name string, args ...string) (*server, error) {
	program := filepath.Join(b.root, "build", "parts", "dynoxide", "bin", "dynoxide")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("%w; `go run ./tools/parts dynoxide` prepares it", err)
	}
	return b.startPeer(ctx, name, func(port string) []string {
		return append([]string{program, "serve", "--log", "quiet", "--port", port}, args...)
	})
}

// tableRequest builds one request on a table.
func (s *server) tableRequest(table string, call tableCall) (*load.Request, error) {
	in := maps.Clone(call.in)
	switch call.op {
	case "TransactWriteItems":
		var named []object
		for _, part := range in["TransactItems"].([]object) {
			for member, what := range part {
				what := maps.Clone(what.(object))
				what["TableName"] = table
				named = append(named, object{member: what})
			}
		}
		in["TransactItems"] = named
	case "BatchWriteItem":
		in["RequestItems"] = object{table: in["RequestItems"]}
	default:
		in["TableName"] = table
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	return s.signer().DynamoDB(call.op, body)
}

// tableCall sends one request over c and decodes the answer into out unless that is nil.
func (s *server) tableCall(c load.Conn, table string, call tableCall, out any) error {
	req, err := s.tableRequest(table, call)
	if err != nil {
		return err
	}
	answer, err := c.Do(req)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", call.op, s.name, err)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// createTable makes a table and waits until it is active. The floor has none.
func (s *server) createTable(ctx context.Context, table string, shape object) error {
	if s.name == floorName {
		return nil
	}
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	in := object{"BillingMode": "PAY_PER_REQUEST"}
	maps.Copy(in, shape)
	if err := s.tableCall(c, table, tableCall{"CreateTable", in}, nil); err != nil {
		return err
	}
	return await(ctx, func() (bool, error) {
		var out struct{ Table struct{ TableStatus string } }
		err := s.tableCall(c, table, tableCall{"DescribeTable", object{}}, &out)
		return out.Table.TableStatus == "ACTIVE", err
	})
}

// dropTable deletes a table; what it leaves is cleaned up in the background.
func (s *server) dropTable(ctx context.Context, table string) error {
	if s.name == floorName {
		return nil
	}
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := s.tableCall(c, table, tableCall{"DeleteTable", object{}}, nil); err != nil {
		return err
	}
	return s.settle(ctx)
}

// fillTable puts items, 25 at a time.
func (s *server) fillTable(table string, items []object) error {
	if s.name == floorName || len(items) == 0 {
		return nil
	}
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for chunk := range slices.Chunk(items, 25) {
		if err := s.putAll(c, table, chunk); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) putAll(c load.Conn, table string, items []object) error {
	var puts []object
	for _, item := range items {
		puts = append(puts, object{"PutRequest": object{"Item": item}})
	}
	var out struct{ UnprocessedItems object }
	err := s.tableCall(c, table, tableCall{"BatchWriteItem", object{"RequestItems": puts}}, &out)
	if err == nil && len(out.UnprocessedItems) > 0 {
		return fmt.Errorf("items of %s were not taken", table)
	}
	return err
}

const (
	settleEvery = 250 * time.Millisecond
	settledCPU  = 5 * time.Millisecond // of work in that time: idle
	settleMost  = time.Minute
)

// settle waits until the server rests, so that what it does in the background is not counted for what comes next.
func (s *server) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleMost)
	defer cancel()
	before, err := load.Usage(s.child.PID())
	for err == nil {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not come to rest: %w", s.name, ctx.Err())
		case <-time.After(settleEvery):
		}
		var after time.Duration
		if after, err = load.Usage(s.child.PID()); err == nil && after-before < settledCPU {
			return nil
		}
		before = after
	}
	return err
}

// runTableLives measures start and idle memory.
func (b *bench) runTableLives(ctx context.Context) error {
	for _, start := range []func(context.Context) (*server, error){b.startTables, b.startDynamoDBLocal, b.startDynoxide} {
		begun := time.Now()
		s, err := start(ctx)
		if err != nil {
			return err
		}
		ms, rss, err := s.firstTables(ctx, begun)
		if err := errors.Join(err, s.child.Kill()); err != nil {
			return err
		}
		if s.name == "millrace" {
			if err := os.RemoveAll(b.millraceOptions(s.name).Data); err != nil {
				return err
			}
		}
		b.life(s.name+": first answer of ListTables after exec, fresh", "ms", []float64{ms}, 0)
		b.life(s.name+": idle memory after it", "MiB", []float64{rss}, 0)
	}
	return nil
}

// firstTables asks for the tables until there is an answer, and reads the memory when the server has rested.
func (s *server) firstTables(ctx context.Context, begun time.Time) (ms, rss float64, err error) {
	err = await(ctx, func() (bool, error) {
		c, err := load.DialHTTP1(s.addr)
		if _, refused := errors.AsType[*net.OpError](err); refused {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		defer c.Close()
		req, err := s.signer().DynamoDB("ListTables", []byte("{}"))
		if err == nil {
			_, err = c.Do(req)
		}
		return err == nil, err
	})
	ms = float64(time.Since(begun).Microseconds()) / 1000
	if err != nil {
		return ms, 0, err
	}
	time.Sleep(idleAfter)
	bytes, err := load.Resident(s.child.PID())
	return ms, float64(bytes) / mib, err
}
