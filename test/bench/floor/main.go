// Floor is the least a durable server can do, to measure the real one against: a bare net/http server
// that appends each body to a file and answers a fixed text once the file is synced.
//
//	floor -listen 127.0.0.1:PORT -dir DIR [-sync=false]
//
// The file is written ahead with zeros, 256 MiB, and wraps around. One goroutine gathers what has
// arrived into a group, writes it with one pwrite at a 4 KiB boundary, syncs it once and lets every
// handler of the group answer: the same group sync as the embedded store's, without anything else. Bodies are
// neither parsed nor copied more than the group needs. With -sync=false it answers what is not durable: the
// negative control of the test that counts syncs.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	fileBytes  = 256 << 20 // a few seconds of load, small enough to write ahead at once
	groupBytes = 8 << 20   // as the embedded store's groups
	blockBytes = 4 << 10   // groups begin at block boundaries
	queueDepth = 1024      // more than any benchmark has connections; a full queue blocks the handler
)

// answer has the shape and length of PutRecord's.
const answer = `{"ShardId":"shardId-000000000000","SequenceNumber":"49653321545877653321545877653321545877653321545877653321"}`

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "HOST:PORT")
	dir := flag.String("dir", ".", "folder of the file")
	doSync := flag.Bool("sync", true, "sync each group before its answers")
	flag.Parse()
	if err := serve(*listen, *dir, *doSync); err != nil {
		log.Fatal(err)
	}
}

func serve(listen, dir string, doSync bool) error {
	f, err := writeAhead(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	s := &sequencer{file: f, sync: doSync, queue: make(chan *request, queueDepth)}
	go s.run()
	server := &http.Server{Addr: listen, Handler: s, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

// writeAhead makes the file, full of zeros, and removes its name: it goes with the process.
func writeAhead(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "floor-")
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 1<<20)
	for range fileBytes / len(zeros) {
		if _, err := f.Write(zeros); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, errors.Join(f.Sync(), os.Remove(f.Name()))
}

// request is one body on its way to the file; pooled.
type request struct {
	body []byte
	done chan struct{} // receives once when the body is durable
}

var requests = sync.Pool{New: func() any { return &request{done: make(chan struct{}, 1)} }}

// sequencer appends the bodies of the queue.
type sequencer struct {
	file  *os.File
	sync  bool
	queue chan *request // handlers send, run receives; never closed
}

func (s *sequencer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength < 0 || r.ContentLength > groupBytes {
		http.Error(w, "a body of known length, at most 8 MiB", http.StatusBadRequest)
		return
	}
	req := requests.Get().(*request)
	defer requests.Put(req)
	if n := int(r.ContentLength); cap(req.body) < n {
		req.body = make([]byte, n)
	} else {
		req.body = req.body[:n]
	}
	if _, err := io.ReadFull(r.Body, req.body); err != nil {
		return // the client went away
	}
	s.queue <- req
	<-req.done
	h := w.Header()
	h["Content-Type"] = contentType
	h["Content-Length"] = contentLength
	_, _ = io.WriteString(w, answer) // the client may be gone; nothing follows from it
}

var (
	contentType   = []string{"application/x-amz-json-1.1"}
	contentLength = []string{strconv.Itoa(len(answer))}
)

// run makes groups for ever. A failed write ends the process: nothing here can be durable any more.
func (s *sequencer) run() {
	buf := make([]byte, 0, groupBytes+blockBytes)
	var group []*request
	var at int64
	var held *request // did not fit in the last group
	for {
		first := held
		if first == nil {
			first = <-s.queue
		}
		group, buf = append(group[:0], first), append(buf[:0], first.body...)
		held = s.gather(&group, &buf)
		buf = buf[:(len(buf)+blockBytes-1)/blockBytes*blockBytes]
		if at+int64(len(buf)) > fileBytes {
			at = 0
		}
		if err := s.write(buf, at); err != nil {
			log.Fatal(fmt.Errorf("write a group at %d: %w", at, err))
		}
		at += int64(len(buf))
		for _, req := range group {
			req.done <- struct{}{}
		}
	}
}

// gather takes what waits in the queue, and returns the request that did not fit any more.
func (s *sequencer) gather(group *[]*request, buf *[]byte) (held *request) {
	for {
		select {
		case req := <-s.queue:
			if len(*buf)+len(req.body) > groupBytes {
				return req
			}
			*group, *buf = append(*group, req), append(*buf, req.body...)
		default:
			return nil
		}
	}
}

func (s *sequencer) write(buf []byte, at int64) error {
	if _, err := s.file.WriteAt(buf, at); err != nil {
		return err
	}
	if !s.sync {
		return nil
	}
	return datasync(s.file)
}
