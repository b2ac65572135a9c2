package crash

import (
	"fmt"
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

// RegisterOp is one call on one item that holds one value. No value is written twice in a history; "" is an item that is not there.
type RegisterOp struct {
	Key          string
	Call, Return int64
	Outcome      Outcome
	Writes       bool    // the call writes New, unless it is refused
	New          string  // what a write wrote
	Needs        *string // of a conditional write: the value that it asks for
	Saw          *string // what the answer says was there before; a refusal says it too
}

// checkTime bounds the search. Every call with an answer says what it saw, so a search takes milliseconds.
const checkTime = time.Minute

// CheckRegisters says for which items there is no order of the calls that agrees with all answers and with the clock.
func CheckRegisters(ops []RegisterOp) (problems []string) {
	keys := map[string][]porcupine.Operation{}
	for _, op := range settleRegisters(ops) {
		keys[op.Key] = append(keys[op.Key], porcupine.Operation{Input: op, Call: op.Call, Return: op.Return})
	}
	for key, history := range keys {
		if got := porcupine.CheckOperationsTimeout(registerModel, history, checkTime); got != porcupine.Ok {
			problems = append(problems, fmt.Sprintf("%s: %d calls are linearizable: %s", key, len(history), got))
		}
	}
	return problems
}

// registerModel is one item: what a call needs must be there, and then is what it writes.
var registerModel = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, _ any) (bool, any) {
		op := input.(RegisterOp)
		if op.Saw != nil && *op.Saw != state {
			return false, state
		}
		if !op.Writes {
			return true, state
		}
		if op.Needs != nil && (*op.Needs == state) != (op.Outcome == Done) {
			return false, state
		}
		if op.Outcome == Refused {
			return true, state
		}
		return true, op.New
	},
	Equal: func(a, b any) bool { return a == b },
}

// settleRegisters decides calls that had no answer. What one wrote may have been seen: then it happened, before the first
// answer that says so. What nobody has seen can be left out: had it happened, every later call would still have
// answered as it did, since each says what it saw.
func settleRegisters(ops []RegisterOp) (settled []RegisterOp) {
	seen := map[string]int64{} // of a value to the first moment at which somebody knew of it
	for _, op := range ops {
		if op.Saw == nil || op.Outcome == Unknown {
			continue
		}
		first, ok := seen[*op.Saw]
		if !ok {
			first = math.MaxInt64
		}
		seen[*op.Saw] = min(first, op.Return)
	}
	for _, op := range ops {
		if op.Outcome == Unknown {
			first, ok := seen[op.New]
			if !op.Writes || !ok {
				continue
			}
			op.Outcome, op.Return, op.Saw = Done, first, nil
		}
		settled = append(settled, op)
	}
	return settled
}
