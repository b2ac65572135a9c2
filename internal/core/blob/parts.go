package blob

import "fmt"

// Parts holds the parts of an upload to the rules that S3 has, for drivers that would not mind others.
// Its zero value is an upload without parts.
type Parts struct {
	n     int
	short bool // the last part was below MinPartSize: none may follow
	ended bool
}

// Add counts a part of size bytes. Errors: ErrPart.
func (p *Parts) Add(size int) error {
	switch {
	case p.ended:
		return fmt.Errorf("%w: the upload has ended", ErrPart)
	case p.short:
		return fmt.Errorf("%w: only the last may have less than %d bytes", ErrPart, MinPartSize)
	case p.n == MaxParts:
		return fmt.Errorf("%w: %d parts", ErrPart, MaxParts)
	}
	p.n++
	p.short = size < MinPartSize
	return nil
}

// Ended reports whether End was called.
func (p *Parts) Ended() bool { return p.ended }

// End closes the upload. Errors: ErrPart when it was closed before.
func (p *Parts) End() error {
	if p.ended {
		return fmt.Errorf("%w: the upload has ended", ErrPart)
	}
	p.ended = true
	return nil
}
