package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	quick := flag.Bool("quick", false, "only what an edit needs")
	only := flag.String("only", "", "regular expression: names of parts to run")
	list := flag.Bool("list", false, "print the names of the parts")
	flag.Parse()
	if *list {
		for _, p := range plan {
			fmt.Println(p.name)
		}
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	ok, err := run(ctx, *quick, *only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
	}
	if !ok {
		os.Exit(1)
	}
}

// outcome is a line of the summary.
type outcome struct {
	part    part
	minutes float64
	count   count
	err     error
}

func run(ctx context.Context, quick bool, only string) (ok bool, err error) {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return false, err
	}
	root, err := filepath.Abs(".")
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		return false, fmt.Errorf("run this from the module root: %w", err)
	}
	var all []outcome
	for _, p := range plan {
		if quick && !p.quick || !wanted.MatchString(p.name) || ctx.Err() != nil {
			continue
		}
		fmt.Printf("=== %s\n", p.name)
		start := time.Now()
		c, err := runPart(ctx, root, quick, p)
		o := outcome{p, time.Since(start).Minutes(), c, err}
		fmt.Printf("--- %s %s (%.1f min)\n", o.word(), p.name, o.minutes)
		all = append(all, o)
	}
	return summary(all) && ctx.Err() == nil, nil
}

func (o outcome) word() string {
	if o.err != nil || o.count.failed > 0 {
		return "FAIL"
	}
	return "ok"
}

// summary prints a line for each part and the totals, and says whether all is well.
func summary(all []outcome) bool {
	var total count
	var minutes float64
	ok := len(all) > 0
	fmt.Printf("\n%-12s %-5s %8s %8s %8s\n", "part", "", "minutes", "passed", "failed")
	for _, o := range all {
		fmt.Printf("%-12s %-5s %8.1f %8d %8d\n", o.part.name, o.word(), o.minutes, o.count.passed, o.count.failed)
		total.add(o.count)
		minutes += o.minutes
		ok = ok && o.word() == "ok"
	}
	fmt.Printf("%-12s %-5s %8.1f\n\n", "in all", "", minutes)
	fmt.Printf("%d passed, %d failed\n", total.passed, total.failed)
	return ok
}
