package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// openWheel gives the pinned wheel in dir, fetched with pip when it is not there. A wheel with another
// checksum is refused.
func openWheel(dir string) (*zip.Reader, error) {
	path := filepath.Join(dir, release.file)
	if _, err := os.Stat(path); os.IsNotExist(err) {
		if err := download(dir); err != nil {
			return nil, err
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != release.sha256 {
		return nil, fmt.Errorf("%s: sha256 is %s, want %s", path, got, release.sha256)
	}
	return zip.NewReader(bytes.NewReader(data), int64(len(data)))
}

func download(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:",
		"botocore=="+release.version, "--dest", dir)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("fetch botocore %s with pip: %w", release.version, err)
	}
	return nil
}

// modelFromWheel reads the model of SERVICE/DATE.
func modelFromWheel(wheel *zip.Reader, name string) (*model, error) {
	f, err := wheel.Open("botocore/data/" + name + "/service-2.json.gz")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only
	return readModel(f)
}

// modelFromFile reads a service-2.json, plain or gzipped.
func modelFromFile(path string) (*model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readModel(f)
}

func readModel(r io.Reader) (*model, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		if data, err = io.ReadAll(zr); err != nil {
			return nil, err
		}
	}
	m := &model{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, err
	}
	return m, m.check()
}
