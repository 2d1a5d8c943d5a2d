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

const maxAnswer = 64 << 20

// client calls the admin API of a moment-mock that runs.
type client struct {
	url string
}

// addURL adds the flag that says where moment-mock is. The function that it returns checks it, once
// the flags are read.
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
		return noAnswer(err, method)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return noAnswer(err, method)
	}
	if resp.StatusCode/100 != 2 {
		var rejected rejection
		if json.Unmarshal(answer, &rejected) != nil || rejected.Detail == "" {
			return fmt.Errorf("%s answered %s: is that moment-mock? Name it with --url", req.URL.Redacted(), resp.Status)
		}
		return errors.New(rejected.Detail)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s answered something else than moment-mock does: name moment-mock with --url", req.URL.Redacted())
	}
	return nil
}

// noAnswer says whether a write can have been done all the same.
func noAnswer(err error, method string) error {
	var network *net.OpError
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return fmt.Errorf("%w: start moment-mock, or say with --url where it is", err)
	case method == http.MethodGet:
		return fmt.Errorf("%w: is that moment-mock? Name it with --url", err)
	default:
		return fmt.Errorf("%w: it may have been done all the same: see moment-mock events", err)
	}
}

// indented is JSON to be read.
func indented(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return string(text)
	}
	return b.String()
}
