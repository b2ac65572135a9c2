//go:build unix && !linux

package embedded

// adviseHuge does nothing: there is no such hint here.
func adviseHuge([]byte) {}
