package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is done is done, also where nobody takes its traces, and it does not take longer then.
func TestTelemetryFails(t *testing.T) {
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	for _, row := range []struct{ why, name, value, says string }{
		{"the collector is down", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", "traces or metrics not sent"},
		{"the collector does not answer", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://" + silent.Addr().String(), "traces or metrics not sent"},
		{"it cannot begin", "OTEL_RESOURCE_ATTRIBUTES", "no value", "no traces and no metrics"},
	} {
		t.Run(row.why, func(t *testing.T) {
			w := newWorld(t)
			t.Setenv(row.name, row.value) // which the exporters read for themselves
			env := environment{"DATABASE_URL": w.address, row.name: row.value}
			var stdout, stderr strings.Builder
			begun := time.Now()
			assert.Equal(t, exitDone, run(t.Context(), []string{"enqueue", "bills.csv"}, env.get, &stdout, &stderr), stderr.String())
			assert.Less(t, time.Since(begun), telemetryTimeout+5*time.Second)
			assert.Equal(t, "bills.csv: 10 jobs inserted, 0 known before, 0 rows refused\n", stdout.String())
			assert.Contains(t, stderr.String(), `"WARN"`)
			assert.Contains(t, stderr.String(), row.says)
		})
	}
}

func TestExitCode(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	canceled := fmt.Errorf("query: %w", context.Canceled)
	for _, row := range []struct {
		why     string
		ctx     context.Context
		command string
		err     error
		code    int
	}{
		{"done", t.Context(), "worker", nil, exitDone},
		{"ended as asked", ended, "worker", nil, exitDone},
		{"asked to end while it began", ended, "worker", canceled, exitDone},
		{"nobody asked: something else broke off", t.Context(), "worker", canceled, exitFailed},
		{"failed, although it was asked to end", ended, "worker", io.ErrUnexpectedEOF, exitFailed},
		{"a file that is not enqueued", ended, "enqueue", canceled, exitFailed},
		{"rows were refused", t.Context(), "enqueue", errors.Join(errRefused), exitRefused},
	} {
		log := new(logs)
		assert.Equal(t, row.code, exitCode(row.ctx, row.command, row.err, (&world{log: log}).logger()), row.why)
		assert.Equal(t, row.code == exitFailed, strings.Contains(log.String(), `"ERROR"`), row.why)
	}
}
