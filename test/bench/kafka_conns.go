package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/test/load"
)

const (
	kafkaConns     = 5000
	kafkaConnWatch = 10 * time.Second
)

// kafkaConnections: what 5,000 idle connections cost, and 5,000 consumers that wait.
func (b *bench) kafkaConnections(ctx context.Context) error {
	if err := b.idleConnections(ctx); err != nil {
		return err
	}
	for _, wait := range []time.Duration{5 * time.Second, 500 * time.Millisecond} {
		if err := b.waitingConsumers(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) idleConnections(ctx context.Context) error {
	s, err := b.startMillraceKafka(ctx, "idle connections")
	if err != nil {
		return err
	}
	defer stop(s)
	conns, before, err := s.openConns(kafkaConns)
	defer closeConns(conns)
	if err != nil {
		return err
	}
	time.Sleep(kafkaConnWatch)
	after, err := load.Resident(s.child.PID())
	if err != nil {
		return err
	}
	b.life(fmt.Sprintf("memory of each of %d idle connections", kafkaConns), "KiB", []float64{float64(after-before) / 1024 / kafkaConns}, 8)
	return nil
}

// openConns opens connections that each have asked for ApiVersions once, and tells the memory before them.
func (s *server) openConns(n int) (conns []net.Conn, before int64, err error) {
	time.Sleep(idleAfter)
	if before, err = load.Resident(s.child.PID()); err != nil {
		return nil, 0, err
	}
	for range n {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			return conns, before, err
		}
		conns = append(conns, c)
		if _, err := roundTrip(c, kmsg.NewPtrApiVersionsRequest()); err != nil {
			return conns, before, err
		}
	}
	return conns, before, nil
}

func closeConns(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close() // the server is stopped next
	}
}

// frame is a request with its header, version 1, in version 0 of ApiVersions and below the flexible ones of others.
func frame(req kmsg.Request) []byte {
	b := make([]byte, 4, 256)
	b = binary.BigEndian.AppendUint16(b, uint16(req.Key()))
	b = binary.BigEndian.AppendUint16(b, uint16(req.GetVersion()))
	b = binary.BigEndian.AppendUint32(b, 1) // correlation id
	b = binary.BigEndian.AppendUint16(b, 5)
	b = req.AppendTo(append(b, "bench"...))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

func roundTrip(c net.Conn, req kmsg.Request) ([]byte, error) {
	if _, err := c.Write(frame(req)); err != nil {
		return nil, err
	}
	return readFrame(c)
}

func readFrame(c net.Conn) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c, body)
	return body, err
}

// waitingConsumers has consumers that each poll an empty partition of one topic again and again.
func (b *bench) waitingConsumers(ctx context.Context, wait time.Duration) error {
	s, err := b.startMillraceKafka(ctx, fmt.Sprint("waiting ", wait.Milliseconds()))
	if err != nil {
		return err
	}
	defer stop(s)
	const partitions = 100
	if _, err := s.makeTopic(ctx, "quiet", partitions); err != nil {
		return err
	}
	conns, before, err := s.openConns(kafkaConns)
	defer closeConns(conns)
	if err != nil {
		return err
	}
	polls := make(chan error, kafkaConns)
	for i, c := range conns {
		go func() {
			request := frame(quietFetch(int32(i%partitions), wait))
			for {
				if _, err := c.Write(request); err != nil {
					polls <- err
					return
				}
				if _, err := readFrame(c); err != nil {
					polls <- err
					return
				}
				select {
				case polls <- nil:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	time.Sleep(2 * time.Second) // all wait, spread as they were opened
	if _, err := countPolls(polls, 0); err != nil {
		return err
	}
	cpu, err := load.Usage(s.child.PID())
	if err != nil {
		return err
	}
	n, err := countPolls(polls, kafkaConnWatch)
	if err != nil {
		return err
	}
	cpuAfter, err := load.Usage(s.child.PID())
	if err != nil {
		return err
	}
	after, err := load.Resident(s.child.PID())
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d consumers that wait %v", kafkaConns, wait)
	if wait >= time.Second {
		b.life("memory of each of "+what, "KiB", []float64{float64(after-before) / 1024 / kafkaConns}, 10)
		b.life("CPU of "+what, "cores", []float64{(cpuAfter - cpu).Seconds() / kafkaConnWatch.Seconds()}, 0.1)
		return nil
	}
	if n == 0 {
		return errors.New("no poll ended")
	}
	b.life("CPU of a poll of "+what, "us", []float64{float64((cpuAfter - cpu).Microseconds()) / float64(n)}, 30)
	return nil
}

// countPolls counts what ends within d; without one what has ended already.
func countPolls(polls <-chan error, d time.Duration) (n int, err error) {
	end := time.After(d)
	for {
		select {
		case err := <-polls:
			if err != nil {
				return n, err
			}
			n++
		case <-end:
			return n, nil
		}
	}
}

// quietFetch polls one partition without a session.
func quietFetch(partition int32, wait time.Duration) kmsg.Request {
	r := kmsg.NewPtrFetchRequest()
	r.SetVersion(11)
	r.MaxWaitMillis, r.MinBytes, r.MaxBytes, r.SessionEpoch = int32(wait.Milliseconds()), 1, 50<<20, -1
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = "quiet"
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.PartitionMaxBytes, p.CurrentLeaderEpoch, p.LogStartOffset = partition, 1<<20, -1, -1
	topic.Partitions = append(topic.Partitions, p)
	r.Topics = append(r.Topics, topic)
	return r
}
