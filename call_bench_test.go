package moment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

const customerAnswer = `{"id":"bcus_H4jp6KnU5cPw263v1jyz4","external_reference":"UCR1234567890","name":"John Doe","email":"john.doe@example.com","currency":"ZAR","balance":2000}`

// inMemory responds without a network, so that the benchmark measures only the client.
type inMemory struct{}

func (inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_, _ = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"req_1"}},
		Body:          io.NopCloser(strings.NewReader(customerAnswer)),
		ContentLength: int64(len(customerAnswer)),
		Request:       r,
	}, nil
}

// floor makes the same calls with hand-written code.
type floor struct {
	client    *http.Client
	url, auth string
}

func (f *floor) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, f.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", f.auth)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.Unmarshal(b, out)
}

// plainCustomer is a hand-written customer: encoding/json decodes it without methods.
type plainCustomer struct {
	ID                string            `json:"id"`
	ExternalReference string            `json:"external_reference"`
	Name              string            `json:"name"`
	Email             string            `json:"email"`
	Phone             string            `json:"phone"`
	Currency          string            `json:"currency"`
	Balance           *int64            `json:"balance"`
	Metadata          map[string]string `json:"metadata"`
}

var newCustomerParams = moment.CustomerCreateParams{
	ExternalReference: "UCR1234567890", Name: "John Doe", Email: "john.doe@example.com", Currency: moment.ZAR, Balance: moment.MinorUnits(2000),
}

func inMemoryClients(tb testing.TB) (*moment.Client, *floor) {
	tb.Helper()
	httpClient := &http.Client{Transport: inMemory{}}
	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithHTTPClient(httpClient))
	require.NoError(tb, err)
	return client, &floor{httpClient, "https://api.momentpay.net", "Bearer sk_test_YOUR_SECRET_KEY"}
}

// Each call and the same call by hand, to be compared within one run.
func BenchmarkCalls(b *testing.B) {
	client, byHand := inMemoryClients(b)
	ctx := context.Background()
	b.Run("create by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c plainCustomer
			if err := byHand.do(ctx, "POST", "/billing/customers", newCustomerParams, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := client.Customers.Create(ctx, newCustomerParams); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get by hand", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var c plainCustomer
			if err := byHand.do(ctx, "GET", "/billing/customers/UCR1234567890", nil, &c); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := client.Customers.Get(ctx, "UCR1234567890"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
