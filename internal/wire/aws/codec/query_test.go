package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"millrace/internal/api"
	"millrace/internal/api/cloudwatchapi"
)

var cloudwatch = cloudwatchapi.Bind(cloudwatchapi.Unimplemented{})

// queryOps have between them every kind of member that requests in the query protocol can have.
var queryOps = []string{"PutMetricData", "GetMetricData", "GetMetricStatistics", "ListMetrics", "PutMetricAlarm", "PutAlarmMuteRule", "GetMetricWidgetImage"}

// form writes a value as a client of the query protocol does.
func form(into url.Values, name string, s *api.Shape, val reflect.Value) {
	level := func(part string) string {
		if s.Flat {
			return name
		}
		return name + "." + part
	}
	switch s.Kind {
	case api.KindStruct:
		if name != "" {
			into.Set(name, "") // stands for one without members, which clients leave out
		}
		for i := range s.Members {
			if v, ok := present(&s.Members[i], val); ok {
				form(into, strings.TrimPrefix(name+"."+s.Members[i].Called(), "."), s.Members[i].Shape, v)
			}
		}
	case api.KindList:
		if val.Len() == 0 {
			into.Set(name, "")
		}
		for i := range val.Len() {
			form(into, fmt.Sprintf("%s.%d", level(or(s.ElemName, "member")), i+1), s.Elem, val.Index(i))
		}
	case api.KindMap:
		for i, k := range sortedKeys(val) {
			at := fmt.Sprintf("%s.%d.", level("entry"), i+1)
			form(into, at+or(s.KeyName, "key"), s.Key, k)
			form(into, at+or(s.ElemName, "value"), s.Elem, addressable(val.MapIndex(k)))
		}
	case api.KindTimestamp:
		into.Set(name, val.Interface().(time.Time).Format(time.RFC3339Nano))
	case api.KindBlob:
		into.Set(name, base64.StdEncoding.EncodeToString(val.Bytes()))
	default:
		into.Set(name, fmt.Sprint(val.Interface()))
	}
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func formOf(shape *api.Shape, in any) []byte {
	v := url.Values{"Action": {"X"}, "Version": {"2010-08-01"}}
	form(v, "", shape, reflect.ValueOf(in).Elem())
	return []byte(v.Encode())
}

func TestFormsComeBackAsTheyWere(t *testing.T) {
	for _, name := range queryOps {
		op := cloudwatch.Operations[name]
		in, again := op.New(), op.New()
		fill(op.Input, reflect.ValueOf(in).Elem(), 1)
		body := formOf(op.Input, in)
		if err := DecodeQuery(body, op.Input, again); err != nil {
			t.Fatalf("%s: %v\nbody %s", name, err, body)
		}
		if got, want := AppendJSON(nil, op.Input, again), AppendJSON(nil, op.Input, in); string(got) != string(want) {
			t.Errorf("%s:\ngot  %s\nwant %s\nbody %s", name, got, want, body)
		}
	}
}

// thing has what no operation of CloudWatch has: flat lists and maps, and names of their own.
type thing struct {
	Tags  []string
	Names []string
	Attrs map[string]string
	Plain map[string]string
}

var thingShape = func() *api.Shape {
	text := &api.Shape{Name: "Text", Kind: api.KindString}
	shapes := []*api.Shape{
		{Kind: api.KindList, Elem: text, Flat: true, ElemName: "Tag"},
		{Kind: api.KindList, Elem: text, ElemName: "Name"},
		{Kind: api.KindMap, Key: text, Elem: text, Flat: true, KeyName: "Name", ElemName: "Value"},
		{Kind: api.KindMap, Key: text, Elem: text},
	}
	s := &api.Shape{Name: "Thing", Kind: api.KindStruct, Type: reflect.TypeFor[thing]()}
	for i, name := range []string{"Tags", "Names", "Attrs", "Plain"} {
		s.Members = append(s.Members, api.Member{Name: name, Shape: shapes[i], Index: i})
	}
	s.Members[2].QueryName = "Attribute"
	return s
}()

func TestFlatAndRenamedPartsOfFormsAreRead(t *testing.T) {
	const body = "Tag.2=b&Tag.10=c&Tag.1=a&Names.Name.1=x+y&Names.Name.2=%C3%A9&" +
		"Attribute.1.Name=k&Attribute.1.Value=v&Plain.entry.1.key=p&Plain.entry.1.value=q%26&Other.1=z"
	want := thing{
		Tags: []string{"a", "b", "c"}, Names: []string{"x y", "é"},
		Attrs: map[string]string{"k": "v"}, Plain: map[string]string{"p": "q&"},
	}
	var got thing
	if err := DecodeQuery([]byte(body), thingShape, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	const answer = `<OResponse xmlns="urn:x">
<OResult><Tag>a</Tag><Tag>b</Tag><Tag>c</Tag><Names><Name>x y</Name><Name>é</Name></Names>` +
		`<Attribute><Name>k</Name><Value>v</Value></Attribute><Plain><entry><key>p</key><value>q&amp;</value></entry></Plain></OResult>
<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata>
</OResponse>
`
	if out := string(AppendQuery(nil, QueryAnswer{"O", "urn:x", "id"}, thingShape, &got)); out != answer {
		t.Errorf("got  %s\nwant %s", out, answer)
	}
}

func TestWhatIsWrongInAFormIsTold(t *testing.T) {
	op := cloudwatch.Operations["GetMetricStatistics"]
	for body, want := range map[string]string{
		"StartTime=yesterday": "timestamp must follow ISO8601",
		"Period=sixty":        "'sixty' can not be converted to a Integer",
		"Namespace=%zz":       "",
		"Namespace=%C3":       "",
	} {
		err := DecodeQuery([]byte(body), op.Input, op.New())
		if err == nil || err.Code != "MalformedInput" || err.Message != want {
			t.Errorf("%s: got %v, want MalformedInput %q", body, err, want)
		}
	}
}

func TestEmptyListOfAFormIsThere(t *testing.T) {
	op := cloudwatch.Operations["PutMetricData"]
	in := op.New().(*cloudwatchapi.PutMetricDataInput)
	if err := DecodeQuery([]byte("Namespace=n&MetricData="), op.Input, in); err != nil || in.MetricData == nil || len(in.MetricData) > 0 {
		t.Errorf("got %#v, %v, want a list without elements", in.MetricData, err)
	}
	if in.MissingMembers().Has(0) {
		t.Error("Namespace is said to be missing")
	}
}

func TestActionIsFoundWhereverItStands(t *testing.T) {
	for body, want := range map[string][2]string{
		"Action=A&Version=1":     {"A", "1"},
		"x=Action&Version=1&y=2": {"", "1"},
		"a=b&Action=A":           {"A", ""},
		"":                       {},
	} {
		if a, v := Action([]byte(body)); a != want[0] || v != want[1] {
			t.Errorf("%q: got %q, %q, want %q", body, a, v, want)
		}
	}
}

func TestNumbersAndTextOfXMLAreThoseOfAWS(t *testing.T) {
	for f, want := range map[float64]string{0: "0.0", 1: "1.0", -2.5: "-2.5", 1e7: "1.0E7", 1.25e-4: "1.25E-4", 123456: "123456.0"} {
		if got := string(appendJSONFloat(nil, f)); got != want {
			t.Errorf("%v in JSON: got %s, want %s", f, got, want)
		}
		if got := string(appendXMLFloat(nil, f)); got != want {
			t.Errorf("%g: got %s, want %s", f, got, want)
		}
	}
	if got := string(AppendXMLText(nil, "a<b>&\x00")); got != "a&lt;b&gt;&amp;\uFFFD" {
		t.Errorf("got %q", got)
	}
}

func TestTimesOfRPCAreSeconds(t *testing.T) {
	op := cloudwatch.Operations["GetMetricStatistics"]
	for _, at := range []time.Time{time.UnixMilli(1_700_000_000_000), time.UnixMilli(1_700_000_000_250)} {
		at = at.UTC()
		in := &cloudwatchapi.GetMetricStatisticsInput{StartTime: at}
		again := &cloudwatchapi.GetMetricStatisticsInput{}
		if err := DecodeRPC(AppendRPC(nil, op.Input, in), op.Input, again); err != nil || !again.StartTime.Equal(at) {
			t.Errorf("got %v, %v, want %v", again.StartTime, err, at)
		}
	}
	if err := DecodeRPC(nil, op.Input, op.New()); err != nil {
		t.Errorf("an empty body: got %v", err)
	}
}

// wellFormed says whether a text is XML.
func wellFormed(b []byte) bool {
	d := xml.NewDecoder(strings.NewReader(string(b)))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return true
		} else if err != nil {
			return false
		}
	}
}

// TestFormsOfTinyParametersTakeLittleMemory: each parameter takes fifty times its two bytes.
func TestFormsOfTinyParametersTakeLittleMemory(t *testing.T) {
	op := cloudwatch.Operations["PutMetricData"]
	for _, piece := range []string{"&", "=", "&=", "a&", "a=&", "MetricData.member.1.Value&"} {
		body := bytes.Repeat([]byte(piece), 1<<20/len(piece))
		used := allocated(func() { _ = DecodeQuery(body, op.Input, op.New()) })
		if limit := uint64(2*(len(body)*budgetFactor+budgetBase) + 64<<10); used > limit {
			t.Errorf("%q again and again: decoding %d bytes allocated %d, want at most %d", piece, len(body), used, limit)
		}
	}
}

// FuzzQuery: what is read comes back the same when it is written, answers are XML, memory is bounded.
func FuzzQuery(f *testing.F) {
	for _, name := range queryOps {
		op := cloudwatch.Operations[name]
		in := op.New()
		fill(op.Input, reflect.ValueOf(in).Elem(), 1)
		f.Add(formOf(op.Input, in))
	}
	f.Add([]byte("MetricData.member.1.Values.member.1=1&MetricData.member.01.Value=NaN&&=&a.=&.a=&MetricData=%2"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range queryOps {
			op := cloudwatch.Operations[name]
			in := op.New()
			var err *api.Error
			used := allocated(func() { err = DecodeQuery(body, op.Input, in) })
			if limit := uint64(2*(len(body)*budgetFactor+budgetBase) + 64<<10); used > limit {
				t.Fatalf("%s: decoding %d bytes allocated %d, want at most %d\nbody %q", name, len(body), used, limit, body)
			}
			if err != nil {
				continue
			}
			if out := AppendQuery(nil, QueryAnswer{name, "urn:x", "id"}, op.Input, in); !wellFormed(out) {
				t.Fatalf("%s: %q is not XML\nbody %q", name, out, body)
			}
			again := op.New()
			if err := DecodeQuery(formOf(op.Input, in), op.Input, again); err != nil {
				t.Fatalf("%s: own form refused: %v\nbody %q", name, err, body)
			}
			first, second := AppendJSON(nil, op.Input, in), AppendJSON(nil, op.Input, again)
			if string(first) != string(second) {
				t.Fatalf("%s: changed\nfirst  %s\nsecond %s\nbody %q", name, first, second, body)
			}
		}
	})
}

// FuzzRPC is FuzzCBOR with the other times.
func FuzzRPC(f *testing.F) {
	for _, name := range queryOps {
		op := cloudwatch.Operations[name]
		in := op.New()
		fill(op.Input, reflect.ValueOf(in).Elem(), 1)
		f.Add(AppendRPC(nil, op.Input, in))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, name := range queryOps {
			fuzzOne(t, cloudwatch.Operations[name], body, DecodeRPC, AppendRPC, func([]byte) bool { return true })
		}
	})
}
