package crash

import (
	"fmt"
	"regexp"
	"strings"
)

// A trace is the output of `strace -f` with the system calls of traceCalls: one line for each call, or two when
// another thread came between.
//
//	811 openat(AT_FDCWD, "..."..., O_RDWR|O_DSYNC|O_CLOEXEC) = 7
//	812 pwrite64(9, "..."..., 8192, 4096) = 8192
//	813 fdatasync(9 <unfinished ...>
//	813 <... fdatasync resumed>) = 0
//	815 write(12, "HTTP/1.1 200 OK\r\n"..., 214) = 214

// traceCalls are the calls that open files, write them, sync them and answer.
const traceCalls = "openat,pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fsync,fdatasync"

// event is the begin or the end of one system call.
type event struct {
	call   string
	file   string // descriptor: the first argument, of openat what it returns
	text   string // the rest of the arguments
	begins bool
	ends   bool
	failed bool
}

var (
	wholeLine   = regexp.MustCompile(`^(\d+) +(\w+)\((\w+)(.*)\) += (-?\d+)`)
	beginLine   = regexp.MustCompile(`^(\d+) +(\w+)\((\w+)(.*)<unfinished \.\.\.>`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)`)
)

// events reads a trace. Lines that are no calls of ours (signals, exits) are passed over.
func events(trace string) []event {
	var all []event
	open := map[string]event{} // by thread: a thread has one call under way
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if m := wholeLine.FindStringSubmatch(line); m != nil {
			e := event{call: m[2], file: m[3], text: m[4], begins: true}
			all = append(all, e.ended(m[5], true))
		} else if m := beginLine.FindStringSubmatch(line); m != nil {
			e := event{call: m[2], file: m[3], text: m[4], begins: true}
			open[m[1]] = e
			all = append(all, e)
		} else if m := resumedLine.FindStringSubmatch(line); m != nil {
			all = append(all, open[m[1]].ended(m[3], false))
		}
	}
	return all
}

// ended is the call at its end, with what it returned; whole: its begin is the same event.
func (e event) ended(result string, whole bool) event {
	e.begins, e.ends, e.failed = whole, true, strings.HasPrefix(result, "-")
	if e.isOpen() {
		e.file = result
	}
	return e
}

func (e event) isOpen() bool { return e.call == "openat" }

func (e event) isSync() bool { return e.call == "fsync" || e.call == "fdatasync" }

// isAnswer tells the first bytes of a good HTTP/1.1 answer.
func (e event) isAnswer() bool { return strings.Contains(e.text, `"HTTP/1.1 200`) }

// syncedAnswers checks a trace of calls that were made one after the other, each with a write: between two
// answers a file must have been written, then synced, and the sync must have ended well before the
// answer begins. A write to a file that was opened with O_DSYNC is both. before is the trace up to there: it says how
// files were opened.
//
// Returns the number of answers, and an error that names the first one without its sync.
func syncedAnswers(before, trace string) (answers int, err error) {
	dsync := map[string]bool{} // files whose writes are synced
	opened := func(e event) { dsync[e.file] = !e.failed && strings.Contains(e.text, "O_DSYNC") }
	for _, e := range events(before) {
		if e.isOpen() && e.ends {
			opened(e)
		}
	}
	written := map[string]bool{} // files written since the last answer, not yet under a sync
	syncing := map[string]bool{} // of those, the ones under a sync that began after the write ended
	durable := false
	for _, e := range events(trace) {
		switch {
		case e.isOpen():
			if e.ends {
				opened(e)
			}
		case e.isAnswer():
			if !e.begins {
				continue
			}
			if answers++; !durable {
				return answers, fmt.Errorf("answer %d was sent without a write and a sync before it", answers)
			}
			durable, written, syncing = false, map[string]bool{}, map[string]bool{}
		case e.isSync():
			if e.begins && written[e.file] {
				syncing[e.file] = true
			}
			if e.ends && syncing[e.file] {
				durable, syncing[e.file] = durable || !e.failed, false
			}
		case e.ends && !e.failed:
			written[e.file] = true
			durable = durable || dsync[e.file]
		}
	}
	return answers, nil
}
