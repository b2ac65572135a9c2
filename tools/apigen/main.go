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
	"slices"
)

func main() {
	parts := flag.String("parts", "build/parts/botocore", "folder of the botocore wheel, fetched when missing")
	out := flag.String("out", "internal/api", "folder of the generated packages")
	check := flag.Bool("check", false, "write nothing; fail when a generated file is not as it would be written")
	only := flag.String("model", "", "read this service-2.json(.gz) instead of the wheel; needs -package")
	pkg := flag.String("package", "", "package to write from -model")
	flag.Parse()
	if err := run(*parts, *out, *only, *pkg, *check); err != nil {
		fmt.Fprintln(os.Stderr, "apigen:", err)
		os.Exit(1)
	}
}

func run(parts, out, only, pkg string, check bool) error {
	units, err := loadUnits(parts, only, pkg)
	if err != nil {
		return err
	}
	var stale []string
	for _, u := range units {
		files, err := u.emit()
		if err != nil {
			return fmt.Errorf("%s: %w", u.svc.pkg, err)
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			path := filepath.Join(out, u.svc.pkg, name)
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
			if err := write(path, files[name]); err != nil {
				return err
			}
		}
	}
	if check && len(stale) > 0 {
		return fmt.Errorf("not as the models say, run apigen: %v", stale)
	}
	return nil
}

func loadUnits(parts, only, pkg string) ([]*unit, error) {
	if only != "" {
		if pkg == "" {
			return nil, errors.New("-model needs -package")
		}
		m, err := modelFromFile(only)
		if err != nil {
			return nil, err
		}
		u, err := newUnit(service{pkg: pkg}, m.Metadata.UID, m)
		return []*unit{u}, err
	}
	wheel, err := openWheel(parts)
	if err != nil {
		return nil, err
	}
	var units []*unit
	for _, svc := range services {
		m, err := modelFromWheel(wheel, svc.model)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", svc.model, err)
		}
		u, err := newUnit(svc, "botocore "+release.version+" "+svc.model, m)
		if err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	return units, nil
}

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
