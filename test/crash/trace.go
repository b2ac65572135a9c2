package crash

import (
	"fmt"
	"regexp"
	"strings"
)

// A trace is the output of `strace -f` with the system calls of traceCalls: one line for each call, or two when
// another thread came between.
//
//	812 pwrite64(9, "..."..., 8192, 4096) = 8192
//	813 fdatasync(9 <unfinished ...>
//	813 <... fdatasync resumed>) = 0
//	815 write(12, "HTTP/1.1 200 OK\r\n"..., 214) = 214

// traceCalls are the calls that write files, sync them and answer.
const traceCalls = "pwrite64,pwritev,pwritev2,write,writev,sendto,sendmsg,fsync,fdatasync"

// event is the begin or the end of one system call.
type event struct {
	call   string
	file   string // descriptor, the first argument
	text   string // the rest of the arguments
	begins bool
	ends   bool
	failed bool
}

var (
	wholeLine   = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)(.*)\) += (-?\d+)`)
	beginLine   = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)(.*)<unfinished \.\.\.>`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>.*\) += (-?\d+)`)
)

// events reads a trace. Lines that are no calls of ours (signals, exits) are passed over.
func events(trace string) []event {
	var all []event
	open := map[string]event{} // by thread: a thread has one call under way
	for line := range strings.Lines(trace) {
		line = strings.TrimSpace(line)
		if m := wholeLine.FindStringSubmatch(line); m != nil {
			all = append(all, event{m[2], m[3], m[4], true, true, strings.HasPrefix(m[5], "-")})
		} else if m := beginLine.FindStringSubmatch(line); m != nil {
			e := event{call: m[2], file: m[3], text: m[4], begins: true}
			open[m[1]] = e
			all = append(all, e)
		} else if m := resumedLine.FindStringSubmatch(line); m != nil {
			e := open[m[1]]
			e.begins, e.ends, e.failed = false, true, strings.HasPrefix(m[3], "-")
			all = append(all, e)
		}
	}
	return all
}

func (e event) isSync() bool { return e.call == "fsync" || e.call == "fdatasync" }

// isAnswer tells the first bytes of a good HTTP/1.1 answer.
func (e event) isAnswer() bool { return strings.Contains(e.text, `"HTTP/1.1 200`) }

// syncedAnswers checks a trace of calls that were made one after the other, each with a write: between two
// answers a file must have been written, then synced, and the sync must have ended well before the
// answer begins.
//
// Returns the number of answers, and an error that names the first one without its sync.
func syncedAnswers(trace string) (answers int, err error) {
	written := map[string]bool{} // files written since the last answer, not yet under a sync
	syncing := map[string]bool{} // of those, the ones under a sync that began after the write ended
	durable := false
	for _, e := range events(trace) {
		switch {
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
		}
	}
	return answers, nil
}
