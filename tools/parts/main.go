package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	list := flag.Bool("list", false, "print the names of the parts")
	dir := flag.String("dir", "build", "folder that receives parts/ and tools/")
	flag.Parse()
	if *list {
		fmt.Println(strings.Join(names(), "\n"))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "parts:", err)
		os.Exit(1)
	}
}

// run prepares the named parts below dir; when none is named, all but those that have to be asked for.
func run(ctx context.Context, dir string, wanted []string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	for _, name := range wanted {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("no part is named %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	for _, p := range parts {
		if !slices.Contains(wanted, p.name) && (len(wanted) > 0 || p.asked) {
			continue
		}
		b := builder{root: root, build: dir, pins: filepath.Join(root, p.pins), dir: filepath.Join(dir, p.folder)}
		if err := b.prepare(ctx, p); err != nil {
			return fmt.Errorf("part %s: %w", p.name, err)
		}
	}
	return nil
}

// prepare builds p unless its stamp says that it is there.
func (b builder) prepare(ctx context.Context, p part) error {
	want, err := b.stamp(p)
	if err != nil {
		return err
	}
	stampFile := filepath.Join(b.dir, ".stamp")
	if have, err := os.ReadFile(stampFile); err == nil && string(have) == want {
		return nil
	}
	start := time.Now()
	fmt.Printf("part %-10s %s ...\n", p.name, p.what)
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if err := p.build(ctx, b); err != nil {
		return err
	}
	fmt.Printf("part %-10s ready in %.0f s\n", p.name, time.Since(start).Seconds())
	return os.WriteFile(stampFile, []byte(want), 0o644)
}

func names() []string {
	var all []string
	for _, p := range parts {
		all = append(all, p.name)
	}
	return all
}

// moduleRoot walks up from the working directory to the folder of go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = parent
	}
}
