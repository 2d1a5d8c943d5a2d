package moment_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

func TestNewClientRejectsBadSecretKeys(t *testing.T) {
	for _, row := range []struct{ why, key, says string }{
		{"an unset environment variable", "", "is empty"},
		{"public keys cannot run billing operations", "pk_test_YOUR_PUBLIC_KEY", "is a public key"},
		{"public keys cannot run billing operations", "pk_YOUR_PUBLIC_KEY", "is a public key"},
		{"a key of another service", "AKIAYOURACCESSKEY", "does not begin with sk_"},
		{"read from a file with its line break", "sk_test_YOUR_SECRET_KEY\n", "line break"},
		{"pasted with a space", "sk_test_YOUR SECRET_KEY", "white space"},
		{"would end the header", "sk_test_\x00", "control character"},
		{"pasted with its quotes", `sk_test_YOUR_SECRET_KEY"`, "quotation mark"},
		{"keys are ASCII", `sk_test_YOUR\SECRET_KEY`, "backslash"},
		{"a placeholder was left", "sk_test_", "nothing after its prefix"},
		{"would look like a live key", "sk_test", "nothing after its prefix"},
		{"a placeholder was left", "sk_", "nothing after its prefix"},
	} {
		c, err := moment.NewClient(row.key)
		assert.Nil(t, c, row.why)
		require.ErrorIs(t, err, moment.ErrInvalidArgument, row.why)
		assert.ErrorContains(t, err, "moment: new client: secret key: ", row.why)
		assert.ErrorContains(t, err, row.says, row.why)
		if len(row.key) > len("sk_test_") {
			assert.NotContains(t, err.Error(), row.key[len("sk_test_"):], "no part of the key")
		}
	}
}

func TestDefaultBaseURLIsMoments(t *testing.T) {
	var got string
	c := clientThrough(t, func(r *http.Request) (*http.Response, error) {
		got = r.URL.String()
		return testkit.Response(testkit.Respond(200, testkit.BillJSON))
	})
	_, err := c.Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
	assert.Equal(t, "https://api.momentpay.net/billing/bills/UBR1234567890", got)
}

func TestMode(t *testing.T) {
	for key, want := range map[string]moment.Mode{
		"sk_test_YOUR_SECRET_KEY": moment.ModeTest,
		"sk_YOUR_SECRET_KEY":      moment.ModeLive,
		"sk_testimonial":          moment.ModeLive,
	} {
		c, err := moment.NewClient(key)
		require.NoError(t, err)
		assert.Equal(t, want, c.Mode(), key)
	}
}

// If a mock or a tracer has replaced http.DefaultTransport, it is used unchanged.
func TestReplacedDefaultTransportIsUsed(t *testing.T) {
	httpmock.Activate(t)
	httpmock.RegisterResponder("GET", "https://api.momentpay.net/billing/bills/UBR1234567890", httpmock.NewStringResponder(200, testkit.BillJSON))
	require.NoError(t, calls["GET"](t.Context(), newClient(t)))
	assert.Equal(t, 1, httpmock.GetTotalCallCount())
}

// A default transport with its own limits keeps them.
func TestDefaultTransportKeepsALimitOnHeaders(t *testing.T) {
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.MaxResponseHeaderBytes = 256 << 10
	testkit.ReplaceDefaultTransport(t, own)
	s := testkit.Serve(t, testkit.Respond(200, testkit.BillJSON, "X-Long: "+strings.Repeat("x", 100<<10)))
	require.NoError(t, calls["GET"](t.Context(), clientOf(t, s)))
}

// net/http keeps 2 idle connections per host by default, so that a burst of 50 calls would close
// 48.
func TestIdleConnectionsAreReused(t *testing.T) {
	const burst, bursts = 50, 4
	arrived := make(chan struct{}, burst)
	release := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		testkit.Respond(200, testkit.BillJSON)(w, r)
	}))
	connections := testkit.CountConnections(server)
	server.Start()
	t.Cleanup(server.Close)
	c := newClient(t, moment.WithBaseURL(server.URL+testkit.BasePath))
	for range bursts {
		var done sync.WaitGroup
		for range burst {
			done.Go(func() { assert.NoError(t, calls["GET"](t.Context(), c)) })
		}
		for range burst {
			<-arrived
		}
		for range burst {
			release <- struct{}{}
		}
		done.Wait()
	}
	// A few more than one per concurrent call, because a connection returns to the pool shortly
	// after its response was read.
	assert.Less(t, connections.Opened.Load(), int32(2*burst), "%d calls at once, %d times", burst, bursts)
}

func TestFormattingDoesNotPrintTheKey(t *testing.T) {
	c := newClient(t)
	type merchant struct {
		client  *moment.Client
		byValue moment.Client
		bills   moment.BillsService
		Public  moment.Client
	}
	values := []any{
		c, *c, c.Customers, *c.Customers, c.Accounts, *c.Accounts, c.Bills, *c.Bills,
		merchant{c, *c, *c.Bills, *c},
		&merchant{c, *c, *c.Bills, *c},
		[]any{c},
		map[string]any{"c": *c},
	}
	for _, value := range values {
		testkit.AssertNoSecret(t, testkit.EveryFormat(t, value))
	}
	another, err := moment.NewClient(testkit.SecretKey+"_2", moment.WithBaseURL("https://example.com"))
	require.NoError(t, err)
	var failed testkit.FailedTest
	assert.Equal(&failed, merchant{client: c}, merchant{client: another}, "dumps the differences, following pointers")
	require.Contains(t, failed.Text, "moment.Client")
	testkit.AssertNoSecret(t, failed.Text)

	assert.Equal(t, "moment.Client(test mode, https://api.momentpay.net)", fmt.Sprint(c))
	assert.Equal(t, "moment.Client(test mode, https://api.momentpay.net)", fmt.Sprintf("%+v", *c.Bills))
	assert.Equal(t, "moment.Client", fmt.Sprint(moment.Client{}))
}

func TestLogValue(t *testing.T) {
	c := newClient(t)
	for _, value := range []slog.LogValuer{c, *c, c.Customers, *c.Accounts, c.Bills} {
		assert.Equal(t, "moment.Client(test mode, https://api.momentpay.net)", value.LogValue().String())
	}
}

// Reflection must not reach the key through a field, because the buffers of connections contain it
// too.
func TestOnlyAFunctionHoldsTheCore(t *testing.T) {
	c := newClient(t)
	for _, value := range []any{*c, *c.Customers, *c.Accounts, *c.Bills, *newVerifier(t)} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(value)) {
			kind := field.Type.Kind()
			service := kind == reflect.Pointer && strings.HasSuffix(field.Type.Elem().Name(), "Service")
			assert.True(t, kind == reflect.Func || service || field.Anonymous, "%T.%s", value, field.Name)
		}
	}
}

func TestZeroClient(t *testing.T) {
	var c moment.Client
	assert.EqualError(t, c.Do(t.Context(), "GET", "/x", nil, nil), "moment: GET /x: client: was not made by NewClient")
	assert.Empty(t, c.Mode())
	var bills moment.BillsService
	_, err := bills.Get(t.Context(), "UBR1")
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	assert.Equal(t, "moment.Client", fmt.Sprint(&bills))
}

func TestNewClientFromEnv(t *testing.T) {
	for _, row := range []struct {
		why, key, base string
		opts           []moment.ClientOption
		want, says     string
	}{
		{why: "both", key: testkit.SecretKey, base: "http://127.0.0.1:8787", want: "moment.Client(test mode, http://127.0.0.1:8787)"},
		{why: "the key alone", key: "sk_YOUR_SECRET_KEY", want: "moment.Client(live mode, https://api.momentpay.net)"},
		{
			why: "options take precedence", key: testkit.SecretKey, base: "http://127.0.0.1:8787",
			opts: []moment.ClientOption{moment.WithBaseURL("https://example.com/x")}, want: "moment.Client(test mode, https://example.com/x)",
		},
		{why: "no key", base: "http://127.0.0.1:8787", says: "moment: new client: MOMENT_API_KEY: is not set"},
		{why: "not a key", key: "hunter2", says: "moment: new client: secret key: does not begin with sk_"},
		{why: "not a URL", key: testkit.SecretKey, base: "127.0.0.1:8787", says: "moment: new client: base URL: is not a URL"},
	} {
		t.Setenv("MOMENT_API_KEY", row.key)
		t.Setenv("MOMENT_BASE_URL", row.base)
		c, err := moment.NewClientFromEnv(row.opts...)
		if row.says != "" {
			assert.EqualError(t, err, row.says, row.why)
			assert.Nil(t, c, row.why)
			continue
		}
		require.NoError(t, err, row.why)
		assert.Equal(t, row.want, fmt.Sprint(c), row.why)
	}
}
