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
		text string
		defs []Def
	}{{topics, topicConfigs.defs}, {brokers, brokerConfigs.defs}} {
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
			if d.Effect == "" && strings.Contains(part.text, "| `"+d.Name+"` |") {
				t.Errorf("the document says that %s does something", d.Name)
			}
		}
	}
}
