package sigv4

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestSharedCredentialsAreRead(t *testing.T) {
	got, err := ReadShared(strings.NewReader("# ours\n[default]\naws_access_key_id = A\r\naws_secret_access_key=x=/y\nregion = r\n\n;c\n[b]\naws_secret_access_key = z\naws_access_key_id = B"))
	if want := (Static{"A": "x=/y", "B": "z"}); err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", map[string]string(got), err, map[string]string(want))
	}
}

func TestBrokenCredentialsAreNamedByLineOnly(t *testing.T) {
	for text, want := range map[string]string{
		"[a]\naws_access_key_id = topsecret\n[b]\n": "line 3",
		"[a]\naws_secret_access_key = topsecret":    "line 2",
		"[a]\ntopsecret":                            "line 2",
		"[a]\naws_access_key_id=A\naws_secret_access_key=topsecret\n[b]\naws_access_key_id=A\naws_secret_access_key=2": "line 6",
		"\n" + strings.Repeat("x", credentialLine+1): "line 2",
	} {
		_, err := ReadShared(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%.60q: got %v, want an error that names %s and no more", text, err, want)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	s := Static{"A": "topsecret"}
	if got := fmt.Sprintf("%v %+v %#v %s", s, s, s, s); strings.Contains(got, "topsecret") {
		t.Errorf("got %s", got)
	}
}
