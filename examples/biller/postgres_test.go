package main

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An address is read strictly, and no error contains any part of the password.
func TestDSN(t *testing.T) {
	for _, row := range []struct {
		why, dsn   string
		unverified bool
		says       string
	}{
		{"loopback needs no TLS", "postgres://u:hunter2@127.0.0.1:5432/d", false, ""},
		{"likewise by name", "postgresql://u:hunter2@localhost/d?sslmode=disable", false, ""},
		{"likewise in IPv6", "postgres://u:hunter2@[::1]:5432/d", false, ""},
		{"another machine is verified", "postgres://u:hunter2@db.example.com/d?sslmode=verify-full", false, ""},
		{"verified is the default", "postgres://u:hunter2@db.example.com/d", false, ""},
		{"require does not look at the name", "postgres://u:hunter2@db.example.com/d?sslmode=require", false, "--unverified-database"},
		{"a name that begins like loopback", "postgres://u:hunter2@127.0.0.1.example.com/d?sslmode=disable", false, "--unverified-database"},
		{"opted out", "postgres://u:hunter2@db.example.com/d?sslmode=disable", true, ""},
		{"a mistyped scheme", "postgress://u:hunter2@127.0.0.1/d", false, "write postgres://user:password@host:5432/database"},
		{"another database", "mysql://u:hunter2@127.0.0.1/d", false, "write postgres://user:password@host:5432/database"},
		{"no scheme", "u:hunter2@127.0.0.1/d", false, "DATABASE_URL: write postgres://"},
		{"words instead of a URL", "host=127.0.0.1 password=hunter2", false, "write postgres://user:password@host:5432/database"},
		{"an unescaped # in the password", "postgres://u:hunter2#x@127.0.0.1/d", false, "DATABASE_URL: write postgres://"},
		{"an unescaped ? in the password", "postgres://u:hunter2?x@127.0.0.1/d", false, "DATABASE_URL: write postgres://"},
		{"an unescaped % in the password", "postgres://u:hunter2%zz@127.0.0.1/d", false, "write postgres://user:password@host:5432/database"},
		{"no host", "postgres:///d?user=u&password=hunter2", false, "write postgres://user:password@host:5432/database"},
		{"two hosts", "postgres://u:hunter2@a,b/d", false, "write postgres://user:password@host:5432/database"},
		{"no user", "postgres://127.0.0.1/d", false, "write postgres://user:password@host:5432/database"},
		{"no database", "postgres://u:hunter2@127.0.0.1/", false, "write postgres://user:password@host:5432/database"},
		{"a host that overrides the one that was checked", "postgres://u:hunter2@127.0.0.1/d?host=db.example.com", false, "Allowed parameters: sslmode|"},
		{"a parameter twice", "postgres://u:hunter2@db.example.com/d?sslmode=disable&sslmode=verify-full", false, "--unverified-database"},
		{"a misspelt parameter", "postgres://u:hunter2@127.0.0.1/d?sslmod=disable", false, "Allowed parameters: sslmode|"},
		{"a wrong value", "postgres://u:hunter2@127.0.0.1/d?sslmode=hunter2", false, "wrong parameter"},
		{"a line break, as a secret that was read from a file has", "postgres://u:hunter2@127.0.0.1/d\n", false, "has spaces or a line break at its start or end"},
		{"no certificate", "postgres://u:hunter2@127.0.0.1/d?sslrootcert=/hunter2", false, "certificate"},
	} {
		parsed, err := parseDSN("DATABASE_URL", row.dsn, row.unverified)
		if row.says == "" {
			require.NoError(t, err, row.why)
			assert.Equal(t, "hunter2", parsed.ConnConfig.Password, row.why)
			continue
		}
		require.ErrorContains(t, err, row.says, row.why)
		assert.NotContains(t, err.Error(), "hunter2", row.why)
	}
}

// A wrong value in libpq's environment is reported too.
func TestDSNEnvironment(t *testing.T) {
	t.Setenv("PGSSLROOTCERT", "/missing")
	_, err := parseDSN("DATABASE_URL", "postgres://u:p@db.example.com/d", false)
	assert.ErrorContains(t, err, "PG… variable of the environment")
}

// The defaults of an address do not depend on the environment of libpq.
func TestDSNDefaults(t *testing.T) {
	t.Setenv("PGSSLMODE", "disable")
	for dsn, want := range map[string]struct {
		verified bool
		mode     pgx.QueryExecMode
	}{
		"postgres://u:p@127.0.0.1/d":                                              {false, pgx.QueryExecModeExec},
		"postgres://u:p@db.example.com/d":                                         {true, pgx.QueryExecModeExec},
		"postgres://u:p@db.example.com/d?default_query_exec_mode=cache_statement": {true, pgx.QueryExecModeCacheStatement},
		"postgres://u:p@db.example.com/d?sslmode=verify-full&sslmode=disable":     {true, pgx.QueryExecModeExec},
		"postgres://u:p@db.example.com/d?sslmode=verify-full&connect_timeout=5":   {true, pgx.QueryExecModeExec},
	} {
		for _, unverified := range []bool{false, true} { // the flag allows other modes, and does not set one
			parsed, err := parseDSN("DATABASE_URL", dsn, unverified)
			require.NoError(t, err, dsn)
			assert.Equal(t, want.mode, parsed.ConnConfig.DefaultQueryExecMode, dsn)
			if assert.Equal(t, want.verified, parsed.ConnConfig.TLSConfig != nil, dsn); want.verified {
				assert.Equal(t, "db.example.com", parsed.ConnConfig.TLSConfig.ServerName)
				assert.False(t, parsed.ConnConfig.TLSConfig.InsecureSkipVerify)
				assert.Empty(t, parsed.ConnConfig.Fallbacks, "no attempt without TLS")
			}
		}
	}
}
