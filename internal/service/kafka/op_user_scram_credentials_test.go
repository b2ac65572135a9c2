package kafka

import (
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store/storetest"
	"millrace/internal/service/kafka/sasl"
)

type (
	alterScram    = kafkaapi.AlterUserScramCredentialsRequest
	upsertScram   = kafkaapi.AlterUserScramCredentialsRequestScramCredentialUpsertion
	deleteScram   = kafkaapi.AlterUserScramCredentialsRequestScramCredentialDeletion
	describeScram = kafkaapi.DescribeUserScramCredentialsRequest
	scramUser     = kafkaapi.DescribeUserScramCredentialsRequestUserName
)

func upsert(user string, m sasl.Mechanism, iterations int32) upsertScram {
	return upsertScram{Name: user, Mechanism: int8(m), Iterations: iterations, Salt: []byte("salt"), SaltedPassword: []byte("salted")}
}

func alter(t *testing.T, b *Broker, req *alterScram) map[string]kafkaapi.Code {
	t.Helper()
	got := map[string]kafkaapi.Code{}
	for _, r := range ask[*kafkaapi.AlterUserScramCredentialsResponse](t, b, 0, req).Results {
		if _, twice := got[r.User]; twice {
			t.Errorf("user %q is answered twice", r.User)
		}
		got[r.User] = r.ErrorCode
	}
	return got
}

func TestScramCredentialsAreKeptForEachUserAlone(t *testing.T) {
	s := storetest.NewModel()
	b := open(t, s)
	got := alter(t, b, &alterScram{Upsertions: []upsertScram{
		upsert("a", sasl.SHA256, 4096), upsert("a", sasl.SHA512, 8192), upsert("few", sasl.SHA256, 4095), upsert("many", sasl.SHA256, 16385),
		upsert("other", 7, 4096), upsert("twice", sasl.SHA256, 4096), upsert("twice", sasl.SHA256, 4096), upsert("", sasl.SHA256, 4096),
	}, Deletions: []deleteScram{{Name: "nobody", Mechanism: int8(sasl.SHA256)}}})
	for user, want := range map[string]kafkaapi.Code{
		"a": kafkaapi.None, "few": kafkaapi.UnacceptableCredential, "many": kafkaapi.UnacceptableCredential, "": kafkaapi.UnacceptableCredential,
		"other": kafkaapi.UnsupportedSaslMechanism, "twice": kafkaapi.DuplicateResource, "nobody": kafkaapi.ResourceNotFound,
	} {
		if got[user] != want {
			t.Errorf("user %q: got %v, want %v", user, got[user], want)
		}
	}
	res := ask[*kafkaapi.DescribeUserScramCredentialsResponse](t, open(t, s), 0, &describeScram{})
	if len(res.Results) != 1 || res.Results[0].User != "a" || len(res.Results[0].CredentialInfos) != 2 || res.Results[0].CredentialInfos[1].Iterations != 8192 {
		t.Errorf("all users: got %+v", res.Results)
	}
}

func TestScramCredentialsCanBeForgotten(t *testing.T) {
	b := open(t, storetest.NewModel())
	alter(t, b, &alterScram{Upsertions: []upsertScram{upsert("a", sasl.SHA256, 4096), upsert("a", sasl.SHA512, 4096)}})
	if got := alter(t, b, &alterScram{Deletions: []deleteScram{{Name: "a", Mechanism: int8(sasl.SHA256)}}}); got["a"] != kafkaapi.None {
		t.Fatalf("delete: got %v", got)
	}
	res := ask[*kafkaapi.DescribeUserScramCredentialsResponse](t, b, 0, &describeScram{Users: []scramUser{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "c"}}})
	var codes []kafkaapi.Code
	for _, r := range res.Results {
		codes = append(codes, r.ErrorCode)
	}
	if len(codes) != 3 || codes[0] != kafkaapi.None || len(res.Results[0].CredentialInfos) != 1 ||
		codes[1] != kafkaapi.ResourceNotFound || codes[2] != kafkaapi.DuplicateResource {
		t.Errorf("describe: got %+v", res.Results)
	}
}
