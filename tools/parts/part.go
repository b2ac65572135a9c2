package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// A part is one thing to prepare.
type part struct {
	name   string
	what   string // for the reader of the output
	pins   string // folder of the pin files, below the module root
	folder string // below build/
	recipe int    // raised when build changes, so that old folders are rebuilt
	build  func(ctx context.Context, b builder) error
	asked  bool // only prepared when it is named: too long to build for what it is needed for
}

var parts = []part{
	{"tools", "linters and formatters, compiled", "tools/pinned", "tools", 1, buildTools, false},
	{"python", "AWS CLI v1 and boto3 in a virtual environment", "tools/parts/python", "parts/python", 1, buildPython, false},
	{"botocore", "wheel with the AWS service models", "tools/parts/botocore", "parts/botocore", 1, buildBotocore, false},
	{"node", "AWS SDK for JavaScript v3", "tools/parts/node", "parts/node", 1, buildNode, false},
	{"kinesalite", "the peer that test/bench measures against", "tools/parts/kinesalite", "parts/kinesalite", 1, buildNode, false},
	{"java", "AWS SDK for Java v2", "tools/parts/java", "parts/java", 1, buildJava, false},
	{"java-dynamodb", "AWS SDK for Java v2 with the enhanced client of DynamoDB", "tools/parts/java-dynamodb", "parts/java-dynamodb", 1, buildJava, false},
	{"kcl", "Kinesis consumer and producer libraries", "tools/parts/kcl", "parts/kcl", 1, buildJava, false},
	{"streams-adapter", "Kinesis adapter of DynamoDB Streams with its consumer library", "tools/parts/streams-adapter", "parts/streams-adapter", 1, buildJava, false},
	{"kafka-definitions", "jar with Kafka's message definitions", "tools/parts/kafka-definitions", "parts/kafka-definitions", 1, buildJar, false},
	{"kafka-java", "Apache Kafka: clients, Streams, Connect, tools and broker", "tools/parts/kafka-java", "parts/kafka-java", 1, buildJava, false},
	{"kafka-python", "librdkafka, kafka-python and aiokafka in a virtual environment", "tools/parts/kafka-python", "parts/kafka-python", 2, buildPython, false},
	{"kafka-node", "KafkaJS", "tools/parts/kafka-node", "parts/kafka-node", 1, buildNode, false},
	{"postgres", "PostgreSQL server", "tools/parts/postgres", "parts/postgres", 1, buildPostgres, false},
	{"dynamodb-local", "DynamoDB Local, a peer that test/bench measures against", "tools/parts/dynamodb-local", "parts/dynamodb-local", 1, buildJava, true},
	{"dynoxide", "another one, compiled for a quarter of an hour", "tools/parts/dynoxide", "parts/dynoxide", 1, buildCrate, true},
}

// builder is what a recipe works with: absolute folders.
type builder struct {
	root  string // module root
	build string // build/, to find other parts
	pins  string // the part's pin files
	dir   string // the part's own folder, empty at the start
}

// stamp is the SHA-256 of the pin files, the recipe and the platform, in hex.
func (b builder) stamp(p part) (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, p.name, p.recipe, runtime.GOOS, runtime.GOARCH)
	if p.name == "tools" {
		fmt.Fprintln(sum, runtime.Version())
	}
	err := filepath.WalkDir(b.pins, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, filepath.Base(path), len(text))
		sum.Write(text)
		return nil
	})
	return fmt.Sprintf("%x", sum.Sum(nil)), err
}

// copyPins puts the part's pin files into its folder, for programs that work beside them.
func (b builder) copyPins() error {
	return os.CopyFS(b.dir, os.DirFS(b.pins))
}

// fetchPause lies between two tries; a variable for the tests.
var fetchPause = 2 * time.Second

const (
	// fetchTries covers a registry that drops a connection now and then; a registry that is down
	// costs a few seconds more.
	fetchTries = 3
	// fetchTimeout bounds one try: the largest part is some 60 MB.
	fetchTimeout = 5 * time.Minute
	// compileTimeout bounds a part that is compiled here.
	compileTimeout = 30 * time.Minute
)

// fetch runs a registry's ordinary client in the part's folder, up to three times. registry is the
// kind of registry, for the error.
func (b builder) fetch(ctx context.Context, registry, program string, args ...string) error {
	var err error
	for try := range fetchTries {
		if try > 0 {
			select {
			case <-time.After(fetchPause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err = b.command(ctx, program, args...); err == nil || errors.Is(err, exec.ErrNotFound) {
			return err
		}
	}
	return fmt.Errorf("%s did not give what is pinned, in %d tries: %w", registry, fetchTries, err)
}

// command runs a program in the part's folder and keeps its output for the error.
func (b builder) command(ctx context.Context, program string, args ...string) error {
	return b.within(ctx, fetchTimeout, program, args...)
}

// within is command with a bound of its own.
func (b builder) within(ctx context.Context, limit time.Duration, program string, args ...string) error {
	path, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("the program %s is missing on this machine: %w", program, err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = b.dir
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, tail(out.Bytes()))
	}
	return nil
}

// tail keeps the last 2,000 bytes of a program's output: where the reason stands.
func tail(out []byte) []byte {
	const keep = 2000
	return bytes.TrimSpace(out[max(0, len(out)-keep):])
}
