package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write testdata/small.txt anew")

// TestMessageWithEverything compares what is written for testdata/small.json with testdata/small.txt.
func TestMessageWithEverything(t *testing.T) {
	text, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(string(text))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "small.txt")
	if *rewrite {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("differs from %s; run with -rewrite and read the diff\n%s", golden, got)
	}
}

func generate(text string) ([]byte, error) {
	d, err := parse([]byte(text))
	if err != nil {
		return nil, err
	}
	m, err := newMessage(d)
	if err != nil {
		return nil, err
	}
	f := newFile(kbinPath)
	f.emit(m)
	return f.formatted()
}

func TestDefinitionsThatCannotBeWrittenAreRefused(t *testing.T) {
	const begin = `{"apiKey":1,"type":"request","name":"ARequest","validVersions":"0-2","flexibleVersions":"1+","fields":[`
	for name, c := range map[string]struct{ text, want string }{
		"unknown type":      {begin + `{"name":"X","type":"complex","versions":"0+"}]}`, "type complex is not known"},
		"own flexibility":   {begin + `{"name":"X","type":"int8","versions":"0+","flexibleVersions":"none"}]}`, "flexibleVersions of its own"},
		"tag, no versions":  {begin + `{"name":"X","type":"int8","versions":"1+","tag":0}]}`, "a tag without versions"},
		"tagged sometimes":  {begin + `{"name":"X","type":"int8","versions":"0+","tag":0,"taggedVersions":"1+"}]}`, "tagged in some"},
		"versions of words": {begin + `{"name":"X","type":"int8","versions":"all"}]}`, "not understood"},
		"no key":            {`{"type":"request","name":"ARequest","validVersions":"0","flexibleVersions":"none"}`, "no apiKey"},
		"no name":           {`{"type":"data","validVersions":"0","flexibleVersions":"none"}`, "no name"},
	} {
		if _, err := generate(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestVersionsAreRead(t *testing.T) {
	for text, want := range map[string]string{`"none"`: "none", `"3"`: "3", `"0-3"`: "0-3", `"2+"`: "2-32767"} {
		var v versions
		if err := v.UnmarshalJSON([]byte(text)); err != nil || v.String() != want {
			t.Errorf("%s: got %s, %v, want %s", text, v, err, want)
		}
	}
}

func TestNamesAreThoseOfGo(t *testing.T) {
	for name, want := range map[string]string{
		"timeoutMs": "TimeoutMs", "TopicId": "TopicID", "BrokerIds": "BrokerIDs", "LeaderIdAndEpoch": "LeaderIDAndEpoch",
		"ApiKeys": "APIKeys", "ApiVersionsRequest": "APIVersionsRequest", "Idle": "Idle", "Rapid": "Rapid",
	} {
		if got := goName(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestAJarWithAnotherChecksumIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := readJar(dir); err == nil || !strings.Contains(err.Error(), "go run ./tools/parts kafka-definitions") {
		t.Errorf("without a jar: got %v, want how to fetch it", err)
	}
	if err := os.WriteFile(filepath.Join(dir, release.file), []byte("no jar"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readJar(dir); err == nil || !strings.Contains(err.Error(), "sha256") {
		t.Errorf("got %v, want the checksum", err)
	}
}
