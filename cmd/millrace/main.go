// Command millrace serves the AWS streaming APIs from one durable log.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set when a release is built.
var version = "dev"

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Start the server."`
	Check   checkCmd   `cmd:"" help:"Verify a data folder that no server uses, and name any damage."`
	Cert    certCmd    `cmd:"" help:"Print the certificate of the local authority, for clients to trust."`
	Env     envCmd     `cmd:"" help:"Print the environment that points AWS SDKs and tools to a server, for a shell."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

const description = `Kinesis Data Streams, DynamoDB and Kafka on one durable log, in one process and
one folder.

  millrace serve                          starts it; data goes to ./millrace-data
  eval "$(millrace env)"                  points AWS tools of this shell to it
  aws kinesis create-stream --stream-name hello --shard-count 1

Every flag of serve is also an environment variable (MILLRACE_ and its name in capitals) and a key of the
file given with --config.`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "millrace:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c cli
	p, err := parser(&c, kong.BindTo(ctx, (*context.Context)(nil)))
	if err != nil {
		return err
	}
	k, err := p.Parse(args)
	if _, ok := errors.AsType[*kong.ParseError](err); ok {
		p.FatalIfErrorf(err)
	}
	if err != nil {
		return err
	}
	return k.Run()
}

// parser reads flags into c, then the environment, then the configuration file.
func parser(c *cli, options ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append([]kong.Option{
		kong.Name("millrace"), kong.Description(description), kong.UsageOnError(),
		kong.DefaultEnvars("MILLRACE"), kong.Configuration(yamlResolver),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	}, options...)...)
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run() error {
	fmt.Println("millrace", version)
	return nil
}
