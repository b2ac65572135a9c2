//go:build system

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"millrace/test/process"
)

// lives are those of one server, which is killed and started again on one folder.
type lives struct {
	options process.Options
	random  *rand.Rand
}

// newSeed is that of the random choices of a run.
func newSeed() uint64 {
	if *seedFlag != 0 {
		return *seedFlag
	}
	return uint64(time.Now().UnixNano())
}

// again lets the server live and die as often as it is to be killed, and returns how many of the kills came while it started.
func (l *lives) again(t *testing.T, seed uint64, live func(ctx context.Context, life int) error) (early int) {
	t.Helper()
	for life := range *killsFlag {
		if l.random.IntN(earlyEvery) == 0 {
			l.killEarly(t)
			early++
			continue
		}
		if err := live(t.Context(), life); err != nil {
			t.Fatalf("seed %d, kill %d: %v", seed, life, err)
		}
	}
	return early
}

// killUnder puts the server under load, each part of which runs until the server is gone, and kills it with kill -9 at a random moment,
// after longest at most, or later when enough takes longer; nil: nothing has to be enough.
func (l *lives) killUnder(ctx context.Context, s *process.Server, longest time.Duration, load []func(addr string) error, enough func() error) error {
	errs := make([]error, len(load))
	var wg sync.WaitGroup
	for i, run := range load {
		wg.Go(func() { errs[i] = run(s.Ready.AWS) })
	}
	var err error
	select {
	case <-time.After(time.Duration(l.random.Int64N(int64(longest)))):
		if enough != nil {
			err = enough()
		}
	case <-s.Done():
		err = fmt.Errorf("the server ended by itself:\n%s", s.Tail())
	case <-ctx.Done():
		err = ctx.Err()
	}
	err = errors.Join(err, s.Kill())
	wg.Wait()
	return errors.Join(err, errors.Join(errs...))
}

// start runs the server until the test is over and connects to it.
func (l *lives) start(t *testing.T) (*process.Server, *client) {
	t.Helper()
	s, err := process.Start(t.Context(), l.options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	c, err := dial(s.Ready.AWS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return s, c
}

// killEarly kills the server while it starts and recovers.
func (l *lives) killEarly(t *testing.T) {
	t.Helper()
	s, err := process.Launch(l.options)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-time.After(time.Duration(l.random.Int64N(int64(earlyMax)))):
	case <-s.Done():
		t.Fatalf("the server ended by itself:\n%s", s.Tail())
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
}
