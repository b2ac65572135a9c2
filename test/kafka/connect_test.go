//go:build system

package kafka

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
	"millrace/test/program"
)

// connectWorker is the configuration of a distributed worker, with exactly-once sources.
const connectWorker = `bootstrap.servers=%s
listeners=http://127.0.0.1:%d
group.id=connect
config.storage.topic=connect-configs
offset.storage.topic=connect-offsets
status.storage.topic=connect-status
config.storage.replication.factor=1
offset.storage.replication.factor=1
status.storage.replication.factor=1
exactly.once.source.support=enabled
offset.flush.interval.ms=200
session.timeout.ms=6000
heartbeat.interval.ms=500
rebalance.timeout.ms=5000
scheduled.rebalance.max.delay.ms=0
consumer.session.timeout.ms=6000
consumer.heartbeat.interval.ms=500
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
plugin.discovery=service_load
`

// connectCluster is a worker of Kafka Connect and the REST interface to it.
type connectCluster struct {
	url    string
	server *process.Server
	worker program.Program
	log    string
}

// call makes a REST request; in may be nil.
func (c *connectCluster) call(ctx context.Context, method, path string, in any) (status int, out []byte, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return 0, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	out, err = io.ReadAll(answer.Body)
	return answer.StatusCode, out, err
}

// create makes a connector; a worker that has just started is still joining its group.
func (c *connectCluster) create(t *testing.T, name string, config map[string]string) {
	t.Helper()
	c.eventually(t, "create "+name, http.MethodPut, "/connectors/"+name+"/config", config, func(status int, _ []byte) bool {
		return status == http.StatusCreated
	})
}

// awaitRunning waits until the connector and its one task run.
func (c *connectCluster) awaitRunning(t *testing.T, name string) {
	t.Helper()
	c.eventually(t, name+" runs", http.MethodGet, "/connectors/"+name+"/status", nil, func(_ int, out []byte) bool {
		var status struct {
			Connector struct{ State string }
			Tasks     []struct{ State string }
		}
		return json.Unmarshal(out, &status) == nil && status.Connector.State == "RUNNING" && len(status.Tasks) == 1 && status.Tasks[0].State == "RUNNING"
	})
}

// eventually repeats a request until its answer is right.
func (c *connectCluster) eventually(t *testing.T, what, method, path string, in any, right func(status int, out []byte) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		status, out, err := c.call(ctx, method, path, in)
		if err == nil && right(status, out) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: got %d %s (%v)", what, status, out, err)
		case <-time.After(10 * pause):
		}
	}
}

// appendLines adds lines to a file and returns them.
func appendLines(t *testing.T, file, name string, count int) []string {
	t.Helper()
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := make([]string, count)
	for i := range lines {
		lines[i] = fmt.Sprint(name, " ", i)
	}
	if _, err := fmt.Fprintln(f, strings.Join(lines, "\n")); err != nil {
		t.Fatal(err)
	}
	return lines
}

// awaitFile waits until the sink's file holds all of want, in order. Lines may come again when a worker was killed, since a
// file is no transaction.
func awaitFile(t *testing.T, file string, want []string) {
	t.Helper()
	until(t, "lines in the file of the sink", func(context.Context) (bool, error) {
		text, err := os.ReadFile(file)
		if err != nil {
			return false, err
		}
		var got []string
		seen := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); !seen[line] {
				seen[line] = true
				got = append(got, line)
			}
		}
		return slices.Equal(got, want), fmt.Errorf("got %d lines, want %d", len(got), len(want))
	})
}

func TestKafkaConnectMovesFilesThroughARestart(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s := start(t, process.Options{Data: filepath.Join(folder, "data")})
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	properties := filepath.Join(folder, "worker.properties")
	if err := os.WriteFile(properties, fmt.Appendf(nil, connectWorker, s.Ready.Kafka, port), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &connectCluster{
		url: fmt.Sprintf("http://127.0.0.1:%d", port), server: s, log: filepath.Join(folder, "connect.log"),
		worker: java(t, "org.apache.kafka.connect.cli.ConnectDistributed", properties),
	}
	in, out := filepath.Join(folder, "in.txt"), filepath.Join(folder, "out.txt")
	worker := startChild(t, c.worker, c.log)
	lines := appendLines(t, in, "first", 500)
	c.create(t, "source", map[string]string{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "tasks.max": "1", "file": in, "topic": "lines",
	})
	c.create(t, "sink", map[string]string{
		"connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasks.max": "1", "file": out, "topics": "lines",
		"consumer.override.isolation.level": "read_committed",
	})
	c.awaitRunning(t, "source")
	c.awaitRunning(t, "sink")
	awaitFile(t, out, lines)
	if err := worker.Kill(); err != nil {
		t.Fatal(err)
	}
	lines = append(lines, appendLines(t, in, "second", 300)...)
	startChild(t, c.worker, c.log)
	awaitFile(t, out, lines)
	c.awaitRunning(t, "source")
	c.checkTopic(t, lines)
	c.checkInternalTopics(t)
	c.eventually(t, "delete the sink", http.MethodDelete, "/connectors/sink", nil, func(status int, _ []byte) bool { return status == http.StatusNoContent })
}

// checkTopic reads what the source wrote: every line once, in order.
func (c *connectCluster) checkTopic(t *testing.T, want []string) {
	t.Helper()
	reader := connect(t, c.server.Ready.Kafka, kgo.ConsumeTopics("lines"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	var got []string
	for at, r := range take(t, reader, len(want)) {
		if len(got) <= int(at.offset) {
			got = append(got, make([]string, int(at.offset)+1-len(got))...)
		}
		got[at.offset] = r.value
	}
	got = slices.DeleteFunc(got, func(line string) bool { return line == "" }) // markers have offsets too
	if !slices.Equal(got, want) {
		t.Errorf("topic of the source: got %d lines, want %d:\n%.500q", len(got), len(want), got)
	}
}

func (c *connectCluster) checkInternalTopics(t *testing.T) {
	t.Helper()
	configs, err := kadm.NewClient(connect(t, c.server.Ready.Kafka)).DescribeTopicConfigs(t.Context(), "connect-configs", "connect-offsets", "connect-status")
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range configs {
		policy := "not there"
		for _, config := range topic.Configs {
			if config.Key == "cleanup.policy" {
				policy = config.MaybeValue()
			}
		}
		if policy != "compact" {
			t.Errorf("cleanup.policy of %s: got %s, want compact", topic.Name, policy)
		}
	}
}
