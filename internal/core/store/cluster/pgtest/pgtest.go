// Package pgtest gives tests a PostgreSQL server: the one that MILLRACE_TEST_POSTGRES names, or one of
// its own in a temporary folder, with durable commits as the driver demands them.
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, &server)) }
//
// Programs are looked for in $MILLRACE_PARTS/postgres*/bin (an unpacked archive of binaries) and in
// /usr/lib/postgresql/*/bin, newest first. PostgreSQL refuses to run as root: then the server runs as
// the user postgres, whom the Debian package creates.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTime bounds initdb and start: they need 2 to 4 s on a busy machine.
const startTime = 60 * time.Second

// errNone says what to install.
var errNone = errors.New("no PostgreSQL 15 or newer for tests: install it (Debian: apt-get install postgresql-15), " +
	"or unpack its binaries into $MILLRACE_PARTS/postgres, or set MILLRACE_TEST_POSTGRES to the DSN of a server")

// Server is a running server.
type Server struct {
	dsn     string
	dir     string // empty when the server is not ours
	cmd     *exec.Cmd
	exited  chan struct{} // closed after Wait
	waitErr error
}

// DSN is how to connect as a superuser: a URL without a search path.
func (s *Server) DSN() string { return s.dsn }

// Main starts a server, puts it into *s, runs the tests and stops it. It returns the exit code.
func Main(m *testing.M, s **Server) int {
	server, err := Start()
	if err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return 1
	}
	defer server.Stop()
	*s = server
	return m.Run()
}

// Start returns a server that answers. The caller stops it.
func Start() (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if dsn := os.Getenv("MILLRACE_TEST_POSTGRES"); dsn != "" {
		s := &Server{dsn: dsn}
		return s, s.await(ctx)
	}
	bin, err := binaries(os.Getenv("MILLRACE_PARTS"), "/usr/lib/postgresql")
	if err != nil {
		return nil, err
	}
	s := &Server{exited: make(chan struct{})}
	if err := s.start(ctx, bin); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// binaries finds the folder with initdb and postgres: below parts, when that is given, or system.
func binaries(parts, system string) (string, error) {
	var found []string
	if parts != "" {
		found, _ = filepath.Glob(filepath.Join(parts, "postgres*", "bin", "initdb*"))
	}
	packaged, _ := filepath.Glob(filepath.Join(system, "*", "bin", "initdb"))
	slices.Reverse(packaged)
	for _, initdb := range append(found, packaged...) {
		if abs, err := filepath.Abs(filepath.Dir(initdb)); err == nil {
			return abs, nil
		}
	}
	return "", errNone
}

func (s *Server) start(ctx context.Context, bin string) (err error) {
	if s.dir, err = os.MkdirTemp("", "millrace-postgres-"); err != nil {
		return err
	}
	user, err := serverUser(s.dir)
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.Dir = s.dir
	user.apply(initdb)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", fmt.Sprint(port), "-k", "",
		"-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "max_wal_size=512MB")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, logFile, logFile
	user.apply(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.cmd = cmd
	go func() {
		s.waitErr = cmd.Wait()
		close(s.exited)
	}()
	s.dsn = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return s.await(ctx)
}

// await returns when the server answers, has exited, or ctx is done.
func (s *Server) await(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, s.dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return fmt.Errorf("postgres has exited: %w\n%s", s.waitErr, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w\n%s", err, s.logTail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) logTail() string {
	f, err := os.Open(filepath.Join(s.dir, "log"))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(f)
	return string(b[max(0, len(b)-4000):])
}

// Stop ends a server that Start has started, at once, and removes its folder.
func (s *Server) Stop() {
	if s.cmd != nil {
		stopServer(s.cmd)
		<-s.exited
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
