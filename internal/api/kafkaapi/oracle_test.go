package kafkaapi

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/api/kafkaapi/kbin"
)

// generatedMessage is one line of the list that kafkagen writes.
type generatedMessage struct {
	key      int16
	kind     string // request, response, data
	min, max int16
	empty    func() Message
}

// oracle is what franz-go knows of a message: read the body at a version, and write it again.
type oracle struct {
	value any // for fill
	read  func([]byte) error
	write func() []byte
}

func oracleOf(g generatedMessage, version int16) (oracle, bool) {
	switch g.kind {
	case "request":
		m := kmsg.RequestForKey(g.key)
		if m == nil || m.MaxVersion() < version {
			return oracle{}, false
		}
		m.SetVersion(version)
		return oracle{m, m.ReadFrom, func() []byte { return m.AppendTo(nil) }}, true
	case "response":
		m := kmsg.ResponseForKey(g.key)
		if m == nil || m.MaxVersion() < version {
			return oracle{}, false
		}
		m.SetVersion(version)
		return oracle{m, m.ReadFrom, func() []byte { return m.AppendTo(nil) }}, true
	}
	return dataOracle(g, version)
}

// dataOracle is for data, before which franz-go writes the version.
func dataOracle(g generatedMessage, version int16) (oracle, bool) {
	head := binary.BigEndian.AppendUint16(nil, uint16(version))
	switch g.empty().(type) {
	case *ConsumerProtocolSubscription:
		m := &kmsg.ConsumerMemberMetadata{Version: version}
		return oracle{m, func(b []byte) error { return m.ReadFrom(append(head, b...)) }, func() []byte { return m.AppendTo(nil)[2:] }}, true
	case *ConsumerProtocolAssignment:
		m := &kmsg.ConsumerMemberAssignment{Version: version}
		return oracle{m, func(b []byte) error { return m.ReadFrom(append(head, b...)) }, func() []byte { return m.AppendTo(nil)[2:] }}, true
	}
	return oracle{}, false
}

// oracleWrites says of which messages what franz-go makes up may be read here: it writes tagged fields of later
// versions also in earlier ones, and null records where the definition has none.
func oracleWrites(g generatedMessage) bool {
	switch g.empty().(type) {
	case *FetchRequest, *ProduceResponse, *ShareFetchResponse:
		return false
	}
	return true
}

// notInOracle is what franz-go does not have: version 6 of InitProducerId is not stable.
func notInOracle(g generatedMessage, version int16) bool {
	return g.key == int16(KeyInitProducerID) && version == 6
}

func TestMessagesAgreeWithFranzGoInEveryVersion(t *testing.T) {
	for _, g := range generated {
		name := reflect.TypeOf(g.empty()).Elem().Name()
		for version := g.min; version <= g.max; version++ {
			for seed := range uint64(20) {
				o, known := oracleOf(g, version)
				if known == notInOracle(g, version) {
					t.Errorf("%s v%d: known to franz-go is %v", name, version, known)
				}
				rnd := rand.New(rand.NewPCG(seed, uint64(version)))
				m := g.empty()
				fill(rnd, reflect.ValueOf(m).Elem())
				body := encode(t, m, version)
				checkReread(t, g, version, body)
				if !known {
					continue
				}
				if err := o.read(body); err != nil {
					t.Errorf("%s v%d seed %d: franz-go: %v\n% x", name, version, seed, err, body)
				} else if got := o.write(); !bytes.Equal(got, body) {
					t.Errorf("%s v%d seed %d: franz-go writes\n% x, we\n% x", name, version, seed, got, body)
				}
				if oracleWrites(g) {
					fill(rnd, reflect.ValueOf(o.value).Elem())
					checkReread(t, g, version, o.write())
				}
			}
		}
	}
}

// checkReread decodes the body and demands that encoding gives it again.
func checkReread(t *testing.T, g generatedMessage, version int16, body []byte) {
	t.Helper()
	m := g.empty()
	r := kbin.NewReader(body)
	if err := m.Decode(&r, version); err != nil || r.Len() != 0 {
		t.Errorf("%T v%d: %v, %d bytes left\n% x", m, version, err, r.Len(), body)
		return
	}
	if got := encode(t, m, version); !bytes.Equal(got, body) {
		t.Errorf("%T v%d: read and written again\n got % x\nwant % x\n%+v", m, version, got, body, m)
	}
}

func encode(t *testing.T, m Message, version int16) []byte {
	t.Helper()
	var w kbin.Writer
	m.Encode(&w, version)
	if w.Err() != nil {
		t.Fatalf("%T v%d: %v", m, version, w.Err())
	}
	return w.Bytes()
}

// fill gives every exported field of v a random value, but for those that franz-go keeps for itself.
func fill(rnd *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if f.IsExported() && f.Name != "Version" && f.Name != "UnknownTags" {
				fill(rnd, v.Field(i))
			}
		}
	case reflect.Pointer:
		if rnd.IntN(3) == 0 {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(rnd, v.Elem())
	case reflect.Slice:
		if rnd.IntN(4) == 0 {
			v.SetZero()
			return
		}
		n := rnd.IntN(4)
		if v.Type().Elem().Kind() == reflect.Uint8 && rnd.IntN(4) == 0 {
			n = 200 // a length of two bytes
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(rnd, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			v.Index(i).SetUint(rnd.Uint64() & 0xff)
		}
	case reflect.String:
		v.SetString([]string{"", "a", "topic-ü", string(bytes.Repeat([]byte("x"), 150))}[rnd.IntN(4)])
	case reflect.Bool:
		v.SetBool(rnd.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(rnd.NormFloat64())
	default:
		fillNumber(rnd, v)
	}
}

func fillNumber(rnd *rand.Rand, v reflect.Value) {
	n := rnd.Uint64()
	if rnd.IntN(3) == 0 {
		n = uint64(rnd.IntN(3) - 1) // what defaults are made of
	}
	shift := 64 - v.Type().Bits()
	if v.CanInt() {
		v.SetInt(int64(n<<shift) >> shift)
	} else {
		v.SetUint(n << shift >> shift)
	}
}
