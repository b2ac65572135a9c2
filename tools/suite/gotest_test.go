package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestResultsCountLeavesAndPackagesThatBroke(t *testing.T) {
	const stream = `
{"Action":"run","Package":"a","Test":"TestOne"}
{"Action":"output","Package":"a","Test":"TestOne","Output":"got 1, want 2\n"}
{"Action":"fail","Package":"a","Test":"TestOne"}
{"Action":"pass","Package":"a","Test":"TestTwo/first"}
{"Action":"pass","Package":"a","Test":"TestTwo/second"}
{"Action":"pass","Package":"a","Test":"TestTwo"}
{"Action":"fail","Package":"a","Test":"TestThree/deep/deeper"}
{"Action":"fail","Package":"a","Test":"TestThree/deep"}
{"Action":"fail","Package":"a","Test":"TestThree"}
{"Action":"pass","Package":"a","Test":"TestFour/fine"}
{"Action":"fail","Package":"a","Test":"TestFour"}
{"Action":"skip","Package":"a","Test":"TestFive"}
{"Action":"fail","Package":"a"}
{"Action":"output","Package":"b","Output":"does not build\n"}
{"Action":"fail","Package":"b"}
{"Action":"skip","Package":"c"}
{"Action":"pass","Package":"d"}
not json
`
	r := readEvents(strings.NewReader(stream), io.Discard)
	if got, want := r.count(), (count{passed: 3, failed: 4, skipped: 1}); got != want {
		t.Errorf("got %+v, want %+v for %s", got, want, stream)
	}
	want := []string{"a TestFour", "a TestOne", "a TestThree/deep/deeper", "b"}
	if got := r.with("fail"); !slices.Equal(got, want) {
		t.Errorf("failed: got %q, want %q", got, want)
	}
	if got := strings.Join(r.failures(), ""); !strings.Contains(got, "got 1, want 2") || !strings.Contains(got, "does not build") {
		t.Errorf("failures: got %q, want the outputs of what failed", got)
	}
}
