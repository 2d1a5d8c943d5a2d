package proof_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// billStart is the beginning of the bill that every call of these tests requests, up to its last
// documented amount.
const billStart = `{"id":"bill_1","external_reference":"UBR1234567890","customer_id":"bcus_1","status":"unpaid","currency":"ZAR",` +
	`"amount_due":2000,"amount_paid":1500,"amount_remaining":500`

// maxMemory is the most that all attempts of a call together may allocate, in the worst case.
const maxMemory = 32 << 20

// hostile is a fault of a network, a gateway or a service in every attempt of a call, and the
// result of the call.
type hostile struct {
	why   string
	dial  testkit.DialFault
	fault testkit.Fault
	warm  bool // the connection is reused
	hangs bool // until the attempt times out

	says     string // the error's text after the operation; empty for a success
	is       error  // a sentinel in addition to ErrOutcomeUnknown; may be nil
	replayed bool
	foreign  bool // not the service's own response
	complete bool // a *moment.Error; otherwise a *moment.ConnectionError
	attempts attempts
	unknown  bool  // for writes
	open     int   // connections, kept for the next call
	read     int64 // the limit for all attempts together, in KiB
}

// attempts are the numbers of attempts of a GET, a POST and a PATCH; 0 skips the method.
type attempts struct{ get, post, patch int }

var (
	retried      = attempts{4, 4, 1} // unless a second copy could be applied again
	allRetried   = attempts{4, 4, 4} // nothing was sent
	neverAgain   = attempts{1, 1, 1} // because a retry would end in the same way
	reset        = "no response: read tcp 127.0.0.1:->127.0.0.1:: read: connection reset by peer"
	tooManyHeads = "no response: net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted"
)

// hostileRows has all faults of the proxy.
func hostileRows(elsewhere string) []hostile {
	const after = testkit.After
	return []hostile{
		{
			why: "no fault", fault: testkit.FaultNone(),
			attempts: neverAgain, open: 1, read: 4,
		},
		{
			why: "no server listens", dial: testkit.DialRefuse,
			says: "dial tcp 127.0.0.1:1: connect: connection refused", attempts: allRetried,
		},
		{
			why: "the TLS handshake is broken off", dial: testkit.DialBreakHandshake,
			says: "EOF", attempts: allRetried, read: 4,
		},
		{
			why: "an untrusted certificate, because another server is listening", dial: testkit.DialUntrusted,
			says: "tls: failed to verify certificate: x509: certificate signed by unknown authority", attempts: neverAgain, read: 4,
		},
		{
			why: "reset before the request reached the service, which the client cannot know", fault: testkit.FaultReset(testkit.Before),
			says: reset, attempts: retried, unknown: true, read: 16,
		},
		{
			why: "reset after the request reached the service", fault: testkit.FaultReset(after),
			says: reset, attempts: retried, unknown: true, read: 16,
		},
		{
			why: "no response, on a connection that stays open", fault: testkit.FaultStall(after), hangs: true,
			says: "no response within the attempt timeout of 250ms: context deadline exceeded", attempts: retried, unknown: true, read: 16,
		},
		{
			why: "closed without a response", fault: testkit.FaultTruncate(0),
			says: "no response: EOF", attempts: retried, unknown: true, read: 16,
		},
		{
			why: "truncated in the status line", fault: testkit.FaultTruncate(10),
			says:     `no response: net/http: HTTP/1.x transport connection broken: malformed HTTP status code`,
			attempts: retried, unknown: true, read: 16,
		},
		{
			why: "truncated in the headers", fault: testkit.FaultTruncate(30),
			says: "no response: net/http: HTTP/1.x transport connection broken: unexpected EOF", attempts: retried, unknown: true, read: 16,
		},
		{
			why: "truncated before its last byte", fault: testkit.FaultTruncate(1 << 20),
			says: "200 OK: truncated response: unexpected EOF", attempts: retried, unknown: true, read: 16,
		},
		{
			why: "a byte at a time", fault: testkit.FaultTrickle(0),
			attempts: neverAgain, open: 1, read: 32,
		},
		{
			why: "a byte at a time, until the attempt timeout", fault: testkit.FaultTrickle(time.Second), hangs: true,
			says:     "no response within the attempt timeout of 250ms: context deadline exceeded",
			attempts: retried, unknown: true, read: 32,
		},
		{
			why: "the page of a gateway", fault: testkit.FaultHTML(502, after),
			says: "502 Bad Gateway", foreign: true, is: moment.ErrServer, complete: true, attempts: retried, unknown: true, open: 1, read: 16,
		},
		{
			why: "the page of a hotel's network", fault: testkit.FaultHTML(200, after),
			says: `200 OK: the response body is not JSON (Content-Type "text/html")`, attempts: retried, unknown: true, open: 1, read: 16,
		},
		{
			why: "302: a client that follows it sends a GET", fault: testkit.FaultRedirect(302, elsewhere, after),
			says: "302 Found; the redirect was not followed", foreign: true, complete: true, attempts: neverAgain, unknown: true, open: 1, read: 4,
		},
		{
			why: "307: a client that follows it sends the whole request to another server", fault: testkit.FaultRedirect(307, elsewhere, after),
			says: "307 Temporary Redirect; the redirect was not followed", foreign: true, complete: true, attempts: neverAgain, unknown: true, open: 1, read: 4,
		},
		{
			why: "308", fault: testkit.FaultRedirect(308, elsewhere, after),
			says: "308 Permanent Redirect; the redirect was not followed", foreign: true, complete: true, attempts: neverAgain, unknown: true, open: 1, read: 4,
		},
		{
			why: "informational responses", fault: testkit.FaultInformational(3),
			attempts: neverAgain, open: 1, read: 4,
		},
		{
			why: "endless informational responses", fault: testkit.FaultInformational(1 << 30),
			says: tooManyHeads, attempts: retried, unknown: true, read: 512,
		},
		{
			why: "an endless success", fault: testkit.FaultEndlessBody(201, after),
			says: "201 Created: the response is larger than 256 KiB", attempts: neverAgain, unknown: true, read: 256 + 128,
		},
		{
			why: "an endless success in small chunks", fault: testkit.FaultEndless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", after),
			says: "200 OK: the response is larger than 256 KiB", attempts: neverAgain, unknown: true, read: 6*256 + 512,
		},
		{
			why: "a success that is small until it is decompressed", fault: testkit.FaultRaw("bomb", bomb(), after),
			says: "200 OK: the response is larger than 256 KiB", attempts: neverAgain, unknown: true, read: 512,
		},
		{
			why: "an endless 404 of an unknown sender", fault: testkit.FaultEndlessBody(404, after),
			says: "404 Not Found", foreign: true, is: moment.ErrNotFound, complete: true, attempts: neverAgain, unknown: true, read: 256,
		},
		{
			why: "an endless error", fault: testkit.FaultEndlessBody(500, after),
			says: "500 Internal Server Error", foreign: true, is: moment.ErrServer, complete: true, attempts: retried, unknown: true, read: 1024,
		},
		{
			why: "an endless header", fault: testkit.FaultEndless("HTTP/1.1 200 OK\r\nX-Request-Id: ", "x", after),
			says: tooManyHeads, attempts: retried, unknown: true, read: 512,
		},
		{
			why: "endless headers", fault: testkit.FaultEndless("HTTP/1.1 200 OK\r\n", distinctHeaders(), after),
			says: tooManyHeads, attempts: retried, unknown: true, read: 512,
		},
		{
			why: "an endless status line", fault: testkit.FaultEndless("", "x", after),
			says: tooManyHeads, attempts: retried, unknown: true, read: 512,
		},
		{
			why: "an endless chunk extension", fault: testkit.FaultEndless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x", after),
			says: "200 OK: truncated response: header line too long", attempts: retried, unknown: true, read: 128,
		},
		{
			why: "endless trailers", fault: testkit.FaultEndless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n", after),
			says: "200 OK: truncated response: http: suspiciously long trailer after chunked body", attempts: retried, unknown: true, read: 128,
		},
		{
			why: "256 KiB of metadata", fault: ok(billStart + `,"metadata":{` + entries(256<<10-500) + "}}"),
			attempts: neverAgain, read: 512,
		},
		{
			why: "256 KiB of metadata whose values are not strings", fault: ok(billStart + `,"metadata":{` + strings.ReplaceAll(entries(280<<10), `:""`, ":1") + "}}"),
			attempts: neverAgain, read: 512,
		},
		{
			why: "256 KiB of unknown members", fault: ok(billStart + `,"history":[` + strings.Repeat("1,", 128<<10-250) + "1]}"),
			attempts: neverAgain, read: 512,
		},
		{
			why: "256 KiB that is not UTF-8, and grows when it is replaced", fault: ok(billStart + `,"payment_rules":"` + strings.Repeat("\xff", 256<<10-400) + `"}`),
			attempts: neverAgain, read: 512,
		},
		{
			why: "a name that is not UTF-8", fault: ok(billStart + `,"` + strings.Repeat("\xff", 256<<10-400) + `":""}`),
			attempts: neverAgain, read: 512,
		},
		{
			why: "a page that is not UTF-8", fault: ok("<html>" + strings.Repeat("\xff", 200<<10)),
			says: `200 OK: the response body is not JSON (Content-Type "")`, attempts: retried, unknown: true, read: 4 * (200 + 128),
		},
		{
			why: "a member of the wrong type many times, each of which is an error", fault: ok(billStart + strings.Repeat(`,"id":1`, 256<<10/7-50) + "}"),
			says:     "200 OK: unexpected response body: id is of type number, not string",
			attempts: neverAgain, unknown: true, read: 512,
		},
		{
			why: "a name of 256 KiB, which is copied for the comparison", fault: ok(billStart + `,"` + strings.Repeat("x", 256<<10-400) + `\n":""}`),
			attempts: neverAgain, read: 512,
		},
		{
			why: "a text with many beginnings of the key", fault: ok(billStart + `,"` + strings.Repeat(testkit.SecretKey[:12], 256<<10/12-50) + `":""}`),
			attempts: neverAgain, read: 512,
		},
		{
			why: "a day that does not exist, many times", fault: ok(billStart + strings.Repeat(`,"due_date":"2025-02-30"`, 256<<10/24-50) + "}"),
			attempts: neverAgain, read: 512,
		},
		{
			why: "the key in escapes, many times", fault: ok(billStart + `,"name":"` + strings.Repeat(strings.ReplaceAll(testkit.SecretKey, "_", `\u005f`), 256<<10/50) + `"}`),
			attempts: neverAgain, read: 512,
		},
		{
			why: "a number of 256 KiB", fault: ok(`{"id":"bill_1","amount_due":` + strings.Repeat("9", 256<<10-50) + "}"),
			says:     "200 OK: unexpected response body: amount_due is not an exact integer",
			attempts: neverAgain, unknown: true, read: 512,
		},
		{
			why: "a number with an exponent that exceeds any memory", fault: ok(`{"id":"bill_1","amount_due":1e` + strings.Repeat("9", 256<<10-50) + "}"),
			says:     "200 OK: unexpected response body: amount_due is not an exact integer",
			attempts: neverAgain, unknown: true, read: 512,
		},
		{
			why: "a number with an exponent that needs a gigabyte in decimal", fault: ok(`{"id":"bill_1","amount_due":1e999999999}`),
			says:     "200 OK: unexpected response body: amount_due is not an exact integer",
			attempts: neverAgain, unknown: true, read: 16,
		},
		{
			why: "a number with an exponent that overflows", fault: ok(`{"id":"bill_1","amount_due":12e9223372036854775806}`),
			says:     "200 OK: unexpected response body: amount_due is not an exact integer",
			attempts: neverAgain, unknown: true, read: 16,
		},
		{
			why: "256 KiB of nested JSON", fault: ok(strings.Repeat("[", 256<<10)),
			says: `200 OK: the response body is not JSON (Content-Type "")`, attempts: retried, unknown: true, read: 4 * (256 + 128),
		},
		{
			// The connection stays open, and net/http may read the rest as the response to an early
			// next request.
			why: "longer than its Content-Length, and not JSON up to it", fault: testkit.FaultRaw("Content-Length too short",
				fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(testkit.BillJSON)-5, testkit.BillJSON), after),
			says: `200 OK: the response body is not JSON (Content-Type "application/json")`, attempts: retried, unknown: true, read: 16,
		},
		{
			why: "shorter than its Content-Length", fault: testkit.FaultContentLength(5),
			says: "200 OK: truncated response: unexpected EOF", attempts: retried, unknown: true, read: 16,
		},
		{
			why:   "an idle connection that is closed when it is reused: net/http resends a GET and a keyed POST",
			fault: testkit.FaultCloseIdle(), warm: true,
			attempts: attempts{1, 1, 0}, open: 1, read: 8,
		},
		{
			why: "the same connection: net/http does not resend an update", fault: testkit.FaultCloseIdle(), warm: true,
			says: reset, attempts: attempts{patch: 1}, unknown: true, read: 4,
		},
		{
			why: "the service's own failure", fault: testkit.FaultServiceError(after),
			says: "500 Internal Server Error: said the proxy", is: moment.ErrServer, complete: true, attempts: attempts{get: 4, patch: 1}, unknown: true, open: 1, read: 16,
		},
		{
			why: "a failure that the service saves, and replays as the second response", fault: testkit.FaultServiceError(after),
			says: "500 Internal Server Error: said the proxy", replayed: true, is: moment.ErrServer, complete: true, attempts: attempts{post: 2}, unknown: true, open: 1, read: 16,
		},
		{
			why: "the request arrives after the client has given up", fault: testkit.FaultLate(0), hangs: true,
			says:     "no response within the attempt timeout of 250ms: context deadline exceeded",
			attempts: retried, unknown: true, read: 16,
		},
	}
}

var full = flag.Bool("full", false, "run the calls that time out with each method in TestHostile, and not only with PATCH; make 5,000 writes in TestPaymentRequestsExactlyOnce, and not only 500")

// TestHostile applies every fault of the proxy to every attempt of a call. It checks the error, the
// attempts, the memory, and that no connection and no goroutine is left.
//
// The whole proof is go test ./internal/proof -run TestHostile -v -full
func TestHostile(t *testing.T) {
	testkit.SilenceNetHTTP(t)
	elsewhere, strayed := startStrayServer(t)
	for _, row := range hostileRows(elsewhere) {
		for method, attempts := range map[string]int{"GET": row.attempts.get, "POST": row.attempts.post, "PATCH": row.attempts.patch} {
			if attempts == 0 || row.hangs && method != "PATCH" && !*full {
				continue
			}
			t.Run(row.why+"/"+method, func(t *testing.T) {
				timeout := 30 * time.Second
				if row.hangs {
					timeout = 250 * time.Millisecond
				}
				goroutines := testkit.Goroutines()
				service := httptest.NewServer(http.HandlerFunc(testkit.Respond(200, testkit.BillJSON)))
				proxy := testkit.NewProxy(service.URL)
				proxy.OnDial = func(context.Context) testkit.DialFault { return row.dial }
				proxy.OnRequest = func(*testkit.ProxyRequest) testkit.Fault { return row.fault }
				testkit.ReplaceDefaultTransport(t, proxy.Transport())
				client := newClient(t, moment.WithBaseURL(proxy.TLSURL), moment.WithBackoff(0, 0), moment.WithAttemptTimeout(timeout))

				if row.warm {
					require.NoError(t, calls["GET"](t.Context(), client))
				}
				memory := testkit.Allocated(func() {
					row.check(t, method, attempts, calls[method](t.Context(), client, moment.WithResponse(new(moment.Response))))
				})
				assert.LessOrEqual(t, memory, uint64(maxMemory), "bytes allocated")
				assert.LessOrEqual(t, proxy.BytesRead(), row.read<<10, "bytes read")
				testkit.Eventually(t, "connections left open", row.open, proxy.Open)
				proxy.Close()
				service.Close()
				testkit.Eventually(t, "connections left open after the service's end", 0, proxy.Open)
				testkit.AssertNoGoroutineLeft(t, goroutines)
			})
		}
	}
	assert.Zero(t, strayed.Load(), "requests that followed a redirect")
}

// varying is the port of an address, and the number of a stream.
var varying = regexp.MustCompile(`(127\.0\.0\.1:)\d{2,}|(stream ID )\d+`)

func (row hostile) check(t *testing.T, method string, attempts int, err error) {
	t.Helper()
	if row.says == "" {
		require.NoError(t, err)
		return
	}
	unknown := row.unknown && method != "GET"
	says := "moment: " + map[string]string{"GET": "get", "POST": "create", "PATCH": "update"}[method] + " bill: " + row.says
	switch {
	case row.replayed:
		says += fmt.Sprintf(" (%d attempts, replayed)", attempts)
	case attempts > 1:
		says += fmt.Sprintf(" (%d attempts)", attempts)
	}
	if row.foreign {
		says += "; not the service's own response (a gateway or a mock?)"
	}
	if unknown {
		says += "; the outcome is unknown"
	}
	require.Error(t, err)
	assert.Equal(t, says, varying.ReplaceAllString(err.Error(), "$1$2"))
	assert.Equal(t, attempts, attemptsOf(t, err))
	var failure *moment.Error
	assert.Equal(t, row.complete, errors.As(err, &failure), "%T", err)
	var connection *moment.ConnectionError
	assert.Equal(t, !row.complete, errors.As(err, &connection), "%T", err)
	for _, sentinel := range sentinels {
		want := sentinel == row.is || sentinel == moment.ErrOutcomeUnknown && unknown
		assert.Equal(t, want, errors.Is(err, sentinel), "%v", sentinel)
	}
}

// The worst responses to all attempts of a call: three that are retried, and then one that is
// decoded. They are made beforehand, so that the test measures only the memory of the call.
func TestMemoryOfACall(t *testing.T) {
	garbage := strings.Repeat("[", 256<<10)
	for why, last := range map[string]string{
		"a name of 256 KiB":                                 billStart + `,"` + strings.Repeat("x", 256<<10-400) + `\n":""}`,
		"a text with many beginnings of the key":            billStart + `,"` + strings.Repeat(testkit.SecretKey[:12], 256<<10/12-50) + `":""}`,
		"a text of 256 KiB":                                 billStart + `,"name":"` + strings.Repeat(`\n`, 128<<10-200) + `"}`,
		"a number of 256 KiB":                               `{"id":"bill_1","amount_due":` + strings.Repeat("9", 256<<10-50) + "}",
		"members that are errors":                           billStart + strings.Repeat(`,"id":1`, 256<<10/7-50) + "}",
		"metadata":                                          billStart + `,"metadata":{` + entries(256<<10-500) + "}}",
		"metadata of numbers":                               billStart + `,"metadata":{` + strings.ReplaceAll(entries(280<<10), `:""`, ":1") + "}}",
		"metadata again and again":                          billStart + strings.Repeat(`,"metadata":{"abc":""}`, 256<<10/22-50) + "}",
		"optional members in unexpected forms":              billStart + strings.Repeat(`,"due_date":1,"metadata":[1]`, 256<<10/28-50) + "}",
		"unknown members":                                   billStart + "," + entries(256<<10-500) + "}",
		"unknown members, and a date in an unexpected form": billStart + `,"due_date":1,` + entries(256<<10-500) + "}",
		"text that is not UTF-8":                            billStart + `,"` + strings.Repeat("\xff", 256<<10-400) + `":""}`,
		"only unknown members":                              billStart + `,"history":[` + strings.Repeat("1,", 128<<10-200) + "1]}",
		"unknown objects":                                   billStart + `,"history":[` + strings.Repeat(`{"a":1},`, 256<<10/8-50) + "1]}",
		"a body that is not JSON":                           garbage,
	} {
		attempt := 0
		c := clientThrough(t, func(*http.Request) (*http.Response, error) {
			text := garbage
			if attempt++; attempt == 4 {
				text = last
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), ContentLength: -1}, nil
		}, moment.WithBackoff(0, 0))
		memory := testkit.Allocated(func() { _ = calls["POST"](t.Context(), c, moment.WithResponse(new(moment.Response))) })
		assert.LessOrEqual(t, memory, uint64(maxMemory), why)
		t.Logf("%s: %d MiB", why, memory>>20)
		assert.Equal(t, 4, attempt, why)
	}
}

// On HTTP/2 a stream can break while its connection serves other streams.
func TestHostileOverHTTP2(t *testing.T) {
	manyHeaders := func(w http.ResponseWriter, r *http.Request) {
		for i := range 1000 {
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
		}
		testkit.Respond(200, testkit.BillJSON)(w, r)
	}
	endlessly := func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"id":"`)
		for more := bytes.Repeat([]byte("x"), 64<<10); ; {
			if _, err := w.Write(more); err != nil {
				return
			}
		}
	}
	for _, row := range []struct {
		hostile

		reply  testkit.Reply
		breaks bool // the connection, with its stream
	}{
		{hostile{
			why: "a stream that is reset", attempts: retried, unknown: true,
			says: "no response: stream error: stream ID ; INTERNAL_ERROR; received from peer",
		}, testkit.HangUp, false},
		{hostile{
			why: "a stream that is reset in the middle of the response", attempts: retried, unknown: true,
			says: "200 OK: truncated response: stream error: stream ID ; INTERNAL_ERROR; received from peer",
		}, testkit.Truncated, false},
		{hostile{
			why: "an endless success", attempts: neverAgain, unknown: true,
			says: "200 OK: the response is larger than 256 KiB",
		}, endlessly, false},
		{hostile{
			why: "a megabyte of headers", attempts: retried, unknown: true,
			says: "no response: connection error: PROTOCOL_ERROR",
		}, manyHeaders, true},
	} {
		for method, attempts := range map[string]int{"GET": row.attempts.get, "POST": row.attempts.post, "PATCH": row.attempts.patch} {
			t.Run(row.why+"/"+method, func(t *testing.T) {
				goroutines := testkit.Goroutines()
				server := httptest.NewUnstartedServer(http.HandlerFunc(row.reply))
				server.Config.ErrorLog = testkit.DiscardLog()
				server.EnableHTTP2 = true
				connections := testkit.CountConnections(server)
				server.StartTLS()
				testkit.ReplaceDefaultTransport(t, server.Client().Transport)
				client := newClient(t, moment.WithBaseURL(server.URL+testkit.BasePath), moment.WithBackoff(0, 0))

				memory := testkit.Allocated(func() {
					row.check(t, method, attempts, calls[method](t.Context(), client))
				})
				assert.LessOrEqual(t, memory, uint64(maxMemory), "bytes allocated")
				opened := 1
				if row.breaks {
					opened = attempts
				}
				assert.EqualValues(t, opened, connections.Opened.Load(), "connections")
				server.CloseClientConnections()
				server.Close()
				testkit.AssertNoGoroutineLeft(t, goroutines)
			})
		}
	}
}

// bomb returns 64 MiB, compressed to 64 KiB.
func bomb() string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		_, _ = w.Write(spaces)
	}
	_ = w.Close()
	return "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + b.String()
}

// distinctHeaders returns 8000 headers with the shortest names.
func distinctHeaders() string {
	var b strings.Builder
	for i := range 8000 {
		fmt.Fprintf(&b, "%x:\r\n", i)
	}
	return b.String()
}

// ok is a success whose body ends with the connection.
func ok(body string) testkit.Fault {
	return testkit.FaultRaw("OK", "HTTP/1.1 200 OK\r\n\r\n"+body, testkit.After)
}

// entries returns as many pairs of metadata as fit into size bytes.
func entries(size int) string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	var b strings.Builder
	b.WriteString(`"":""`)
	for i := 0; b.Len() < size-10; i++ {
		fmt.Fprintf(&b, `,"%c%c%c":""`, letters[i%64], letters[i/64%64], letters[i/4096%64])
	}
	return b.String()
}
