package crash

import "testing"

func TestRegisterCheckFindsWhatIsPlanted(t *testing.T) {
	none, a, b, z := "", "a", "b", "z"
	read := func(call, ret int64, saw *string) RegisterOp {
		return RegisterOp{Key: "k", Call: call, Return: ret, Outcome: Done, Saw: saw}
	}
	put := func(call, ret int64, value string, saw *string) RegisterOp {
		return RegisterOp{Key: "k", Call: call, Return: ret, Outcome: Done, Writes: true, New: value, Saw: saw}
	}
	lost := func(op RegisterOp) RegisterOp {
		op.Outcome, op.Return, op.Saw = Unknown, 0, nil
		return op
	}
	swap := func(op RegisterOp, needs *string, outcome Outcome) RegisterOp {
		op.Needs, op.Outcome = needs, outcome
		return op
	}
	for name, c := range map[string]struct {
		ops []RegisterOp
		ok  bool
	}{
		"one after the other":                           {[]RegisterOp{put(1, 2, "a", &none), read(3, 4, &a), put(5, 6, "b", &a), read(7, 8, &b)}, true},
		"overlapping":                                   {[]RegisterOp{put(1, 9, "a", &b), put(1, 9, "b", &none), read(2, 3, &none), read(4, 5, &b)}, true},
		"stale read":                                    {[]RegisterOp{put(1, 2, "a", &none), read(3, 4, &none)}, false},
		"value of nobody":                               {[]RegisterOp{read(1, 2, &z)}, false},
		"lost update":                                   {[]RegisterOp{put(1, 2, "a", &none), put(3, 4, "b", &none)}, false},
		"reads go back":                                 {[]RegisterOp{put(1, 9, "a", &none), read(2, 3, &a), read(4, 5, &none)}, false},
		"without an answer, happened":                   {[]RegisterOp{lost(put(1, 0, "a", nil)), read(2, 3, &none), read(4, 5, &a)}, true},
		"without an answer, did not happen":             {[]RegisterOp{lost(put(1, 0, "a", nil)), read(2, 3, &none), read(4, 5, &none)}, true},
		"without an answer, came and went":              {[]RegisterOp{lost(put(1, 0, "a", nil)), read(2, 3, &a), read(4, 5, &none)}, false},
		"swap":                                          {[]RegisterOp{put(1, 2, "a", &none), swap(put(3, 4, "b", nil), &a, Done), read(5, 6, &b)}, true},
		"swap of another value":                         {[]RegisterOp{put(1, 2, "a", &none), swap(put(3, 4, "b", nil), &z, Done)}, false},
		"refused swap":                                  {[]RegisterOp{put(1, 2, "a", &none), swap(put(3, 4, "b", &a), &none, Refused), read(5, 6, &a)}, true},
		"swap that was refused without need":            {[]RegisterOp{put(1, 2, "a", &none), swap(put(3, 4, "b", &a), &a, Refused)}, false},
		"refused swap that happened":                    {[]RegisterOp{put(1, 2, "a", &none), swap(put(3, 4, "b", &a), &none, Refused), read(5, 6, &b)}, false},
		"swap without an answer, of what was not there": {[]RegisterOp{put(1, 2, "a", &none), lost(swap(put(3, 0, "b", nil), &z, Unknown)), read(4, 5, &b)}, false},
	} {
		if got := CheckRegisters(c.ops); (len(got) == 0) != c.ok {
			t.Errorf("%s: got %v, want it to be fine: %v", name, got, c.ok)
		}
	}
}
