package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/test/load"
	"millrace/test/process"
)

const (
	starts = 7 // median of; a start takes some 20 ms

	// idleAfter is how long a started server rests before its idle memory is read: long enough for
	// what it does in the background after a start.
	idleAfter = 3 * time.Second

	// recoverBytes is how much is written before the kill: so much unmoved journal as the bounds allow.
	recoverBytes = 1 << 30

	// recoverTime ends the writing of small records, of which a gigabyte would take too long.
	recoverTime = 20 * time.Second
)

const mib = 1 << 20

// runLife measures what happens around the load.
func (b *bench) runLife(ctx context.Context) error {
	file, err := process.Binary()
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	b.life("binary", "MiB", []float64{float64(info.Size()) / mib}, 60)
	if err := b.startFresh(ctx); err != nil {
		return err
	}
	if err := b.startExisting(ctx); err != nil {
		return err
	}
	for _, r := range []recovery{
		{"100 x 1 KiB", (*server).putRecords, recordsPerCall * recordSize, loadConns},
		{"1 KiB", (*server).putRecord, recordSize, 4 * loadConns},
	} {
		if err := b.recover(ctx, r); err != nil {
			return err
		}
	}
	return b.recoverFull(ctx)
}

// recovery is a load under which the server is killed. Large calls leave long runs in the journal, small ones many
// short ones.
type recovery struct {
	calls       string
	request     func(*server) (*load.Request, error)
	bytes       int64 // of data in a call
	connections int
}

// life adds a row and its bar.
func (b *bench) life(what, unit string, values []float64, limit float64) {
	middle := median(values)
	row := []string{what, fmt.Sprintf("%.1f %s", middle, unit), fmt.Sprintf("%.1f %s", slices.Max(values), unit)}
	b.report.life = append(b.report.life, row)
	fmt.Println(row)
	if limit > 0 {
		b.report.atMost(what, middle, limit, unit)
	}
}

// ready starts a server and returns the time from exec to its first answer, in ms.
func (b *bench) ready(ctx context.Context, o process.Options) (*server, float64, error) {
	s, err := process.Start(ctx, o)
	if err != nil {
		return nil, 0, err
	}
	started := &server{name: filepath.Base(o.Data), addr: s.Ready.AWS, http: s.Ready.HTTP, child: s.Child}
	c, err := load.DialHTTP1(started.addr)
	if err != nil {
		return started, 0, err
	}
	defer c.Close()
	err = started.call(c, "ListStreams", map[string]any{}, nil)
	return started, float64(time.Since(s.Started).Microseconds()) / 1000, err
}

func (b *bench) startFresh(ctx context.Context) error {
	var times []float64
	for i := range starts {
		o := b.millraceOptions(fmt.Sprintf("fresh-%d", i))
		s, ms, err := b.ready(ctx, o)
		if err != nil {
			return errors.Join(err, stopped(s))
		}
		times = append(times, ms)
		if err := errors.Join(stopped(s), os.RemoveAll(o.Data)); err != nil {
			return err
		}
	}
	b.life("first answer after exec, fresh folder", "ms", times, 100)
	return nil
}

// startExisting opens one folder again and again, and reads idle memory on the last time.
func (b *bench) startExisting(ctx context.Context) error {
	o := b.millraceOptions("existing")
	defer os.RemoveAll(o.Data)
	s, _, err := b.ready(ctx, o)
	if err == nil {
		err = s.createStream(ctx)
	}
	if err == nil {
		err = s.put(1000)
	}
	if err := errors.Join(err, stopped(s)); err != nil {
		return err
	}
	var times []float64
	for range starts {
		s, ms, err := b.ready(ctx, o)
		if err := errors.Join(err, stopped(s)); err != nil {
			return err
		}
		times = append(times, ms)
	}
	b.life("first answer after exec, existing folder", "ms", times, 50)
	s, _, err = b.ready(ctx, o)
	if err != nil {
		return errors.Join(err, stopped(s))
	}
	defer stop(s)
	time.Sleep(idleAfter)
	rss, err := load.Resident(s.child.PID())
	b.life("idle memory", "MiB", []float64{float64(rss) / mib}, 32)
	return err
}

// stopped ends s politely, so that its folder is as a user would leave it.
func stopped(s *server) error {
	if s == nil {
		return nil
	}
	return s.child.Stop()
}

// put sends count records, one by one, over one connection.
func (s *server) put(count int) error {
	c, err := load.DialHTTP1(s.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	req, err := s.putRecord()
	if err != nil {
		return err
	}
	for range count {
		if _, err := c.Do(req); err != nil {
			return err
		}
	}
	return nil
}

// recover writes a gigabyte, or as much as goes in 20 s, kills the server in the middle of it and starts it
// again. What waits in its journal is at most what was written and at most 1 GiB, the bound of unmoved journal.
func (b *bench) recover(ctx context.Context, r recovery) error {
	o := b.millraceOptions("recovery")
	defer os.RemoveAll(o.Data)
	s, _, err := b.ready(ctx, o)
	if err != nil {
		return errors.Join(err, stopped(s))
	}
	if err := s.createStream(ctx); err != nil {
		return errors.Join(err, s.child.Kill())
	}
	written, unmoved, err := s.writeUntilKilled(r)
	if err != nil {
		return err
	}
	s, ms, err := b.ready(ctx, o)
	defer stop(s)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("first answer after kill -9, %d MiB in calls of %s, %d MiB unmoved", written/mib, r.calls, unmoved/mib)
	b.life(what, "ms", []float64{ms}, 2000)
	return nil
}

// writeUntilKilled loads s until recoverBytes are in or recoverTime is over, and kills it under that load. It
// returns the bytes of data written, and of journal that was in no segment then.
func (s *server) writeUntilKilled(r recovery) (written, unmoved int64, err error) {
	conns, err := load.DialAll(r.connections, s.addr, load.DialHTTP1)
	if err != nil {
		return 0, 0, err
	}
	defer load.CloseAll(conns)
	counts := make(chan int64)
	for _, c := range conns {
		req, err := r.request(s)
		if err != nil {
			return 0, 0, err
		}
		go func() {
			for {
				if _, err := c.Do(req); err != nil {
					counts <- 0 // the kill, or a refusal: then too little is written, which is reported
					return
				}
				counts <- r.bytes
			}
		}()
	}
	killed, end := false, time.Now().Add(recoverTime)
	for alive := len(conns); alive > 0; {
		n := <-counts
		if n == 0 {
			alive--
		}
		written += n
		if (written >= recoverBytes || time.Now().After(end)) && !killed {
			killed = true
			unmoved, err = s.metric("journal_unmoved_bytes")
			if err := errors.Join(err, s.child.Kill()); err != nil {
				return written, 0, err
			}
		}
	}
	if !killed {
		return written, 0, fmt.Errorf("writes ended after %d MiB\n%s", written/mib, s.child.Tail())
	}
	return written, unmoved, nil
}

// metric reads the gauge or counter whose name ends in suffix.
func (s *server) metric(suffix string) (int64, error) {
	answer, err := http.Get("http://" + s.http + "/metrics")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasSuffix(name, suffix) {
			v, err := strconv.ParseFloat(value, 64)
			return int64(v), err
		}
	}
	return 0, errors.Join(lines.Err(), fmt.Errorf("no metric ends in %s", suffix))
}
