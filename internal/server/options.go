package server

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"millrace/internal/service/kinesis"
	"millrace/internal/wire/aws/sigv4"
)

// Off switches a listener off.
const Off = "off"

// Options are all settings of a server. Each is a flag, an environment variable (MILLRACE_ and the
// flag's name) and a key of the configuration file. The zero value serves on free ports of the
// loopback interface from a store in memory.
type Options struct {
	Data     string `help:"Folder of the data; made when it is not there." default:"./millrace-data" placeholder:"DIR"`
	InMemory bool   `help:"Keep everything in memory; nothing is written to disk."`

	AWSListen   string   `help:"Listener of the AWS APIs, plain text and TLS on one port. Port 0 picks a free one, an empty value switches it off; localhost means 127.0.0.1 and ::1." default:"localhost:4566" placeholder:"HOST:PORT" name:"aws-listen"`
	HTTPListen  string   `help:"Listener of metrics and health; pprof on loopback." default:"localhost:8080" placeholder:"HOST:PORT" name:"http-listen"`
	KafkaListen []string `default:"localhost:9092" help:"Kafka listener. Repeats; each then has a name. An empty value switches Kafka off." placeholder:"[NAME=]HOST:PORT" name:"kafka-listen" sep:"none"`
	ReadyFile   string   `help:"File to write the chosen addresses to, as JSON, once everything accepts connections." placeholder:"FILE"`

	KafkaAdvertise []string `help:"Address that clients of a Kafka listener are told instead of the one they came in on; port 0 is the listener's own." placeholder:"[NAME=]HOST:PORT" sep:"none"`
	KafkaSecurity  []string `help:"Security protocol of a Kafka listener: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Default: PLAINTEXT on loopback, else SASL_SSL." placeholder:"[NAME=]PROTOCOL" sep:"none"`
	KafkaConfig    []string `help:"Config of the Kafka broker, such as num.partitions=3. Repeats." placeholder:"NAME=VALUE" sep:"none"`

	AdvertiseHost []string `help:"Further name under which clients know this server; also in its certificate. Repeats." placeholder:"NAME"`
	AllowOrigin   []string `help:"Web origin whose pages may call the AWS APIs, or *. Repeats." placeholder:"ORIGIN"`

	Credentials     string `help:"Access keys that may sign requests: ID:SECRET, several with commas. Better in the environment (MILLRACE_CREDENTIALS) or a file than on a command line." placeholder:"ID:SECRET"`
	CredentialsFile string `help:"File of access keys, in the form of AWS's shared credentials file." placeholder:"FILE"`
	TLSCert         string `help:"Certificate chain (PEM) in place of one from the local authority." placeholder:"FILE" name:"tls-cert"`
	TLSKey          string `help:"Key (PEM) of --tls-cert." placeholder:"FILE" name:"tls-key"`
	RootKeyFile     string `help:"File of the root key, which wraps the keys of encrypted records: 64 hexadecimal digits. Without it root.key in the data folder, made at the first start." placeholder:"FILE"`
	Insecure        bool   `help:"Allow listeners off loopback without credentials or TLS."`

	Region        string        `help:"Default region. Without it, that of the first signed request is kept." placeholder:"REGION"`
	StateDelay    time.Duration `help:"How long streams and tables are CREATING, UPDATING and DELETING." default:"100ms"`
	KinesisQuotas string        `help:"Quotas of Kinesis streams: aws, off, or N times those of AWS." default:"aws" placeholder:"aws|off|N"`

	DynamoDBThrottle string        `help:"Whether DynamoDB tables are held to their units: off or on." default:"off" enum:"off,on" name:"dynamodb-throttle"`
	DynamoDBTTLLag   time.Duration `help:"How long after their time expired DynamoDB items are deleted at the earliest." default:"0s" name:"dynamodb-ttl-lag"`
	DynamoDBIndexLag time.Duration `help:"How long reads of global indexes of DynamoDB tables lag behind writes, to see in tests what is eventually consistent on AWS." default:"0s" name:"dynamodb-index-lag"`

	DynamoDBStreamRotation  time.Duration `help:"How old a shard of a DynamoDB stream gets before it ends and a child goes on; seconds show a consumer what AWS does in hours." default:"4h" name:"dynamodb-stream-rotation"`
	DynamoDBStreamSplitRate int           `help:"Changes a second, on average, of a shard of a DynamoDB stream that is split into two when it ends." default:"1000" name:"dynamodb-stream-split-rate"`

	MetricsMiB     int64 `help:"Memory of the metrics that CloudWatch's operations keep; the oldest go first." default:"32" name:"metrics-mib"`
	TailCacheMiB   int64 `help:"Newest groups kept in memory for readers." default:"16" name:"tail-cache-mib"`
	MemtableMiB    int64 `help:"Memtable of the key store." default:"16" name:"memtable-mib"`
	BlockCacheMiB  int64 `help:"Block cache of the key store." default:"32" name:"block-cache-mib"`
	MaxUnmovedMiB  int64 `help:"Journal not yet in segments, beyond which writers wait." default:"1024" name:"max-unmoved-mib"`
	JournalFileMiB int64 `help:"Size of a journal file." default:"64" name:"journal-file-mib"`
	MaxQueuedMiB   int64 `help:"Bytes of requests that wait to be written, beyond which callers wait." default:"64" name:"max-queued-mib"`
	MaxOpenFiles   int   `help:"Files of the store kept open." default:"512"`

	Logger *slog.Logger `kong:"-"` // default: nothing is logged
}

func (o *Options) setDefaults() {
	if o.Data == "" {
		o.InMemory = true
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, listen := range []*string{&o.AWSListen, &o.HTTPListen} {
		if *listen == "" {
			*listen = "127.0.0.1:0"
		}
	}
	if o.KafkaListen == nil {
		o.KafkaListen = []string{"127.0.0.1:0"}
	}
	if o.KinesisQuotas == "" {
		o.KinesisQuotas = "aws"
	}
}

func (o *Options) quotas() (kinesis.Quotas, error) { return kinesis.ParseQuotas(o.KinesisQuotas) }

// credentials reads the configured access keys; nil when there are none. They are Kafka's users too.
func (o *Options) credentials() (sigv4.Static, error) {
	keys := sigv4.Static{}
	for pair := range strings.SplitSeq(o.Credentials, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		id, secret, ok := strings.Cut(pair, ":")
		if !ok || id == "" || secret == "" {
			return nil, errors.New("credentials: want ID:SECRET, several separated by commas")
		}
		keys[id] = secret
	}
	if o.CredentialsFile != "" {
		read, err := readCredentials(o.CredentialsFile)
		if err != nil {
			return nil, err
		}
		maps.Copy(keys, read)
	}
	if len(keys) == 0 {
		return nil, nil
	}
	return keys, nil
}

// readCredentials reads the profiles of a shared credentials file; their names mean nothing here.
func readCredentials(path string) (sigv4.Static, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("credentials file: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading
	keys, err := sigv4.ReadShared(f)
	if err != nil {
		return nil, fmt.Errorf("credentials file %s: %w", path, err)
	}
	return keys, nil
}

// addresses are where to listen for one setting. localhost stands for both loopback addresses; the second
// one, optional, is left out where it does not exist.
func addresses(listen string) (first, second string, err error) {
	if listen == Off {
		return "", "", nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", "", fmt.Errorf("listen address %q: want HOST:PORT", listen)
	}
	if host == "localhost" {
		return net.JoinHostPort("127.0.0.1", port), "::1", nil
	}
	return listen, "", nil
}

// loopback tells whether only this machine can reach an address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// checkExposure refuses to open to others what is not protected.
func (o *Options) checkExposure(credentials sigv4.Static) error {
	if o.Insecure {
		return nil
	}
	if o.AWSListen != Off && !loopback(o.AWSListen) && credentials == nil {
		return fmt.Errorf("--aws-listen %s is open to other machines, but no credentials are configured: "+
			"set MILLRACE_CREDENTIALS or --credentials-file, or say --insecure", o.AWSListen)
	}
	if o.HTTPListen != Off && !loopback(o.HTTPListen) {
		return fmt.Errorf("--http-listen %s is open to other machines and has no sign-in: listen on loopback, or say --insecure", o.HTTPListen)
	}
	return nil
}
