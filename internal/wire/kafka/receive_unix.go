//go:build unix && !(linux && (amd64 || arm64))

package kafka

import "syscall"

// receiver reads from a socket, which cannot say whether anything was left there.
type receiver struct{}

func (*receiver) tell(int) {}

// sendNow writes what the socket takes at once.
func sendNow(fd int, p []byte) (int, error) { return syscall.Write(fd, p) }

// read reads what there is, up to len(p) bytes, without waiting. drained is false: it is not known.
func (*receiver) read(fd int, p []byte) (n int, drained bool, err error) {
	n, err = syscall.Read(fd, p)
	return n, false, err
}
