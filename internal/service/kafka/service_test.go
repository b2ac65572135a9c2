package kafka

import (
	"testing"

	"millrace/internal/api/kafkaapi"
	"millrace/internal/core/store"
	"millrace/internal/core/store/storetest"
)

// open starts a broker that ends with the test.
func open(t *testing.T, s store.Store) *Broker {
	t.Helper()
	b, err := New(Options{Store: s})
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// ask sends a request as a client of version v would and returns the answer, which must come before Serve returns.
func ask[A kafkaapi.Message](t *testing.T, b *Broker, v int16, req kafkaapi.Request) A {
	t.Helper()
	var got []kafkaapi.Message
	c := &Call{
		Context: t.Context(), Key: req.RequestKey(), Version: v, ClientID: "test",
		Client: Client{Principal: Anonymous, Host: "127.0.0.1"}, Listener: Listener{Name: "PLAINTEXT", Host: "localhost", Port: 9092},
	}
	if !b.Serve(c, req, func(m kafkaapi.Message) { got = append(got, m) }) {
		t.Fatalf("%s is not served", req.RequestKey())
	}
	if len(got) != 1 {
		t.Fatalf("%s version %d: got %d answers, want 1", req.RequestKey(), v, len(got))
	}
	a, ok := got[0].(A)
	if !ok {
		t.Fatalf("%s version %d: got a %T", req.RequestKey(), v, got[0])
	}
	return a
}

func TestClusterIDIsMadeOnceAndKept(t *testing.T) {
	s := storetest.NewModel()
	first, second, other := open(t, s), open(t, s), open(t, storetest.NewModel())
	if len(first.cluster) != 22 || first.cluster != second.cluster || first.cluster == other.cluster {
		t.Fatalf("cluster ids: got %q, again %q, of another store %q", first.cluster, second.cluster, other.cluster)
	}
}

func TestCoordinatorIsTheBrokerAtTheListenerTheClientCameInBy(t *testing.T) {
	b := open(t, storetest.NewModel())
	old := ask[*kafkaapi.FindCoordinatorResponse](t, b, 3, &kafkaapi.FindCoordinatorRequest{Key: "g"})
	if old.ErrorCode != kafkaapi.None || old.NodeID != 0 || old.Host != "localhost" || old.Port != 9092 || len(old.Coordinators) != 0 {
		t.Errorf("version 3: got %+v", old)
	}
	many := ask[*kafkaapi.FindCoordinatorResponse](t, b, 4, &kafkaapi.FindCoordinatorRequest{CoordinatorKeys: []string{"g", ""}})
	if len(many.Coordinators) != 2 || many.Coordinators[0].Host != "localhost" || many.Coordinators[0].ErrorCode != kafkaapi.None ||
		many.Coordinators[1].ErrorCode != kafkaapi.InvalidGroupID || many.Coordinators[1].NodeID != -1 {
		t.Errorf("version 4: got %+v", many)
	}
	other := ask[*kafkaapi.FindCoordinatorResponse](t, b, 4, &kafkaapi.FindCoordinatorRequest{KeyType: 9, CoordinatorKeys: []string{"x"}})
	if len(other.Coordinators) != 1 || other.Coordinators[0].ErrorCode != kafkaapi.InvalidRequest {
		t.Errorf("unknown kind: got %+v", other)
	}
}
