// Package tlsca keeps a certificate authority in a folder and issues the server's certificate from it.
//
// The authority is made on first start and lives ten years in two files, readable by the owner only:
//
//	DIR/ca.pem       the certificate that clients are told to trust (AWS_CA_BUNDLE)
//	DIR/ca-key.pem   its private key, PKCS #8
//
// The server's own certificate is never stored: it is issued at start, names the hosts clients use,
// and is issued anew before it runs out.
package tlsca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

const (
	certFile = "ca.pem"
	keyFile  = "ca-key.pem"

	caLife = 10 * 365 * 24 * time.Hour
	// leafLife stays below the 825 days that Apple's TLS accepts at most.
	leafLife = 397 * 24 * time.Hour
	// renewBefore leaves clients with a slow clock a certificate they still accept.
	renewBefore = 30 * 24 * time.Hour
	// backdate accepts clients whose clock is behind ours.
	backdate = time.Hour
)

// CA is a certificate authority. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// EnsureCA reads the authority in dir, or makes one there. A certificate without its key, or with
// another's, is an error: a new authority would silently cut off the clients that trust the old one. A
// key alone is what a crash during the first start leaves; nobody trusts it yet, and it is replaced.
func EnsureCA(dir string) (*CA, error) {
	certPEM, certErr := os.ReadFile(filepath.Join(dir, certFile))
	keyPEM, keyErr := os.ReadFile(filepath.Join(dir, keyFile))
	switch {
	case certErr == nil && keyErr == nil:
		return parse(certPEM, keyPEM)
	case errors.Is(certErr, fs.ErrNotExist):
		return create(dir)
	}
	return nil, fmt.Errorf("certificate authority in %s: %w", dir, errors.Join(certErr, keyErr))
}

func parse(certPEM, keyPEM []byte) (*CA, error) {
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return nil, errors.New("certificate authority: not an ECDSA key with a CA certificate")
	}
	return &CA{cert: pair.Leaf, key: key, pem: certPEM}, nil
}

func create(dir string) (*CA, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "millrace local CA " + host},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	// The certificate goes last: without it the key counts for nothing.
	if err := writeFile(filepath.Join(dir, keyFile), keyPEM); err != nil {
		return nil, err
	}
	if err := writeFile(filepath.Join(dir, certFile), certPEM); err != nil {
		return nil, err
	}
	return parse(certPEM, keyPEM)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return n
}

// CertPEM is the authority's certificate for clients' trust stores.
func (ca *CA) CertPEM() []byte { return slices.Clone(ca.pem) }

// Path is where EnsureCA keeps the certificate below dir.
func Path(dir string) string { return filepath.Join(dir, certFile) }

// localHosts are always named: what a client on the same machine, or in a container on it, calls us.
var localHosts = []string{"localhost", "*.localhost", "host.docker.internal", "127.0.0.1", "::1"}

// Issue makes a server certificate for hosts (names and addresses) and the local ones, valid at now.
func (ca *CA) Issue(hosts []string, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "millrace"},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if template.NotAfter.After(ca.cert.NotAfter) {
		template.NotAfter = ca.cert.NotAfter
	}
	for _, h := range slices.Concat(localHosts, hosts) {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("issue certificate for %q: %w", hosts, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der, ca.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// ServerConfig is a TLS configuration (1.2 and later) with a certificate for hosts that renews
// itself.
func (ca *CA) ServerConfig(hosts []string) (*tls.Config, error) {
	r := &renewer{ca: ca, hosts: slices.Clone(hosts), now: time.Now}
	if _, err := r.get(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.get() },
	}, nil
}

type renewer struct {
	ca    *CA
	hosts []string
	now   func() time.Time

	mu   sync.Mutex
	cert *tls.Certificate // guarded by mu
}

func (r *renewer) get() (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.cert != nil && now.Add(renewBefore).Before(r.cert.Leaf.NotAfter) {
		return r.cert, nil
	}
	cert, err := r.ca.Issue(r.hosts, now)
	if err == nil {
		r.cert = cert
	}
	return cert, err
}
