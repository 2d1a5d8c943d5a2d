package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// memory is a transport without sockets. It reads the body of each request, and responds with the
// same JSON.
type memory string

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	return &http.Response{
		Status:        "200 OK",
		StatusCode:    http.StatusOK,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        http.Header{"Content-Type": {"application/json"}},
		Body:          io.NopCloser(strings.NewReader(string(m))),
		ContentLength: int64(len(m)),
		Request:       r,
	}, nil
}

// The protocols of the service on loopback.
const (
	plain  = "HTTP/1.1"
	secure = "HTTP/1.1 over TLS"
	http2  = "HTTP/2"
)

// serveVariable is an environment variable that makes this program the service. It names the
// protocol. The service is a process of its own, so that its allocations do not count as the
// clients', and so that its end closes all connections.
const serveVariable = "MOMENT_BENCHMARKS_SERVE"

// serve reads its certificate, writes its URL, serves until in ends, and writes how many
// connections were opened.
func serve(protocol string, in io.Reader, out io.Writer) error {
	var pair keyPair
	if err := json.NewDecoder(in).Decode(&pair); err != nil {
		return err
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		return err
	}
	major := 1
	if protocol == http2 {
		major = 2
	}
	var opened atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != major { // the table would name the wrong protocol
			http.Error(w, "not "+protocol, http.StatusHTTPVersionNotSupported)
			return
		}
		respond(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of connections that clients closed because another one became idle
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.EnableHTTP2 = protocol == http2
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	if protocol == plain {
		server.Start()
	} else {
		server.StartTLS()
	}
	fmt.Fprintln(out, server.URL)
	_, err = io.Copy(io.Discard, in)
	fmt.Fprintln(out, opened.Load())
	return err // the server is not closed, because Close would wait for connections, and the process ends
}

// respond writes the response that the SDK expects.
func respond(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	for _, s := range sdks {
		if strings.HasPrefix(r.URL.Path, s.path) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, s.response)
			return
		}
	}
	http.NotFound(w, r)
}

// service is a process that serves, as its parent sees it.
type service struct {
	url string

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func startService(protocol string) (*service, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &service{process: exec.CommandContext(context.Background(), program)}
	s.process.Env = append(os.Environ(), serveVariable+"="+protocol)
	s.process.Stderr = os.Stderr
	if s.in, err = s.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	if err := json.NewEncoder(s.in).Encode(certified()); err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	if _, err := fmt.Fscanln(s.out, &s.url); err != nil {
		return nil, errors.Join(fmt.Errorf("the service did not start: %w", err), s.process.Wait())
	}
	return s, nil
}

// stop ends the service and returns how many connections were opened to it.
func (s *service) stop() (opened int, err error) {
	_ = s.in.Close()
	_, err = fmt.Fscanln(s.out, &opened)
	return opened, errors.Join(err, s.process.Wait())
}
