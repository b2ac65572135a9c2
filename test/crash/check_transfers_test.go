package crash

import "testing"

func TestTransferCheckFindsWhatIsPlanted(t *testing.T) {
	type counts = map[string]int
	one := func(o Outcome) []Transfer { return []Transfer{{"t", "a", "b", 5, o}} }
	for name, c := range map[string]struct {
		transfers          []Transfer
		balances, receipts counts
		ok                 bool
	}{
		"done":                 {one(Done), counts{"a": 5, "b": 15}, counts{"t": 1}, true},
		"unknown, happened":    {one(Unknown), counts{"a": 5, "b": 15}, counts{"t": 1}, true},
		"unknown, did not":     {one(Unknown), counts{"a": 10, "b": 10}, nil, true},
		"lost":                 {one(Done), counts{"a": 10, "b": 10}, nil, false},
		"twice":                {one(Done), counts{"a": 0, "b": 20}, counts{"t": 2}, false},
		"refused but happened": {one(Refused), counts{"a": 5, "b": 15}, counts{"t": 1}, false},
		"half of it":           {one(Done), counts{"a": 5, "b": 10}, counts{"t": 1}, false},
		"account is gone":      {[]Transfer{{"t", "a", "b", 5, Done}, {"u", "b", "a", 5, Done}}, counts{"b": 10}, counts{"t": 1, "u": 1}, false},
		"without receipt":      {one(Unknown), counts{"a": 5, "b": 15}, nil, false},
	} {
		if got := CheckTransfers(c.transfers, 10, c.balances, c.receipts); (len(got) == 0) != c.ok {
			t.Errorf("%s: got %v, want it to be fine: %v", name, got, c.ok)
		}
	}
}
