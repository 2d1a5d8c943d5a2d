package moment

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/moment-billing/moment-go/internal/redact"
	"github.com/moment-billing/moment-go/internal/transport"
)

// Client calls the Moment Billing API with one secret key. Make one with [NewClient] or
// [NewClientFromEnv] and keep it: it is immutable and safe for concurrent use, and its calls share
// connections. The zero Client cannot be used.
//
// Formatting a Client or one of its services, with any verb or as a log value, never shows the key.
type Client struct {
	Customers       *CustomersService       // Create, Ensure, Get, Update
	Accounts        *AccountsService        // Create, Ensure, Get, Update
	Bills           *BillsService           // Create, Ensure, Get, Update, Void
	PaymentRequests *PaymentRequestsService // Create, Get, Update
	Payments        *PaymentsService        // Get

	service
}

// core has the parts that all calls of a client share. It does not change after NewClient.
type core struct {
	secretKey      string
	header         http.Header // of each request
	headerWithBody http.Header // of each request with a body
	baseURL        url.URL
	transport      transport.Transport
	observer       Observer // may be nil
}

// NewClient returns a client that authenticates with secretKey: sk_test_… for test mode, sk_… for
// live mode. A public key (pk_…) is rejected, because it cannot run billing operations. NewClient
// reads nothing from the environment; [NewClientFromEnv] does. Every error is an [*ArgumentError].
func NewClient(secretKey string, opts ...ClientOption) (*Client, error) {
	const op = "new client"
	if err := checkSecretKey(secretKey); err != nil {
		return nil, withOp(op, err)
	}
	settings, err := newSettings(modeOf(secretKey), opts)
	if err != nil {
		return nil, withOp(op, err)
	}
	header := http.Header{
		"Authorization": {"Bearer " + secretKey},
		"Accept":        {"application/json, application/problem+json"},
		"User-Agent":    {settings.userAgent},
	}
	headerWithBody := header.Clone()
	headerWithBody.Set("Content-Type", "application/json")
	c := &core{
		secretKey:      secretKey,
		header:         header,
		headerWithBody: headerWithBody,
		baseURL:        settings.baseURL,
		transport:      settings.transport(),
		observer:       settings.observer,
	}
	c.transport.RequestID = c.requestID
	s := newService(c)
	return &Client{
		Customers:       &CustomersService{s},
		Accounts:        &AccountsService{s},
		Bills:           &BillsService{s},
		PaymentRequests: &PaymentRequestsService{s},
		Payments:        &PaymentsService{s},
		service:         s,
	}, nil
}

// NewClientFromEnv returns a client with the secret key in the environment variable MOMENT_API_KEY
// and, if it is set, the base URL in MOMENT_BASE_URL, as moment-mock prints them. Options take
// precedence. Every error is an [*ArgumentError].
func NewClientFromEnv(opts ...ClientOption) (*Client, error) {
	secretKey := os.Getenv("MOMENT_API_KEY")
	if secretKey == "" {
		return nil, withOp("new client", argErrorf("MOMENT_API_KEY", "is not set"))
	}
	if base := os.Getenv("MOMENT_BASE_URL"); base != "" {
		opts = append([]ClientOption{WithBaseURL(base)}, opts...)
	}
	return NewClient(secretKey, opts...)
}

// Mode is the mode of a key and its client: test data or real money.
type Mode string

// The two modes.
const (
	ModeTest Mode = "test" // keys sk_test_…
	ModeLive Mode = "live" // keys sk_…
)

// Mode returns the client's mode, which depends on its key.
func (c *Client) Mode() Mode {
	if c.core == nil {
		return ""
	}
	return c.core().mode()
}

func (c *core) mode() Mode { return modeOf(c.secretKey) }

func modeOf(secretKey string) Mode {
	if strings.HasPrefix(secretKey, testKeyPrefix) {
		return ModeTest
	}
	return ModeLive
}

// redact removes the secret key from text of a response or of a caller's transport.
func (c *core) redact(text string) string {
	prefix := secretKeyPrefix
	if c.mode() == ModeTest {
		prefix = testKeyPrefix
	}
	return redact.Text(text, c.secretKey, prefix)
}

func (s service) text() string {
	if s.core == nil {
		return "moment.Client"
	}
	c := s.core()
	return "moment.Client(" + string(c.mode()) + " mode, " + c.baseURL.String() + ")"
}

// Format writes the client's mode and base URL for any verb, and never the key.
func (s service) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.text())) }

// LogValue returns the client's mode and base URL, and never the key.
func (s service) LogValue() slog.Value { return slog.StringValue(s.text()) }
