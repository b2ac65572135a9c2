//go:build !linux

package embedded

// nap does nothing where no short sleep is known: the wait for company takes a fraction of a sync.
func nap() {}
