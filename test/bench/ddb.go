package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"millrace/test/load"
)

// tableScenario is load of one kind of request on one table. The first contender is what the others are divided by.
type tableScenario struct {
	name        string
	connections int
	table       object                               // what CreateTable gets beside name and billing mode
	fill        []object                             // items that are there before
	request     func(worker, variant int) tableCall  // one of the calls that a worker sends in turn
	floor       func(*server) (*load.Request, error) // what the floor gets; nil: the same body. Only with writes
	reads       bool                                 // the floor has nothing to compare with
	bars        []tableBar
}

// tableCall is one call of DynamoDB.
type tableCall struct {
	op string
	in object
}

// tableBar holds millrace against one contender.
type tableBar struct {
	against string
	cpu     bool // CPU for each call, at most; else the rate, at least
	limit   float64
}

// tableVariants is how many different requests a worker sends in turn: with 16 workers a thousand items.
const tableVariants = 64

// runTables measures millrace beside the floor, DynamoDB Local and dynoxide.
func (b *bench) runTables(ctx context.Context) error {
	if b.wants("ddb-life") {
		if err := b.runTableLives(ctx); err != nil {
			return err
		}
	}
	var wanted []tableScenario
	for _, s := range tableScenarios() {
		if b.wants(s.name) {
			wanted = append(wanted, s)
		}
	}
	if len(wanted) > 0 {
		if err := b.runTableLoads(ctx, wanted); err != nil {
			return err
		}
	}
	if b.wants("ddb-stream") {
		if err := b.runTableStream(ctx); err != nil {
			return err
		}
	}
	if b.wants("ddb-index") {
		return b.runTableIndex(ctx)
	}
	return nil
}

// runTableLoads starts all servers and puts them under load.
func (b *bench) runTableLoads(ctx context.Context, scenarios []tableScenario) error {
	var servers []*server
	defer func() { stop(servers...) }()
	for _, start := range []func(context.Context) (*server, error){
		b.startFloor, b.startTables, b.startDynamoDBLocal, b.startDynoxide, b.startDynoxideOnDisk,
	} {
		s, err := start(ctx)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	for _, s := range scenarios {
		if err := b.runTable(ctx, s, servers); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// startTables starts the millrace of these scenarios.
func (b *bench) startTables(ctx context.Context) (*server, error) {
	return b.startMillrace(ctx, "millrace")
}

func (b *bench) runTable(ctx context.Context, s tableScenario, servers []*server) error {
	if s.reads {
		servers = servers[1:]
	}
	var all []*contender
	defer func() {
		for _, c := range all {
			load.CloseAll(c.conns)
		}
	}()
	for _, on := range servers {
		c := &contender{server: on, label: on.name, dial: load.DialHTTP1}
		all = append(all, c)
		if err := c.prepareTable(ctx, s); err != nil {
			return fmt.Errorf("prepare %s: %w\n%s", c.label, err, on.child.Tail())
		}
	}
	if err := b.rounds(s.name, all); err != nil {
		return err
	}
	b.report.tables = append(b.report.tables, contended(s.name, all)...)
	b.tableBars(s, all)
	for _, on := range servers {
		if err := on.dropTable(ctx, s.name); err != nil {
			return err
		}
	}
	return nil
}

// rounds puts the contenders under load in turn.
func (b *bench) rounds(name string, all []*contender) error {
	for round := range b.settings.rounds {
		for _, c := range all {
			r, err := load.Run(c.server.child.PID(), c.conns, c.requests, b.settings.window)
			if err != nil {
				return fmt.Errorf("%s: round %d of %s: %w\n%s", name, round, c.label, err, c.server.child.Tail())
			}
			c.results = append(c.results, r)
		}
	}
	return nil
}

// tableBars holds millrace against the others.
func (b *bench) tableBars(s tableScenario, all []*contender) {
	by := map[string]*contender{}
	for _, c := range all {
		by[c.label] = c
	}
	ours := by["millrace"].results
	for _, bar := range s.bars {
		if bar.cpu {
			b.report.atMost(s.name+": CPU against "+bar.against, ratio(ours, by[bar.against].results, cpu), bar.limit, "x")
		} else {
			b.report.atLeast(s.name+": rate against "+bar.against, ratio(ours, by[bar.against].results, rate), bar.limit)
		}
	}
}

// prepareTable makes and fills the table, builds the requests, connects and warms up.
func (c *contender) prepareTable(ctx context.Context, s tableScenario) error {
	if err := c.server.createTable(ctx, s.name, s.table); err != nil {
		return err
	}
	if err := c.server.fillTable(s.name, s.fill); err != nil {
		return err
	}
	warm := warmUp
	if c.label == dynamodbLocal {
		warm = warmUpJava
	}
	return c.connect(s.connections, warm, func(worker, variant int) (*load.Request, error) {
		if c.label == floorName && s.floor != nil {
			return s.floor(c.server)
		}
		call := s.request(worker, variant)
		return c.server.tableRequest(s.name, call)
	})
}

// warmUpJava is what DynamoDB Local takes until its figures stand still.
const warmUpJava = 4 * time.Second

// connect opens connections, builds the requests of each and sends them for a while.
func (c *contender) connect(connections int, warm time.Duration, request func(worker, variant int) (*load.Request, error)) error {
	var err error
	if c.conns, err = load.DialAll(connections, c.server.addr, c.dial); err != nil {
		return err
	}
	for worker := range c.conns {
		var list []*load.Request
		for variant := range tableVariants {
			req, err := request(worker, variant)
			if err != nil {
				return err
			}
			list = append(list, req)
		}
		c.requests = append(c.requests, list)
	}
	_, err = load.Run(c.server.child.PID(), c.conns, c.requests, warm)
	return err
}

// letters makes a string of n letters, alike in every run.
func letters(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('a' + random.Uint64()%26))
	}
	return b.String()
}
