//go:build system

package kafka

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"millrace/test/process"
	"millrace/test/program"
)

// virtualMachines bounds how many run at once: two, each of which keeps a core busy while it warms up.
var virtualMachines = make(chan struct{}, 2)

// classesFolder is made by classes and removed by TestMain.
var classesFolder string

// classes compiles the programs of clients/ and gives the folder they are in.
var classes = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "millrace-classes-")
	if err != nil {
		return "", err
	}
	classesFolder = dir
	root, err := process.ModuleRoot()
	if err != nil {
		return "", err
	}
	sources, err := filepath.Glob("clients/*.java")
	if err != nil {
		return "", err
	}
	args := append([]string{"-nowarn", "-d", dir, "-cp", filepath.Join(root, "build", "parts", "kafka-java", "lib", "*")}, sources...)
	if out, err := exec.Command("javac", args...).CombinedOutput(); err != nil {
		return dir, fmt.Errorf("javac: %w\n%s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		fmt.Println(playTransactions(os.Args[1:]))
		os.Exit(1)
	}
	code := m.Run()
	if classesFolder != "" {
		os.RemoveAll(classesFolder)
	}
	os.Exit(code)
}

// java is how to run a main class, with room for one virtual machine until t ends.
func java(t *testing.T, class string, args ...string) program.Program {
	t.Helper()
	jars := program.Part(t, "kafka-java", "lib", "*")
	dir, err := classes()
	if err != nil {
		t.Fatal(err)
	}
	select {
	case virtualMachines <- struct{}{}:
		t.Cleanup(func() { <-virtualMachines })
	case <-program.Deadline(t).Done():
		t.Fatal("no virtual machine ended in time")
	}
	// The first compiler alone: these programs end before the second would pay.
	options := []string{
		"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dlog4j2.configurationFile=clients/log4j2.properties",
		"-cp", dir + string(filepath.ListSeparator) + jars, class,
	}
	return program.Program{Name: "java", Args: append(options, args...)}
}

func TestJavaClientsPlayTheScenario(t *testing.T) {
	t.Parallel()
	s := start(t, process.Options{Args: []string{"--kinesis-quotas", "off"}})
	want := slices.Concat(steps, []string{"cooperative", "static"})
	java(t, "Client", s.Ready.Kafka, "by-java").Play(t, want)
	t.Run("batches stay as they were compressed", func(t *testing.T) {
		if got := codecsIn(t, s.Ready.Kafka, "by-java-log"); len(got) != 5 {
			t.Errorf("got batches of codecs %v, want all five", got)
		}
	})
	t.Run("the AWS SDK reads what is committed", func(t *testing.T) {
		for topic, count := range map[string]int{"by-java-log": 150, "by-java-txn": 40} {
			got := kinesisReads(t, s, topic)
			sameRecords(t, topic, got, kafkaReads(t, s, topic))
			if len(got) != count {
				t.Errorf("%s: got %d records, want %d", topic, len(got), count)
			}
		}
	})
}

// tools is a process that runs Kafka's console tools one after the other.
type tools struct {
	calls   io.Writer
	answers *bufio.Reader
	log     *strings.Builder
}

// startTools starts the process, which ends with t.
func startTools(t *testing.T) *tools {
	t.Helper()
	p := java(t, "Tools")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), program.Timeout) // it ends below
	cmd := exec.CommandContext(ctx, p.Name, p.Args...)
	log := &strings.Builder{}
	cmd.Stderr = log
	calls, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		calls.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the process of the tools: %v\n%s", err, log)
		}
		cancel()
	})
	return &tools{calls: calls, answers: bufio.NewReader(answers), log: log}
}

// run runs the tool with the main class and gives what it wrote.
func (p *tools) run(t *testing.T, class, input string, args ...string) (code int, out string) {
	t.Helper()
	line := append([]string{class, base64.StdEncoding.EncodeToString([]byte(input))}, args...)
	if _, err := fmt.Fprintln(p.calls, strings.Join(line, "\t")); err != nil {
		t.Fatalf("call %v: %v", line, err)
	}
	answer, err := p.answers.ReadString('\n')
	if err != nil {
		t.Fatalf("answer to %v: %v\n%s", line, err, p.log)
	}
	digits, text, _ := strings.Cut(strings.TrimSpace(answer), " ")
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatalf("answer to %v: %q: %v", line, answer, err)
	}
	if _, err := fmt.Sscan(digits, &code); err != nil {
		t.Fatalf("answer to %v: %q: %v", line, answer, err)
	}
	return code, string(decoded)
}
