package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// model is a service-2.json as botocore ships it; unknown keys (documentation, endpoint hints) are dropped.
type model struct {
	Metadata   metadata
	Operations map[string]*operation
	Shapes     map[string]*shape
}

type metadata struct {
	APIVersion      string
	EndpointPrefix  string
	SigningName     string
	JSONVersion     string
	TargetPrefix    string
	Protocol        string
	Protocols       []string
	ServiceFullName string
	ServiceID       string
	XMLNamespace    string
	// AWSQueryCompatible is there, if empty, when errors of all protocols carry the code that the query protocol has for them.
	AWSQueryCompatible *struct{}
	UID                string
}

// signingName is the service of a credential scope.
func (m metadata) signingName() string {
	if m.SigningName != "" {
		return m.SigningName
	}
	return m.EndpointPrefix
}

type operation struct {
	Name   string
	Input  *ref
	Output *ref
	Errors []ref
}

type ref struct {
	Shape        string
	LocationName string // in the query protocol, where it is not the member's name
}

type shape struct {
	Type       string
	Members    members
	Required   []string
	Member     *ref // of a list
	Key, Value *ref // of a map
	Min, Max   *float64
	Pattern    string
	Enum       []string
	Exception  bool
	Fault      bool
	Error      *struct {
		Code           string // in the query protocol
		HTTPStatusCode int
	}
	EventStream bool
	Flattened   bool // a list or map without a level of its own in the query protocol
	Union       bool
	Sensitive   bool
	Box         bool
}

type member struct {
	name string
	ref
}

// members keeps the order of the file: validation texts and generated fields follow it.
type members []member

// UnmarshalJSON reads an object in order.
func (m *members) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		mem := member{name: fmt.Sprint(key)}
		if err := dec.Decode(&mem.ref); err != nil {
			return err
		}
		*m = append(*m, mem)
	}
	return nil
}

// check makes sure that every reference leads somewhere, so that the rest need not ask.
func (m *model) check() error {
	var missing []string
	see := func(from string, r *ref) {
		if r != nil && m.Shapes[r.Shape] == nil {
			missing = append(missing, from+" -> "+r.Shape)
		}
	}
	for name, op := range m.Operations {
		see(name, op.Input)
		see(name, op.Output)
		for i := range op.Errors {
			see(name, &op.Errors[i])
		}
	}
	for name, s := range m.Shapes {
		see(name, s.Member)
		see(name, s.Key)
		see(name, s.Value)
		for i := range s.Members {
			see(name, &s.Members[i].ref)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return fmt.Errorf("model names shapes it does not define: %v", missing)
	}
	return nil
}

// protocols are the constants of package api for the protocols that clients may speak, the one they prefer first.
func (m *model) protocols() ([]string, error) {
	names := []string{m.Metadata.Protocol}
	for _, p := range m.Metadata.Protocols {
		if !slices.Contains(names, p) {
			names = append(names, p)
		}
	}
	for i, p := range names {
		if names[i] = protocolConst[p]; names[i] == "" {
			return nil, fmt.Errorf("protocol %q has no constant in package api", p)
		}
	}
	return names, nil
}

var protocolConst = map[string]string{
	"json": "api.ProtocolJSON", "rest-json": "api.ProtocolRESTJSON", "rest-xml": "api.ProtocolRESTXML",
	"query": "api.ProtocolQuery", "smithy-rpc-v2-cbor": "api.ProtocolRPCv2CBOR",
}

// speaks tells whether clients may use a protocol, by the model's name for it.
func (m *model) speaks(protocol string) bool {
	return m.Metadata.Protocol == protocol || slices.Contains(m.Metadata.Protocols, protocol)
}

// errorPrefix stands before the names of errors where they are written in full: "com.amazonaws.cloudwatch#".
func (m metadata) errorPrefix() string {
	return "com.amazonaws." + strings.ToLower(strings.ReplaceAll(m.ServiceID, " ", "")) + "#"
}
