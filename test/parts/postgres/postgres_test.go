//go:build system

package postgres

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestDatabasesAreEmptyAndApart(t *testing.T) {
	for range 2 {
		if err := execute(t.Context(), Database(t), "CREATE TABLE things (id int)"); err != nil {
			t.Error(err)
		}
	}
}
