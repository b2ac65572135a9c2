package config

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentSaysWhatEachConfigDoes holds docs/kafka.md to the tables.
func TestDocumentSaysWhatEachConfigDoes(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/kafka.md")
	if err != nil {
		t.Fatal(err)
	}
	topics, brokers, ok := strings.Cut(string(text), "## Configs of the broker")
	if !ok {
		t.Fatal("the document has no chapter on configs of the broker")
	}
	for _, part := range []struct {
		text, list string // list begins the one of those without effect
		defs       []Def
	}{
		{topics, "The others are without effect: ", topicConfigs.defs},
		{brokers, "These are kept and shown without effect: ", brokerConfigs.defs},
	} {
		_, idle, ok := strings.Cut(part.text, part.list)
		idle, _, end := strings.Cut(idle, "\n\n")
		if !ok || !end {
			t.Fatalf("the document has no list %q", part.list)
		}
		for _, d := range part.defs {
			want := "`" + d.Name + "`"
			if d.Effect != "" {
				value := "`" + d.Default + "`"
				if d.Null {
					value = "null"
				}
				want = "| `" + d.Name + "` | " + value + " | " + d.Effect + " |"
			}
			if !strings.Contains(part.text, want) {
				t.Errorf("the document lacks %s", want)
			}
			if idles := strings.Contains(idle, "`"+d.Name+"`"); idles != (d.Effect == "") {
				t.Errorf("%s is said to be without effect: %v, want %v", d.Name, idles, !idles)
			}
			if d.Effect == "" && strings.Contains(part.text, "| `"+d.Name+"` |") {
				t.Errorf("the document says that %s does something", d.Name)
			}
		}
	}
}
