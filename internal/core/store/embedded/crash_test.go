package embedded

import (
	"flag"
	"testing"
	"time"
)

var (
	crashSeeds = flag.Int("crash.seeds", 150, "how many simulations TestStoreSurvivesCrashes runs")
	crashFrom  = flag.Uint64("crash.from", 0, "the first seed")
)

// TestStoreSurvivesCrashes runs simulations, each from a seed: random calls by some workers on a tiny store,
// whose disk loses power at a random write or sync, again while it recovers, whose syncs fail, or which is
// stopped. After each the store must hold what was answered, and nothing that was refused.
//
// With -crash.from a failing seed is run again; -crash.seeds makes it run longer.
func TestStoreSurvivesCrashes(t *testing.T) {
	var crashes int
	var groups, moved, adopted int64
	began := time.Now()
	for seed := *crashFrom; seed < *crashFrom+uint64(*crashSeeds); seed++ {
		m, err := simulate(seed, nil)
		if err != nil {
			t.Errorf("%v\nrun it again with -run TestStoreSurvivesCrashes -crash.from %d -crash.seeds 1", err, seed)
		}
		crashes, groups, moved, adopted = crashes+m.crashes, groups+m.groups, moved+m.moved, adopted+m.adopted
		if t.Failed() && testing.Short() {
			return
		}
	}
	t.Logf("%d seeds, %d crashes, %d groups, %d journal files moved, %d adopted, %v", *crashSeeds, crashes, groups, moved, adopted, time.Since(began).Round(time.Millisecond))
	if *crashSeeds >= 50 && (moved == 0 || adopted == 0) {
		t.Errorf("the simulation is too tame: %d journal files moved, %d adopted", moved, adopted)
	}
}
