package codec

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"millrace/internal/api"
	"millrace/internal/api/kinesisapi"
)

// fill sets every member below val to something, so that a round trip sees them all.
func fill(s *api.Shape, val reflect.Value, n int) {
	switch s.Kind {
	case api.KindString:
		val.SetString("s\"\\\n\u00e9\U0001F600" + string(rune('a'+n%26)))
	case api.KindBlob:
		val.SetBytes([]byte{0, 255, byte(n)})
	case api.KindBool:
		val.SetBool(true)
	case api.KindInt32:
		val.SetInt(int64(-n))
	case api.KindInt64:
		val.SetInt(math.MaxInt64 - int64(n))
	case api.KindFloat32, api.KindFloat64:
		val.SetFloat(1.5)
	case api.KindTimestamp:
		*val.Addr().Interface().(*time.Time) = time.UnixMilli(1_700_000_000_120 + int64(n)).UTC()
	case api.KindList:
		val.Set(reflect.MakeSlice(val.Type(), 2, 2))
		fill(s.Elem, val.Index(0), n+1)
		fill(s.Elem, val.Index(1), n+2)
	case api.KindMap:
		val.Set(reflect.MakeMap(val.Type()))
		e := reflect.New(val.Type().Elem()).Elem()
		fill(s.Elem, e, n+1)
		val.SetMapIndex(reflect.ValueOf("k\"ey").Convert(val.Type().Key()), e)
	case api.KindJSON:
		val.SetBytes([]byte(`{"k":[1.5,null]}`))
	case api.KindStream: // is not encoded
	case api.KindStruct:
		for i := range s.Members {
			m := &s.Members[i]
			if m.Shape.Kind == api.KindStream {
				continue
			}
			f := val.Field(m.Index)
			if f.Kind() == reflect.Pointer {
				f.Set(reflect.New(f.Type().Elem()))
				f = f.Elem()
			}
			fill(m.Shape, f, n+i)
		}
	}
}

func shapesOf(b *api.Binding) map[string]*api.Shape {
	out := map[string]*api.Shape{}
	for name, op := range b.Operations {
		out[name+"Input"] = op.Input
		if op.Output != nil {
			out[name+"Output"] = op.Output
		}
	}
	return out
}

func TestEveryShapeSurvivesBothEncodings(t *testing.T) {
	for name, shape := range shapesOf(kinesis) {
		want := reflect.New(shape.Type)
		fill(shape, want.Elem(), 1)
		for enc, trip := range map[string]func(any) ([]byte, *api.Error, any){
			"json": func(v any) ([]byte, *api.Error, any) {
				b, got := AppendJSON(nil, shape, v), reflect.New(shape.Type).Interface()
				return b, DecodeJSON(b, shape, got), got
			},
			"cbor": func(v any) ([]byte, *api.Error, any) {
				b, got := AppendCBOR(nil, shape, v), reflect.New(shape.Type).Interface()
				return b, DecodeCBOR(b, shape, got), got
			},
		} {
			body, err, got := trip(want.Interface())
			if err != nil {
				t.Errorf("%s %s: %v\nbody %q", name, enc, err, body)
				continue
			}
			if !reflect.DeepEqual(got, want.Interface()) {
				t.Errorf("%s %s\n got %+v\nwant %+v\nbody %q", name, enc, got, want.Interface(), body)
			}
			if enc == "json" && !json.Valid(body) {
				t.Errorf("%s: not JSON: %q", name, body)
			}
			if enc == "cbor" && cbor.Wellformed(body) != nil {
				t.Errorf("%s: not CBOR: %x", name, body)
			}
		}
	}
}

func TestEmptyAnswersKeepRequiredMembers(t *testing.T) {
	shape := kinesis.Operations["GetRecords"].Output
	if got, want := string(AppendJSON(nil, shape, &kinesisapi.GetRecordsOutput{})), `{"Records":[]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(AppendCBOR(nil, shape, &kinesisapi.GetRecordsOutput{})), "bf675265636f72647380ff"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestErrorsAreEncodedAsAWSDoes(t *testing.T) {
	for _, c := range []struct {
		err        *api.Error
		json, cbor string
	}{
		{api.UnknownOperation(), `{"__type":"UnknownOperationException"}`, "bf665f5f747970657819556e6b6e6f776e4f7065726174696f6e457863657074696f6eff"},
		{api.SerializationError("x"), `{"__type":"SerializationException","Message":"x"}`, "bf665f5f747970657653657269616c697a6174696f6e457863657074696f6e674d6573736167656178ff"},
		{kinesisapi.ResourceInUseException("in use"), `{"__type":"ResourceInUseException","message":"in use"}`, "bf665f5f7479706576" + hex.EncodeToString([]byte("ResourceInUseException")) + "676d65737361676566696e20757365ff"},
	} {
		if got := string(AppendErrorJSON(nil, "", c.err)); got != c.json {
			t.Errorf("got %s, want %s", got, c.json)
		}
		if got := hex.EncodeToString(AppendErrorCBOR(nil, c.err)); got != c.cbor {
			t.Errorf("got %s, want %s", got, c.cbor)
		}
	}
}

func TestNumbersAreCutAndClamped(t *testing.T) {
	for body, want := range map[string]int32{
		`{"Limit":3.99}`: 3, `{"Limit":99999999999}`: math.MaxInt32, `{"Limit":-1e400}`: math.MinInt32, `{"Limit":1e2}`: 100,
	} {
		in, _ := check(t, "GetRecords", body)
		if got := *in.(*kinesisapi.GetRecordsInput).Limit; got != want {
			t.Errorf("%s: got %d, want %d", body, got, want)
		}
	}
}

func TestTimestampsFollowTheEncoding(t *testing.T) {
	shape := kinesis.Operations["GetShardIterator"].Input
	want := time.UnixMilli(1719000000123).UTC()
	// What SdkCborGenerator of the Java SDK v2 writes: an indefinite map, times as tag 1 (c1) with
	// integer milliseconds (1b and eight bytes).
	java, _ := hex.DecodeString("bf" + "6954696d657374616d70" + "c1" + "1b000001903c8e6c7b" + "ff")
	ms := time.UnixMilli(0x1903c8e6c7b).UTC()
	for name, c := range map[string]struct {
		decode func([]byte, *api.Shape, any) *api.Error
		body   []byte
		want   time.Time
	}{
		"json seconds with decimals": {DecodeJSON, []byte(`{"Timestamp":1719000000.123}`), want},
		"json exponent":              {DecodeJSON, []byte(`{"Timestamp":1.719000000123E9}`), want},
		"java cbor":                  {DecodeCBOR, java, ms},
	} {
		in := &kinesisapi.GetShardIteratorInput{}
		if err := c.decode(c.body, shape, in); err != nil || in.Timestamp == nil || !in.Timestamp.Equal(c.want) {
			t.Errorf("%s: got %v, %v, want %v", name, in.Timestamp, err, c.want)
		}
	}
	out := kinesis.Operations["GetRecords"].Output
	rec := &kinesisapi.GetRecordsOutput{Records: []kinesisapi.Record{{ApproximateArrivalTimestamp: &ms}}}
	var back struct {
		Records []struct{ ApproximateArrivalTimestamp cbor.Tag }
	}
	if err := cbor.Unmarshal(AppendCBOR(nil, out, rec), &back); err == nil {
		tag := back.Records[0].ApproximateArrivalTimestamp
		if tag.Number != 1 || tag.Content != uint64(ms.UnixMilli()) {
			t.Errorf("got tag %d of %v, want tag 1 of %d", tag.Number, tag.Content, ms.UnixMilli())
		}
	} else {
		t.Error(err)
	}
}

func TestCBORComesInAllItsForms(t *testing.T) {
	data := base64.StdEncoding.EncodeToString([]byte("hello"))
	for name, body := range map[string]string{
		"indefinite map and strings in pieces": "bf" + "6a53747265616d4e616d65" + "7f61736174ff" + "6c506172746974696f6e4b6579616b" + "6444617461" + "5f4268656368656c6c6fff"[:0] + "5f42686543" + "6c6c6f" + "ff" + "ff",
		"definite map":                         "a3" + "6a53747265616d4e616d65" + "627374" + "6c506172746974696f6e4b6579616b" + "6444617461" + "45" + hex.EncodeToString([]byte("hello")),
		"blob as base64 text, tagged":          "a3" + "6a53747265616d4e616d65" + "627374" + "6c506172746974696f6e4b6579616b" + "6444617461" + "d822" + "68" + hex.EncodeToString([]byte(data)),
	} {
		raw, err := hex.DecodeString(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		in := &kinesisapi.PutRecordInput{}
		if err := DecodeCBOR(raw, kinesis.Operations["PutRecord"].Input, in); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if *in.StreamName != "st" || *in.PartitionKey != "k" || string(in.Data) != "hello" {
			t.Errorf("%s: got %q %q %q", name, *in.StreamName, *in.PartitionKey, in.Data)
		}
	}
}

func TestCBORLengthsBeyondTheBodyAreRefused(t *testing.T) {
	for _, body := range []string{
		"", "80", "bf", "a1", "bb7fffffffffffffff", "a1" + "6a53747265616d4e616d65" + "7b7fffffffffffffff", "a161617bffffffffffffffff",
		"a1" + "6161" + "9bffffffffffffffff", "a1" + "6161" + "ff", "a10101", "a0ff", "a161611c", "a16161df", "f6",
	} {
		raw, _ := hex.DecodeString(body)
		if err := DecodeCBOR(raw, kinesis.Operations["PutRecord"].Input, &kinesisapi.PutRecordInput{}); err == nil {
			t.Errorf("%s was accepted", body)
		}
	}
}
