package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"syscall"
	"time"

	"millrace/test/load"
	"millrace/test/process"
)

// settings come from flags.
type settings struct {
	only   *regexp.Regexp
	rounds int
	window time.Duration
	memory time.Duration
	strict bool
}

func main() {
	var s settings
	only := flag.String("only", "", "regular expression: scenarios to run")
	flag.IntVar(&s.rounds, "rounds", 5, "windows of load for each server in each put scenario")
	flag.DurationVar(&s.window, "window", 1200*time.Millisecond, "length of a window")
	flag.DurationVar(&s.memory, "memory", 0, "run only the memory scenario, for this long")
	flag.BoolVar(&s.strict, "strict", false, "exit with 1 when a bar is missed")
	fill := flag.String("fill", "", "fill this folder with unmoved journal and wait to be killed; the benchmark starts itself so")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if *fill != "" {
		fmt.Fprintln(os.Stderr, "bench:", runFill(ctx, *fill))
		os.Exit(1)
	}
	missed, err := run(ctx, s, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if missed > 0 && s.strict {
		os.Exit(1)
	}
}

func run(ctx context.Context, s settings, only string) (missed int, err error) {
	if s.only, err = regexp.Compile(only); err != nil {
		return 0, err
	}
	if runtime.GOOS != "linux" {
		return 0, errors.New("CPU and memory of the servers are read from /proc: this runs on Linux only")
	}
	b := &bench{settings: s}
	if b.root, err = process.ModuleRoot(); err != nil {
		return 0, err
	}
	build := filepath.Join(b.root, "build")
	if err := os.MkdirAll(build, 0o755); err != nil {
		return 0, err
	}
	if b.dir, err = os.MkdirTemp(build, "bench-"); err != nil { // of its own: two runs disturb figures enough
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := enoughSpace(b.dir); err != nil {
		return 0, err
	}
	if s.memory > 0 {
		err = b.runMemory(ctx)
	} else {
		err = b.runAll(ctx)
	}
	return b.report.print(os.Stdout), err
}

func (b *bench) wants(name string) bool { return b.settings.only.MatchString(name) }

// runAll runs the scenarios that -only names, in the order of the bars.
func (b *bench) runAll(ctx context.Context) error {
	if b.wants("life") {
		if err := b.runLife(ctx); err != nil {
			return err
		}
	}
	if b.wants("update") {
		if err := b.runUpdate(ctx); err != nil {
			return err
		}
	}
	if err := b.runShards(ctx); err != nil {
		return err
	}
	if b.wants("quota") {
		if err := b.runQuota(ctx); err != nil {
			return err
		}
	}
	if b.wants("push") {
		if err := b.runPush(ctx); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(loads, b.wants) {
		if err := b.runLoads(ctx); err != nil {
			return err
		}
	}
	if err := b.runTables(ctx); err != nil {
		return err
	}
	return b.runKafka(ctx)
}

// loads are the scenarios that need the peers.
var loads = []string{
	"put-record-c1", "put-record-c64", "put-record-h2c-c64", "put-records-c16", "put-records-verified-c16", "get-records",
}

// runLoads starts all servers and puts them under load.
func (b *bench) runLoads(ctx context.Context) error {
	floor, err := b.startFloor(ctx)
	if err != nil {
		return err
	}
	defer stop(floor)
	kinesalite, err := b.startKinesalite(ctx)
	if err != nil {
		return err
	}
	defer stop(kinesalite)
	millrace, err := b.startMillrace(ctx, "millrace")
	if err != nil {
		return err
	}
	defer stop(millrace)
	verified, err := b.startVerified(ctx)
	if err != nil {
		return err
	}
	defer stop(verified)
	for _, s := range putScenarios(floor, kinesalite, millrace, verified) {
		if !b.wants(s.name) {
			continue
		}
		if err := b.runPut(ctx, s); err != nil {
			return err
		}
	}
	if b.wants("get-records") {
		return b.runGet(ctx, millrace, kinesalite)
	}
	return nil
}

func putScenarios(floor, kinesalite, millrace, verified *server) []putScenario {
	with := func(s *server, label string, dial func(string) (load.Conn, error)) *contender {
		return &contender{server: s, label: label, dial: dial}
	}
	h1 := load.DialHTTP1
	one, hundred := (*server).putRecord, (*server).putRecords
	return []putScenario{
		{name: "put-record-c1", connections: 1, request: one, contenders: []*contender{
			with(floor, "floor", h1), with(millrace, "millrace", h1), with(kinesalite, "kinesalite", h1),
		}},
		{name: "put-record-c64", connections: 64, request: one, contenders: []*contender{
			with(floor, "floor", h1), with(millrace, "millrace", h1), with(kinesalite, "kinesalite", h1),
		}},
		{name: "put-record-h2c-c64", connections: 64, request: one, contenders: []*contender{
			with(floor, "floor", h1), with(millrace, "millrace h2c", load.DialHTTP2),
		}},
		{name: "put-records-c16", connections: 16, request: hundred, contenders: []*contender{
			with(floor, "floor", h1), with(millrace, "millrace", h1), with(kinesalite, "kinesalite", h1),
		}},
		{name: "put-records-verified-c16", connections: 16, request: hundred, contenders: []*contender{
			with(floor, "floor", h1), with(verified, "millrace verified", h1),
		}},
	}
}

// putBars are the bars of the put scenarios, by scenario and contender: at most for CPU, at least for rate.
var putBars = map[string][]bar{
	"put-record-c64 millrace":                    {{limit: 0.8, least: true}, {limit: 1.35}},
	"put-record-h2c-c64 millrace h2c":            {{limit: 2.8}},
	"put-records-c16 millrace":                   {{limit: 2.5}},
	"put-records-verified-c16 millrace verified": {{limit: 3.8}},
}
