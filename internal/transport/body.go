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
	unknownBody  = 1 << 10  // the first buffer without a Content-Length: objects are smaller
	maxDrain     = 64 << 10 // the most that is read and discarded, so that the connection can be reused
)

var errTooLarge = errors.New("too large")

// size formats a number of bytes for errors.
func size(bytes int64) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// readSuccess reads the whole body. It returns errTooLarge if the body exceeds the limit, without
// reading more.
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

// readError reads the body up to the limit, and ignores errors, because the status is enough.
func readError(resp *http.Response) []byte {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil // not a body, but the raw connection, whose read could block
	}
	body, err := read(resp, maxErrorBody)
	if err == nil {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrain)
	}
	return body
}

// read reads r to its end or to the limit. bytes.Buffer and io.LimitReader would need two more
// allocations.
func read(resp *http.Response, limit int64) ([]byte, error) {
	size := resp.ContentLength
	if size < 0 {
		size = unknownBody
	}
	body := make([]byte, 0, min(size+1, limit)) // one more byte, to detect the end
	for int64(len(body)) < limit {
		if len(body) == cap(body) {
			body = grow(body, limit)
		}
		n, err := resp.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF { // not errors.Is, because an error that wraps io.EOF is a failure
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

// grow doubles a small buffer, and enlarges a larger one to the limit at once, because doubling it
// several times would allocate four times the limit in total.
func grow(body []byte, limit int64) []byte {
	room := int64(2 * cap(body))
	if room > smallBody {
		room = limit
	}
	return append(make([]byte, 0, min(room, limit)), body...)
}
