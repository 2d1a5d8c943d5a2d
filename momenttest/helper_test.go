package momenttest_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go/momenttest"
)

// response is a response on the wire.
type response struct {
	status int
	header http.Header
	body   string
}

// do sends a request with a test key and, on a POST, a fresh idempotency key. Headers
// ("Name: value") replace the default headers; one without a value removes the default.
func do(srv *momenttest.Server, method, path, body string, headers ...string) (response, error) {
	req, err := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	req.Header.Set("Authorization", "Bearer sk_test_YOUR_SECRET_KEY")
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPost {
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, string(content)}, err
}

func send(t *testing.T, srv *momenttest.Server, method, path, body string, headers ...string) response {
	t.Helper()
	a, err := do(srv, method, path, body, headers...)
	require.NoError(t, err)
	return a
}

// newServer starts a server that closes with the test.
func newServer(t *testing.T) *momenttest.Server {
	t.Helper()
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	return srv
}

// sampleBill creates the objects of the documentation's samples: customer UCR1234567890,
// account UAR1234567890 and bill UBR1234567890 of ZAR 20.00.
const sampleBill = `{
	"account": {
		"customer": {
			"external_reference": "UCR1234567890",
			"name": "John Doe",
			"email": "john.doe@example.com",
			"currency": "ZAR",
			"balance": 2000
		},
		"external_reference": "UAR1234567890",
		"name": "Subscription Account",
		"currency": "ZAR",
		"balance": 2000
	},
	"external_reference": "UBR1234567890",
	"currency": "ZAR",
	"amount_due": 2000,
	"bill_date": "2025-01-01",
	"due_date": "2025-01-31"
}`

// newSample starts a server that has the objects of sampleBill.
func newSample(t *testing.T) *momenttest.Server {
	t.Helper()
	srv := newServer(t)
	a := send(t, srv, "POST", "/billing/bills", sampleBill)
	require.Equal(t, http.StatusCreated, a.status, a.body)
	return srv
}

var (
	givenID   = regexp.MustCompile(`\b(bcus|bacc|bill)_[a-zA-Z0-9]{21}\b`)
	anyID     = regexp.MustCompile(`^(bcus|bacc|bill)_[a-zA-Z0-9]{21}$`)
	requestID = regexp.MustCompile(`^req_[a-zA-Z0-9]+$`)
)

// requireObject compares a success with literal JSON, the order of the fields
// included. Generated ids are compared as if they were those of the
// documentation's samples.
func requireObject(t *testing.T, a response, status int, want string) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	assert.Equal(t, "application/json", a.header.Get("Content-Type"))
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, []byte(want)))
	require.Equal(t, compact.String(), givenID.ReplaceAllString(a.body, "${1}_H4jp6KnU5cPw263v1jyz4"))
}

// requireProblem compares the status and the detail of problem details.
func requireProblem(t *testing.T, a response, status int, detail string) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, detail, field(t, a, "detail"))
	assert.Equal(t, strconv.Itoa(status), field(t, a, "status"))
	assert.Equal(t, http.StatusText(status), field(t, a, "title"))
	assert.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
}

// field returns a field of a response as text, or "<nil>" if it is missing.
func field(t *testing.T, a response, name string) string {
	t.Helper()
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&fields), a.body)
	return fmt.Sprint(fields[name])
}

// requireExisting checks which of customer UCR-1, account UAR-1 and bill UBR-1 exist.
func requireExisting(t *testing.T, srv *momenttest.Server, want []string) {
	t.Helper()
	var existing []string
	for _, object := range []struct{ kind, reference string }{
		{"customers", "UCR-1"}, {"accounts", "UAR-1"}, {"bills", "UBR-1"},
	} {
		if send(t, srv, "GET", "/billing/"+object.kind+"/"+object.reference, "").status == 200 {
			existing = append(existing, object.kind)
		}
	}
	require.Equal(t, want, existing)
}
