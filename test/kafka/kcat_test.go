//go:build system

package kafka

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"millrace/test/program"
)

// kcat runs the program of that name with input, and returns its standard output.
func kcat(t *testing.T, bootstrap, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(program.Deadline(t), "kcat", append([]string{"-b", bootstrap}, args...)...)
	var out, log bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &log
	if err := cmd.Run(); err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, log.String())
	}
	return out.String()
}

// kcatRead prints key, value and headers of every record up to the end, sorted.
func kcatRead(t *testing.T, bootstrap string, args ...string) []string {
	t.Helper()
	out := kcat(t, bootstrap, "", append([]string{"-q", "-e", "-f", "%k|%s|%h\n"}, args...)...)
	return slices.Sorted(strings.Lines(out))
}

// playKcat plays what kcat can of the scenario: it makes no topics, and has neither transactions nor an administration.
func playKcat(t *testing.T, bootstrap, prefix string) {
	t.Helper()
	log := prefix + "-log"
	var input strings.Builder
	var want []string
	t.Run("produce", func(t *testing.T) {
		for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
			input.Reset()
			for i := range 30 {
				value := strings.Repeat(fmt.Sprint(codec, " ", i, " "), 20)
				fmt.Fprintf(&input, "%s-%d|%s\n", codec, i, value)
				want = append(want, fmt.Sprintf("%s-%d|%s|codec=%s,empty=\n", codec, i, value, codec))
			}
			kcat(t, bootstrap, input.String(), "-P", "-t", log, "-K", "|", "-z", codec, "-H", "codec="+codec, "-H", "empty=",
				"-X", "linger.ms=20", "-X", "enable.idempotence=true")
		}
		slices.Sort(want)
		if got := kcatRead(t, bootstrap, "-C", "-t", log); !slices.Equal(got, want) {
			t.Errorf("got %d records, want %d:\n%.600q\n%.600q", len(got), len(want), got, want)
		}
	})
	t.Run("metadata", func(t *testing.T) {
		var metadata struct {
			Brokers []struct {
				ID   int
				Name string
			}
			Topics []struct {
				Topic      string
				Partitions []struct{ Partition, Leader int }
			}
		}
		out := kcat(t, bootstrap, "", "-L", "-J", "-t", log)
		if err := json.Unmarshal([]byte(out), &metadata); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		if len(metadata.Brokers) != 1 || metadata.Brokers[0].Name != bootstrap || len(metadata.Topics) != 1 || len(metadata.Topics[0].Partitions) != 1 {
			t.Errorf("got %s; want one broker, %s, and one partition", out, bootstrap)
		}
	})
	t.Run("timestamps", func(t *testing.T) {
		for time, want := range map[string]string{"-2": "0", "0": "0", "-1": "150", "9999999999999": "-1"} {
			out := strings.TrimSpace(kcat(t, bootstrap, "", "-Q", "-t", log+":0:"+time))
			if want := fmt.Sprintf("%s [0] offset %s", log, want); out != want {
				t.Errorf("offset for time %s: got %q, want %q", time, out, want)
			}
		}
	})
	t.Run("group", func(t *testing.T) {
		group := []string{"-G", prefix + "-group", "-X", "auto.offset.reset=earliest", log}
		if got := kcatRead(t, bootstrap, group...); !slices.Equal(got, want) {
			t.Errorf("got %d records, want %d", len(got), len(want))
		}
		kcat(t, bootstrap, "more|\n", "-P", "-t", log, "-K", "|", "-z", "none")
		if got := kcatRead(t, bootstrap, group...); !slices.Equal(got, []string{"more||\n"}) {
			t.Errorf("after the group's offsets: got %q, want the one record since", got)
		}
	})
	t.Run("transaction", func(t *testing.T) {
		committed, aborted := makeRecords("committed", 20), makeRecords("aborted", 20)
		topic := prefix + "-txn"
		endOf(t, bootstrap, topic, prefix+"-id", committed, true)
		endOf(t, bootstrap, topic, prefix+"-id", aborted, false)
		for level, want := range map[string]int{"read_committed": 20, "read_uncommitted": 40} {
			out := kcat(t, bootstrap, "", "-C", "-q", "-e", "-f", "%k\n", "-t", topic, "-X", "isolation.level="+level)
			if got := strings.Count(out, "\n"); got != want {
				t.Errorf("%s: got %d records, want %d:\n%s", level, got, want, out)
			}
		}
	})
}
