package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

const maxResponse = 64 << 20

// client calls the admin API of a running moment-mock.
type client struct {
	url string
}

// addURL adds the flag --url. The returned function checks its value, after the flags are parsed.
func addURL(flags *flag.FlagSet, getenv func(string) string) func() (client, error) {
	text := flags.String("url", cmp.Or(getenv("MOMENT_BASE_URL"), defaultURL), "")
	return func() (client, error) {
		u, err := readURL("--url or MOMENT_BASE_URL", *text, defaultURL)
		return client{strings.TrimRight(u, "/")}, err
	}
}

// call sends a request, and decodes the response. Both may be nil.
func (c client) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return noResponse(err, method)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return noResponse(err, method)
	}
	if resp.StatusCode/100 != 2 {
		var rejected rejection
		if json.Unmarshal(text, &rejected) != nil || rejected.Detail == "" {
			return fmt.Errorf("%s responded %s: pass the URL of moment-mock with --url", req.URL.Redacted(), resp.Status)
		}
		// The help of the command describes its flags.
		return errors.New(strings.TrimSuffix(strings.TrimPrefix(rejected.Detail, "the body: "), ": see /_mock/openapi.yaml"))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s did not respond as moment-mock does: pass the URL of moment-mock with --url", req.URL.Redacted())
	}
	return nil
}

// noResponse returns an error that says whether a write may have been applied.
func noResponse(err error, method string) error {
	var network *net.OpError
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%w: start moment-mock, or pass its URL with --url", err)
	case method == http.MethodGet:
		return fmt.Errorf("%w: pass the URL of moment-mock with --url", err)
	default:
		return fmt.Errorf("%w: the change may have been made: see moment-mock events", err)
	}
}

// indented indents JSON for people.
func indented(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}
