package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
)

var errLost = fmt.Errorf("connection lost: %w", io.EOF)

// counted counts the bytes read.
type counted struct {
	io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

func TestReadSuccess(t *testing.T) {
	const limit = 1 << 20
	full := strings.Repeat("x", limit)
	for _, row := range []struct {
		why     string
		body    io.Reader
		length  int64
		want    string
		wantErr error
		read    int
	}{
		{"of known length", strings.NewReader("{}"), 2, "{}", nil, 2},
		{"of unknown length", strings.NewReader("{}"), -1, "{}", nil, 2},
		{"empty", strings.NewReader(""), 0, "", nil, 0},
		{"a byte at a time", iotest.OneByteReader(strings.NewReader("{}")), 2, "{}", nil, 2},
		{"at the limit", strings.NewReader(full), limit, full, nil, limit},
		{"at the limit, of unknown length", strings.NewReader(full), -1, full, nil, limit},
		{"over the limit by its length", strings.NewReader(full + "x"), limit + 1, "", errTooLarge, 0},
		{"over the limit", strings.NewReader(full + "xyz"), -1, "", errTooLarge, limit + 1},
		{"breaks off", io.MultiReader(strings.NewReader("{"), iotest.ErrReader(io.ErrUnexpectedEOF)), 2, "{", io.ErrUnexpectedEOF, 1},
		{"breaks off, with the error of a RoundTripper", io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errLost)), 2, "{", errLost, 1},
	} {
		body := &counted{Reader: row.body}
		got, err := readSuccess(&http.Response{Body: io.NopCloser(body), ContentLength: row.length}, limit)
		assert.ErrorIs(t, err, row.wantErr, row.why)
		assert.Equal(t, row.want, string(got), row.why)
		assert.Equal(t, row.read, body.n, row.why)
	}
}

func TestReadError(t *testing.T) {
	for _, row := range []struct {
		why          string
		status       int
		body         io.Reader
		length       int64
		keeps, reads int
	}{
		{"a short body", 404, strings.NewReader("{}"), 2, 2, 2},
		{"the rest of a long body is read, so that the connection can be reused", 404, bytes.NewReader(make([]byte, 100<<10)), -1, maxErrorBody, 100 << 10},
		{"the rest of a very long body is not read", 404, bytes.NewReader(make([]byte, 1<<20)), 1 << 20, maxErrorBody, maxErrorBody + maxDrain},
		{"the received part of a truncated body is kept", 404, io.MultiReader(strings.NewReader("{"), iotest.ErrReader(errors.New("reset"))), 2, 1, 1},
		{"a raw connection is not read", 101, strings.NewReader("x"), 0, 0, 0},
	} {
		body := &counted{Reader: row.body}
		got := readError(&http.Response{StatusCode: row.status, Body: io.NopCloser(body), ContentLength: row.length})
		assert.Len(t, got, row.keeps, row.why)
		assert.Equal(t, row.reads, body.n, row.why)
	}
}

func TestSize(t *testing.T) {
	assert.Equal(t, "256 KiB", size(256<<10))
	assert.Equal(t, "2 MiB", size(2<<20))
}
