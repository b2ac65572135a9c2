package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// ErrTooLarge: records would decompress to more than Limits allow.
var ErrTooLarge = errors.New("batch: decompressed records exceed the limit")

// Limits bound what opening one batch may cost.
type Limits struct {
	// MaxBytes is the most decompressed bytes. Default 64 MiB: four times the largest batch.
	MaxBytes int
	// MaxRatio is the most decompressed bytes for each compressed one, above the first MiB. Default 1,024:
	// gzip ends there by itself, and text that repeats stays below.
	MaxRatio int
}

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = 64 << 20
	}
	if l.MaxRatio <= 0 {
		l.MaxRatio = 1024
	}
	return l
}

// most is how many bytes compressed ones may become.
func (l Limits) most(compressed int) int {
	return min(l.MaxBytes, max(1<<20, compressed*l.MaxRatio))
}

// zstdMaxWindow is the memory a zstd frame may demand; 8 MiB is what RFC 8878 asks every decoder to
// support, and Kafka's clients stay below.
const zstdMaxWindow = 8 << 20

// Decompress appends to dst the plain bytes of src, packed with codec c, on the calling goroutine.
//
// Errors: ErrTooLarge (beyond lim), ErrCorrupt, ErrInvalid (no such codec).
func Decompress(dst []byte, c Compression, src []byte, lim Limits) ([]byte, error) {
	limit := lim.withDefaults().most(len(src))
	var err error
	switch c {
	case None:
		if len(src) > limit {
			return nil, ErrTooLarge
		}
		return append(dst, src...), nil
	case Gzip:
		dst, err = gunzip(dst, src, limit)
	case Snappy:
		dst, err = unsnappy(dst, src, limit)
	case LZ4:
		dst, err = unlz4(dst, src, limit)
	case Zstd:
		dst, err = unzstd(dst, src, limit)
	default:
		return nil, fmt.Errorf("%w: %s", ErrInvalid, c)
	}
	switch {
	case err == nil:
		return dst, nil
	case errors.Is(err, ErrTooLarge), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, fmt.Errorf("%w: %s of %d bytes, limit %d", ErrTooLarge, c, len(src), limit)
	default:
		return nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, c, err)
	}
}

// readCapped appends all of r to dst, at most limit bytes.
func readCapped(dst []byte, r io.Reader, limit int) ([]byte, error) {
	start := len(dst)
	for {
		if cap(dst)-len(dst) < 512 {
			dst = slices.Grow(dst, min(max(4096, len(dst)-start), limit+512))
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst)-start > limit {
			return nil, ErrTooLarge
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func gunzip(dst, src []byte, limit int) ([]byte, error) {
	z := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(z)
	if err := z.Reset(bytes.NewReader(src)); err != nil {
		return nil, err
	}
	return readCapped(dst, z, limit)
}

var lz4Readers = sync.Pool{New: func() any { return lz4.NewReader(nil) }}

func unlz4(dst, src []byte, limit int) ([]byte, error) {
	z := lz4Readers.Get().(*lz4.Reader)
	z.Reset(bytes.NewReader(src))
	dst, err := readCapped(dst, z, limit)
	if err == nil { // a reader that met damage is not used again
		z.Reset(nil)
		lz4Readers.Put(z)
	}
	return dst, err
}

var zstdReaders = sync.Pool{New: func() any {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdMaxWindow))
	if err != nil {
		panic("batch: zstd options: " + err.Error())
	}
	return z
}}

func unzstd(dst, src []byte, limit int) ([]byte, error) {
	z := zstdReaders.Get().(*zstd.Decoder)
	defer zstdReaders.Put(z)
	if err := z.Reset(bytes.NewReader(src)); err != nil {
		return nil, err
	}
	return readCapped(dst, z, limit)
}

// xerialMagic begins what snappy-java writes: 16 bytes of header (magic, version, oldest reader), then
// blocks of a big-endian length and that many bytes of raw snappy. librdkafka and others write one raw block.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

const xerialHeaderSize = 16

func unsnappy(dst, src []byte, limit int) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) {
		return unsnappyBlock(dst, src, limit)
	}
	if len(src) < xerialHeaderSize {
		return nil, io.ErrUnexpectedEOF
	}
	start := len(dst)
	for src = src[xerialHeaderSize:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if n > int64(len(src)-4) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[4:4+n], limit-(len(dst)-start)); err != nil {
			return nil, err
		}
		src = src[4+n:]
	}
	return dst, nil
}

func unsnappyBlock(dst, src []byte, limit int) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return nil, err
	}
	if n > limit {
		return nil, ErrTooLarge
	}
	dst = slices.Grow(dst, n)
	plain, err := snappy.Decode(dst[len(dst):len(dst)+n], src)
	if err != nil {
		return nil, err
	}
	return dst[:len(dst)+len(plain)], nil
}
