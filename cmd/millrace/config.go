package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// yamlResolver reads a configuration file: its keys are the names of flags, with - or _.
func yamlResolver(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && err != io.EOF { //nolint:errorlint // the decoder returns io.EOF itself for an empty file
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	return &resolver{values, map[string]bool{}}, nil
}

type resolver struct {
	values map[string]any
	known  map[string]bool
}

// Validate refuses keys that are no flags.
func (r *resolver) Validate(app *kong.Application) error {
	for _, node := range app.Children {
		for _, group := range node.AllFlags(false) {
			for _, flag := range group {
				r.known[flag.Name] = true
			}
		}
	}
	for key := range r.values {
		if !r.known[strings.ReplaceAll(key, "_", "-")] {
			return fmt.Errorf("configuration file: %q is no setting; `millrace serve --help` lists them", key)
		}
	}
	return nil
}

// Resolve finds a flag's value. The environment comes before the file.
func (r *resolver) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if _, ok := os.LookupEnv(name); ok {
			return nil, nil
		}
	}
	for _, name := range []string{flag.Name, strings.ReplaceAll(flag.Name, "-", "_")} {
		if v, ok := r.values[name]; ok {
			return v, nil
		}
	}
	return nil, nil
}
