package transport

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

const (
	maxErrorBody = 64 << 10
	smallBody    = 64 << 10
	unknownBody  = 1 << 10  // to begin with, where there is no Content-Length: objects are smaller
	maxDrain     = 64 << 10 // what is read and thrown away so that the connection can be used again
)

var errTooLarge = errors.New("too large")

// size writes a number of bytes for an error's text.
func size(bytes int64) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// readSuccess reads the whole body, or fails with errTooLarge before more than the limit was read.
func readSuccess(resp *http.Response, limit int64) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, errTooLarge
	}
	body, err := read(resp, limit+1)
	if int64(len(body)) > limit {
		return nil, errTooLarge
	}
	return body, err
}

// readError reads as much of the body as fits and as arrives: the status says enough without it.
func readError(resp *http.Response) []byte {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil // no body, but the raw connection: reading it would wait for the other side
	}
	body, err := read(resp, maxErrorBody)
	if err == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	}
	return body
}

// read reads to the end, or to the limit. bytes.Buffer and io.LimitReader would need two more
// allocations.
func read(resp *http.Response, limit int64) ([]byte, error) {
	size := resp.ContentLength
	if size < 0 {
		size = unknownBody
	}
	body := make([]byte, 0, min(size+1, limit)) // with room to see the end
	for int64(len(body)) < limit {
		if len(body) == cap(body) {
			body = grow(body, limit)
		}
		n, err := resp.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF { // not errors.Is: an error that wraps it says that something else went wrong
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

// grow doubles a small buffer, and enlarges any other to the limit at once, because doubling would
// allocate four times the limit in all.
func grow(body []byte, limit int64) []byte {
	room := int64(2 * cap(body))
	if room > smallBody {
		room = limit
	}
	return append(make([]byte, 0, min(room, limit)), body...)
}
