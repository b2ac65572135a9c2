package server

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"millrace/internal/core/store/embedded"
	"millrace/internal/service/cloudwatch"
	"millrace/internal/service/dynamodb"
	"millrace/internal/service/kafka"
	"millrace/internal/service/kinesis"
	"millrace/internal/wire/aws"
	"millrace/internal/wire/aws/sigv4"
	"millrace/internal/wire/aws/tlsca"
	wire "millrace/internal/wire/kafka"
)

// drainTimeout is how long Close waits for answers that are being made.
const drainTimeout = 10 * time.Second

// lockWait is how long a server waits for its folder: whoever kills one and starts it again at once is not to be refused.
const lockWait = 5 * time.Second

// Server is a running millrace.
type Server struct {
	opts    Options
	log     *slog.Logger
	store   *embedded.Store
	kinesis *kinesis.Service
	tables  *dynamodb.Service
	watch   *cloudwatch.Service
	broker  *kafka.Broker // nil without Kafka listeners
	aws     *aws.Server
	kafka   *wire.Server // nil without Kafka listeners
	http    *http.Server
	metrics *metrics
	quiet   *quiet

	addr   Addresses
	closed sync.Once
	err    error
	done   sync.WaitGroup
	failed chan error // the first listener that ended by itself; room for one
}

// Addresses are what the ready file tells. A listener that is off is left out.
type Addresses struct {
	AWS  string `json:"aws,omitempty"`  // HOST:PORT, plain text and TLS
	HTTP string `json:"http,omitempty"` // HOST:PORT
	CA   string `json:"ca,omitempty"`   // file of the certificate that TLS clients trust

	Kafka          string            `json:"kafka,omitempty"`           // HOST:PORT of the first Kafka listener
	KafkaListeners map[string]string `json:"kafka_listeners,omitempty"` // HOST:PORT of each, by name
}

// Open starts a server and returns when it accepts connections.
//
// Errors: those of the options, *store.LockedError and others of the store, addresses in use.
func Open(opts Options) (*Server, error) {
	opts.setDefaults()
	s := &Server{opts: opts, log: opts.Logger, failed: make(chan error, 1)}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// open starts everything from the bottom up: the store, the services on it, what speaks to clients, and at last the listeners.
func (s *Server) open() error {
	quotas, err := s.opts.quotas()
	if err != nil {
		return err
	}
	credentials, err := s.opts.credentials()
	if err != nil {
		return err
	}
	if err := s.opts.checkExposure(credentials); err != nil {
		return err
	}
	listeners, err := s.opts.kafkaListeners()
	if err != nil {
		return err
	}
	root, err := s.openStore()
	if err != nil {
		return err
	}
	s.metrics = newMetrics(s.store)
	s.quiet = newQuiet(s.store.Shrink)
	if err := s.openServices(quotas, root); err != nil {
		return err
	}
	if err := s.openKafka(listeners, credentials); err != nil {
		return err
	}
	config, err := s.tlsConfig(listeners)
	if err != nil {
		return err
	}
	s.openAWS(credentials, config)
	return s.listenAll(listeners, config)
}

// openStore opens the store with its root key.
func (s *Server) openStore() (*rootKey, error) {
	root, err := s.opts.rootKey(s.log)
	if err != nil {
		return nil, err
	}
	if s.store, err = embedded.Open(s.storeOptions(root)); err != nil {
		return nil, err
	}
	return root, root.settle(context.Background(), s.store)
}

// openServices starts AWS's services. CloudWatch asks the others, and so comes last.
func (s *Server) openServices(quotas kinesis.Quotas, root *rootKey) (err error) {
	delay := s.opts.StateDelay
	if delay == 0 {
		delay = -1 // the services' way to say none; their zero is their default
	}
	if s.kinesis, err = kinesis.New(kinesis.Options{
		Store: s.store, Logger: s.log, Quotas: quotas, DefaultRegion: s.opts.Region, RootKey: root.key, StateDelay: delay,
	}); err != nil {
		return err
	}
	s.metrics.registry.MustRegister(newKinesisCollector(s.kinesis))
	if s.tables, err = dynamodb.New(dynamodb.Options{
		Store: s.store, Logger: s.log, DefaultRegion: s.opts.Region, Endpoint: s.endpoint, RootKey: root.key,
		Throttle: s.opts.DynamoDBThrottle == "on", TimeToLiveLag: s.opts.DynamoDBTTLLag, IndexDelay: s.opts.DynamoDBIndexLag,
		StateDelay: delay, StreamRotation: s.opts.DynamoDBStreamRotation, StreamSplitRate: s.opts.DynamoDBStreamSplitRate,
	}); err != nil {
		return err
	}
	s.watch, err = cloudwatch.New(cloudwatch.Options{
		Store: s.store, Logger: s.log, MaxBytes: int(s.opts.MetricsMiB << 20), Sources: s.sources(),
	})
	return err
}

// openAWS binds the services to AWS's front. No credentials: any signature is good.
func (s *Server) openAWS(credentials sigv4.Static, config *tls.Config) {
	var verify sigv4.Credentials // nil takes any
	if credentials != nil {
		verify = credentials
	}
	s.aws = aws.NewServer(aws.Options{
		Logger: s.log, Credentials: verify, DefaultRegion: s.opts.Region, TLS: config,
		AllowedOrigins: s.opts.AllowOrigin, AdvertisedHosts: s.opts.AdvertiseHost,
		Observe: s.observe,
	})
	s.aws.Handle(kinesis.Bind(s.kinesis))
	s.aws.Handle(dynamodb.Bind(s.tables))
	s.aws.Handle(dynamodb.BindStreams(s.tables))
	s.aws.Handle(cloudwatch.Bind(s.watch))
}

// listenAll accepts connections, and then says so.
func (s *Server) listenAll(listeners []kafkaListener, config *tls.Config) error {
	if err := s.listenAWS(config); err != nil {
		return err
	}
	if err := s.listenKafka(listeners, config); err != nil {
		return err
	}
	if err := s.listenHTTP(); err != nil {
		return err
	}
	return s.writeReady()
}

// endpoint is where clients reach AWS's services.
func (s *Server) endpoint() string { return s.addr.AWS }

func (s *Server) observe(service, operation, code string, d time.Duration, in, out int) {
	s.metrics.request(service, operation, code, d, in, out)
	s.quiet.touch()
}

func (s *Server) storeOptions(root *rootKey) embedded.Options {
	o := &s.opts
	e := embedded.Options{
		Dir: o.Data, Logger: s.log, RootKey: root.key, LockWait: lockWait,
		TailCacheBytes: o.TailCacheMiB << 20, MemtableBytes: o.MemtableMiB << 20, BlockCacheBytes: o.BlockCacheMiB << 20,
		JournalFileBytes: o.JournalFileMiB << 20, MaxUnmovedBytes: o.MaxUnmovedMiB << 20, MaxQueuedBytes: o.MaxQueuedMiB << 20, MaxOpenFiles: o.MaxOpenFiles,
	}
	if o.InMemory {
		e.Dir, e.FS, e.BallastBytes = "millrace", vfs.NewMem(), -1
		e.JournalFileBytes, e.FirstFileBytes = 8<<20, 256<<10
	}
	return e
}

// tlsConfig is the configured certificate's, or one from the local authority that the data folder keeps. A
// server in memory has no folder to keep one in, and no TLS unless it is given a certificate.
func (s *Server) tlsConfig(kafka []kafkaListener) (*tls.Config, error) {
	o := &s.opts
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return nil, errors.New("--tls-cert and --tls-key go together")
	}
	if o.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
		if err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
	}
	if o.InMemory {
		return nil, nil
	}
	dir := TLSDir(o.Data)
	ca, err := tlsca.EnsureCA(dir)
	if err != nil {
		return nil, err
	}
	if s.addr.CA, err = filepath.Abs(tlsca.Path(dir)); err != nil {
		return nil, err
	}
	return ca.ServerConfig(o.certificateHosts(kafka))
}

// certificateHosts are the names and addresses that clients may know the server by: those it advertises, and those that it was told
// to listen on.
func (o *Options) certificateHosts(kafka []kafkaListener) []string {
	hosts := slices.Clone(o.AdvertiseHost)
	listens := []string{o.AWSListen, o.HTTPListen}
	for i := range kafka {
		listens = append(listens, kafka[i].listen)
		if kafka[i].host != "" {
			hosts = append(hosts, kafka[i].host)
		}
	}
	for _, l := range listens {
		host, _, err := net.SplitHostPort(l)
		if ip := net.ParseIP(host); err == nil && host != "" && (ip == nil || !ip.IsUnspecified()) {
			hosts = append(hosts, host)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// TLSDir is where the local authority of a data folder is kept.
func TLSDir(data string) string { return filepath.Join(data, "tls") }

func (s *Server) listenAWS(config *tls.Config) error {
	listeners, err := listen(s.opts.AWSListen)
	if err != nil || len(listeners) == 0 {
		return err
	}
	s.addr.AWS = listeners[0].Addr().String()
	for _, l := range listeners {
		if !s.opts.Insecure && !loopback(l.Addr().String()) {
			if config == nil {
				return errors.Join(errors.New("a server in memory has no certificate: give it --tls-cert and --tls-key, or say --insecure"), l.Close())
			}
			l = tls.NewListener(l, onlyTLS(config))
		}
		s.serve(func() error { return s.aws.Serve(l) })
	}
	return nil
}

// onlyTLS is for listeners off loopback, where plain text is not spoken.
func onlyTLS(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.NextProtos = []string{"h2", "http/1.1"}
	return config
}

// listen opens one setting's listeners; none when it is off.
func listen(setting string) ([]net.Listener, error) {
	first, second, err := addresses(setting)
	if err != nil || first == "" {
		return nil, err
	}
	l, err := net.Listen("tcp", first)
	if err != nil {
		return nil, fmt.Errorf("%w: stop what uses the address, or choose another one", err)
	}
	if second == "" {
		return []net.Listener{l}, nil
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	also, err := net.Listen("tcp", net.JoinHostPort(second, port))
	if err != nil {
		return []net.Listener{l}, nil //nolint:nilerr // there is no such address on this machine, or it is taken
	}
	return []net.Listener{l, also}, nil
}

func (s *Server) serve(fn func() error) {
	s.done.Go(func() {
		if err := fn(); err != nil {
			select {
			case s.failed <- err:
			default: // one is enough to stop for, and Close waits for all
			}
		}
	})
}

// Addresses are those that the server listens on.
func (s *Server) Addresses() Addresses { return s.addr }

// Failed tells of the first listener that ended by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// writeReady writes the ready file whole or not at all, so that who waits for it reads it at once.
func (s *Server) writeReady() error {
	if s.opts.ReadyFile == "" {
		return nil
	}
	text, err := json.Marshal(s.addr)
	if err != nil {
		return err
	}
	part := s.opts.ReadyFile + ".part"
	if err := os.WriteFile(part, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(part, s.opts.ReadyFile)
}

// Close stops the server: no new connections, answers for the requests that are in, then services and store.
// Close twice is fine.
func (s *Server) Close() error {
	s.closed.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		var errs []error
		if s.aws != nil {
			errs = append(errs, s.aws.Shutdown(ctx))
		}
		if s.broker != nil {
			errs = append(errs, s.broker.Close()) // answers who waits
			errs = append(errs, s.kafka.Shutdown(ctx))
		}
		if s.watch != nil {
			errs = append(errs, s.watch.Close()) // asks the others what they have counted
		}
		if s.kinesis != nil {
			errs = append(errs, s.kinesis.Close())
		}
		if s.tables != nil {
			errs = append(errs, s.tables.Close())
		}
		if s.quiet != nil {
			s.quiet.close()
		}
		if s.http != nil {
			errs = append(errs, s.http.Close())
		}
		s.done.Wait()
		if s.store != nil {
			errs = append(errs, s.store.Close())
		}
		s.err = errors.Join(errs...)
	})
	return s.err
}
