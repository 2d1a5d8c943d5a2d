package moment_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// decoding has calls whose responses are decoded: one for each type and for each kind that the
// retry rules distinguish.
var decoding = []struct {
	method string
	status int
	prefix string // of the id

	reference string // empty if the call does not name an object
	call      func(context.Context, *moment.Client, ...moment.RequestOption) (any, error)
}{
	{"GET", 200, "bcus_", "UCR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Customers.Get(ctx, "UCR1234567890", opts...)
	}},
	{"PATCH", 200, "bcus_", "UCR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Customers.Update(ctx, "UCR1234567890", moment.CustomerUpdateParams{Balance: moment.MinorUnits(0)}, opts...)
	}},
	{"POST", 201, "bacc_", "UAR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Accounts.Create(ctx, moment.AccountCreateParams{Customer: moment.ExistingCustomer("UCR1234567890"), ExternalReference: "UAR1234567890"}, opts...)
	}},
	{"POST", 201, "bill_", "UBR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Bills.Create(ctx, billParams, opts...)
	}},
	{"GET", 200, "bill_", "UBR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Bills.Get(ctx, "UBR1234567890", opts...)
	}},
	{"POST", 200, "bill_", "UBR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Bills.Void(ctx, "UBR1234567890", opts...)
	}},
	{"POST", 201, "pr_", "UBR1234567890", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.PaymentRequests.Create(ctx, paymentRequestParams, opts...)
	}},
	{"PATCH with a key", 200, "pr_", "", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.PaymentRequests.Update(ctx, requestID, moment.PaymentRequestUpdateParams{Description: moment.Ptr("")}, opts...)
	}},
	{"GET", 200, "pay_", "", func(ctx context.Context, c *moment.Client, opts ...moment.RequestOption) (any, error) {
		return c.Payments.Get(ctx, paymentID, opts...)
	}},
}

// For any body of a success, a call returns the requested object or a *ConnectionError.
func FuzzResponse(f *testing.F) {
	for _, body := range []string{
		testkit.CustomerJSON, testkit.AccountJSON, testkit.BillJSON, testkit.PaymentRequestJSON, testkit.PaymentJSON,
		strings.ReplaceAll(testkit.PaymentRequestJSON, "2025", "x"), strings.ReplaceAll(testkit.PaymentJSON, `"card"`, "1"), strings.ReplaceAll(testkit.PaymentJSON, "ZAR", "zar"),
		`{"id":"pr_H4jp6KnU5cPw263v1jyz4","status":"active","amount":2000,"currency":"ZAR","external_reference":"UBR1234567890","link":{},"push":{}}`,
		"", "null", "[]", "{}", `"bill_1"`, "<html>", " \r\n" + testkit.BillJSON + "\n",
		strings.ReplaceAll(testkit.BillJSON, "unpaid", "VOIDED"), strings.ReplaceAll(testkit.BillJSON, "2025", "x"), strings.ReplaceAll(testkit.BillJSON, "2000", "2e3"),
		`{"id":"bill_"}`, `{"id":"xbill_1"}`, `{"id":1}`, `{"id":null}`,
		`{"ID":"bill_1"}`, // encoding/json accepts names in any letter case
		`{"id":"bcus_1","id":"bill_1"}`,
		`{"id":"bill_1"`, testkit.BillJSON + testkit.BillJSON, "\ufeff" + testkit.BillJSON, // not JSON: truncated, two objects, a byte order mark
		strings.Repeat("[", 10001) + strings.Repeat("]", 10001), // deeper than encoding/json decodes
		`{"id":"bill_1","amount_due":-9223372036854775808,"amount_paid":9223372036854775807}`,
		`{"id":"bill_1","amount_due":9223372036854775808}`, `{"id":"bill_1","amount_due":2e3}`, `{"id":"bill_1","amount_due":20.0}`,
		`{"id":"bill_1","bill_date":null,"due_date":"0000-01-01"}`, `{"id":"bill_1","due_date":"2025-02-30"}`, `{"id":"bill_1","due_date":""}`,
		`{"id":"bcus_1","balance":0,"payment_rules":{},"metadata":{"a":"","b":null}}`, // zero is not missing
		`{"id":"bcus_1","balance":null,"payment_rules":null,"metadata":{}}`,
		`{"id":"bcus_1","metadata":{"a":1}}`,
		"{\"id\":\"bacc_\xff\",\"name\":\"\\ud800<\\u2028\",\"metadata\":{\"\xff\":\"\\u0000\"}}", // not valid UTF-8, which is replaced
		`{"id":"bill_1","due_date":"` + testkit.SecretKey + `"}`, `{"id":"bill_1","due_date":"sk\u005ftest_YOUR_SECRET_KEY\n"}`,
		`{"id":"bill_1","due_date":"not a date but ` + testkit.SecretKey + `"}`, // of which an error quotes a part
		`{"id":"bill_1","due_date":"` + strings.Repeat("é", 300) + `"}`,
	} {
		f.Add(body, "application/json", false)
	}
	f.Add("<html>", "text/html; charset=utf-8", true) // saved under the key, and not retried
	f.Add("", "text/"+testkit.SecretKey, false)
	f.Add("", strings.Repeat("\xff\n", 300), false)
	f.Fuzz(func(t *testing.T, body, contentType string, replayed bool) {
		if len(body) > 256<<10 {
			t.Skip("too large, which TestBodiesAreReadUpToALimit is about")
		}
		for _, row := range decoding {
			attempts := 1
			if !json.Valid([]byte(body)) && (row.method == "GET" || row.method != "PATCH" && !replayed) {
				attempts = 4
			}
			c := clientThrough(t, func(*http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode:    row.status,
					Header:        http.Header{"Content-Type": {contentType}, "Idempotent-Replayed": {strconv.FormatBool(replayed)}},
					Body:          io.NopCloser(strings.NewReader(body)),
					ContentLength: int64(len(body)),
				}, nil
			}, moment.WithBackoff(0, 0))
			var resp moment.Response
			got, err := row.call(t.Context(), c, moment.WithResponse(&resp))
			assert.Equal(t, row.status, resp.StatusCode)
			const beginning = "sk_test_YOUR"                                                                // of the key, which is redacted
			if !strings.Contains(body+contentType, beginning) && !strings.Contains(body+contentType, `\`) { // which can hide the key
				assert.Equal(t, body, string(resp.Body), "as received")
				assert.Equal(t, contentType, resp.Header.Get("Content-Type"))
			}
			assert.NotContains(t, string(resp.Body)+resp.Header.Get("Content-Type"), beginning)
			assert.Equal(t, json.Valid([]byte(body)), json.Valid(resp.Body), "JSON is still JSON")
			var decoded any
			_ = json.Unmarshal(resp.Body, &decoded)
			assert.NotContains(t, fmt.Sprint(decoded), beginning)
			assert.Equal(t, attempts, resp.Attempts, row.method)
			if err == nil {
				id := idOf(t, got)
				assert.True(t, strings.HasPrefix(id, row.prefix) && len(id) > len(row.prefix), "%q", id)
				reference := reflect.ValueOf(got).Elem().FieldByName("ExternalReference").String()
				assert.True(t, row.reference == "" || row.reference == reference, "%q", reference)
				again := encodedAndDecoded(t, got)
				for _, object := range []any{got, again} {
					if payment, ok := object.(*moment.Payment); ok {
						payment.Method.Raw = nil // encoded without white space
					}
				}
				assert.Equal(t, got, again)
				continue
			}
			assert.Nil(t, got)
			var connection *moment.ConnectionError
			require.ErrorAs(t, err, &connection)
			assert.Equal(t, row.status, connection.Status)
			assert.Equal(t, attempts, connection.Attempts)
			assert.Equal(t, row.method != "GET", connection.OutcomeUnknown, row.method)
			isOneLine(t, err)
			assert.NotContains(t, fmt.Sprintf("%+v %#v", *connection, connection.Err), testkit.SecretKey)
		}
	})
}

// encodedAndDecoded returns an object after a merchant has stored it as JSON.
func encodedAndDecoded(t *testing.T, object any) any {
	t.Helper()
	text, err := json.Marshal(object)
	require.NoError(t, err)
	again := reflect.New(reflect.TypeOf(object).Elem())
	require.NoError(t, json.Unmarshal(text, again.Interface()))
	if metadata := reflect.ValueOf(object).Elem().FieldByName("Metadata"); metadata.Len() == 0 {
		again.Elem().FieldByName("Metadata").Set(metadata) // an empty map is omitted
	}
	return again.Interface()
}

// identifying has the calls with an identifier, and the endpoint that each must reach.
var identifying = []struct {
	endpoint string
	call     func(context.Context, *moment.Client, string) error
}{
	{"GET " + testkit.BasePath + "/billing/customers/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Customers.Get(ctx, id)
		return err
	}},
	{"PATCH " + testkit.BasePath + "/billing/customers/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Customers.Update(ctx, id, moment.CustomerUpdateParams{})
		return err
	}},
	{"GET " + testkit.BasePath + "/billing/accounts/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Accounts.Get(ctx, id)
		return err
	}},
	{"PATCH " + testkit.BasePath + "/billing/accounts/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Accounts.Update(ctx, id, moment.AccountUpdateParams{})
		return err
	}},
	{"GET " + testkit.BasePath + "/billing/bills/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Bills.Get(ctx, id)
		return err
	}},
	{"PATCH " + testkit.BasePath + "/billing/bills/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Bills.Update(ctx, id, moment.BillUpdateParams{})
		return err
	}},
	{"POST " + testkit.BasePath + "/billing/bills/{id}/void", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Bills.Void(ctx, id)
		return err
	}},
	{"GET " + testkit.BasePath + "/collect/payment_requests/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.PaymentRequests.Get(ctx, id)
		return err
	}},
	{"PATCH " + testkit.BasePath + "/collect/payment_requests/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.PaymentRequests.Update(ctx, id, moment.PaymentRequestUpdateParams{})
		return err
	}},
	{"GET " + testkit.BasePath + "/collect/payments/{id}", func(ctx context.Context, c *moment.Client, id string) error {
		_, err := c.Payments.Get(ctx, id)
		return err
	}},
}

// An identifier or a path for Do reaches its own endpoint, or nothing is sent.
func FuzzPath(f *testing.F) {
	for _, id := range []string{
		"UBR1234567890", "bill_H4jp6KnU5cPw263v1jyz4",
		"", ".", "..", "...", "%2e%2e", "%", "%zz", "%00",
		"/", "//", "a/b", "a/", "../customers/x", "..\\x", "UBR1/void", "/billing/bills", "/billing/../x", "//example.com/x", "https://example.com/",
		"?", "a?b=c", "#", "a#b", ";", "a;b=c,d", "*", "a:b@c&d=e+f$", "a(b)!*'", "[a]", "{id}", "/x/", "/a%20b", "/a%2Fb", "/%2e%2e/x", "/a b", "/a?b=c", "/a#b",
		"a b", "a\r\nHost: b", " HTTP/1.1\r\n\r\nDELETE / HTTP/1.1\r\nHost: b\r\n\r\n", "\x00", "\x7f", "\xff", "…", "/…",
		strings.Repeat("a/", 5000), // longer than a server's line
	} {
		f.Add(id)
	}
	var reached, identifier string
	mux := http.NewServeMux()
	for _, row := range identifying {
		mux.HandleFunc(row.endpoint, func(_ http.ResponseWriter, r *http.Request) { reached, identifier = r.Pattern, r.PathValue("id") })
	}
	f.Fuzz(func(t *testing.T, id string) {
		for _, row := range identifying {
			r := onTheWire(t, func(c *moment.Client) error { return row.call(t.Context(), c, id) })
			decodable := func(r rune) bool { return strings.ContainsRune(`/\%?#;`, r) || unicode.IsControl(r) }
			if id == "" || id == "." || id == ".." || strings.ContainsFunc(id, decodable) {
				assert.Nil(t, r, row.endpoint)
				continue
			}
			require.NotNil(t, r, row.endpoint)
			method, pattern, _ := strings.Cut(row.endpoint, " ")
			before, after, _ := strings.Cut(pattern, "{id}")
			assert.Equal(t, method, r.Method)
			segment := strings.TrimSuffix(strings.TrimPrefix(r.RequestURI, before), after)
			assert.Equal(t, before+segment+after, r.RequestURI)
			assert.NotContains(t, segment, "/")
			unescaped, err := url.PathUnescape(segment)
			require.NoError(t, err)
			assert.Equal(t, id, unescaped)
			assert.Equal(t, r.RequestURI, path.Clean(r.RequestURI))
			if id == "/" {
				continue // http.ServeMux reads %2F as a slash at the end if it is the whole segment
			}
			reached, identifier = "", ""
			mux.ServeHTTP(httptest.NewRecorder(), r)
			assert.Equal(t, row.endpoint, reached, "the endpoint reached on a server")
			assert.Equal(t, id, identifier)
		}

		r := onTheWire(t, func(c *moment.Client) error {
			return c.Do(t.Context(), "POST", "/billing/refunds/"+url.PathEscape(id), nil, nil)
		})
		assert.Equal(t, id != "." && id != "..", r != nil, "an identifier that is escaped is a path")
		if r = onTheWire(t, func(c *moment.Client) error { return c.Do(t.Context(), "POST", id, nil, nil) }); r != nil {
			assert.Equal(t, testkit.BasePath+id, r.RequestURI, "unchanged")
			assert.NotContains(t, r.RequestURI, "?")
			assert.NotContains(t, r.RequestURI, "#")
			assert.Equal(t, strings.TrimSuffix(r.RequestURI, "/"), path.Clean(r.RequestURI))
			for segment := range strings.SplitSeq(id, "/") {
				segment, err := url.PathUnescape(segment)
				assert.NoError(t, err)
				assert.NotContains(t, []string{".", ".."}, segment)
			}
		}
	})
}

// onTheWire returns the request that a call sends, or nil if it rejects the arguments.
func onTheWire(t *testing.T, call func(*moment.Client) error) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	err := call(clientThrough(t, func(r *http.Request) (*http.Response, error) {
		require.NoError(t, r.Write(&wire))
		return testkit.Response(testkit.Respond(404, testkit.ProblemJSON))
	}, moment.WithBaseURL("https://example.com"+testkit.BasePath)))
	if wire.Len() == 0 {
		var bad *moment.ArgumentError
		require.ErrorAs(t, err, &bad)
		isOneLine(t, err)
		return nil
	}
	require.ErrorIs(t, err, moment.ErrNotFound)
	reader := bufio.NewReader(&wire)
	r, err := http.ReadRequest(reader)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r.Body)
	require.NoError(t, err)
	_, err = reader.ReadByte()
	require.ErrorIs(t, err, io.EOF, "there is another request behind it")
	assert.Equal(t, "example.com", r.Host)
	return r
}
