package batch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compress appends to dst the bytes of src packed with codec c, in the form that Kafka's own broker writes, which every
// client reads: snappy in snappy-java's blocks, lz4 in frames of independent blocks.
//
// Errors: ErrInvalid (no such codec).
func Compress(dst []byte, c Compression, src []byte) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Gzip:
		return throughWriter(dst, src, &gzipWriters)
	case Snappy:
		return xerialSnappy(dst, src), nil
	case LZ4:
		return throughWriter(dst, src, &lz4Writers)
	case Zstd:
		z := zstdWriters.Get().(*zstd.Encoder)
		defer zstdWriters.Put(z)
		return z.EncodeAll(src, dst), nil
	default:
		return nil, fmt.Errorf("%w: %s", ErrInvalid, c)
	}
}

// packer is a compressor that is used again.
type packer interface {
	io.WriteCloser
	Reset(w io.Writer)
}

var gzipWriters = sync.Pool{New: func() any { return packer(gzip.NewWriter(nil)) }}

// Blocks of 64 KiB are what Java's client writes; without the sum over everything, which the batch's own CRC covers.
var lz4Writers = sync.Pool{New: func() any {
	z := lz4.NewWriter(nil)
	if err := z.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)); err != nil {
		panic("batch: lz4 options: " + err.Error())
	}
	return packer(z)
}}

// A window of 1 MiB bounds what an encoder keeps, and what a reader has to.
var zstdWriters = sync.Pool{New: func() any {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("batch: zstd options: " + err.Error())
	}
	return z
}}

func throughWriter(dst, src []byte, pool *sync.Pool) ([]byte, error) {
	z := pool.Get().(packer)
	w := bytes.NewBuffer(dst)
	z.Reset(w)
	if _, err := z.Write(src); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	pool.Put(z)
	return w.Bytes(), nil
}

// xerialBlock is how much snappy-java puts into a block.
const xerialBlock = 32 << 10

func xerialSnappy(dst, src []byte) []byte {
	dst = append(dst, xerialMagic...)
	dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 1) // version, oldest version that can read it
	for chunk := range slices.Chunk(src, xerialBlock) {
		at := len(dst)
		most := snappy.MaxEncodedLen(len(chunk))
		dst = slices.Grow(dst, 4+most)[:at+4+most]
		n := len(snappy.Encode(dst[at+4:], chunk))
		binary.BigEndian.PutUint32(dst[at:], uint32(n))
		dst = dst[:at+4+n]
	}
	return dst
}
