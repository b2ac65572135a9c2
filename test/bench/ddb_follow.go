package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"millrace/test/load"
)

const (
	// fewItems and manyItems are the sizes of the tables whose index key moves.
	fewItems, manyItems = 10_000, 1_000_000

	// fewChanges and manyChanges are how long the stream is when it is measured.
	fewChanges, manyChanges = 1_000, 1_000_000
)

// follow is a contender on a table of the one server of a scenario.
func follow(s *server, label string) *contender {
	return &contender{server: s, label: label, dial: load.DialHTTP1}
}

// alone runs fn with a millrace of its own.
func (b *bench) alone(ctx context.Context, fn func(s *server) error) error {
	s, err := b.startMillrace(ctx, "alone")
	if err != nil {
		return err
	}
	return errors.Join(fn(s), s.child.Kill(), os.RemoveAll(b.millraceOptions("alone").Data))
}

// runTableStream measures PutItem of 1 KiB with a stream and without, when the stream is short and when it is long.
func (b *bench) runTableStream(ctx context.Context) error {
	return b.alone(ctx, func(s *server) error {
		streamed := object{"StreamSpecification": object{"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"}}
		maps.Copy(streamed, hashed)
		off, on := follow(s, "stream off"), follow(s, "stream on")
		for table, c := range map[string]*contender{"off": off, "on": on} {
			shape := hashed
			if c == on {
				shape = streamed
			}
			if err := s.createTable(ctx, "ddb-stream-"+table, shape); err != nil {
				return err
			}
			if err := c.connect(tableConns, warmUp, func(w, v int) (*load.Request, error) {
				return s.tableRequest("ddb-stream-"+table, tableCall{"PutItem", object{"Item": kibibyte(changed(w, v))}})
			}); err != nil {
				return err
			}
			defer load.CloseAll(c.conns)
		}
		if err := b.rounds("ddb-stream", []*contender{off, on}); err != nil {
			return err
		}
		b.report.tables = append(b.report.tables, contended("ddb-stream", []*contender{off, on})...)
		b.report.atMost("ddb-stream: CPU of PutItem with a stream against without", ratio(on.results, off.results, cpu), 1.3, "x")
		return b.longStream(ctx, s, streamed)
	})
}

// longStream compares a table with a short stream and one with a stream of a million changes. Both hold
// the same small items: it is the length that counts.
func (b *bench) longStream(ctx context.Context, s *server, shape object) error {
	lengths := []int{fewChanges, manyChanges}
	for _, changes := range lengths {
		table := fmt.Sprint("ddb-stream-", changes)
		if err := s.createTable(ctx, table, shape); err != nil {
			return err
		}
		if err := s.fillParallel(table, changes, func(i int) object { return object{"pk": str(fmt.Sprint("item-", i%fewChanges)), "n": num(i)} }); err != nil {
			return err
		}
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	var all []*contender
	for _, changes := range lengths { // connected only now: the server closes what is idle for long
		c := follow(s, fmt.Sprintf("stream of %d changes", changes))
		all = append(all, c)
		if err := c.connect(tableConns, warmUp, func(w, v int) (*load.Request, error) {
			return s.tableRequest(fmt.Sprint("ddb-stream-", changes), counter(ours)(w, v))
		}); err != nil {
			return err
		}
		defer load.CloseAll(c.conns)
	}
	if err := b.rounds("ddb-stream-long", all); err != nil {
		return err
	}
	b.report.tables = append(b.report.tables, contended("ddb-stream-long", all)...)
	b.report.atMost("ddb-stream: CPU after 1,000,000 changes against after 1,000", ratio(all[1].results, all[0].results, cpu), 1.1, "x")
	return nil
}

// runTableIndex measures UpdateItem that moves an item in an index, in a small table and in a large one.
func (b *bench) runTableIndex(ctx context.Context) error {
	return b.alone(ctx, func(s *server) error {
		shape := object{
			"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "g", "AttributeType": "S"}},
			"KeySchema":            hashed["KeySchema"],
			"GlobalSecondaryIndexes": []object{{
				"IndexName": "by-g", "KeySchema": []object{{"AttributeName": "g", "KeyType": "HASH"}}, "Projection": object{"ProjectionType": "ALL"},
			}},
		}
		sizes := []int{fewItems, manyItems}
		for _, items := range sizes {
			table, data := fmt.Sprint("ddb-index-", items), letters(80)
			if err := s.createTable(ctx, table, shape); err != nil {
				return err
			}
			if err := s.fillParallel(table, items, func(i int) object {
				return object{"pk": str(fmt.Sprint("item-", i)), "g": str(scattered(i)), "data": str(data)}
			}); err != nil {
				return err
			}
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
		var all []*contender
		for _, items := range sizes {
			c := follow(s, fmt.Sprintf("%d items", items))
			all = append(all, c)
			if err := c.connect(tableConns, warmUp, func(w, v int) (*load.Request, error) {
				return s.tableRequest(fmt.Sprint("ddb-index-", items), move(w, v, items))
			}); err != nil {
				return err
			}
			defer load.CloseAll(c.conns)
		}
		if err := b.rounds("ddb-index", all); err != nil {
			return err
		}
		b.report.tables = append(b.report.tables, contended("ddb-index", all)...)
		b.report.atMost("ddb-index: CPU of a move in 1,000,000 items against in 10,000", ratio(all[1].results, all[0].results, cpu), 1.3, "x")
		return nil
	})
}

// scattered spreads numbers over the whole index.
func scattered(i int) string { return fmt.Sprintf("%08x", uint32(i)*2654435761) }

// move gives one of a worker's items, which lie all over the table, another index key each time: a worker sends the first half of
// its requests, and then the second, which moves the same items on.
func move(w, v, items int) tableCall {
	const each = tableVariants / 2
	at := (w*each + v%each) * (items / (tableConns * each))
	return tableCall{"UpdateItem", object{
		"Key": object{"pk": str(fmt.Sprint("item-", at))}, "UpdateExpression": "SET g = :g",
		"ExpressionAttributeValues": object{":g": str(scattered(at*7 + v/each + 1))},
	}}
}

// fillParallel puts n items over many connections, 25 at a time.
func (s *server) fillParallel(table string, n int, item func(i int) object) error {
	errs := make([]error, tableConns)
	var wg sync.WaitGroup
	for w := range tableConns {
		wg.Go(func() {
			c, err := load.DialHTTP1(s.addr)
			if err != nil {
				errs[w] = err
				return
			}
			defer c.Close()
			for from := w * 25; from < n && errs[w] == nil; from += tableConns * 25 {
				var chunk []object
				for i := from; i < min(from+25, n); i++ {
					chunk = append(chunk, item(i))
				}
				errs[w] = s.putAll(c, table, chunk)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
