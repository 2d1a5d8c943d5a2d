package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func TestWrongUsage(t *testing.T) {
	const database = "DATABASE_URL or --database: is not a PostgreSQL address that can be used: postgres://user:password@host:5432/database"
	good := environment{"DATABASE_URL": "postgres://u:swordfish@127.0.0.1:1/d", "MOMENT_API_KEY": "sk_test_swordfish", "MOMENT_WEBHOOK_SECRET": secret}
	with := func(name, value string) environment {
		e := environment{name: value}
		for n, v := range good {
			if n != name {
				e[n] = v
			}
		}
		return e
	}
	for _, row := range []struct {
		why  string
		env  environment
		args string
		says string
	}{
		{"nothing to run", good, "", "say what to run: receiver, worker, enqueue or demo: see --help"},
		{"no such command", good, "wroker", `there is no command "wroker": see --help`},
		{"no such flag", good, "worker --workers 3", "flag provided but not defined: -workers"},
		{"a flag of another command", good, "receiver --rate 3", "flag provided but not defined: -rate"},
		{"a file too many", good, "worker bills.csv", "worker takes 0 file and not 1, behind its flags: see --help"},
		{"no file", good, "enqueue", "enqueue takes 1 file and not 0, behind its flags: see --help"},
		{"no database", with("DATABASE_URL", ""), "worker", database},
		{"another kind of database; the password is not shown", with("DATABASE_URL", "mysql://u:swordfish@h/d"), "worker", database},
		{"the demo does not take the database of real jobs, which it would work against its fake", good, "demo", "--database or MOMENT_POSTGRES_DSN: is not a PostgreSQL address that can be used, and the demo does not take DATABASE_URL: "},
		{"no key", with("MOMENT_API_KEY", ""), "worker", "MOMENT_API_KEY is not set: it is the sk_test_... or sk_... that Moment gave you"},
		{"a public key, which is not shown", with("MOMENT_API_KEY", "pk_test_swordfish"), "worker", "MOMENT_API_KEY or MOMENT_BASE_URL: secret key is a public key"},
		{"an address of the service without TLS", with("MOMENT_BASE_URL", "ftp://example.com"), "worker", "MOMENT_API_KEY or MOMENT_BASE_URL: "},
		{"no requests at all", good, "worker --rate 0", "--rate: must be 1 to 1000000, not 0"},
		{"no time at all", good, "worker --job-timeout 1ms", "--job-timeout: must be 1s or more, not 1ms"},
		{"no secret", with("MOMENT_WEBHOOK_SECRET", ""), "receiver", "MOMENT_WEBHOOK_SECRET is not set: it is the whsec_... that Moment signs webhooks with"},
		{"a secret of another form, which is not shown", with("MOMENT_WEBHOOK_SECRET", "swordfish"), "receiver", "MOMENT_WEBHOOK_SECRET: is not whsec_ and base64: for a key in another form, pass RawWebhookSecret of its bytes"},
		{"the old secret likewise", with("MOMENT_WEBHOOK_OLD_SECRET", moment.RawWebhookSecret([]byte("short"))), "receiver", "MOMENT_WEBHOOK_OLD_SECRET: has fewer than 16 bytes"},
		{"no port", good, "receiver --listen 127.0.0.1", `--listen: must be host:port, like 127.0.0.1:8080, not "127.0.0.1"`},
		{"no such currency", good, "enqueue --currency ZZZ bills.csv", `"ZZZ" is not a currency with minor units in ISO 4217, like ZAR`},
	} {
		var stdout, stderr strings.Builder
		assert.Equal(t, exitUsage, run(t.Context(), strings.Fields(row.args), row.env.get, &stdout, &stderr), row.why)
		assert.Contains(t, stderr.String(), "scale-out: "+row.says, row.why)
		assert.NotContains(t, stderr.String(), "swordfish", row.why)
		assert.Empty(t, stdout.String(), row.why)
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "-h", "worker --help"} {
		var stdout, stderr strings.Builder
		assert.Zero(t, run(t.Context(), strings.Fields(args), environment{}.get, &stdout, &stderr))
		assert.Equal(t, usage, stdout.String())
		assert.Empty(t, stderr.String())
	}
}

// A database that is not there is an error, and its password is not shown.
func TestNoDatabase(t *testing.T) {
	var stdout, stderr strings.Builder
	env := environment{"DATABASE_URL": "postgres://u:swordfish@127.0.0.1:1/d", "MOMENT_API_KEY": "sk_test_YOUR_SECRET_KEY"}
	assert.Equal(t, exitFailed, run(t.Context(), []string{"worker"}, env.get, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "connection refused")
	assert.NotContains(t, stderr.String(), "swordfish")
}

// Who is asked to end before it has begun ends as asked, wherever it is; but a file is not enqueued
// then.
func TestEndedWhileItBegins(t *testing.T) {
	w := newWorld(t)
	ended, end := context.WithCancel(t.Context())
	end()
	env := environment{"DATABASE_URL": w.address, "MOMENT_API_KEY": "sk_test_YOUR_SECRET_KEY", "MOMENT_WEBHOOK_SECRET": secret}
	for args, want := range map[string]int{
		"worker":                        exitDone,
		"receiver --listen 127.0.0.1:0": exitDone,
		"enqueue bills.csv":             exitFailed,
	} {
		var stdout, stderr strings.Builder
		assert.Equal(t, want, run(ended, strings.Fields(args), env.get, &stdout, &stderr), stderr.String())
	}
	assert.Zero(t, w.jobs(t))
	c, err := configure([]string{"worker"}, env.get)
	require.NoError(t, err)
	assert.ErrorIs(t, work(ended, c, nowhere, w.logger()), context.Canceled, "and so it is told where the tables are made")
}
