package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/test/load"
)

// contender is one server in a put scenario, with the way it is spoken to.
type contender struct {
	server *server
	label  string
	dial   func(addr string) (load.Conn, error)

	conns    []load.Conn
	requests [][]*load.Request
	results  []load.Result
}

// putScenario is load of one kind of request. The first contender is what the others are divided by.
type putScenario struct {
	name        string
	connections int
	request     func(*server) (*load.Request, error)
	contenders  []*contender
}

// variants is how many different requests a worker sends in turn, so that shards and keys vary.
const variants = 8

func (b *bench) runPut(ctx context.Context, s putScenario) error {
	defer func() {
		for _, c := range s.contenders {
			load.CloseAll(c.conns)
		}
	}()
	for _, c := range s.contenders {
		if err := c.prepare(ctx, s); err != nil {
			return fmt.Errorf("%s: prepare %s: %w", s.name, c.label, err)
		}
	}
	if err := b.rounds(s.name, s.contenders); err != nil {
		return err
	}
	b.report.put(s)
	var err error
	for _, c := range s.contenders {
		err = errors.Join(err, c.server.deleteStream(ctx))
	}
	return err
}

// prepare creates the stream, builds the requests, connects and warms up.
func (c *contender) prepare(ctx context.Context, s putScenario) error {
	if err := c.server.createStream(ctx); err != nil {
		return err
	}
	var err error
	if c.conns, err = load.DialAll(s.connections, c.server.addr, c.dial); err != nil {
		return err
	}
	for range c.conns {
		var list []*load.Request
		for range variants {
			req, err := s.request(c.server)
			if err != nil {
				return err
			}
			list = append(list, req)
		}
		c.requests = append(c.requests, list)
	}
	_, err = load.Run(c.server.child.PID(), c.conns, c.requests, warmUp)
	return err
}

// warmUp fills pools, caches and branch predictors, and has the compilers of managed runtimes finish.
const warmUp = time.Second
