package main

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// mavenCopy is the plugin goal that copies jars; its version is pinned like the jars.
const mavenCopy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

// buildTools compiles the tools of tools/pinned.
func buildTools(ctx context.Context, b builder) error {
	return b.fetch(ctx, "the Go module proxy", "go", "build", "-C", b.pins, "-o", b.dir+string(filepath.Separator), "tool")
}

func buildPython(ctx context.Context, b builder) error {
	if err := b.command(ctx, "python3", "-m", "venv", filepath.Join(b.dir, "venv")); err != nil {
		return fmt.Errorf("make a virtual environment (Debian: package python3-venv): %w", err)
	}
	return b.fetch(ctx, "the Python package index", filepath.Join(b.dir, "venv", "bin", "pip"), "install", "--quiet", "--no-input",
		"-r", filepath.Join(b.pins, "requirements.txt"))
}

func buildBotocore(ctx context.Context, b builder) error {
	return b.fetch(ctx, "the Python package index", b.pip(), "download", "--quiet", "--no-input", "--no-deps",
		"--only-binary", ":all:", "--require-hashes", "-d", b.dir, "-r", filepath.Join(b.pins, "requirements.txt"))
}

// pip is the one of the part python, which stands before those that download with it in the table.
func (b builder) pip() string {
	return filepath.Join(b.build, "parts", "python", "venv", "bin", "pip")
}

func buildNode(ctx context.Context, b builder) error {
	if err := b.copyPins(); err != nil {
		return err
	}
	return b.fetch(ctx, "the npm registry", "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional")
}

func buildJava(ctx context.Context, b builder) error {
	return b.maven(ctx, filepath.Join(b.dir, "lib"))
}

// buildJar copies the jars of the pom.xml into the part's folder itself.
func buildJar(ctx context.Context, b builder) error {
	return b.maven(ctx, b.dir)
}

// maven copies the jars that the part's pom.xml names into dir.
func (b builder) maven(ctx context.Context, dir string) error {
	return b.fetch(ctx, "the Maven repository", "mvn", "-q", "-B", "-U", "-f", filepath.Join(b.pins, "pom.xml"),
		mavenCopy, "-DincludeScope=runtime", "-DoutputDirectory="+dir)
}

// buildCrate compiles the program that crate.txt names: crate, version and features. At the lowest priority: it takes all
// processors for long.
func buildCrate(ctx context.Context, b builder) error {
	text, err := os.ReadFile(filepath.Join(b.pins, "crate.txt"))
	if err != nil {
		return err
	}
	pin := strings.Fields(string(text))
	if len(pin) != 3 {
		return fmt.Errorf("crate.txt: want crate, version and features, got %q", text)
	}
	return b.within(ctx, compileTimeout, "nice", "-n", "19", "cargo", "install", pin[0], "--version", pin[1], "--locked",
		"--no-default-features", "--features", pin[2], "--root", b.dir)
}

// buildPostgres unpacks the one archive inside the one jar. Everything is made readable for all: as
// root the server runs under another user.
func buildPostgres(ctx context.Context, b builder) error {
	if err := b.maven(ctx, b.dir); err != nil {
		return err
	}
	jars, err := filepath.Glob(filepath.Join(b.dir, "*.jar"))
	if err != nil {
		return err
	}
	if len(jars) != 1 {
		return fmt.Errorf("want one jar in %s, got %d", b.dir, len(jars))
	}
	archive := filepath.Join(b.dir, "postgres.txz")
	if err := extract(jars[0], ".txz", archive); err != nil {
		return err
	}
	if err := b.command(ctx, "tar", "-xJf", archive); err != nil {
		return fmt.Errorf("unpack (Debian: package xz-utils): %w", err)
	}
	if err := b.command(ctx, "chmod", "-R", "a+rX", b.dir); err != nil {
		return err
	}
	for _, done := range []string{jars[0], archive} {
		if err := os.Remove(done); err != nil {
			return err
		}
	}
	return nil
}

// extract copies the entry of the zip file whose name ends in suffix to the file to.
func extract(zipFile, suffix, to string) error {
	r, err := zip.OpenReader(zipFile)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, suffix) {
			continue
		}
		in, err := f.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.Create(to)
		if err != nil {
			return err
		}
		// The archive is pinned by version; its size is the one bound it needs.
		if _, err := io.CopyN(out, in, int64(f.UncompressedSize64)); err != nil {
			out.Close()
			return err
		}
		return out.Close()
	}
	return fmt.Errorf("%s holds no entry that ends in %s", zipFile, suffix)
}
