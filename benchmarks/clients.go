package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/PaddleHQ/paddle-go-sdk/v4"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/stripe/stripe-go/v85"

	"github.com/moment-billing/moment-go"
)

// The names of the contenders. The floor is what a careful engineer writes by hand for just these
// two calls.
const (
	floorName  = "net/http by hand"
	tunedName  = "net/http by hand, tuned transport"
	ourName    = "moment-go"
	stripeName = "stripe-go"
	openaiName = "openai-go"
	paddleName = "paddle-go-sdk"
	hcloudName = "hcloud-go"
)

// client makes the same two calls in each SDK: it creates an object that has a name, another text
// or two, and one pair of metadata, and gets one. Both return the id in the response.
type client struct {
	create, get func(context.Context) (id string, err error)
}

// sdk is an SDK with its most similar calls, and a response of some 200 bytes. Retries and timeouts
// have its defaults. Telemetry and logging are off.
type sdk struct {
	name     string
	path     string // of the create; a get appends the id
	id       string
	response string
	// open makes a client. With a nil transport, it uses the SDK's default transport.
	open func(baseURL string, transport http.RoundTripper) (client, error)
}

var sdks = []sdk{
	// The customers of Moment, by hand and by this SDK.
	{floorName, "/billing/customers", "bcus_H4jp6KnU5cPw263v1jyz4", momentResponse, openFloor},
	{ourName, "/billing/customers", "bcus_H4jp6KnU5cPw263v1jyz4", momentResponse, openMoment},

	// The customers of Stripe, which accepts forms and responds with JSON.
	{
		stripeName, "/v1/customers", "cus_H4jp6KnU5cPw263v1jyz4",
		`{"id":"cus_H4jp6KnU5cPw263v1jyz4","object":"customer","name":"John Doe","email":"john.doe@example.com","currency":"zar","balance":5000,` +
			`"livemode":false,"created":1735689600,"metadata":{"reference":"UCR1234567890"}}`,
		openStripe,
	},

	// OpenAI has no customers. Its vector stores are as small: a name, counts and metadata.
	{
		openaiName, "/vector_stores", "vs_H4jp6KnU5cPw263v1jyz4",
		`{"id":"vs_H4jp6KnU5cPw263v1jyz4","object":"vector_store","name":"John Doe","status":"completed","usage_bytes":5000,"created_at":1735689600,` +
			`"last_active_at":1735689600,"file_counts":{"total":0},"metadata":{"reference":"UCR1234567890"}}`,
		openOpenAI,
	},

	// The customers of Paddle.
	{
		paddleName, "/customers", "ctm_H4jp6KnU5cPw263v1jyz4",
		`{"data":{"id":"ctm_H4jp6KnU5cPw263v1jyz4","name":"John Doe","email":"john.doe@example.com","status":"active","locale":"en",` +
			`"created_at":"2025-01-01T00:00:00Z","custom_data":{"reference":"UCR1234567890"}},"meta":{"request_id":"b15ec92e"}}`,
		openPaddle,
	},

	// Hetzner has no customers. Its SSH keys are as small: a name, two texts and labels.
	{
		hcloudName, "/ssh_keys", "1234567890",
		`{"ssh_key":{"id":1234567890,"name":"John Doe","fingerprint":"b7:2f:30:a0:2f:6c:58:6c","public_key":"john.doe@example.com",` +
			`"labels":{"reference":"UCR1234567890"},"created":"2025-01-01T00:00:00Z"}}`,
		openHCloud,
	},
}

const (
	apiKey         = "sk_test_benchmarks"
	momentResponse = `{"id":"bcus_H4jp6KnU5cPw263v1jyz4","external_reference":"UCR1234567890","name":"John Doe","email":"john.doe@example.com",` +
		`"currency":"ZAR","balance":5000,"metadata":{"reference":"UCR1234567890"}}`
)

// floor is the hand-written client.
type floor struct {
	http    *http.Client
	baseURL string
	key     string
}

// customer is the struct that a caller declares for requests and responses.
type customer struct {
	ID                string            `json:"id,omitempty"`
	ExternalReference string            `json:"external_reference"`
	Name              string            `json:"name,omitempty"`
	Email             string            `json:"email,omitempty"`
	Phone             string            `json:"phone,omitempty"`
	Currency          string            `json:"currency,omitempty"`
	Balance           *int64            `json:"balance,omitempty"`
	Metadata          map[string]string `json:"metadata,omitempty"`
}

func (f floor) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, f.baseURL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+f.key)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", resp.Status, text)
	}
	return json.Unmarshal(text, out)
}

func openFloor(baseURL string, transport http.RoundTripper) (client, error) {
	f := floor{&http.Client{Transport: transport}, baseURL, apiKey}
	balance := int64(5000)
	return client{
		func(ctx context.Context) (string, error) {
			var out customer
			err := f.do(ctx, http.MethodPost, "/billing/customers", customer{
				ExternalReference: "UCR1234567890",
				Name:              "John Doe",
				Email:             "john.doe@example.com",
				Currency:          "ZAR",
				Balance:           &balance,
				Metadata:          metadata,
			}, &out)
			return out.ID, err
		},
		func(ctx context.Context) (string, error) {
			var out customer
			err := f.do(ctx, http.MethodGet, "/billing/customers/UCR1234567890", nil, &out)
			return out.ID, err
		},
	}, nil
}

var metadata = map[string]string{"reference": "UCR1234567890"}

func openMoment(baseURL string, transport http.RoundTripper) (client, error) {
	opts := []moment.ClientOption{moment.WithBaseURL(baseURL)}
	if transport != nil {
		opts = append(opts, moment.WithHTTPClient(&http.Client{Transport: transport}))
	}
	c, err := moment.NewClient(apiKey, opts...)
	if err != nil {
		return client{}, err
	}
	return client{
		func(ctx context.Context) (string, error) {
			out, err := c.Customers.Create(ctx, moment.CustomerCreateParams{
				ExternalReference: "UCR1234567890",
				Name:              "John Doe",
				Email:             "john.doe@example.com",
				Currency:          moment.ZAR,
				Balance:           moment.MinorUnits(5000),
				Metadata:          metadata,
			})
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
		func(ctx context.Context) (string, error) {
			out, err := c.Customers.Get(ctx, "UCR1234567890")
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
	}, nil
}

func openStripe(baseURL string, transport http.RoundTripper) (client, error) {
	config := &stripe.BackendConfig{
		URL:             &baseURL,
		EnableTelemetry: new(false),
		LeveledLogger:   &stripe.LeveledLogger{Level: stripe.LevelNull},
	}
	if transport != nil {
		config.HTTPClient = &http.Client{Transport: transport}
	}
	c := stripe.NewClient(apiKey, stripe.WithBackends(stripe.NewBackendsWithConfig(config)))
	return client{
		func(ctx context.Context) (string, error) {
			out, err := c.V1Customers.Create(ctx, &stripe.CustomerCreateParams{
				Name:     stripe.String("John Doe"),
				Email:    stripe.String("john.doe@example.com"),
				Balance:  stripe.Int64(5000),
				Metadata: metadata,
			})
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
		func(ctx context.Context) (string, error) {
			out, err := c.V1Customers.Retrieve(ctx, "cus_H4jp6KnU5cPw263v1jyz4", nil)
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
	}, nil
}

func openOpenAI(baseURL string, transport http.RoundTripper) (client, error) {
	opts := []option.RequestOption{option.WithAPIKey(apiKey), option.WithBaseURL(baseURL)}
	if transport != nil {
		opts = append(opts, option.WithHTTPClient(&http.Client{Transport: transport}))
	}
	c := openai.NewClient(opts...)
	return client{
		func(ctx context.Context) (string, error) {
			out, err := c.VectorStores.New(ctx, openai.VectorStoreNewParams{
				Name:        openai.String("John Doe"),
				Description: openai.String("john.doe@example.com"),
				Metadata:    metadata,
			})
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
		func(ctx context.Context) (string, error) {
			out, err := c.VectorStores.Get(ctx, "vs_H4jp6KnU5cPw263v1jyz4")
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
	}, nil
}

func openPaddle(baseURL string, transport http.RoundTripper) (client, error) {
	opts := []paddle.Option{paddle.WithBaseURL(baseURL)}
	if transport != nil {
		opts = append(opts, paddle.WithClient(&http.Client{Transport: transport}))
	}
	c, err := paddle.New(apiKey, opts...)
	if err != nil {
		return client{}, err
	}
	return client{
		func(ctx context.Context) (string, error) {
			out, err := c.CreateCustomer(ctx, &paddle.CreateCustomerRequest{
				Name:       new("John Doe"),
				Email:      "john.doe@example.com",
				CustomData: paddle.CustomData{"reference": "UCR1234567890"},
			})
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
		func(ctx context.Context) (string, error) {
			out, err := c.GetCustomer(ctx, &paddle.GetCustomerRequest{CustomerID: "ctm_H4jp6KnU5cPw263v1jyz4"})
			if err != nil {
				return "", err
			}
			return out.ID, nil
		},
	}, nil
}

func openHCloud(baseURL string, transport http.RoundTripper) (client, error) {
	c := hcloud.NewClient(hcloud.WithToken(apiKey), hcloud.WithEndpoint(baseURL), hcloud.WithHTTPClient(&http.Client{Transport: transport}))
	return client{
		func(ctx context.Context) (string, error) {
			out, _, err := c.SSHKey.Create(ctx, hcloud.SSHKeyCreateOpts{Name: "John Doe", PublicKey: "john.doe@example.com", Labels: metadata})
			if err != nil {
				return "", err
			}
			return strconv.FormatInt(out.ID, 10), nil
		},
		func(ctx context.Context) (string, error) {
			out, _, err := c.SSHKey.GetByID(ctx, 1234567890)
			if err != nil {
				return "", err
			}
			return strconv.FormatInt(out.ID, 10), nil
		},
	}, nil
}
