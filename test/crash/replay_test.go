package crash

import (
	"strings"
	"testing"
)

func TestReplayFindsWhatIsPlanted(t *testing.T) {
	image := func(v string) item {
		if v == "" {
			return nil
		}
		return item{"pk": text("k"), "v": text(v)}
	}
	record := func(id, name, before, after string) change {
		c := change{EventID: id, EventName: name}
		c.Dynamodb.Keys, c.Dynamodb.OldImage, c.Dynamodb.NewImage = key("k"), image(before), image(after)
		return c
	}
	for name, c := range map[string]struct {
		changes []change
		want    string // "": nothing is wrong
	}{
		"in order":     {[]change{record("1", "INSERT", "", "a"), record("2", "MODIFY", "a", "b"), record("3", "REMOVE", "b", ""), record("4", "INSERT", "", "c")}, ""},
		"missing":      {[]change{record("1", "INSERT", "", "a"), record("3", "MODIFY", "b", "c")}, "stands on"},
		"twice":        {[]change{record("1", "INSERT", "", "a"), record("1", "INSERT", "", "a")}, "there twice"},
		"out of order": {[]change{record("2", "MODIFY", "a", "b"), record("1", "INSERT", "", "a")}, "stands on"},
		"misnamed":     {[]change{record("1", "MODIFY", "", "a")}, "make it INSERT"},
		"idle":         {[]change{record("1", "INSERT", "", "a"), record("2", "MODIFY", "a", "a")}, "changes nothing"},
	} {
		r := newReplay()
		var err error
		for i := range c.changes {
			if err = r.apply(&c.changes[i]); err != nil {
				break
			}
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
