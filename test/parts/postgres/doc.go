// Package postgres gives tests a PostgreSQL server of their own.
//
//	func TestMain(m *testing.M) { os.Exit(postgres.Main(m)) }
//
//	func TestStore(t *testing.T) { dsn := postgres.Database(t) ... }
//
// The first call of Database in a test binary starts one server, in a temporary folder, on a free port of
// 127.0.0.1, with sync on as in production; each call makes an empty database in it and drops it when
// the test ends. Main stops the server and removes the folder.
//
// Where it comes from, in this order:
//
//	MILLRACE_TEST_POSTGRES      a DSN: no server is started, databases are made in that one
//	MILLRACE_TEST_POSTGRES_BIN  a folder with initdb and postgres
//	/usr/lib/postgresql/*/bin   Debian's packages, the oldest that is 15 or newer
//	build/parts/postgres/bin    what `go run ./tools/parts postgres` unpacks
//
// PostgreSQL refuses to run as root: then the server runs as nobody, on a copy of the programs when the
// checkout is not readable for others.
package postgres
