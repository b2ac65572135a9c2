package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"millrace/test/process"
)

// kafkaHeap is what Apache Kafka's own start script gives the broker.
const kafkaHeap = "-Xmx1G"

// kafkaTrio are the servers that the Kafka scenarios compare.
type kafkaTrio struct {
	millrace *server
	kafka    *server // Apache Kafka with its defaults, which do not sync
	synced   *server // the same with log.flush.interval.messages=1
}

func (t *kafkaTrio) all() []*server { return []*server{t.millrace, t.kafka, t.synced} }

// startTrio starts millrace and two Apache Kafkas.
func (b *bench) startTrio(ctx context.Context) (*kafkaTrio, error) {
	t := &kafkaTrio{}
	var err error
	if t.kafka, err = b.startKafka(ctx, "kafka"); err != nil {
		return nil, err
	}
	if t.synced, err = b.startKafka(ctx, "kafka synced", "log.flush.interval.messages=1"); err != nil {
		stop(t.kafka)
		return nil, err
	}
	if t.millrace, err = b.startMillraceKafka(ctx, "millrace"); err != nil {
		stop(t.kafka, t.synced)
		return nil, err
	}
	return t, nil
}

// startMillraceKafka starts a server with a Kafka listener. args are further ones of serve.
func (b *bench) startMillraceKafka(ctx context.Context, name string, args ...string) (*server, error) {
	o := b.millraceOptions(strings.ReplaceAll(name, " ", "-") + "-kafka")
	o.Kafka, o.Args = true, append(o.Args, args...)
	s, err := process.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &server{name: name, addr: s.Ready.Kafka, http: s.Ready.HTTP, child: s.Child}, nil
}

// startKafka formats a folder and starts Apache Kafka on it, one node that is broker and controller.
func (b *bench) startKafka(ctx context.Context, name string, properties ...string) (*server, error) {
	jars := filepath.Join(b.root, "build", "parts", "kafka-java", "lib", "*")
	if found, err := filepath.Glob(jars); err != nil || len(found) == 0 {
		return nil, errors.New("no Apache Kafka is there; `go run ./tools/parts kafka-java` prepares it")
	}
	ports := [2]int{}
	for i := range ports {
		var err error
		if ports[i], err = process.FreePort(); err != nil {
			return nil, err
		}
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	dir := filepath.Join(b.dir, strings.ReplaceAll(name, " ", "-"))
	config, err := kafkaConfig(dir, addr, net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[1])), properties)
	if err != nil {
		return nil, err
	}
	format, err := process.StartChild(b.log(name+"-format"), nil, "java", "-cp", jars, "kafka.tools.StorageTool", "format", "-t", "bWlsbHJhY2UtYmVuY2gtMQ", "-c", config)
	if err != nil {
		return nil, err
	}
	<-format.Done()
	child, err := process.StartChild(b.log(name), nil, "java", kafkaHeap, "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-cp", jars, "kafka.Kafka", config)
	if err != nil {
		return nil, err
	}
	s := &server{name: name, addr: addr, child: child}
	if err := child.AwaitPort(ctx, addr); err != nil {
		return nil, errors.Join(err, child.Kill())
	}
	return s, nil
}

// kafkaConfig writes the properties of a single node; anything else is Kafka's default.
func kafkaConfig(dir, addr, controller string, properties []string) (file string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lines := append([]string{
		"process.roles=broker,controller", "node.id=1",
		"listeners=PLAINTEXT://" + addr + ",CONTROLLER://" + controller,
		"controller.listener.names=CONTROLLER", "controller.quorum.voters=1@" + controller,
		"log.dirs=" + filepath.Join(dir, "data"),
		"offsets.topic.replication.factor=1", "transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"group.initial.rebalance.delay.ms=0",
	}, properties...)
	file = filepath.Join(dir, "server.properties")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("write %s: %w", file, err)
	}
	return file, nil
}
