package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// part is one line of the summary.
type part struct {
	name  string
	quick bool // also in make test-quick
	limit time.Duration
	run   func(ctx context.Context, r *runner) error
}

// plan is the order: what fails fast comes first, and what later parts need before them.
var plan = []part{
	{"parts", true, 10 * time.Minute, prepare},
	{"build", true, 5 * time.Minute, build},
	{"lint", true, 12 * time.Minute, lint},
	{"units", true, 12 * time.Minute, units},
	{"stores", false, 8 * time.Minute, stores},
	{"platforms", false, 12 * time.Minute, platforms},
	{"race", false, 15 * time.Minute, race},
	{"fuzz", false, 20 * time.Minute, fuzz},
	{"simulation", false, 10 * time.Minute, simulation},
	{"planted", false, 4 * time.Minute, planted},
	{"clients", false, 10 * time.Minute, clients},
	{"kafka", false, 12 * time.Minute, kafka},
	{"crash", false, 10 * time.Minute, crash},
}

// ours is every package; not ./..., which would look into build/ too.
var ours = []string{".", "./cmd/...", "./internal/...", "./test/...", "./tools/..."}

// prepare fetches what the other parts need; quick runs need the tools and a PostgreSQL.
func prepare(ctx context.Context, r *runner) error {
	args := []string{"run", "./tools/parts"}
	if r.quick {
		args = append(args, "tools", "postgres")
	}
	return r.check(ctx, "parts are there", "go", args...)
}

func build(ctx context.Context, r *runner) error {
	return r.check(ctx, "bin/millrace", "make", "--no-print-directory", "build")
}

// lint holds the code against STYLE.md; deadcode counts tests as callers, since the contract of the core is
// complete before the services that use it are.
func lint(ctx context.Context, r *runner) error {
	var failed error
	for _, c := range []struct {
		name, program string
		args          []string
	}{
		{"golangci-lint", r.tool("golangci-lint"), append([]string{"run", "--allow-parallel-runners"}, ours...)},
		{"staticcheck", r.tool("staticcheck"), append([]string{"-tags", "system", "-checks", staticchecks}, ours...)},
		{"go.mod is tidy", "go", []string{"mod", "tidy", "-diff"}},
	} {
		if err := r.check(ctx, c.name, c.program, c.args...); err != nil {
			failed = err
		}
	}
	if !r.quick { // the models are not among the parts of a quick run
		for _, generator := range []string{"apigen", "kafkagen"} {
			if err := r.check(ctx, "internal/api is as "+generator+" writes it", "go", "run", "./tools/"+generator, "-check"); err != nil {
				failed = err
			}
		}
	}
	if err := r.silent(ctx, "deadcode", r.tool("deadcode"), append([]string{"-test", "-tags", "system"}, ours...)...); err != nil {
		failed = err
	}
	return failed
}

// staticchecks leaves the style of comments to the linters that know our rules.
const staticchecks = "all,-ST1000,-ST1020,-ST1021,-ST1022"

// targets are the systems and processors that a release is built for.
var targets = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// platforms builds for every target, and vets, which also type-checks the tests of that target.
func platforms(ctx context.Context, r *runner) error {
	var failed error
	for _, target := range targets {
		system, processor, _ := strings.Cut(target, "/")
		env := []string{"GOOS=" + system, "GOARCH=" + processor, "CGO_ENABLED=0"}
		if err := r.with(env).check(ctx, "vet and build for "+target, "go", append([]string{"vet"}, ours...)...); err != nil {
			failed = err
			continue
		}
		out := filepath.Join(r.root, "build", "platforms", system+"-"+processor) + string(filepath.Separator)
		if err := r.with(env).check(ctx, "link for "+target, "go", "build", "-o", out, "./cmd/millrace"); err != nil {
			failed = err
		}
	}
	return failed
}

// units is every test that needs no other program but PostgreSQL: units, scripts, contract suites of all
// drivers, golden files and the seeds of the fuzz targets.
func units(ctx context.Context, r *runner) error {
	return r.goTest(ctx, ours...)
}

// stores runs the behaviour tests of DynamoDB, which run on the quickest store among the units, on each of the others.
func stores(ctx context.Context, r *runner) error {
	var failed error
	for _, name := range []string{"embedded", "cluster"} {
		failed = errors.Join(failed, r.goTest(ctx, "-count=1", "./internal/service/dynamodb", "-store", name))
	}
	return failed
}

// race runs what has goroutines of its own under the race detector, which needs a C compiler.
func race(ctx context.Context, r *runner) error {
	return r.with([]string{"CGO_ENABLED=1"}).goTest(ctx, "-race", "-short", "./internal/...")
}

// clients runs unchanged AWS clients against the binary, more at once than there may be processors: consumers mostly wait.
func clients(ctx context.Context, r *runner) error {
	return r.goTest(ctx, "-count=1", "-parallel", "6", "-tags", "system", "./test/sdk")
}

// kafka runs unchanged Kafka clients against the binary, and kills it under transactions.
func kafka(ctx context.Context, r *runner) error {
	return r.goTest(ctx, "-count=1", "-tags", "system", "./test/kafka")
}

// crash kills the binary under load and counts its syncs.
func crash(ctx context.Context, r *runner) error {
	return r.goTest(ctx, "-count=1", "-tags", "system", "./test/crash", "-kills", "50")
}

// fuzzTime is for each target; the corpus in testdata runs among the units anyway.
const fuzzTime = "2s"

// fuzz gives every fuzz target some seconds.
func fuzz(ctx context.Context, r *runner) error {
	found, err := r.fuzzTargets(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("no fuzz target was found")
	}
	var failed error
	for _, f := range found {
		if err := r.fuzzOne(ctx, f); err != nil {
			failed = err
		}
	}
	return failed
}

// fuzzTries is how often a target is run that fails for no input.
const fuzzTries = 3

// fuzzOne runs one target. The go command now and then reports the end of the time as a failure of the target: then
// there is no failing input, and the target is run again.
func (r *runner) fuzzOne(ctx context.Context, f fuzzTarget) error {
	var out []byte
	var err error
	for range fuzzTries {
		out, err = r.output(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+f.name+"$", "-fuzztime", fuzzTime,
			"-fuzzminimizetime", "1x", // else an input that is being made smaller at the end of the time counts as a failure
			"-parallel", fmt.Sprint(runtime.NumCPU()), f.pkg)
		if err == nil || ctx.Err() != nil || !bytes.Contains(out, []byte("context deadline exceeded")) || bytes.Contains(out, []byte("Failing input")) {
			break
		}
	}
	return r.verdict(f.pkg+" "+f.name, out, err)
}

// seeds is how many simulated lives of the store are run here, beside those among the units.
const seeds = 3000

// histories is how many random histories of Kinesis are played here, beside those among the units.
const histories = 400

// simulation runs the store on the crashing file system, with other seeds every day, named in the output, and random
// histories of Kinesis, which name their seed when they fail.
func simulation(ctx context.Context, r *runner) error {
	from := time.Now().Unix() / (24 * 60 * 60) * 1_000_000
	fmt.Printf("    seeds %d to %d\n", from, from+seeds-1)
	err := r.goTest(ctx, "-count=1", "./internal/core/store/embedded", "-run", "^TestStoreSurvivesCrashes$",
		"-crash.from", fmt.Sprint(from), "-crash.seeds", fmt.Sprint(seeds))
	return errors.Join(err, r.goTest(ctx, "-count=1", "./internal/service/kinesis", "-run", "^TestRandomHistories",
		"-histories", fmt.Sprint(histories)))
}

// planted turns on each bug that the simulation has to catch.
func planted(ctx context.Context, r *runner) error {
	return r.goTest(ctx, "-count=1", "./internal/core/store/embedded", "-run", "^TestPlantedBugsAreCaught$")
}

func (r *runner) tool(name string) string {
	return filepath.Join(r.root, "build", "tools", name)
}

// environment is what every part finds: the folder of the prepared parts, and no C.
func environment(root string) []string {
	return append(os.Environ(), "CGO_ENABLED=0", "MILLRACE_PARTS="+filepath.Join(root, "build", "parts"))
}
