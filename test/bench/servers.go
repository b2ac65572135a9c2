package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"millrace/test/process"
)

// server is one process under measurement.
type server struct {
	name  string
	addr  string // HOST:PORT of the listener that is measured
	http  string // HOST:PORT of its metrics; empty for the peers
	child *process.Child

	kafka []kgo.Opt // that Kafka clients of it need
}

// bench is one run: its folder, its settings and what it has found.
type bench struct {
	root     string // module root
	dir      string // below build/, removed at the end
	settings settings
	report   report
}

const (
	accessKey = "123456789012"
	secretKey = "a-secret-for-benchmarks"
	region    = "us-east-1"
)

func (b *bench) log(name string) string { return filepath.Join(b.dir, name+".log") }

// startFloor builds and starts test/bench/floor.
func (b *bench) startFloor(ctx context.Context) (*server, error) {
	program := filepath.Join(b.dir, "floor")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./test/bench/floor")
	build.Dir = b.root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the floor: %w\n%s", err, out)
	}
	return b.startPeer(ctx, "floor", func(port string) []string {
		return []string{program, "-listen", net.JoinHostPort("127.0.0.1", port), "-dir", b.dir}
	})
}

// startKinesalite starts the part kinesalite, in memory.
func (b *bench) startKinesalite(ctx context.Context) (*server, error) {
	script := filepath.Join(b.root, "build", "parts", "kinesalite", "node_modules", "kinesalite", "cli.js")
	if _, err := os.Stat(script); err != nil {
		return nil, fmt.Errorf("%w; `go run ./tools/parts kinesalite` prepares it", err)
	}
	return b.startPeer(ctx, "kinesalite", func(port string) []string {
		return []string{
			"node", "--max-old-space-size=3072", script, "--port", port, "--shardLimit", "1000",
			"--createStreamMs", "10", "--deleteStreamMs", "10",
		}
	})
}

// startPeer starts a program on a port that it is told, and waits until it listens.
func (b *bench) startPeer(ctx context.Context, name string, command func(port string) []string) (*server, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	args := command(strconv.Itoa(port))
	child, err := process.StartChild(b.log(name), nil, args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	s := &server{name: name, addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), child: child}
	if err := child.AwaitPort(ctx, s.addr); err != nil {
		return nil, errors.Join(err, child.Kill())
	}
	return s, nil
}

// millraceOptions are those of a server without quotas on a folder below b.dir.
func (b *bench) millraceOptions(name string) process.Options {
	return process.Options{
		Data: filepath.Join(b.dir, name), Args: []string{"--kinesis-quotas", "off"},
	}
}

func (b *bench) startMillrace(ctx context.Context, name string) (*server, error) {
	s, err := process.Start(ctx, b.millraceOptions(name))
	if err != nil {
		return nil, err
	}
	return &server{name: name, addr: s.Ready.AWS, child: s.Child}, nil
}

// stop ends servers; a benchmark has no use for what they still have to say.
func stop(servers ...*server) {
	for _, s := range servers {
		if s != nil {
			_ = s.child.Kill()
		}
	}
}

// startVerified starts a server that has credentials and so verifies every signature.
func (b *bench) startVerified(ctx context.Context) (*server, error) {
	o := b.millraceOptions("verified")
	o.Env = []string{"MILLRACE_CREDENTIALS=" + accessKey + ":" + secretKey}
	s, err := process.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &server{name: "verified", addr: s.Ready.AWS, child: s.Child}, nil
}
