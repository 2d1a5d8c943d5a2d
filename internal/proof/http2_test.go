package proof_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// peerClient returns a client of an HTTP/2 peer, with the default transport.
func peerClient(t *testing.T, peer *testkit.HTTP2Peer, opts ...moment.ClientOption) *moment.Client {
	t.Helper()
	host, transport := peer.Start(t)
	testkit.ReplaceDefaultTransport(t, transport)
	return newClient(t, append([]moment.ClientOption{moment.WithBaseURL(host + testkit.BasePath), moment.WithBackoff(0, 0)}, opts...)...)
}

// net/http itself resends a request if a peer resets its stream with PROTOCOL_ERROR, although
// gateways also do this after they have forwarded a request. An update must not be sent again. A
// create may be, because it has a key.
func TestResetStreams(t *testing.T) {
	calls := map[string]func(*testing.T, *moment.Client) error{
		"PATCH": func(t *testing.T, c *moment.Client) error { t.Helper(); return calls["PATCH"](t.Context(), c) },
		"DELETE": func(t *testing.T, c *moment.Client) error {
			t.Helper()
			return c.Do(t.Context(), "DELETE", "/billing/bills/UBR1", nil, nil)
		},
		"POST": func(t *testing.T, c *moment.Client) error { t.Helper(); return calls["POST"](t.Context(), c) },
		"GET":  func(t *testing.T, c *moment.Client) error { t.Helper(); return calls["GET"](t.Context(), c) },
	}
	for code, name := range map[byte]string{testkit.ProtocolError: "PROTOCOL_ERROR", testkit.InternalError: "INTERNAL_ERROR", testkit.RefusedStream: "REFUSED_STREAM"} {
		for method, call := range calls {
			t.Run(method+" "+name, func(t *testing.T) {
				peer := &testkit.HTTP2Peer{Reply: func(n int32, stream uint32) []byte {
					if n == 1 {
						return testkit.Frame(testkit.FrameReset, 0, stream, 0, 0, 0, code)
					}
					return testkit.HTTP2Bill(stream)
				}}
				err := call(t, peerClient(t, peer))
				if method == "GET" || method == "POST" {
					assert.NoError(t, err)
					assert.EqualValues(t, 2, peer.Requests.Load())
					return
				}
				assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
				assert.EqualValues(t, 1, peer.Requests.Load(), "copies of an update")
				assert.Equal(t, 1, attemptsOf(t, err))
			})
		}
	}
}

// A create whose stream is reset and whose second copy is rejected may have been applied.
func TestResetStreamBeforeAForbiddenResponse(t *testing.T) {
	peer := &testkit.HTTP2Peer{Reply: func(n int32, stream uint32) []byte {
		if n == 1 {
			return testkit.Frame(testkit.FrameReset, 0, stream, 0, 0, 0, testkit.ProtocolError)
		}
		return testkit.Frame(testkit.FrameHeaders, testkit.FlagEndHeaders|testkit.FlagEndStream, stream, testkit.HeaderField(":status", "403")...)
	}}
	err := calls["POST"](t.Context(), peerClient(t, peer))
	require.ErrorIs(t, err, moment.ErrForbidden)
	assert.ErrorIs(t, err, moment.ErrOutcomeUnknown)
	assert.EqualValues(t, 2, peer.Requests.Load())
}

// With a peer that resets every stream, net/http would send thousands of copies until the attempt
// times out.
func TestStreamsThatAreAlwaysReset(t *testing.T) {
	for method, attempts := range map[string]int{"GET": 2, "POST": 2, "PATCH": 1} {
		peer := &testkit.HTTP2Peer{Reply: func(_ int32, stream uint32) []byte {
			return testkit.Frame(testkit.FrameReset, 0, stream, 0, 0, 0, testkit.ProtocolError)
		}}
		err := calls[method](t.Context(), peerClient(t, peer, moment.WithMaxRetries(1)))
		require.Error(t, err, method)
		assert.Equal(t, attempts, attemptsOf(t, err), method)
		assert.LessOrEqual(t, int(peer.Requests.Load()), attempts*40, method)
		assert.Equal(t, method != "GET", errors.Is(err, moment.ErrOutcomeUnknown), method)
	}
}

// Unexpected text of a peer does not enter the error, because it may contain personal data.
func TestNoErrorOverHTTP2NamesAPerson(t *testing.T) {
	testkit.SilenceNetHTTP(t)
	ok := []byte{0x88}
	for why, reply := range map[string]func(stream uint32) []byte{
		"an invalid name": func(stream uint32) []byte {
			return testkit.Frame(testkit.FrameHeaders, testkit.FlagEndHeaders|testkit.FlagEndStream, stream, append(ok, testkit.HeaderField("Jane Roe", "x")...)...)
		},
		"an invalid value": func(stream uint32) []byte {
			return testkit.Frame(testkit.FrameHeaders, testkit.FlagEndHeaders|testkit.FlagEndStream, stream, append(ok, testkit.HeaderField("x-name", "Jane Roe\n")...)...)
		},
		"an invalid status": func(stream uint32) []byte {
			return testkit.Frame(testkit.FrameHeaders, testkit.FlagEndHeaders|testkit.FlagEndStream, stream, testkit.HeaderField(":status", "Jane Roe")...)
		},
		"an unknown pseudo-header": func(stream uint32) []byte {
			return testkit.Frame(testkit.FrameHeaders, testkit.FlagEndHeaders|testkit.FlagEndStream, stream, append(ok, testkit.HeaderField(":jane.roe", "Jane Roe")...)...)
		},
		"the debug data of a GOAWAY": func(stream uint32) []byte {
			return testkit.Frame(testkit.FrameGoAway, 0, 0, append([]byte{0, 0, 0, byte(stream), 0, 0, 0, 11}, "Jane Roe <jane.roe@example.com>"...)...)
		},
	} {
		peer := &testkit.HTTP2Peer{Reply: func(_ int32, stream uint32) []byte { return reply(stream) }}
		err := calls["PATCH"](t.Context(), peerClient(t, peer, moment.WithAttemptTimeout(200_000_000)))
		require.Error(t, err, why)
		testkit.AssertNoPerson(t, err.Error())
		assert.NotContains(t, strings.ToLower(err.Error()), "jane", why)
	}
}
