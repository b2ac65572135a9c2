package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	parts := flag.String("parts", "build/parts/kafka-definitions", "folder of the kafka-clients jar")
	out := flag.String("out", "internal/api/kafkaapi", "folder of the generated package")
	check := flag.Bool("check", false, "write nothing; fail when a generated file is not as it would be written")
	flag.Parse()
	if err := run(*parts, *out, *check); err != nil {
		fmt.Fprintln(os.Stderr, "kafkagen:", err)
		os.Exit(1)
	}
}

func run(parts, out string, check bool) error {
	all, err := readJar(parts)
	if err != nil {
		return err
	}
	files, err := emitAll(all)
	if err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(out, "*_gen*.go"))
	if err != nil {
		return err
	}
	stale = slices.DeleteFunc(stale, func(path string) bool { return files[filepath.Base(path)] != nil })
	if !check {
		for _, path := range stale {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(out, name)
		old, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if bytes.Equal(old, files[name]) {
			continue
		}
		stale = append(stale, path)
		if check {
			continue
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil {
			return err
		}
	}
	if check && len(stale) > 0 {
		return fmt.Errorf("not as the definitions say, run kafkagen: %v", stale)
	}
	return nil
}

// byHand are the messages that package wire/kafka reads and writes itself.
var byHand = []string{"ProduceRequest", "FetchResponse"}

// data are the messages inside of others that we look into.
var data = []string{"ConsumerProtocolSubscription", "ConsumerProtocolAssignment"}

// emitAll gives the files of the package by name.
func emitAll(all []*definition) (map[string][]byte, error) {
	slices.SortFunc(all, func(a, b *definition) int { return strings.Compare(a.Name, b.Name) })
	files, served := map[string]*file{}, map[int16]bool{}
	for _, d := range byKey(all, "request") {
		served[*d.APIKey] = isBrokers(d) && !d.Valid.empty()
	}
	var messages []*message
	for _, d := range all {
		isAPI := d.APIKey != nil && served[*d.APIKey] && !slices.Contains(byHand, d.Name)
		if !isAPI && !slices.Contains(data, d.Name) {
			continue
		}
		m, err := newMessage(d)
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
		name := fileName(d)
		if files[name] == nil {
			files[name] = newFile(kbinPath)
		}
		files[name].emit(m)
	}
	out := map[string][]byte{}
	for name, f := range files {
		text, err := f.formatted()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = text
	}
	var err error
	if out["keys_gen.go"], err = emitKeys(all); err != nil {
		return nil, err
	}
	out["messages_gen_test.go"], err = emitTests(messages)
	return out, err
}

// isBrokers says whether clients of a broker may send the request.
func isBrokers(d *definition) bool { return slices.Contains(d.Listeners, "broker") }

// byKey gives the definitions of a kind in order of their keys.
func byKey(all []*definition, kind string) []*definition {
	of := slices.DeleteFunc(slices.Clone(all), func(d *definition) bool { return d.Type != kind })
	slices.SortFunc(of, func(a, b *definition) int { return int(*a.APIKey) - int(*b.APIKey) })
	return of
}

var capital = regexp.MustCompile(`([a-z])([A-Z])`)

// fileName is the file of an API, both directions: create_topics_gen.go.
func fileName(d *definition) string {
	name := strings.TrimSuffix(strings.TrimSuffix(d.Name, "Request"), "Response")
	return strings.ToLower(capital.ReplaceAllString(name, "${1}_${2}")) + "_gen.go"
}
