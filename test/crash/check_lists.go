package crash

import (
	"fmt"
	"slices"
	"strings"
)

// Outcome is what a client knows of its call.
type Outcome uint8

// The outcomes. An unknown call may have happened, until reads show that it has.
const (
	Unknown Outcome = iota
	Done
	Refused
)

// Txn is one transaction over lists: it saw whole lists, and appended at most one element to each of some. No element is
// appended twice in a history. Moments come from one clock: Call before the request was sent, Return after its answer was read.
type Txn struct {
	Call, Return int64
	Outcome      Outcome
	Reads        map[string][]int
	Appends      map[string]int
}

// lists is a history under check.
type lists struct {
	txns     []Txn
	final    map[string][]int
	writer   map[int]int // of an element to its transaction
	edges    [][]edge    // of the transactions, then of the moments between them
	problems []string
}

// edge says that one transaction came before another.
type edge struct {
	to  int
	why string
}

// CheckLists holds a history of transactions against strict serializability, given the lists at the end. It says
//
//   - which acknowledged elements are missing, which are there twice or come from refused transactions, and which transactions
//     are there in part
//   - which reads are no beginning of the final list: they saw what was undone, or another order
//   - which transactions come before themselves: by order of elements (ww), by elements seen (wr), by elements not seen yet
//     (rw), or because one ended before the other began (time)
func CheckLists(txns []Txn, final map[string][]int) []string {
	c := &lists{txns: txns, final: final, writer: map[int]int{}}
	for i, t := range txns {
		for _, e := range t.Appends {
			c.writer[e] = i
		}
	}
	c.checkFinal()
	c.settle()
	c.checkReads()
	if len(c.problems) == 0 { // else the order is not known
		c.connect()
		c.checkCycles()
	}
	return c.problems
}

func (c *lists) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// checkFinal looks at the elements of the final lists.
func (c *lists) checkFinal() {
	for key, list := range c.final {
		seen := map[int]bool{}
		for _, e := range list {
			w, ok := c.writer[e]
			switch {
			case seen[e]:
				c.problem("%s: element %d is there twice", key, e)
			case !ok || c.txns[w].Appends[key] != e:
				c.problem("%s: nobody appended element %d", key, e)
			case c.txns[w].Outcome == Refused:
				c.problem("%s: element %d is there, but its transaction T%d was refused", key, e, w)
			}
			seen[e] = true
		}
	}
}

// settle finds out which transactions without an answer have happened: all of one or nothing.
func (c *lists) settle() {
	for i := range c.txns {
		t := &c.txns[i]
		there := 0
		for key, e := range t.Appends {
			if slices.Contains(c.final[key], e) {
				there++
			} else if t.Outcome == Done {
				c.problem("%s: element %d of the acknowledged T%d is lost", key, e, i)
			}
		}
		if t.Outcome != Unknown {
			continue
		}
		switch there {
		case 0:
			t.Outcome = Refused
		case len(t.Appends):
			t.Outcome = Done
		default:
			c.problem("T%d is there in part: %d of %d elements", i, there, len(t.Appends))
		}
	}
}

// checkReads compares what was read with the final lists.
func (c *lists) checkReads() {
	for i, t := range c.txns {
		for key, read := range t.Reads {
			if t.Outcome == Done && (len(read) > len(c.final[key]) || !slices.Equal(read, c.final[key][:len(read)])) {
				c.problem("%s: T%d read %v, which is no beginning of %v", key, i, tail(read), tail(c.final[key]))
			}
		}
	}
}

// tail shortens a list for a message.
func tail(list []int) string {
	if len(list) > 8 {
		return fmt.Sprintf("%d elements, the last %v", len(list), list[len(list)-8:])
	}
	return fmt.Sprint(list)
}

// connect draws all edges between transactions that have happened.
func (c *lists) connect() {
	c.edges = make([][]edge, len(c.txns))
	for key, list := range c.final {
		for i := 1; i < len(list); i++ {
			c.connectTwo(c.writer[list[i-1]], c.writer[list[i]], "ww "+key)
		}
	}
	for i, t := range c.txns {
		for key, read := range t.Reads {
			if t.Outcome != Done {
				continue
			}
			list, n := c.final[key], len(read)
			if n > 0 {
				c.connectTwo(c.writer[list[n-1]], i, "wr "+key)
			}
			if n < len(list) {
				c.connectTwo(i, c.writer[list[n]], "rw "+key)
			}
		}
	}
	c.connectTime()
}

func (c *lists) connectTwo(from, to int, why string) {
	if from != to {
		c.edges[from] = append(c.edges[from], edge{to, why})
	}
}

// connectTime orders what did not overlap: each return is a moment, the moments are a chain, a transaction comes before the
// moment of its return, and after the last one before its call.
func (c *lists) connectTime() {
	var returned []int
	for i, t := range c.txns {
		if t.Outcome == Done && t.Return > 0 {
			returned = append(returned, i)
		}
	}
	slices.SortFunc(returned, func(a, b int) int { return int(c.txns[a].Return - c.txns[b].Return) })
	first := len(c.txns)
	for n, i := range returned {
		c.edges = append(c.edges, nil)
		c.edges[i] = append(c.edges[i], edge{first + n, "time"})
		if n > 0 {
			c.edges[first+n-1] = append(c.edges[first+n-1], edge{first + n, "time"})
		}
	}
	for i, t := range c.txns {
		if t.Outcome != Done {
			continue
		}
		n, _ := slices.BinarySearchFunc(returned, t.Call, func(r int, call int64) int { return int(c.txns[r].Return - call) })
		if n > 0 {
			c.edges[first+n-1] = append(c.edges[first+n-1], edge{i, "time"})
		}
	}
}

// checkCycles reports one shortest cycle of each group of transactions that come before themselves.
func (c *lists) checkCycles() {
	for _, group := range components(c.edges) {
		in := map[int]bool{}
		for _, n := range group {
			in[n] = true
		}
		var text strings.Builder
		for _, step := range c.shortest(slices.Min(group), in) {
			if step.to < len(c.txns) {
				fmt.Fprintf(&text, " -%s-> T%d", step.why, step.to)
			} else {
				text.WriteString(" -time-> ·")
			}
		}
		c.problem("a cycle of %d: T%d%s", len(group), slices.Min(group), text.String())
	}
}

// shortest is a shortest way from start back to it, inside of its component.
func (c *lists) shortest(start int, in map[int]bool) []edge {
	type step struct {
		from int
		by   edge
	}
	came := map[int]step{}
	for queue := []int{start}; len(queue) > 0; queue = queue[1:] {
		for _, e := range c.edges[queue[0]] {
			if _, seen := came[e.to]; seen || !in[e.to] {
				continue
			}
			came[e.to] = step{queue[0], e}
			if e.to != start {
				queue = append(queue, e.to)
				continue
			}
			way := []edge{e}
			for at := queue[0]; at != start; at = came[at].from {
				way = append(way, came[at].by)
			}
			slices.Reverse(way)
			return way
		}
	}
	return nil
}
