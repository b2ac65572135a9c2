package embedded

import (
	"flag"
	"testing"

	"millrace/internal/core/fault"
)

var plantedSeeds = flag.Int("planted.seeds", 300, "how many simulations may pass before a planted bug has to be caught")

// TestPlantedBugsAreCaught switches on each bug that the store can be told to have, and runs the same simulations with
// the same checker as TestStoreSurvivesCrashes until one of them fails.
func TestPlantedBugsAreCaught(t *testing.T) {
	score := 0
	for _, p := range fault.Points() {
		t.Run(string(p), func(t *testing.T) {
			for i := range uint64(*plantedSeeds) {
				seed := *crashFrom + i
				if p == fault.AnswerRefusalEarly { // a refusal has to meet its reason in one group
					seed = seed*uint64(len(profiles)) + quarrelling
				}
				if _, err := simulate(seed, fault.New(p)); err != nil {
					t.Logf("caught with %v", err)
					score++
					return
				}
			}
			t.Errorf("not caught in %d simulations", *plantedSeeds)
		})
	}
	t.Logf("score: %d of %d planted bugs caught", score, len(fault.Points()))
	if score != len(fault.Points()) {
		t.Errorf("score: %d of %d planted bugs caught", score, len(fault.Points()))
	}
}
