package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"millrace/internal/core/store/embedded"
	"millrace/internal/server"
	"millrace/internal/wire/aws/tlsca"
)

type checkCmd struct {
	Dir string `arg:"" help:"Data folder." placeholder:"DIR"`
}

// Run verifies a folder; damage makes it fail.
func (c *checkCmd) Run() error {
	report, err := embedded.Check(embedded.Options{Dir: c.Dir}, func(line string) { fmt.Println(line) })
	if err != nil {
		return err
	}
	fmt.Printf("%d journal files with %d groups, %d sealed files, %d partitions, %d batches, %d bytes of batches: no damage\n",
		report.JournalFiles, report.Groups, report.SealedFiles, report.Partitions, report.Batches, report.Bytes)
	return nil
}

type certCmd struct {
	Data string `help:"Data folder." default:"./millrace-data" placeholder:"DIR"`
}

// Run prints the authority's certificate, making it when there is none yet.
func (c *certCmd) Run() error {
	ca, err := tlsca.EnsureCA(server.TLSDir(c.Data))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(ca.CertPEM())
	return err
}

type envCmd struct {
	Data      string `help:"Data folder, for the certificate." default:"./millrace-data" placeholder:"DIR"`
	AWSListen string `help:"Address of the server." default:"localhost:4566" placeholder:"HOST:PORT" name:"aws-listen"`
	Region    string `help:"Region to set." default:"us-east-1" placeholder:"REGION"`
	TLS       bool   `help:"Point to https:// and the local authority."`
}

// Run prints export lines. Keys are set only where there are none: on loopback any are accepted.
func (c *envCmd) Run() error {
	var b strings.Builder
	scheme := "http"
	if c.TLS {
		scheme = "https"
		path, err := filepath.Abs(tlsca.Path(server.TLSDir(c.Data)))
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is not there yet: start the server once, or run `millrace cert`", path)
		}
		for _, name := range []string{"AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
			fmt.Fprintf(&b, "export %s=%q\n", name, path)
		}
	}
	fmt.Fprintf(&b, "export AWS_ENDPOINT_URL=%s://%s\n", scheme, c.AWSListen)
	fmt.Fprintf(&b, "export AWS_DEFAULT_REGION=%s AWS_REGION=%s\n", c.Region, c.Region)
	if os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		b.WriteString("export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n")
	}
	_, err := fmt.Print(b.String())
	return err
}
