package codec

import "millrace/internal/api"

// Allocation allowed for each byte of a body, and for any body. A list element of 2 bytes ("{}")
// becomes a struct of up to some hundred; real requests stay below 4 times their size.
const (
	budgetFactor = 16
	budgetBase   = 64 << 10
)

// memoryStep is how much is asked for at once.
const memoryStep = 256 << 10

// Memory gives a decoder n bytes more than the body's size and 64 KiB, which need not be asked for; its error is the
// request's. A nil Memory gives what the other bounds allow.
type Memory func(n int) *api.Error

// budget is what decoding one body may still allocate.
type budget struct {
	left int
	free int // of left, without asking for more
	more Memory
}

func newBudget(body int, more Memory) budget {
	return budget{left: body*budgetFactor + budgetBase, free: body + budgetBase, more: more}
}

// spend takes n bytes; over is the error when the body may not have so many.
func (b *budget) spend(n int, over func() *api.Error) *api.Error {
	if b.left -= n; b.left < 0 {
		return over()
	}
	if b.free -= n; b.free >= 0 || b.more == nil {
		return nil
	}
	step := max(memoryStep, -b.free)
	b.free += step
	return b.more(step)
}
