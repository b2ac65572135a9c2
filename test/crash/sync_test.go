//go:build system && linux

package crash

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"millrace/test/process"
)

// tracedCalls is how many calls are made under strace, which slows each by some milliseconds.
const tracedCalls = 40

// strace starts a program under strace with its system calls written to the file log. The program stays our
// child, so that it is the one that signals reach.
func strace(log string) []string {
	return []string{"strace", "-D", "-f", "-q", "-s", "40", "-e", "signal=none", "-e", "trace=" + traceCalls, "-o", log}
}

func TestASyncStandsBetweenEveryWriteAndItsAnswer(t *testing.T) {
	log := filepath.Join(t.TempDir(), "trace")
	s, err := process.Start(t.Context(), process.Options{
		Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--kinesis-quotas", "off"}, Wrap: strace(log),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	}()
	c, err := dial(s.Ready.AWS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.call("CreateStream", object{"StreamName": "traced", "ShardCount": 2}, nil); err != nil {
		t.Fatal(err)
	}
	awaitActive(t, c, "traced")
	checkTrace(t, log, func() { tracedWrites(t, c) }, false)
}

// tracedWrites makes tracedCalls writes of every kind, one after the other.
func tracedWrites(t *testing.T, c *client) {
	t.Helper()
	for i := range tracedCalls {
		data := []byte("record " + strconv.Itoa(i))
		var err error
		switch i % 4 {
		case 0, 1:
			err = c.call("PutRecord", object{"StreamName": "traced", "PartitionKey": strconv.Itoa(i), "Data": data}, nil)
		case 2:
			record := object{"PartitionKey": strconv.Itoa(i), "Data": data}
			err = c.call("PutRecords", object{"StreamName": "traced", "Records": []object{record, record}}, nil)
		case 3:
			err = c.call("AddTagsToStream", object{"StreamName": "traced", "Tags": object{"n": strconv.Itoa(i)}}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkTrace runs calls and checks what was traced meanwhile; bad says that a missing sync is wanted.
func checkTrace(t *testing.T, log string, calls func(), bad bool) {
	t.Helper()
	before, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	calls()
	var answers int
	// strace writes a line when the call has ended, and may be behind.
	awaitTrace(t, log, func(trace string) bool {
		answers, err = syncedAnswers(string(before), trace[len(before):])
		return err != nil || answers >= tracedCalls
	})
	if (err != nil) != bad {
		t.Errorf("got %d answers and error %v, want an error: %v", answers, err, bad)
	}
}

func awaitTrace(t *testing.T, log string, done func(trace string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		text, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if done(string(text)) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the trace does not show %d answers", tracedCalls)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// The floor, with and without its sync, shows that the count would see a sync that is missing.
func TestTheCountSeesAServerThatDoesNotSync(t *testing.T) {
	floor := filepath.Join(t.TempDir(), "floor")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", floor, "millrace/test/bench/floor").CombinedOutput(); err != nil {
		t.Fatalf("build the floor: %v\n%s", err, out)
	}
	for _, sync := range []bool{true, false} {
		t.Run("sync="+strconv.FormatBool(sync), func(t *testing.T) {
			port, err := process.FreePort()
			if err != nil {
				t.Fatal(err)
			}
			addr, dir := net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), t.TempDir()
			args := append(strace(filepath.Join(dir, "trace")), floor, "-listen", addr, "-dir", dir, "-sync="+strconv.FormatBool(sync))
			child, err := process.StartChild(filepath.Join(dir, "log"), nil, args[0], args[1:]...)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := child.Kill(); err != nil {
					t.Error(err)
				}
			}()
			if err := child.AwaitPort(t.Context(), addr); err != nil {
				t.Fatal(err)
			}
			c, err := dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.close()
			checkTrace(t, filepath.Join(dir, "trace"), func() { tracedWrites(t, c) }, !sync)
		})
	}
}
