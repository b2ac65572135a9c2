package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, args ...string) (*serveCmd, error) {
	t.Helper()
	var c cli
	p, err := parser(&c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(append([]string{"serve"}, args...))
	return &c.Serve, err
}

func TestDefaultsAreThoseOfTheReadme(t *testing.T) {
	c, err := parse(t)
	if err != nil {
		t.Fatal(err)
	}
	o := &c.Options
	if !slices.Equal(o.KafkaListen, []string{"localhost:9092"}) {
		t.Errorf("Kafka listeners: got %q", o.KafkaListen)
	}
	if o.Data != "./millrace-data" || o.AWSListen != "localhost:4566" || o.HTTPListen != "localhost:8080" || o.KinesisQuotas != "aws" || o.TailCacheMiB != 16 {
		t.Errorf("defaults: got %+v", o)
	}
}

func TestFlagsComeBeforeTheEnvironmentAndThatBeforeTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	text := "data: /from/file\nkinesis_quotas: \"3\"\naws-listen: 127.0.0.1:1\nadvertise-host: [a.example, b.example]\ninsecure: true\ntail-cache-mib: 99\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MILLRACE_DATA", "/from/env")
	t.Setenv("MILLRACE_AWS_LISTEN", "127.0.0.1:2")
	c, err := parse(t, "--config", file, "--aws-listen", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	o := &c.Options
	if o.AWSListen != "127.0.0.1:3" {
		t.Errorf("flag over environment: got %q", o.AWSListen)
	}
	if o.Data != "/from/env" {
		t.Errorf("environment over file: got %q", o.Data)
	}
	if o.KinesisQuotas != "3" || !o.Insecure || o.TailCacheMiB != 99 || !slices.Equal(o.AdvertiseHost, []string{"a.example", "b.example"}) {
		t.Errorf("file: got %+v", o)
	}
}

func TestUnknownKeyOfTheFileIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "millrace.yaml")
	if err := os.WriteFile(file, []byte("awslisten: nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := parse(t, "--config", file); err == nil || !strings.Contains(err.Error(), "awslisten") {
		t.Errorf("unknown key: got %v, want an error that names it", err)
	}
}

func TestEmptyListenersAreOff(t *testing.T) {
	c, err := parse(t, "--aws-listen", "", "--kafka-listen", "")
	if err != nil {
		t.Fatal(err)
	}
	if c.AWSListen != "" || len(named(c.KafkaListen)) != 0 {
		t.Errorf("empty listeners: got %q, %q", c.AWSListen, c.KafkaListen)
	}
}

func TestEveryFlagHasHelp(t *testing.T) {
	var c cli
	p, err := parser(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range p.Model.Children {
		if command.Help == "" {
			t.Errorf("command %s has no help", command.Name)
		}
		for _, flag := range command.Flags {
			if flag.Help == "" {
				t.Errorf("%s --%s has no help", command.Name, flag.Name)
			}
		}
	}
}
