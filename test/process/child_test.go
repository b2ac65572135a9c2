package process

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// roleVariable makes this test binary play the child.
const roleVariable = "MILLRACE_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "fails":
		fmt.Println("cannot open the port")
		os.Exit(2)
	case "listens":
		l, err := net.Listen("tcp", os.Args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		defer l.Close()
		select {}
	}
}

func child(t *testing.T, role string, args ...string) *Child {
	t.Helper()
	c, err := StartChild(filepath.Join(t.TempDir(), "log"), []string{roleVariable + "=" + role}, os.Args[0], args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestAwaitFailsAtOnceWithTheLogWhenTheProcessEnds(t *testing.T) {
	start := time.Now()
	err := child(t, "fails").Await(t.Context(), func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "cannot open the port") {
		t.Errorf("got %v, want the end of the log", err)
	}
	if took := time.Since(start); took > readyTimeout/2 {
		t.Errorf("it took %v to notice", took)
	}
}

func TestAProcessThatListensIsReadyAndEndsWhenKilled(t *testing.T) {
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	c := child(t, "listens", addr)
	if err := c.AwaitPort(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when it is gone already
		if err := c.Kill(); err != nil {
			t.Error(err)
		}
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Errorf("%s still answers", addr)
	}
}
