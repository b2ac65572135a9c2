package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Conn speaks HTTP/2 with prior knowledge, one stream at a time.
type http2Conn struct {
	conn   net.Conn
	out    []byte // frames to send with the next write
	framer *http2.Framer
	stream uint32
	window int64 // bytes of data the server takes on this connection
	taken  uint32
	blocks map[*Request][]byte // header blocks that use no table and so can be repeated
	body   []byte
}

const (
	// startWindow is HTTP/2's window before anyone says otherwise.
	startWindow = 65_535
	// frameMax is the largest frame that every peer accepts.
	frameMax = 16_384
	// ourWindow is what we let the server send ahead: more than any answer.
	ourWindow = 1 << 30
	// refundEvery is how much is taken before the server is told that there is room again.
	refundEvery = 1 << 20
)

// DialHTTP2 connects to addr (HOST:PORT) for HTTP/2 in plain text.
func DialHTTP2(addr string) (Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	c := &http2Conn{conn: conn, window: startWindow, blocks: map[*Request][]byte{}}
	var hello bytes.Buffer
	hello.WriteString(http2.ClientPreface)
	w := http2.NewFramer(&hello, nil)
	err = errors.Join(
		w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: ourWindow}),
		w.WriteWindowUpdate(0, ourWindow),
	)
	c.out = hello.Bytes()
	c.framer = http2.NewFramer(nil, bufio.NewReaderSize(conn, 64<<10))
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.framer.SetReuseFrames()
	return c, err
}

func (c *http2Conn) Close() error { return c.conn.Close() }

func (c *http2Conn) Do(req *Request) ([]byte, error) {
	if err := c.conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, err
	}
	for c.window < int64(len(req.Body)) { // the server owes us room from earlier calls
		if err := c.flush(); err != nil {
			return nil, err
		}
		if _, _, err := c.next(); err != nil {
			return nil, err
		}
	}
	c.stream += 2
	id := c.stream - 1
	block, err := c.block(req)
	if err != nil {
		return nil, err
	}
	c.frame(http2.FrameHeaders, http2.FlagHeadersEndHeaders, id, block)
	c.data(id, req.Body)
	if err := c.flush(); err != nil {
		return nil, err
	}
	return c.answer()
}

// data queues body as frames; the stream's own window is at least startWindow, so larger bodies are refused.
func (c *http2Conn) data(id uint32, body []byte) {
	c.window -= int64(len(body))
	for len(body) > frameMax {
		c.frame(http2.FrameData, 0, id, body[:frameMax])
		body = body[frameMax:]
	}
	c.frame(http2.FrameData, http2.FlagDataEndStream, id, body)
}

// answer reads frames until the stream ends.
func (c *http2Conn) answer() ([]byte, error) {
	c.body = c.body[:0]
	status := 0
	for {
		got, end, err := c.next()
		if err != nil {
			return nil, err
		}
		if got != 0 {
			status = got
		}
		if len(c.body) > answerMax {
			return nil, fmt.Errorf("answer of more than %d bytes", answerMax)
		}
		if !end {
			continue
		}
		if status != 200 {
			return nil, &StatusError{status, string(c.body)}
		}
		return c.body, nil
	}
}

// next handles one frame: a status from headers, data onto body, and whether the stream ended.
func (c *http2Conn) next() (status int, end bool, err error) {
	f, err := c.framer.ReadFrame()
	if err != nil {
		return 0, false, err
	}
	switch f := f.(type) {
	case *http2.MetaHeadersFrame:
		status, err = strconv.Atoi(f.PseudoValue("status"))
		return status, f.StreamEnded(), err
	case *http2.DataFrame:
		c.body = append(c.body, f.Data()...)
		c.refund(f.Length)
		return 0, f.StreamEnded(), nil
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			c.frame(http2.FrameSettings, http2.FlagSettingsAck, 0, nil)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			c.frame(http2.FramePing, http2.FlagPingAck, 0, f.Data[:])
		}
	case *http2.RSTStreamFrame:
		return 0, false, fmt.Errorf("stream reset: %v", f.ErrCode)
	case *http2.GoAwayFrame:
		return 0, false, fmt.Errorf("server goes away: %v", f.ErrCode)
	}
	return 0, false, nil
}

// refund tells the server from time to time that what it sent was taken.
func (c *http2Conn) refund(n uint32) {
	if c.taken += n; c.taken >= refundEvery {
		c.frame(http2.FrameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, c.taken))
		c.taken = 0
	}
}

// frame queues one frame for the next write.
func (c *http2Conn) frame(kind http2.FrameType, flags http2.Flags, stream uint32, payload []byte) {
	n := len(payload)
	c.out = append(c.out, byte(n>>16), byte(n>>8), byte(n), byte(kind), byte(flags))
	c.out = binary.BigEndian.AppendUint32(c.out, stream)
	c.out = append(c.out, payload...)
}

func (c *http2Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// block encodes req's header without the dynamic table, so that it can be sent again and again.
func (c *http2Conn) block(req *Request) ([]byte, error) {
	if b, ok := c.blocks[req]; ok {
		return b, nil
	}
	if len(req.Body) > startWindow {
		return nil, fmt.Errorf("a body of %d bytes; HTTP/2 here sends at most %d", len(req.Body), startWindow)
	}
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	e.SetMaxDynamicTableSizeLimit(0)
	fields := []Header{
		{":method", "POST"},
		{":scheme", "http"},
		{":authority", req.Host},
		{":path", "/"},
		{"content-length", strconv.Itoa(len(req.Body))},
	}
	for _, h := range append(fields, req.Headers...) {
		if err := e.WriteField(hpack.HeaderField{Name: h.Name, Value: h.Value}); err != nil {
			return nil, err
		}
	}
	c.blocks[req] = b.Bytes()
	return b.Bytes(), nil
}
