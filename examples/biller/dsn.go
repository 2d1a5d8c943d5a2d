package main

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// The parameters that an address may have. Others would be sent to the server, where PgBouncer
// rejects them, or would override what was checked.
var dsnParams = []string{
	"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "application_name", "default_query_exec_mode",
	"statement_cache_capacity", "description_cache_capacity",
}

const verifyFull = "verify-full"

// parseDSN reads a PostgreSQL address strictly. Its errors never quote the address, because a
// mistyped one can have the password anywhere. A host that is not loopback is verified, unless
// unverified is true: the password and the payments would be anybody's who can stand in between.
func parseDSN(name, dsn string, unverified bool) (*pgx.ConnConfig, error) {
	problem := func(text string) error {
		return fmt.Errorf("%s: %s; write postgres://user:password@host:5432/database, with special characters as %%XX", name, text)
	}
	address, err := url.Parse(dsn)
	if err != nil {
		return nil, problem("is not a URL")
	}
	query, err := url.ParseQuery(address.RawQuery)
	switch {
	case address.Scheme != "postgres" && address.Scheme != "postgresql":
		return nil, problem("must begin with postgres://")
	case address.Hostname() == "" || strings.ContainsAny(address.Host, ", "):
		return nil, problem("must have one host")
	case address.User.Username() == "":
		return nil, problem("must have a user")
	case len(address.Path) < 2 || strings.Contains(address.Path[1:], "/"):
		return nil, problem("must have a database")
	case err != nil || address.Fragment != "" || address.Opaque != "":
		return nil, problem("has a part that cannot be read")
	}
	for param, values := range query {
		if len(values) != 1 || !slices.Contains(dsnParams, param) {
			return nil, problem("may have these parameters, each once: " + strings.Join(dsnParams, ", "))
		}
	}
	if host := address.Hostname(); host != "localhost" && !net.ParseIP(host).IsLoopback() && !unverified {
		if mode := query.Get("sslmode"); mode != "" && mode != verifyFull {
			return nil, fmt.Errorf("%s: needs sslmode=%s, because the host is another machine; --unverified-database allows other modes", name, verifyFull)
		}
		query.Set("sslmode", verifyFull)
	}
	if query.Get("default_query_exec_mode") == "" {
		query.Set("default_query_exec_mode", "exec") // PgBouncer in transaction mode has no prepared statements
	}
	address.RawQuery = query.Encode()
	parsed, err := pgx.ParseConfig(address.String())
	if err != nil { // its text can have parts of the address
		return nil, problem("has a parameter with a wrong value, or a certificate that cannot be read")
	}
	return parsed, nil
}
