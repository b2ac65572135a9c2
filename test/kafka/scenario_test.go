//go:build system

package kafka

import (
	"maps"
	"slices"
	"testing"

	"millrace/test/process"
)

func TestUnchangedClientsPlayTheScenario(t *testing.T) {
	s := start(t, process.Options{})
	all := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for name, client := range map[string]struct {
		play   func(t *testing.T, bootstrap, prefix string)
		codecs []string // in which the client produced to PREFIX-log
	}{
		"kcat":         {playKcat, all},
		"librdkafka":   {func(t *testing.T, b, p string) { python(t, "librdkafka.py", b, p).Play(t, steps) }, all},
		"kafka-python": {func(t *testing.T, b, p string) { python(t, "kafka_python.py", b, p).Play(t, steps) }, all},
		"aiokafka":     {func(t *testing.T, b, p string) { python(t, "aio.py", b, p).Play(t, steps) }, all},
		"kafkajs":      {func(t *testing.T, b, p string) { node(t, "client.mjs", b, p).Play(t, steps) }, all[:4]},
		"franz-go":     {playFranz, all},
		"sarama":       {playSarama, all},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prefix := "by-" + name
			client.play(t, s.Ready.Kafka, prefix)
			t.Run("batches stay as they were compressed", func(t *testing.T) {
				got := codecsIn(t, s.Ready.Kafka, prefix+"-log")
				if want := slices.Sorted(slices.Values(client.codecs)); !slices.Equal(slices.Sorted(maps.Keys(got)), want) {
					t.Errorf("got batches of codecs %v, want %v", got, want)
				}
			})
		})
	}
}
