package crash

import "fmt"

// Transfer moves an amount between two accounts and counts up its receipt, in one transaction with an idempotency token: sent
// again after a crash, it must not happen again.
type Transfer struct {
	ID       string
	From, To string
	Amount   int
	Outcome  Outcome
}

// CheckTransfers compares what is there at the end with what was sent: balances by account, how often by receipt.
func CheckTransfers(transfers []Transfer, start int, balances, receipts map[string]int) (problems []string) {
	want := map[string]int{}
	for _, t := range transfers {
		n := receipts[t.ID]
		switch {
		case t.Outcome == Done && n != 1, t.Outcome == Refused && n != 0, n > 1:
			problems = append(problems, fmt.Sprintf("transfer %s happened %d times, its client knows: %s", t.ID, n, [...]string{"nothing", "done", "refused"}[t.Outcome]))
		}
		want[t.From] -= n * t.Amount
		want[t.To] += n * t.Amount
	}
	for account := range want {
		if _, ok := balances[account]; !ok {
			problems = append(problems, fmt.Sprintf("account %s is not there", account))
		}
	}
	sum := 0
	for account, got := range balances {
		sum += got
		if got != start+want[account] {
			problems = append(problems, fmt.Sprintf("account %s: got %d, want %d by the receipts", account, got, start+want[account]))
		}
		if got < 0 {
			problems = append(problems, fmt.Sprintf("account %s is overdrawn: %d", account, got))
		}
	}
	if sum != start*len(balances) {
		problems = append(problems, fmt.Sprintf("sum of all accounts: got %d, want %d", sum, start*len(balances)))
	}
	return problems
}
