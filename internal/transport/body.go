package transport

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

const (
	maxSuccessBody = 2 << 20
	maxErrorBody   = 64 << 10
	smallBody      = 64 << 10
	maxDrain       = 64 << 10 // what is read and thrown away so that the connection can be used again
)

var errTooLarge = errors.New("the answer is larger than 2 MiB")

// readSuccess reads the whole body, or fails with errTooLarge before more than the limit was read.
func readSuccess(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxSuccessBody {
		return nil, errTooLarge
	}
	body, err := read(resp, maxSuccessBody+1)
	if len(body) > maxSuccessBody {
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

func read(resp *http.Response, limit int64) ([]byte, error) {
	body := io.LimitReader(resp.Body, limit)
	size := min(resp.ContentLength, limit)
	var start bytes.Buffer
	if size < 0 {
		// Not said. What is not small gets all the room it may have at once: a buffer that doubles would take four times that.
		n, err := start.ReadFrom(io.LimitReader(body, smallBody))
		if n < smallBody || err != nil {
			return start.Bytes(), err
		}
		size = limit
	}
	// bytes.MinRead of room to spare, or ReadFrom would grow the buffer once more to see the end.
	buf := bytes.NewBuffer(append(make([]byte, 0, size+bytes.MinRead), start.Bytes()...))
	_, err := buf.ReadFrom(body)
	return buf.Bytes(), err
}
