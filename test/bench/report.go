package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"millrace/test/load"
)

// report collects lines for the tables and the bars.
type report struct {
	rows [][]string // put scenarios
	gets [][]string // catch-up
	life [][]string // start, memory, recovery
	bars []bar

	spreads [][]string // puts over few and many shards
	updates [][]string // transactions of the store
	kafka   [][]string // beside Apache Kafka
	tables  [][]string // beside DynamoDB Local and dynoxide
}

// bar is a promise of the project held against what was measured.
type bar struct {
	name  string
	got   float64
	limit float64
	least bool // got must be at least limit; else at most
	unit  string
}

func (b bar) met() bool {
	if b.least {
		return b.got >= b.limit
	}
	return b.got <= b.limit
}

func (r *report) atMost(name string, got, limit float64, unit string) {
	r.bars = append(r.bars, bar{name: name, got: got, limit: limit, unit: unit})
}

// atLeast is for ratios.
func (r *report) atLeast(name string, got, limit float64) {
	r.bars = append(r.bars, bar{name: name, got: got, limit: limit, least: true, unit: "x"})
}

// median of values, which it sorts.
func median(values []float64) float64 {
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

// ratio is the median over the rounds of a's figure divided by base's in the same round.
func ratio[T any](a, base []T, figure func(T) float64) float64 {
	var all []float64
	for i := range a {
		all = append(all, figure(a[i])/figure(base[i]))
	}
	return median(all)
}

func rate(r load.Result) float64 { return r.Rate() }
func cpu(r load.Result) float64  { return float64(r.CPUPerCall()) }

// of is the median over the rounds of one figure.
func of[T any](rounds []T, figure func(T) float64) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, figure(r))
	}
	return median(all)
}

// contended is a scenario's rows, which are printed so that a long run can be followed. The first contender is what the others
// are divided by.
func contended(name string, contenders []*contender) (rows [][]string) {
	base := contenders[0]
	for _, c := range contenders {
		latency := func(p float64) string {
			d := of(c.results, func(r load.Result) float64 { return float64(r.Latency(p)) })
			return fmt.Sprintf("%.2f", d/float64(time.Millisecond))
		}
		row := []string{
			name, c.label, fmt.Sprintf("%.0f", of(c.results, rate)), fmt.Sprintf("%.1f", of(c.results, cpu)/1000),
			latency(0.5), latency(0.99), fmt.Sprintf("%.2f", ratio(c.results, base.results, rate)), fmt.Sprintf("%.2f", ratio(c.results, base.results, cpu)),
		}
		rows = append(rows, row)
		fmt.Println(strings.Join(row, "  "))
	}
	return rows
}

// put adds a scenario's rows and bars.
func (r *report) put(s putScenario) {
	base := s.contenders[0]
	r.rows = append(r.rows, contended(s.name, s.contenders)...)
	for _, c := range s.contenders[1:] {
		for _, limit := range putBars[s.name+" "+c.label] {
			if limit.least {
				r.atLeast(s.name+", "+c.label+": rate against the floor", ratio(c.results, base.results, rate), limit.limit)
			} else {
				r.atMost(s.name+", "+c.label+": CPU against the floor", ratio(c.results, base.results, cpu), limit.limit, "x")
			}
		}
	}
}

// print writes the tables and the bars, and returns how many bars were missed.
func (r *report) print(w io.Writer) int {
	table(w, "Puts; medians, ratios against the floor in the same rounds",
		"scenario\tserver\tcalls/s\tCPU µs/call\tp50 ms\tp99 ms\trate x floor\tCPU x floor", r.rows)
	table(w, "Catch-up", "scenario\tserver\trecords/s\tCPU µs/record\tratio", r.gets)
	table(w, "Puts over shards", "what\trecords/s\tCPU µs/record\tCPU x 4 shards", r.spreads)
	table(w, "Life", "what\tmedian\tworst", r.life)
	table(w, "Update of the embedded store, in process", "what\trate\tcost of one", r.updates)
	table(w, "Beside Apache Kafka; medians of the rounds", "scenario\tserver\trate/s\tper CPU s\tp50 ms\tp99 ms", r.kafka)
	table(w, "Tables; medians, ratios against the first of each scenario in the same rounds",
		"scenario\tserver\tcalls/s\tCPU µs/call\tp50 ms\tp99 ms\trate x first\tCPU x first", r.tables)
	missed := 0
	var rows [][]string
	for _, b := range r.bars {
		sign, verdict := "at most", "met"
		if b.least {
			sign = "at least"
		}
		if !b.met() {
			verdict = "MISSED"
			missed++
		}
		rows = append(rows, []string{b.name, fmt.Sprintf("%.3g %s", b.got, b.unit), fmt.Sprintf("%s %.3g %s", sign, b.limit, b.unit), verdict})
	}
	table(w, "Bars", "bar\tmeasured\twanted\tverdict", rows)
	fmt.Fprintf(w, "\n%d bars met, %d missed\n", len(r.bars)-missed, missed)
	return missed
}

func table(w io.Writer, title, head string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n\n", title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, head)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	t.Flush()
}
