package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// testEvent is a line of `go test -json`.
type testEvent struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// goTest runs `go test` with args and counts tests. It shows the output of what failed.
func (r *runner) goTest(ctx context.Context, args ...string) error {
	cmd := r.command(ctx, "go", append([]string{"test", "-json", "-vet=off"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = io.MultiWriter(&stderr, r.log)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	results := readEvents(stdout, r.log)
	runErr := cmd.Wait()
	got := results.count()
	for _, name := range results.skipped() {
		fmt.Printf("    SKIPPED, which counts as failed: %s\n", name)
	}
	got.failed += got.skipped
	for _, text := range results.failures() {
		fmt.Printf("%s\n", indent(last([]byte(text))))
	}
	r.count.add(got)
	if runErr == nil && got.failed == 0 {
		return nil
	}
	if got.failed == 0 {
		return fmt.Errorf("go test %v: %w\n%s", args, runErr, last(stderr.Bytes()))
	}
	return errFailed
}

// results are the tests of one run, by package and name.
type results struct {
	action map[string]string
	output map[string]*strings.Builder
}

func readEvents(in io.Reader, log io.Writer) results {
	r := results{action: map[string]string{}, output: map[string]*strings.Builder{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e testEvent
		if json.Unmarshal(line, &e) == nil {
			r.note(e, log)
		} else {
			_, _ = log.Write(line)
		}
		if err != nil {
			return r
		}
	}
}

func (r results) note(e testEvent, log io.Writer) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		_, _ = io.WriteString(log, e.Output) // a log that cannot be written stops nothing
		if r.output[key] == nil {
			r.output[key] = &strings.Builder{}
		}
		r.output[key].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" && e.Action == "skip" {
			return // a package without tests
		}
		r.action[key] = e.Action
	}
}

// leaves are the tests without tests of their own, and packages that failed with no failed test in them:
// those did not build, or ended before their time.
func (r results) leaves() map[string]string {
	parents := map[string]bool{}
	failedIn := map[string]bool{}
	for key, action := range r.action {
		pkg, name, _ := strings.Cut(key, " ")
		for i, c := range name {
			if c == '/' {
				parents[pkg+" "+name[:i]] = true
			}
		}
		if name != "" && action == "fail" {
			failedIn[pkg] = true
		}
	}
	all := map[string]string{}
	for key, action := range r.action {
		pkg, name, _ := strings.Cut(key, " ")
		isTest := name != "" && (!parents[key] || action == "fail" && !r.childFailed(key))
		if isTest || name == "" && action == "fail" && !failedIn[pkg] {
			all[key] = action
		}
	}
	return all
}

func (r results) childFailed(key string) bool {
	for other, action := range r.action {
		if action == "fail" && strings.HasPrefix(other, key+"/") {
			return true
		}
	}
	return false
}

func (r results) count() count {
	var c count
	for _, action := range r.leaves() {
		switch action {
		case "pass":
			c.passed++
		case "skip":
			c.skipped++
		default:
			c.failed++
		}
	}
	return c
}

func (r results) skipped() []string {
	return r.with("skip")
}

func (r results) with(action string) []string {
	var all []string
	leaves := r.leaves()
	for _, key := range slices.Sorted(maps.Keys(leaves)) {
		if leaves[key] == action {
			all = append(all, strings.TrimSpace(key))
		}
	}
	return all
}

// failures are the outputs of what failed, parents included, since a parent prints why.
func (r results) failures() []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(r.action)) {
		if r.action[key] == "fail" && r.output[key] != nil && !strings.HasSuffix(key, " ") || r.leaves()[key] == "fail" {
			text := ""
			if b := r.output[key]; b != nil {
				text = b.String()
			}
			all = append(all, "FAIL "+strings.TrimSpace(key)+"\n"+text)
		}
	}
	return all
}

// fuzzTarget is one func Fuzz.
type fuzzTarget struct{ pkg, name string }

// fuzzTargets asks every package for its fuzz targets.
func (r *runner) fuzzTargets(ctx context.Context) ([]fuzzTarget, error) {
	out, err := r.output(ctx, "go", append([]string{"test", "-vet=off", "-list", "^Fuzz"}, ours...)...)
	if err != nil {
		return nil, fmt.Errorf("list fuzz targets: %w\n%s", err, last(out))
	}
	var found []fuzzTarget
	var names []string
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "Fuzz") {
			names = append(names, line)
			continue
		}
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "ok" {
			for _, name := range names {
				found = append(found, fuzzTarget{fields[1], name})
			}
		}
		names = nil
	}
	return found, nil
}
