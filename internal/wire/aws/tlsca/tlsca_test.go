package tlsca

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestAuthorityIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	first, err := EnsureCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := EnsureCA(dir)
	if err != nil {
		t.Fatal(err)
	}
	if string(first.CertPEM()) != string(second.CertPEM()) {
		t.Error("the second start made another authority")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("got files %v, %v, want two", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode().Perm())
		}
	}
}

func TestCertificateWithoutItsKeyIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := EnsureCA(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := EnsureCA(dir); err == nil {
		t.Error("a certificate without its key was accepted")
	}
}

func TestKeyLeftByACrashIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if _, err := EnsureCA(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, certFile)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := EnsureCA(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestCertificateNamesEveryHost(t *testing.T) {
	ca, err := EnsureCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := ca.ServerConfig([]string{"log.example.com", "10.1.2.3"})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := cfg.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.CertPEM())
	for _, name := range []string{"log.example.com", "10.1.2.3", "localhost", "kinesis.localhost", "host.docker.internal", "127.0.0.1", "::1"} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "other.example.com"}); err == nil {
		t.Error("a name that was not given is accepted")
	}
}

func TestCertificateIsRenewedBeforeItRunsOut(t *testing.T) {
	ca, err := EnsureCA(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	r := &renewer{ca: ca, now: func() time.Time { return now }}
	first, err := r.get()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := r.get(); again != first {
		t.Error("a fresh certificate was not kept")
	}
	now = first.Leaf.NotAfter.Add(-renewBefore)
	second, err := r.get()
	if err != nil || second == first || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) {
		t.Errorf("got %v, %v, want a later certificate", second.Leaf.NotAfter, err)
	}
}
