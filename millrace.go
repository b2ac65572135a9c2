// Package millrace runs the whole platform inside a Go program or test: the same that `millrace serve` runs.
//
//	s, err := millrace.Open(millrace.Options{}) // in memory, on free ports of the loopback interface
//	defer s.Close()
//	client := kinesis.New(kinesis.Options{BaseEndpoint: aws.String("http://" + s.Addresses().AWS), ...})
package millrace

import "millrace/internal/server"

// Options are all settings of a server. The zero value keeps everything in memory and listens on free ports;
// with Data it is kept in that folder.
type Options = server.Options

// Addresses are those that a server listens on.
type Addresses = server.Addresses

// Server is a running millrace. Close stops it.
type Server = server.Server

// Off switches a listener off, in place of its address.
const Off = server.Off

// Open starts a server and returns when it accepts connections.
func Open(opts Options) (*Server, error) { return server.Open(opts) }
