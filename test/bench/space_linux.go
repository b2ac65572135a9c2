package main

import (
	"fmt"
	"syscall"
)

// spaceLeast is what a run may take at its largest, twice over.
const spaceLeast = 12 << 30

// enoughSpace refuses a disk on which the run could fill what others need.
func enoughSpace(dir string) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err
	}
	if free := int64(st.Bavail) * st.Bsize; free < spaceLeast {
		return fmt.Errorf("%s has %d MiB free, the benchmark wants %d", dir, free>>20, spaceLeast>>20)
	}
	return nil
}
