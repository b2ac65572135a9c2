//go:build system

package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	xscram "github.com/xdg-go/scram"

	"millrace/test/process"
	"millrace/test/program"
)

const (
	secureUser     = "alice"
	securePassword = "a secret, with a comma"
)

// protocols that need more than a plain connection, in the order in which clients try them.
var protocols = []string{"SSL", "SASL_PLAINTEXT", "SASL_SSL"}

var mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// secureServer has a listener for each protocol, and one in plain text, named after it.
func secureServer(t *testing.T) *process.Server {
	t.Helper()
	credentials := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", secureUser, securePassword)
	if err := os.WriteFile(credentials, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := process.Options{KafkaListen: []string{"PLAINTEXT=127.0.0.1:0"}, Args: []string{"--credentials-file", credentials}}
	for _, protocol := range protocols {
		o.KafkaListen = append(o.KafkaListen, protocol+"=127.0.0.1:0")
		o.Args = append(o.Args, "--kafka-security", protocol+"="+protocol)
	}
	return start(t, o)
}

// secureSteps are the lines that the programs have to print.
func secureSteps() []string {
	want := []string{"SSL"}
	for _, protocol := range protocols[1:] {
		for _, mechanism := range mechanisms {
			want = append(want, protocol+" "+mechanism, protocol+" "+mechanism+" wrong password")
		}
	}
	return want
}

func TestClientsConnectByEachProtocolAndMechanism(t *testing.T) {
	s := secureServer(t)
	args := []string{s.Ready.CA, secureUser, securePassword}
	for _, protocol := range protocols {
		args = append(args, protocol+"="+s.Ready.KafkaListeners[protocol])
	}
	for _, name := range []string{"librdkafka", "kafka-python", "aiokafka"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			python(t, "secure.py", append([]string{name}, args...)...).Play(t, secureSteps())
		})
	}
	t.Run("kafkajs", func(t *testing.T) {
		t.Parallel()
		node(t, "secure.mjs", args...).Play(t, secureSteps())
	})
	for name, client := range map[string]struct {
		roundTrip  func(secureAccess) error
		mechanisms []string
	}{
		"franz-go": {secureFranz, mechanisms},
		"sarama":   {secureSarama, mechanisms},
		// SCRAM of librdkafka before 2.6.1 repeats its nonce, which Kafka 4.3 refuses as we do; Debian's kcat has such a one.
		"kcat": {secureKcat, mechanisms[:1]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachAccess(t, s, name, client.mechanisms, client.roundTrip)
		})
	}
	t.Run("java", func(t *testing.T) {
		t.Parallel()
		p := startTools(t)
		eachAccess(t, s, "java", mechanisms, func(a secureAccess) error { return secureJava(t, p, a) })
	})
	t.Run("who enters by one listener is not sent to another", func(t *testing.T) {
		host, port, err := net.SplitHostPort(s.Ready.KafkaListeners["PLAINTEXT"])
		if err != nil {
			t.Fatal(err)
		}
		for _, seed := range []string{net.JoinHostPort(host, port), net.JoinHostPort("localhost", port)} {
			brokers, err := kadm.NewClient(connect(t, seed)).ListBrokers(t.Context())
			if err != nil || len(brokers) != 1 || net.JoinHostPort(brokers[0].Host, fmt.Sprint(brokers[0].Port)) != s.Ready.KafkaListeners["PLAINTEXT"] {
				t.Errorf("through %s: got brokers %+v (%v), want %s", seed, brokers, err, s.Ready.KafkaListeners["PLAINTEXT"])
			}
		}
	})
	t.Run("a client without the authority refuses the server", func(t *testing.T) {
		c := connect(t, s.Ready.KafkaListeners["SSL"], kgo.DialTLSConfig(&tls.Config{}))
		if err := c.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("got %v, want an error about the certificate", err)
		}
	})
}

// secureAccess is one way to connect.
type secureAccess struct {
	ctx                          context.Context
	address, protocol, mechanism string // mechanism is empty without SASL
	password, ca, topic          string
}

func (a secureAccess) tls() (*tls.Config, error) {
	if !strings.HasSuffix(a.protocol, "SSL") {
		return nil, nil
	}
	pem, err := os.ReadFile(a.ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: roots}, nil
}

// errRefused is what a round trip returns for a wrong password.
var errRefused = errors.New("refused")

// eachAccess has roundTrip send and read a record by every protocol and mechanism, and be refused with a wrong password.
func eachAccess(t *testing.T, s *process.Server, client string, mechanisms []string, roundTrip func(secureAccess) error) {
	t.Helper()
	for _, protocol := range protocols {
		a := secureAccess{ctx: program.Deadline(t), address: s.Ready.KafkaListeners[protocol], protocol: protocol, password: securePassword, ca: s.Ready.CA}
		if protocol == "SSL" {
			a.topic = client + "-ssl"
			if err := roundTrip(a); err != nil {
				t.Errorf("%s: %v", protocol, err)
			}
			continue
		}
		for _, a.mechanism = range mechanisms {
			right, wrong := a, a
			right.topic, wrong.topic = client+"-"+protocol+"-"+a.mechanism, client+"-never"
			wrong.password += "x"
			if err := roundTrip(right); err != nil {
				t.Errorf("%s %s: %v", protocol, a.mechanism, err)
			}
			if err := roundTrip(wrong); !errors.Is(err, errRefused) {
				t.Errorf("%s %s with a wrong password: got %v, want a refusal", protocol, a.mechanism, err)
			}
		}
	}
}

func secureFranz(a secureAccess) error {
	opts := []kgo.Opt{kgo.SeedBrokers(a.address), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics(a.topic), kgo.RecordRetries(3), kgo.RequestRetries(3)}
	config, err := a.tls()
	if err != nil {
		return err
	}
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if a.mechanism != "" {
		opts = append(opts, kgo.SASL(map[string]sasl.Mechanism{
			"PLAIN":         plain.Auth{User: secureUser, Pass: a.password}.AsMechanism(),
			"SCRAM-SHA-256": scram.Auth{User: secureUser, Pass: a.password}.AsSha256Mechanism(),
			"SCRAM-SHA-512": scram.Auth{User: secureUser, Pass: a.password}.AsSha512Mechanism(),
		}[a.mechanism]))
	}
	c, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Ping(a.ctx); errors.Is(err, kerr.SaslAuthenticationFailed) {
		return errRefused
	}
	if err := c.ProduceSync(a.ctx, &kgo.Record{Topic: a.topic, Value: []byte("a record")}).FirstErr(); err != nil {
		return err
	}
	if got := c.PollFetches(a.ctx).Records(); len(got) != 1 || string(got[0].Value) != "a record" {
		return fmt.Errorf("got %d records %v, want the one", len(got), got)
	}
	return nil
}

// saramaSCRAM adapts a SCRAM client, which sarama leaves to its users.
type saramaSCRAM struct {
	hash         xscram.HashGeneratorFcn
	conversation *xscram.ClientConversation
}

func (s *saramaSCRAM) Begin(user, password, authzID string) error {
	client, err := s.hash.NewClient(user, password, authzID)
	if err != nil {
		return err
	}
	s.conversation = client.NewConversation()
	return nil
}

func (s *saramaSCRAM) Step(challenge string) (string, error) { return s.conversation.Step(challenge) }
func (s *saramaSCRAM) Done() bool                            { return s.conversation.Done() }

func secureSarama(a secureAccess) error {
	c := saramaConfig()
	c.Metadata.Retry.Max = 1
	config, err := a.tls()
	if err != nil {
		return err
	}
	c.Net.TLS.Enable, c.Net.TLS.Config = config != nil, config
	if a.mechanism != "" {
		c.Net.SASL.Enable, c.Net.SASL.Handshake = true, true
		c.Net.SASL.User, c.Net.SASL.Password, c.Net.SASL.Mechanism = secureUser, a.password, sarama.SASLMechanism(a.mechanism)
		hash := map[string]xscram.HashGeneratorFcn{"SCRAM-SHA-256": xscram.SHA256, "SCRAM-SHA-512": xscram.SHA512}[a.mechanism]
		c.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &saramaSCRAM{hash: hash} }
	}
	client, err := sarama.NewClient([]string{a.address}, c)
	if err != nil {
		if errors.Is(err, sarama.ErrSASLAuthenticationFailed) {
			return errRefused
		}
		return err
	}
	defer client.Close()
	p, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		return err
	}
	if _, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: a.topic, Value: sarama.StringEncoder("a record")}); err != nil {
		return err
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	read, err := consumer.ConsumePartition(a.topic, 0, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	defer read.Close()
	select {
	case m := <-read.Messages():
		if string(m.Value) != "a record" {
			return fmt.Errorf("got %q", m.Value)
		}
		return nil
	case <-time.After(30 * time.Second):
		return errors.New("nothing came within 30 s")
	}
}

func secureKcat(a secureAccess) error {
	args := []string{"-b", a.address, "-t", a.topic, "-X", "security.protocol=" + a.protocol, "-X", "ssl.ca.location=" + a.ca, "-m", "10"}
	if a.mechanism != "" {
		args = append(args, "-X", "sasl.mechanism="+a.mechanism, "-X", "sasl.username="+secureUser, "-X", "sasl.password="+a.password)
	}
	produce := exec.CommandContext(a.ctx, "kcat", append(args, "-P", "-E", "-X", "message.timeout.ms=3000")...)
	produce.Stdin = strings.NewReader("a record\n")
	if out, err := produce.CombinedOutput(); strings.Contains(string(out), "SASL authentication error") || strings.Contains(string(out), "Authentication failed") {
		return errRefused
	} else if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	out, err := exec.CommandContext(a.ctx, "kcat", append(args, "-C", "-q", "-e", "-o", "beginning")...).CombinedOutput()
	if err != nil || string(out) != "a record\n" {
		return fmt.Errorf("got %q (%w)", out, err)
	}
	return nil
}

// secureJava has a console tool create a topic.
func secureJava(t *testing.T, p *tools, a secureAccess) error {
	t.Helper()
	conf := "security.protocol=" + a.protocol + "\nssl.truststore.type=PEM\nssl.truststore.location=" + a.ca + "\n"
	if a.mechanism != "" {
		module := "org.apache.kafka.common.security.scram.ScramLoginModule"
		if a.mechanism == "PLAIN" {
			module = "org.apache.kafka.common.security.plain.PlainLoginModule"
		}
		conf += fmt.Sprintf("sasl.mechanism=%s\nsasl.jaas.config=%s required username=\"%s\" password=\"%s\";\n", a.mechanism, module, secureUser, a.password)
	}
	file := filepath.Join(t.TempDir(), "client.properties")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		return err
	}
	code, out := p.run(t, topicsTool, "", "--bootstrap-server", a.address, "--command-config", file, "--create", "--topic", a.topic)
	switch {
	case strings.Contains(out, "SaslAuthenticationException"):
		return errRefused
	case code != 0 || !strings.Contains(out, "Created topic "+a.topic):
		return fmt.Errorf("got code %d and %s", code, out)
	}
	return nil
}
