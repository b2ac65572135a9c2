package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"github.com/alecthomas/kong"

	"millrace"
)

type serveCmd struct {
	millrace.Options `embed:""`

	Config    kong.ConfigFlag `help:"YAML file of settings; keys are the names of flags." placeholder:"FILE"`
	LogFormat string          `help:"Form of the log on standard error." enum:"text,json" default:"text"`
	LogLevel  slog.Level      `help:"Least level that is logged: debug, info, warn, error." default:"info"`
}

// Run serves until it is told to stop.
func (c *serveCmd) Run(ctx context.Context) error {
	// One thread is held by each sync of the journal: with a single processor nobody else would run.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	options := c.Options
	options.Logger = c.logger()
	for _, listen := range []*string{&options.AWSListen, &options.HTTPListen} {
		if *listen == "" {
			*listen = millrace.Off
		}
	}
	if options.KafkaListen = named(options.KafkaListen); len(options.KafkaListen) == 0 {
		options.KafkaListen = []string{millrace.Off}
	}
	s, err := millrace.Open(options)
	if err != nil {
		return err
	}
	a := s.Addresses()
	options.Logger.Info("millrace is ready", "version", version, "aws", a.AWS, "kafka", a.Kafka, "http", a.HTTP, "data", options.Data)
	select {
	case <-ctx.Done():
		options.Logger.Info("stopping")
	case err = <-s.Failed():
		err = fmt.Errorf("a listener ended: %w", err)
	}
	if closeErr := s.Close(); closeErr != nil {
		return closeErr
	}
	return err
}

// named leaves out empty values: they switch a listener off.
func named(listen []string) []string {
	var left []string
	for _, l := range listen {
		if l != "" {
			left = append(left, l)
		}
	}
	return left
}

func (c *serveCmd) logger() *slog.Logger {
	o := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
