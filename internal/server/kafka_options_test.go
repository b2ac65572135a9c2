package server

import (
	"strings"
	"testing"
)

func TestKafkaListenersAreReadFromTheirSettings(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want []kafkaListener
		err  string
	}{
		{o: Options{}},
		{o: Options{KafkaListen: []string{Off}}},
		{o: Options{KafkaListen: []string{"localhost:9092"}}, want: []kafkaListener{{name: "PLAINTEXT", listen: "localhost:9092", unnamed: true}}},
		{
			o:    Options{KafkaListen: []string{"IN=127.0.0.1:0", "OUT=0.0.0.0:9093"}, KafkaAdvertise: []string{"OUT=kafka.example:0"}},
			want: []kafkaListener{{name: "IN", listen: "127.0.0.1:0"}, {name: "OUT", listen: "0.0.0.0:9093", tls: true, sasl: true, host: "kafka.example"}},
		},
		{
			o:    Options{KafkaListen: []string{"0.0.0.0:9092"}, Insecure: true, KafkaAdvertise: []string{"box:19092"}},
			want: []kafkaListener{{name: "PLAINTEXT", listen: "0.0.0.0:9092", unnamed: true, host: "box", port: 19092}},
		},
		{
			o:    Options{KafkaListen: []string{"A=127.0.0.1:1", "B=127.0.0.1:2"}, KafkaSecurity: []string{"A=ssl", "B=SASL_PLAINTEXT"}},
			want: []kafkaListener{{name: "A", listen: "127.0.0.1:1", tls: true}, {name: "B", listen: "127.0.0.1:2", sasl: true}},
		},
		{
			o: Options{
				KafkaListen: []string{"127.0.0.1:1", "IN=127.0.0.1:2"}, KafkaSecurity: []string{"SASL_PLAINTEXT", "IN=SSL"},
				KafkaAdvertise: []string{"box:1", "IN=box:2"},
			},
			want: []kafkaListener{
				{name: "SASL_PLAINTEXT", listen: "127.0.0.1:1", unnamed: true, sasl: true, host: "box", port: 1},
				{name: "IN", listen: "127.0.0.1:2", tls: true, host: "box", port: 2},
			},
		},
		{
			o:    Options{KafkaListen: []string{"A=127.0.0.1:1"}, KafkaSecurity: []string{"SSL"}, KafkaAdvertise: []string{"box:1"}},
			want: []kafkaListener{{name: "A", listen: "127.0.0.1:1", unnamed: true, tls: true, host: "box", port: 1}},
		},
		{
			o:   Options{KafkaListen: []string{"A=127.0.0.1:1", "B=127.0.0.1:2"}, KafkaAdvertise: []string{"box:1"}},
			err: "which Kafka listener",
		},
		{o: Options{KafkaListen: []string{"127.0.0.1:1", "127.0.0.1:2"}}, err: "two Kafka listeners"},
		{o: Options{KafkaListen: []string{"127.0.0.1"}}, err: "HOST:PORT"},
		{o: Options{KafkaListen: []string{"a b=127.0.0.1:1"}}, err: "name has"},
		{o: Options{KafkaListen: []string{"10.0.0.1:9092"}, KafkaSecurity: []string{"SSL"}}, err: "must be SASL_SSL"},
		{o: Options{KafkaListen: []string{"127.0.0.1:1"}, KafkaSecurity: []string{"TLS"}}, err: "want PLAINTEXT"},
		{o: Options{KafkaListen: []string{"127.0.0.1:1"}, KafkaSecurity: []string{"X=SSL"}}, err: "no such Kafka listener"},
		{o: Options{KafkaListen: []string{"127.0.0.1:1"}, KafkaAdvertise: []string{"host"}}, err: "HOST:PORT"},
		{o: Options{KafkaListen: []string{"127.0.0.1:1"}, KafkaAdvertise: []string{":1"}}, err: "HOST:PORT"},
	} {
		got, err := c.o.kafkaListeners()
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: got %v, want an error with %q", c.o.KafkaListen, err, c.err)
			}
			continue
		}
		if err != nil || len(got) != len(c.want) {
			t.Errorf("%q: got %+v, %v; want %+v", c.o.KafkaListen, got, err, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: got %+v, want %+v", c.o.KafkaListen, got[i], c.want[i])
			}
		}
	}
}

func TestConfigsTellOfTheListeners(t *testing.T) {
	listeners := []kafkaListener{{name: "IN", listen: "127.0.0.1:0"}, {name: "OUT", listen: "0.0.0.0:9093", host: "kafka.example", port: 19093}, {name: "SAME", listen: "0.0.0.0:9094", host: "box"}}
	configs := map[string]string{}
	showListeners(configs, listeners)
	own, told := "IN://127.0.0.1:0,OUT://0.0.0.0:9093,SAME://0.0.0.0:9094", "IN://127.0.0.1:0,OUT://kafka.example:19093,SAME://box:9094"
	if configs["listeners"] != own || configs["advertised.listeners"] != told {
		t.Errorf("got %q, want %s and %s", configs, own, told)
	}
	configs = map[string]string{"listeners": "said", "advertised.listeners": "said"}
	if showListeners(configs, listeners); configs["listeners"] != "said" || configs["advertised.listeners"] != "said" {
		t.Errorf("those that are said: got %q", configs)
	}
}
