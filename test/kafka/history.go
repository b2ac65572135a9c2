package kafka

import (
	"fmt"
	"strconv"
	"strings"
)

// Outcome is how a transaction ended as far as its client knows.
type Outcome int

// The outcomes. A transaction whose client died before it asked for the commit counts as aborted.
const (
	Aborted   Outcome = iota // none of its records may be seen
	Unknown                  // the commit was asked for and not answered: all or none
	Committed                // all have to be seen
)

// Transaction is what its client noted of it.
type Transaction struct {
	ID      string
	Records int
	Outcome Outcome
}

// Seen is a record that a read_committed reader got.
type Seen struct {
	Topic     string
	Partition int32
	Offset    int64
	Value     string // ID/NUMBER, from 0
}

func (s Seen) place() string { return fmt.Sprintf("%s-%d@%d", s.Topic, s.Partition, s.Offset) }

// ReadNotes reads the log of a client: "try ID RECORDS" before it asks for a commit, then "committed ID"; "aborted ID" after an
// abort. A last line without its end was cut by a kill and is left out.
func ReadNotes(log string) (map[string]*Transaction, error) {
	all := map[string]*Transaction{}
	for line := range strings.Lines(log) {
		fields := strings.Fields(line)
		if !strings.HasSuffix(line, "\n") {
			break
		}
		switch {
		case len(fields) == 3 && fields[0] == "try":
			n, err := strconv.Atoi(fields[2])
			if err != nil {
				return nil, fmt.Errorf("note %q: %w", line, err)
			}
			all[fields[1]] = &Transaction{ID: fields[1], Records: n, Outcome: Unknown}
		case len(fields) == 2 && fields[0] == "committed" && all[fields[1]] != nil:
			all[fields[1]].Outcome = Committed
		case len(fields) == 2 && fields[0] == "aborted":
			all[fields[1]] = &Transaction{ID: fields[1], Outcome: Aborted}
		default:
			return nil, fmt.Errorf("note %q is not understood", line)
		}
	}
	return all, nil
}

// CheckTransactions compares what was read, in the order of each partition, with what clients know: all of a transaction or
// none of it, nothing twice, nothing of one that was not committed, the records of one in a partition in their order.
func CheckTransactions(all map[string]*Transaction, seen []Seen) (problems []string) {
	type last struct {
		id        string
		topic     string
		partition int32
	}
	count := map[string]int{}
	where := map[string]string{}
	order := map[last]int{}
	for _, s := range seen {
		id, digits, _ := strings.Cut(s.Value, "/")
		number, err := strconv.Atoi(digits)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: got %q, which nobody wrote", s.place(), s.Value))
			continue
		}
		if other, twice := where[s.Value]; twice {
			problems = append(problems, fmt.Sprintf("%s: got %s a second time, first at %s", s.place(), s.Value, other))
			continue
		}
		where[s.Value] = s.place()
		count[id]++
		at := last{id, s.Topic, s.Partition}
		if before, found := order[at]; found && before > number {
			problems = append(problems, fmt.Sprintf("%s: got %s after number %d of it", s.place(), s.Value, before))
		}
		order[at] = number
		if t := all[id]; t == nil || t.Outcome == Aborted {
			problems = append(problems, fmt.Sprintf("%s: got %s of a transaction that was not committed", s.place(), s.Value))
		}
	}
	for id, t := range all {
		got := count[id]
		switch {
		case t.Outcome == Committed && got != t.Records:
			problems = append(problems, fmt.Sprintf("transaction %s was committed: got %d records, want %d", id, got, t.Records))
		case t.Outcome == Unknown && got != 0 && got != t.Records:
			problems = append(problems, fmt.Sprintf("transaction %s is torn: got %d records, want %d or none", id, got, t.Records))
		}
	}
	return problems
}

// CheckSequence looks at the values that one idempotent producer wrote to one partition, as they were read: its numbers
// from 0 to count-1, each once, in order.
func CheckSequence(producer string, read []string, count int) (problems []string) {
	for i, value := range read {
		if want := producer + "/" + strconv.Itoa(i); value != want {
			return []string{fmt.Sprintf("record %d of %s: got %s, want %s (%d read, %d acknowledged)", i, producer, value, want, len(read), count)}
		}
	}
	if len(read) != count {
		return []string{fmt.Sprintf("%s: got %d records, want the %d acknowledged", producer, len(read), count)}
	}
	return nil
}
