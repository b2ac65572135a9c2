package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Options say how to start a server. Data is needed, the rest may be zero.
type Options struct {
	Binary string   // default: Binary()
	Data   string   // folder of the data; logs and the ready-file go beside it
	Args   []string // further arguments of `serve`
	Env    []string // further environment, NAME=value
	Wrap   []string // program and arguments that run the server, such as strace
	Kafka  bool     // listen for Kafka clients too

	KafkaListen []string // instead of that: several listeners, [NAME=]HOST:PORT
}

// Server is a running `millrace serve`.
type Server struct {
	*Child
	Ready Ready
}

// Ready is what a server writes to its --ready-file when it serves.
type Ready struct {
	AWS  string `json:"aws"`  // HOST:PORT of the AWS listener, for http:// and https://
	HTTP string `json:"http"` // HOST:PORT of console, metrics and health
	CA   string `json:"ca"`   // file with the certificate of the local authority, PEM

	Kafka          string            `json:"kafka"`           // HOST:PORT of the first Kafka listener
	KafkaListeners map[string]string `json:"kafka_listeners"` // HOST:PORT of each, by name
}

// Endpoint is the URL of the AWS listener in plain text.
func (s *Server) Endpoint() string { return "http://" + s.Ready.AWS }

// Binary is the file to start: MILLRACE_BIN, else bin/millrace below the module root.
//
// Errors: there is no such file, with the command that makes it.
func Binary() (string, error) {
	if file := os.Getenv("MILLRACE_BIN"); file != "" {
		return filepath.Abs(file)
	}
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	file := filepath.Join(root, "bin", "millrace")
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("%w; `make build` makes it", err)
	}
	return file, nil
}

// Launch starts a server on ports of its own and returns at once; AwaitReady follows.
func Launch(o Options) (*Server, error) {
	if o.Binary == "" {
		file, err := Binary()
		if err != nil {
			return nil, err
		}
		o.Binary = file
	}
	if err := os.Remove(readyFile(o.Data)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	args := append([]string{}, o.Wrap...)
	args = append(args, o.Binary, "serve", "--data", o.Data, "--ready-file", readyFile(o.Data),
		"--aws-listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0")
	for _, listener := range o.kafkaListen() {
		args = append(args, "--kafka-listen", listener)
	}
	args = append(args, o.Args...)
	child, err := StartChild(o.Data+".log", o.Env, args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	return &Server{Child: child}, nil
}

// kafkaListen are the addresses of the Kafka listeners; an empty one switches them off.
func (o *Options) kafkaListen() []string {
	switch {
	case len(o.KafkaListen) > 0:
		return o.KafkaListen
	case o.Kafka:
		return []string{"127.0.0.1:0"}
	}
	return []string{""}
}

// Start starts a server and waits until it serves.
func Start(ctx context.Context, o Options) (*Server, error) {
	s, err := Launch(o)
	if err != nil {
		return nil, err
	}
	if err := s.AwaitReady(ctx, o.Data); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	return s, nil
}

// AwaitReady waits for the ready-file of the server on the folder data and fills Ready.
func (s *Server) AwaitReady(ctx context.Context, data string) error {
	return s.Await(ctx, func() bool {
		text, err := os.ReadFile(readyFile(data))
		return err == nil && json.Unmarshal(text, &s.Ready) == nil && s.Ready.AWS != ""
	})
}

func readyFile(data string) string { return data + ".ready" }

// ModuleRoot walks up from the working directory to the folder of go.mod.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
