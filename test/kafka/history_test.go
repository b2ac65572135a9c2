package kafka

import (
	"strings"
	"testing"
)

const notes = "try a 2\ncommitted a\ntry b 2\naborted c\ntry d 1\ncommitted d\ntry e"

// at places values one after the other in one partition.
func at(values ...string) []Seen {
	var seen []Seen
	for i, v := range values {
		seen = append(seen, Seen{"t", 0, int64(i), v})
	}
	return seen
}

func TestCheckerOfTransactionsFindsWhatIsWrong(t *testing.T) {
	all, err := ReadNotes(notes)
	if err != nil || len(all) != 4 {
		t.Fatalf("got %v (%v), want four transactions", all, err)
	}
	for _, c := range []struct {
		seen []Seen
		want string // part of the one problem; empty when there is none
	}{
		{at("a/0", "a/1", "d/0"), ""},
		{at("a/0", "a/1", "b/0", "b/1", "d/0"), ""},
		{at("a/0", "d/0"), "transaction a was committed: got 1 records, want 2"},
		{at("a/0", "a/1", "b/1", "d/0"), "transaction b is torn: got 1 records, want 2 or none"},
		{at("a/0", "a/1", "c/0", "d/0"), "of a transaction that was not committed"},
		{at("a/0", "a/1", "e/0", "d/0"), "of a transaction that was not committed"},
		{at("a/0", "a/1", "d/0", "d/0"), "a second time"},
		{at("a/1", "a/0", "d/0"), "after number 1 of it"},
		{at("a/0", "a/1", "d/0", "?"), "which nobody wrote"},
	} {
		got := CheckTransactions(all, c.seen)
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%v: got %q, want %q", c.seen, got, c.want)
		}
	}
	if _, err := ReadNotes("committed x\n"); err == nil {
		t.Error("a commit that nobody asked for was taken")
	}
}

func TestCheckerOfSequencesFindsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		read  []string
		count int
		want  string
	}{
		{[]string{"p/0", "p/1"}, 2, ""},
		{[]string{"p/0"}, 2, "got 1 records, want the 2 acknowledged"},
		{[]string{"p/0", "p/0", "p/1"}, 2, "got p/0, want p/1"},
		{[]string{"p/1", "p/0"}, 2, "got p/1, want p/0"},
	} {
		got := strings.Join(CheckSequence("p", c.read, c.count), " ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q of %d: got %q, want %q", c.read, c.count, got, c.want)
		}
	}
}
