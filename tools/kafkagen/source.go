package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// release pins the jar whose definitions are read; tools/parts/kafka-definitions names the same version.
var release = struct{ version, file, sha256 string }{
	version: "4.3.1",
	file:    "kafka-clients-4.3.1.jar",
	sha256:  "52501b7b47510c66f898871adaf6d2968ab7246561d44ced43643a8a587f0b36",
}

// readJar gives all definitions of the pinned jar in dir. A jar with another checksum is refused.
func readJar(dir string) ([]*definition, error) {
	path := filepath.Join(dir, release.file)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w; run: go run ./tools/parts kafka-definitions", err)
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != release.sha256 {
		return nil, fmt.Errorf("%s: sha256 is %s, want %s", path, got, release.sha256)
	}
	jar, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var all []*definition
	for _, f := range jar.File {
		if !strings.HasPrefix(f.Name, "common/message/") || !strings.HasSuffix(f.Name, ".json") {
			continue
		}
		d, err := readEntry(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		all = append(all, d)
	}
	return all, nil
}

func readEntry(f *zip.File) (*definition, error) {
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }() // read only
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

// commentLine is the one form of comment that the definitions use.
var commentLine = regexp.MustCompile(`(?m)^\s*//.*$`)

func parse(text []byte) (*definition, error) {
	d := &definition{}
	if err := json.Unmarshal(commentLine.ReplaceAll(text, nil), d); err != nil {
		return nil, err
	}
	return d, d.check()
}
