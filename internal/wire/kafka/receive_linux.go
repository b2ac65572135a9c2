//go:build linux && (amd64 || arm64)

package kafka

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

// receiver reads from a socket and, once it was told to, knows whether anything was left there: bytes, or the end.
type receiver struct {
	message *inqMessage // nil: not told, or the socket cannot say
	told    bool
}

// inqMessage is what recvmsg(2) needs.
type inqMessage struct {
	header  syscall.Msghdr
	vector  syscall.Iovec
	control [24]byte // one message with an int32
}

// TCP_INQ of tcp(7), Linux 4.18 and later: with each read comes how many bytes are left, 1 when it is the end.
const (
	tcpInq     = 36
	inqControl = syscall.SizeofCmsghdr + 4
)

// tell has the socket say what is left.
func (r *receiver) tell(fd int) {
	if r.told {
		return
	}
	r.told = true
	if syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, tcpInq, 1) == nil {
		r.message = new(inqMessage)
	}
}

// read reads what there is, up to len(p) bytes, without waiting. drained is false when it is not known.
func (r *receiver) read(fd int, p []byte) (n int, drained bool, err error) {
	m := r.message
	if m == nil {
		n, err = syscall.Read(fd, p)
		return n, false, err
	}
	m.vector.Base = unsafe.SliceData(p) //nolint:gosec // for the call alone
	m.vector.SetLen(len(p))
	m.header.Iov, m.header.Iovlen = &m.vector, 1
	m.header.Control = &m.control[0]
	m.header.SetControllen(len(m.control))
	// It does not wait, so the runtime need not know.
	got, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.header)), syscall.MSG_DONTWAIT) //nolint:gosec // as syscall(2) wants it
	m.vector.Base = nil
	if errno != 0 {
		return 0, false, errno
	}
	return int(got), m.drained(), nil
}

// drained says whether the last read left nothing.
func (m *inqMessage) drained() bool {
	c := &m.control
	return m.header.Controllen >= inqControl && binary.NativeEndian.Uint32(c[8:]) == syscall.IPPROTO_TCP &&
		binary.NativeEndian.Uint32(c[12:]) == tcpInq && binary.NativeEndian.Uint32(c[syscall.SizeofCmsghdr:]) == 0
}

// sendNow writes what the socket takes at once. It takes some microseconds and never waits, so the runtime need not know:
// else it would look for whom to give the processor meanwhile.
func sendNow(fd int, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), //nolint:gosec // as syscall(2) wants it
		syscall.MSG_DONTWAIT|syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
