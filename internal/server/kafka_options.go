package server

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Security protocols of Kafka listeners, by Kafka's names.
const (
	kafkaPlaintext     = "PLAINTEXT"
	kafkaSSL           = "SSL"
	kafkaSASLPlaintext = "SASL_PLAINTEXT"
	kafkaSASLSSL       = "SASL_SSL"
)

// kafkaListener is one Kafka listener as configured.
type kafkaListener struct {
	name      string
	listen    string // HOST:PORT
	tls, sasl bool
	unnamed   bool // settings without a name are for it

	// What clients are told instead of the address they came in on; empty and 0: that one.
	host string
	port int32
}

// takes tells whether a setting that begins with this name, or with none, is for the listener.
func (l *kafkaListener) takes(name string) bool {
	return name == l.name || name == "" && l.unnamed
}

// kafkaConfigs reads the configs of the broker.
func (o *Options) kafkaConfigs() (map[string]string, error) {
	configs := map[string]string{}
	for _, setting := range o.KafkaConfig {
		name, value, ok := strings.Cut(setting, "=")
		if !ok {
			return nil, fmt.Errorf("--kafka-config %s: want NAME=VALUE", setting)
		}
		configs[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return configs, nil
}

var listenerName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// kafkaListeners reads the Kafka settings. Each of them may begin with the name of a listener; without one it belongs to
// the listener without a name, whose name is that of its security protocol, or to the only one there is.
//
// Errors: settings that are not well-formed, two listeners of one name, listeners that are open to other machines
// without users or TLS.
func (o *Options) kafkaListeners() ([]kafkaListener, error) {
	var all []kafkaListener
	for _, setting := range o.KafkaListen {
		if setting == Off || setting == "" {
			continue
		}
		name, listen, err := cutName(setting)
		if err != nil {
			return nil, fmt.Errorf("--kafka-listen %s: %w", setting, err)
		}
		if _, _, err := net.SplitHostPort(listen); err != nil {
			return nil, fmt.Errorf("--kafka-listen %s: want [NAME=]HOST:PORT", setting)
		}
		l := kafkaListener{name: name, listen: listen, unnamed: name == "" || len(o.KafkaListen) == 1}
		if err := o.secure(&l); err != nil {
			return nil, err
		}
		if err := o.advertise(&l); err != nil {
			return nil, err
		}
		for i := range all {
			if all[i].name == l.name {
				return nil, fmt.Errorf("two Kafka listeners are named %s: give each a name of its own, --kafka-listen NAME=%s", l.name, listen)
			}
		}
		all = append(all, l)
	}
	return all, o.knownListeners(all)
}

// cutName takes [NAME=]VALUE apart.
func cutName(setting string) (name, value string, err error) {
	name, value, named := strings.Cut(setting, "=")
	if !named {
		return "", setting, nil
	}
	if !listenerName.MatchString(name) {
		return "", "", fmt.Errorf("a listener's name has 1 to 64 letters, digits, '.', '_' and '-'")
	}
	return name, value, nil
}

// secure sets a listener's security protocol, and its name when it has none.
func (o *Options) secure(l *kafkaListener) error {
	protocol := kafkaPlaintext
	if !loopback(l.listen) && !o.Insecure {
		protocol = kafkaSASLSSL
	}
	for _, setting := range o.KafkaSecurity {
		name, value, err := cutName(setting)
		if err != nil {
			return fmt.Errorf("--kafka-security %s: %w", setting, err)
		}
		if l.takes(name) {
			protocol = strings.ToUpper(value)
		}
	}
	switch protocol {
	case kafkaPlaintext:
	case kafkaSSL:
		l.tls = true
	case kafkaSASLPlaintext:
		l.sasl = true
	case kafkaSASLSSL:
		l.tls, l.sasl = true, true
	default:
		return fmt.Errorf("--kafka-security %s: want %s, %s, %s or %s", protocol, kafkaPlaintext, kafkaSSL, kafkaSASLPlaintext, kafkaSASLSSL)
	}
	if l.name == "" {
		l.name = protocol
	}
	if !loopback(l.listen) && !o.Insecure && protocol != kafkaSASLSSL {
		return fmt.Errorf("--kafka-listen %s is open to other machines: it must be %s, or say --insecure", l.listen, kafkaSASLSSL)
	}
	return nil
}

func (o *Options) advertise(l *kafkaListener) error {
	for _, setting := range o.KafkaAdvertise {
		name, value, err := cutName(setting)
		if err != nil {
			return fmt.Errorf("--kafka-advertise %s: %w", setting, err)
		}
		if !l.takes(name) {
			continue
		}
		host, text, err := net.SplitHostPort(value)
		if err != nil {
			return fmt.Errorf("--kafka-advertise %s: want [NAME=]HOST:PORT", setting)
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil || host == "" {
			return fmt.Errorf("--kafka-advertise %s: want [NAME=]HOST:PORT, port 0 for the listener's own", setting)
		}
		l.host, l.port = host, int32(port)
	}
	return nil
}

// knownListeners refuses settings of listeners that are not there.
func (o *Options) knownListeners(all []kafkaListener) error {
	check := func(flag string, settings []string) error {
		for _, setting := range settings {
			name, _, err := cutName(setting)
			known := err == nil && len(all) == 0 && name == ""
			for i := range all {
				known = known || all[i].takes(name)
			}
			if !known && name == "" {
				return fmt.Errorf("%s %s: which Kafka listener is it for? Begin it with a name, %s NAME=%s", flag, setting, flag, setting)
			}
			if !known {
				return fmt.Errorf("%s %s: there is no such Kafka listener; name it with --kafka-listen %s=HOST:PORT", flag, setting, name)
			}
		}
		return nil
	}
	if err := check("--kafka-security", o.KafkaSecurity); err != nil {
		return err
	}
	return check("--kafka-advertise", o.KafkaAdvertise)
}
