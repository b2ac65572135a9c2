//go:build !unix

package postgres

import "errors"

// run says that there is no server to run here; MILLRACE_TEST_POSTGRES names one that runs elsewhere.
func (s *server) run(string) error {
	return errors.New("no PostgreSQL is started on this system; name one in " + dsnVariable)
}
