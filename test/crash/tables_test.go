//go:build system

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"millrace/test/process"
)

// workersEach is how many workers of each kind load the table.
const workersEach = 3

// tableHarness is one run of many kills on one table.
type tableHarness struct {
	lives
	clock     atomic.Int64
	registers []*registerWorker
	lists     []*listWorker
	transfers []*transferWorker
	replay    *replay
}

// TestTablesSurviveKills loads one table with reads and writes of single items, appends to several lists at once, and transfers
// between accounts, kills the server in the middle of it again and again, and looks at everything that was answered.
func TestTablesSurviveKills(t *testing.T) {
	seed := newSeed()
	t.Logf("seed %d, %d kills", seed, *killsFlag)
	for name, args := range map[string][]string{"usual bounds": nil, "small bounds": smallBounds} {
		t.Run(name, func(t *testing.T) { killUnderTransactions(t, seed, args) })
	}
}

func killUnderTransactions(t *testing.T, seed uint64, args []string) {
	t.Helper()
	h := newTableHarness(t, seed, args)
	h.create(t)
	early := h.again(t, seed, h.live)
	h.check(t, seed, *killsFlag-early)
}

func newTableHarness(t *testing.T, seed uint64, args []string) *tableHarness {
	t.Helper()
	h := &tableHarness{
		lives:  lives{options: process.Options{Data: filepath.Join(t.TempDir(), "data"), Args: args}, random: rand.New(rand.NewPCG(seed, 0))},
		replay: newReplay(),
	}
	now := func() int64 { return h.clock.Add(1) }
	random := func(i int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(i)+1)) }
	for i := range workersEach {
		h.registers = append(h.registers, &registerWorker{name: fmt.Sprint("r", i), clock: now, random: random(3 * i)})
		h.lists = append(h.lists, &listWorker{number: i, clock: now, random: random(3*i + 1)})
		h.transfers = append(h.transfers, &transferWorker{name: fmt.Sprint("t", i), random: random(3*i + 2)})
	}
	return h
}

// create makes the table and the accounts in a first life, which ends with kill -9 too.
func (h *tableHarness) create(t *testing.T) {
	t.Helper()
	s, c := h.start(t)
	if err := c.table("CreateTable", object{
		"TableName": tableName, "BillingMode": "PAY_PER_REQUEST",
		"StreamSpecification":  object{"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
		"AttributeDefinitions": []object{{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "v", "AttributeType": "S"}},
		"KeySchema":            []object{{"AttributeName": "pk", "KeyType": "HASH"}},
		"GlobalSecondaryIndexes": []object{{
			"IndexName": byValue, "KeySchema": []object{{"AttributeName": "v", "KeyType": "HASH"}}, "Projection": object{"ProjectionType": "ALL"},
		}},
	}, nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		var out struct{ Table struct{ TableStatus string } }
		if err := c.table("DescribeTable", object{"TableName": tableName}, &out); err != nil {
			t.Fatal(err)
		}
		if out.Table.TableStatus == "ACTIVE" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the table is %s for 30 s", out.Table.TableStatus)
		}
	}
	for i := range accounts {
		if err := c.table("PutItem", object{"TableName": tableName, "Item": item{"pk": text(accountKey(i)), "balance": number(startBalance)}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}

// live is one life of the server: what the crash before has left is looked at, then load, then kill -9 at a random moment.
func (h *tableHarness) live(ctx context.Context, life int) error {
	s, err := process.Start(ctx, h.options)
	if err != nil {
		return err
	}
	if err := h.lookAtRest(s.Ready.AWS); err != nil {
		return errors.Join(err, s.Kill())
	}
	load := []func(addr string) error{watchSum, h.replay.run}
	for i := range workersEach {
		h.lists[i].life = life
		load = append(load, h.registers[i].run, h.lists[i].run, h.transfers[i].run)
	}
	return h.killUnder(ctx, s, lifeMax, load, nil)
}

// watchSum reads the sum of all accounts again and again.
func watchSum(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return nil // killed already
	}
	defer c.close()
	for {
		sum, err := sumOfAccounts(c)
		o, dead, err := outcome(err)
		if dead || err != nil {
			return err
		}
		if o == Done && sum != accounts*startBalance {
			return fmt.Errorf("sum of all accounts: got %d, want %d", sum, accounts*startBalance)
		}
	}
}

// lookAtRest compares, before anybody writes, the table with its index, and with what its stream makes of nothing.
func (h *tableHarness) lookAtRest(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	all, err := c.scan("")
	if err != nil {
		return err
	}
	indexed, err := c.scan(byValue)
	if err != nil {
		return err
	}
	var want []string
	for _, it := range all {
		if it["v"].S != "" {
			want = append(want, it["pk"].S+" "+it["v"].S)
		}
	}
	var got []string
	for _, it := range indexed {
		got = append(got, it["pk"].S+" "+it["v"].S)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return fmt.Errorf("after a crash the index differs from the table:\ngot  %v\nwant %v", got, want)
	}
	return h.replay.compare(c, all)
}

// check reads everything at the end and hands it to the checkers.
func (h *tableHarness) check(t *testing.T, seed uint64, lives int) {
	t.Helper()
	s, c := h.start(t)
	if err := h.lookAtRest(s.Ready.AWS); err != nil {
		t.Error(err)
	}
	all, err := c.scan("")
	if err != nil {
		t.Fatal(err)
	}
	final, balances, receipts := map[string][]int{}, map[string]int{}, map[string]int{}
	for _, it := range all {
		pk := it["pk"].S
		switch {
		case it["l"].L != nil:
			final[pk] = it["l"].ints()
		case strings.HasPrefix(pk, "account-"):
			balances[pk] = it["balance"].int()
		case strings.HasPrefix(pk, "receipt-"):
			receipts[strings.TrimPrefix(pk, "receipt-")] = it["times"].int()
		}
	}
	var txns []Txn
	var transfers []Transfer
	var resent int
	ops := h.readRegisters(t, c)
	for i := range workersEach {
		txns = append(txns, h.lists[i].txns...)
		transfers = append(transfers, h.transfers[i].transfers...)
		ops = append(ops, h.registers[i].ops...)
		resent += h.transfers[i].resent
	}
	counts := tally("transactions over lists", txns, func(t Txn) Outcome { return t.Outcome }) + ", " +
		tally("transfers", transfers, func(t Transfer) Outcome { return t.Outcome }) + ", " +
		tally("calls on registers", ops, func(o RegisterOp) Outcome { return o.Outcome }) // before the check decides what had no answer
	problems := slices.Concat(CheckLists(txns, final), CheckTransfers(transfers, startBalance, balances, receipts), CheckRegisters(ops))
	for _, p := range problems[:min(len(problems), 20)] {
		t.Errorf("seed %d: %s", seed, p)
	}
	t.Logf("%d lives under load: %s, %d transfers sent again, %d records in %d shards of the stream: %d violations",
		lives, counts, resent, h.replay.records, len(h.replay.shards), len(problems))
	if len(txns) < 10*lives || len(ops) < 15*lives || len(transfers) < 8*lives {
		t.Errorf("%d transactions, %d calls and %d transfers in %d lives: the run proves little", len(txns), len(ops), len(transfers), lives)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// readRegisters reads each register once more: nothing may come after that.
func (h *tableHarness) readRegisters(t *testing.T, c *client) (ops []RegisterOp) {
	t.Helper()
	for i := range registers {
		op := RegisterOp{Key: registerKey(i), Call: h.clock.Add(1), Outcome: Done}
		got, err := c.get(op.Key)
		if err != nil {
			t.Fatal(err)
		}
		op.Saw, op.Return = new(got["v"].S), h.clock.Add(1)
		ops = append(ops, op)
	}
	return ops
}

// tally counts outcomes.
func tally[T any](what string, all []T, outcome func(T) Outcome) string {
	var n [3]int
	for _, x := range all {
		n[outcome(x)]++
	}
	return fmt.Sprintf("%d %s (%d refused, %d unanswered)", len(all), what, n[Refused], n[Unknown])
}
