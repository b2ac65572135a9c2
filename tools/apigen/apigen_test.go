package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/golden anew")

// TestPackageOfASmallModel compares what is written for testdata/small.json, a model with everything
// the generator knows, with testdata/golden.
func TestPackageOfASmallModel(t *testing.T) {
	m, err := modelFromFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	u, err := newUnit(service{
		pkg: "smallapi", cbor: true, bodyLimits: map[string]int64{"PutThing": 1024},
		enumOrder: map[string][]string{"Shade": {"dark-blue", "RED"}}, optional: []string{"PutThingRequest.Count"}, raw: []string{"Free"},
	}, "testdata", m)
	if err != nil {
		t.Fatal(err)
	}
	files, err := u.emit()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join("testdata", "golden", name+".txt")
		if *rewrite {
			if err := write(path, files[name]); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(files[name], want) {
			t.Errorf("%s differs from %s; run with -rewrite and read the diff\n%s", name, path, files[name])
		}
	}
}

func TestRawShapeThatTheModelDoesNotHaveIsRefused(t *testing.T) {
	m, err := modelFromFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newUnit(service{pkg: "smallapi", raw: []string{"Nothing"}}, "testdata", m); err == nil || !strings.Contains(err.Error(), "Nothing") {
		t.Errorf("got %v, want an error that names the shape", err)
	}
}

func TestOptionalMemberThatIsNotRequiredIsRefused(t *testing.T) {
	for _, o := range []string{"PutThingRequest.Shade", "Nothing.Name", "PutThingRequest"} {
		m, err := modelFromFile("testdata/small.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newUnit(service{pkg: "smallapi", optional: []string{o}}, "testdata", m); err == nil || !strings.Contains(err.Error(), o) {
			t.Errorf("%s: got %v, want an error that names it", o, err)
		}
	}
}

func TestGzippedModelIsTheSame(t *testing.T) {
	plain, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(plain)
	w.Close()
	m, err := readModel(&b)
	if err != nil || m.Metadata.TargetPrefix != "Small_20200101" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestModelsThatCannotBeWrittenAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ model, want string }{
		"missing shape": {`{"operations":{"A":{"name":"A","input":{"shape":"AInput"}}},"shapes":{}}`, "shapes it does not define: [A -> AInput]"},
		"two of a name": {`{"metadata":{"protocol":"json"},"operations":{"A":{"name":"A","input":{"shape":"AInput"}}},"shapes":{
			"AInput":{"type":"structure","members":{"B":{"shape":"S"},"C":{"shape":"SOn"}}},"S":{"type":"string","enum":["on"]},"SOn":{"type":"structure","members":{}}}}`, "would both be called SOn"},
		"unknown type":     {`{"metadata":{"protocol":"json"},"operations":{"A":{"name":"A","input":{"shape":"AInput"}}},"shapes":{"AInput":{"type":"tensor"}}}`, `type "tensor" is not known`},
		"unknown protocol": {`{"metadata":{"protocol":"soap"},"operations":{},"shapes":{}}`, `protocol "soap"`},
	} {
		if err := generate(c.model); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func generate(text string) error {
	m, err := readModel(strings.NewReader(text))
	if err != nil {
		return err
	}
	u, err := newUnit(service{pkg: "x"}, "test", m)
	if err != nil {
		return err
	}
	_, err = u.emit()
	return err
}

// The orders are those of the answers that kinesalite and dynamodb-conformance recorded, with the members the model has gained
// since at their places.
func TestViolationsAreOrderedAsRecorded(t *testing.T) {
	for _, c := range []struct {
		model, want []string
		java8       bool
	}{
		{[]string{"StreamName", "Tags", "StreamARN", "StreamId"}, []string{"Tags", "StreamId", "StreamARN", "StreamName"}, false},
		{[]string{"Data", "ExplicitHashKey", "PartitionKey"}, []string{"PartitionKey", "ExplicitHashKey", "Data"}, false},
		{
			[]string{"StreamName", "ShardId", "ShardIteratorType", "StartingSequenceNumber"},
			[]string{"ShardId", "ShardIteratorType", "StartingSequenceNumber", "StreamName"},
			false,
		},
		{
			[]string{"StreamName", "Data", "PartitionKey", "ExplicitHashKey", "SequenceNumberForOrdering"},
			[]string{"SequenceNumberForOrdering", "PartitionKey", "ExplicitHashKey", "Data", "StreamName"},
			false,
		},
		{
			[]string{"TransactItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics", "ClientRequestToken"},
			[]string{"TransactItems", "ClientRequestToken", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"},
			true,
		},
		{[]string{"RequestItems", "ReturnConsumedCapacity"}, []string{"RequestItems", "ReturnConsumedCapacity"}, true},
	} {
		var got []string
		for _, i := range reportOrder(c.model, c.java8) {
			got = append(got, c.model[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v\n got %v\nwant %v", c.model, got, c.want)
		}
	}
}

func TestEnumValuesBecomeNames(t *testing.T) {
	for value, want := range map[string]string{
		"AT_TIMESTAMP": "AtTimestamp", "IncomingBytes": "IncomingBytes", "KMS": "Kms", "dark-blue": "DarkBlue", "aws:kms": "AwsKms", "1.0": "10",
	} {
		if got := enumConst(value); got != want {
			t.Errorf("%q: got %q, want %q", value, got, want)
		}
	}
}
