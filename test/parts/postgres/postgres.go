package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"millrace/test/process"
)

const (
	dsnVariable = "MILLRACE_TEST_POSTGRES"
	binVariable = "MILLRACE_TEST_POSTGRES_BIN"

	// oldest is the first major version that store/cluster serves.
	oldest = 15

	// startTimeout bounds initdb and the first connection on a busy machine.
	startTimeout = 90 * time.Second
)

var (
	shared  = sync.OnceValues(start)
	running atomic.Pointer[server] // set when shared has started one
	count   atomic.Int64           // of databases made
)

// Main runs the tests of m and ends the server that they started. It returns the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	if s := running.Load(); s != nil {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
			return max(code, 1)
		}
	}
	return code
}

// Database makes an empty database for t and returns its DSN. A server that cannot be started fails t.
func Database(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(dsnVariable)
	if dsn == "" {
		s, err := shared()
		if err != nil {
			t.Fatalf("start PostgreSQL: %v", err)
		}
		dsn = s.dsn("postgres")
	}
	name := fmt.Sprintf("millrace_%d_%d", os.Getpid(), count.Add(1))
	if err := execute(t.Context(), dsn, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		// t.Context has ended by now.
		if err := execute(context.Background(), dsn, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatalf("%s: %v", dsnVariable, err)
	}
	return fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s sslmode=disable",
		config.Host, config.Port, config.User, config.Password, name)
}

func execute(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// server is a running PostgreSQL in a temporary folder.
type server struct {
	dir  string
	port int
	end  func() error
}

func (s *server) dsn(database string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable", s.port, database)
}

func (s *server) stop() error { return errors.Join(s.end(), os.RemoveAll(s.dir)) }

// start makes a folder, a cluster in it and a server on it.
func start() (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "millrace-postgres-")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir}
	if s.port, err = process.FreePort(); err == nil {
		err = s.run(bin)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	running.Store(s)
	return s, nil
}

// programs finds the folder with initdb and postgres.
func programs() (string, error) {
	if dir := os.Getenv(binVariable); dir != "" {
		return dir, nil
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(installed, func(a, b string) int { return major(a) - major(b) })
	for _, dir := range installed {
		if major(dir) >= oldest {
			return dir, nil
		}
	}
	root, err := process.ModuleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, "build", "parts", "postgres", "bin")
	if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
		return "", fmt.Errorf("no PostgreSQL on this machine; `go run ./tools/parts postgres` prepares one: %w", err)
	}
	return dir, nil
}

// major reads the version out of /usr/lib/postgresql/15/bin; what is no number is 0.
func major(dir string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return n
}
