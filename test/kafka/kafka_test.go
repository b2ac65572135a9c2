//go:build system

package kafka

import (
	"fmt"
	"path/filepath"
	"testing"

	"millrace/test/process"
)

// start runs a server for t on a folder of its own, which listens for Kafka clients and ends politely with t.
func start(t *testing.T, o process.Options) *process.Server {
	t.Helper()
	if o.Data == "" {
		o.Data = filepath.Join(t.TempDir(), "data")
	}
	o.Kafka = true // unless listeners are given
	s, err := process.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// startToKill runs a server for t as start does, which may be killed before t ends.
func startToKill(t *testing.T, o process.Options) *process.Server {
	t.Helper()
	s, err := process.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// fixedAddress is one at which a server can listen again after it was killed.
func fixedAddress(t *testing.T) string {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint("127.0.0.1:", port)
}
