package moment

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/internal/transport"
)

const (
	version     = "0.1.0-dev" // the only place: .ci/release reads it here
	userAgent   = "moment-go/" + version
	defaultHost = "api.momentpay.net"
)

// ClientOption changes a setting of the client that [NewClient] makes.
type ClientOption struct {
	apply func(*settings) error
}

type settings struct {
	baseURL        url.URL
	httpClient     *http.Client
	maxRetries     int
	backoff        transport.Backoff
	attemptTimeout time.Duration
	retryBudget    int // tokens; 0 for no limit
	logger         *slog.Logger
	observer       Observer // may be nil
	userAgent      string
}

// newSettings applies opts to the defaults, for a client of that mode.
func newSettings(mode Mode, opts []ClientOption) (*settings, error) {
	s := &settings{
		baseURL:        url.URL{Scheme: "https", Host: defaultHost},
		httpClient:     &http.Client{},
		maxRetries:     3,
		backoff:        transport.Backoff{First: 500 * time.Millisecond, Max: 8 * time.Second},
		attemptTimeout: 30 * time.Second,
		retryBudget:    100,
		userAgent:      userAgent,
	}
	for _, opt := range opts {
		if opt.apply == nil {
			return nil, argErrorf("option", "is the zero ClientOption")
		}
		if err := opt.apply(s); err != nil {
			return nil, err
		}
	}
	if s.baseURL.Scheme == "http" && mode != ModeTest && !isLoopback(s.baseURL.Hostname()) {
		return nil, argErrorf("base URL", "must be https:// (http:// is accepted on a loopback address, or with a test key)")
	}
	return s, nil
}

// WithBaseURL sets the base URL of the service in place of https://api.momentpay.net. The paths of
// operations are appended to its path, so it must not end in /billing or /collect. HTTPS is
// required, because every call sends the API key. Plain HTTP is accepted on a loopback address, and
// anywhere with a test key, because fakes run in containers.
func WithBaseURL(base string) ClientOption {
	return ClientOption{func(s *settings) error {
		// The reasons do not quote the URL: it may contain a password.
		u, err := url.Parse(base)
		switch {
		case base == "":
			return argErrorf("base URL", "is empty")
		case strings.TrimSpace(base) != base:
			return argErrorf("base URL", "begins or ends with white space")
		case err != nil:
			return argErrorf("base URL", "is not a URL")
		case u.User != nil:
			return argErrorf("base URL", "must not contain a user or a password")
		case u.Host == "" || u.Hostname() == "":
			return argErrorf("base URL", "lacks https:// or a host: write it like https://%s", defaultHost)
		case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return argErrorf("base URL", "must not have a query or a fragment")
		case u.Scheme != "https" && u.Scheme != "http":
			return argErrorf("base URL", "must be https://")
		}
		escaped := strings.TrimRight(u.EscapedPath(), "/")
		for _, collection := range []string{"/billing", "/collect"} {
			if strings.HasSuffix(escaped, collection) {
				return argErrorf("base URL", "must not end in %s, because the paths of operations begin with it", collection)
			}
		}
		path, _ := url.PathUnescape(escaped)
		// In lower case, because net/http compares the host with "localhost" to bypass a proxy.
		s.baseURL = url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: path, RawPath: escaped}
		return nil
	}}
}

func isLoopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// WithHTTPClient makes the calls through the Transport of c, for example for a proxy, a connection
// limit, tracing or a test double. The client reads c once and never modifies it. The Timeout of c
// limits each attempt, not the whole call. The client uses the Jar of c, but not its CheckRedirect,
// because redirects are never followed.
//
// The Transport must not retry requests. Set its MaxResponseHeaderBytes and its HTTP/2 pings,
// because the client sets them only in its default transport. Errors do not name the proxy of such
// a Transport.
func WithHTTPClient(c *http.Client) ClientOption {
	return ClientOption{func(s *settings) error {
		if c == nil {
			return argErrorf("HTTP client", "is nil")
		}
		if v := reflect.ValueOf(c.Transport); v.Kind() == reflect.Pointer && v.IsNil() {
			return argErrorf("HTTP client", "has a nil %T as its Transport", c.Transport)
		}
		s.httpClient = c
		return nil
	}}
}

// WithMaxRetries sets how many times a call is retried at most. The default is 3; 0 turns retries
// off. [WithCallMaxRetries] sets it for one call.
func WithMaxRetries(n int) ClientOption {
	return ClientOption{func(s *settings) error {
		s.maxRetries = n
		return checkMaxRetries(n)
	}}
}

// WithBackoff sets the waits between attempts. The wait before retry n (from 0) is random between 0
// and the lesser of longest and first·2ⁿ. The defaults are 500 milliseconds and 8 seconds.
func WithBackoff(first, longest time.Duration) ClientOption {
	return ClientOption{func(s *settings) error {
		if first < 0 || longest < first {
			return argErrorf("backoff", "needs 0 ≤ first ≤ longest, not %v and %v", first, longest)
		}
		s.backoff = transport.Backoff{First: first, Max: longest}
		return nil
	}}
}

// WithRetryBudget limits the retries of all calls of the client together, so that it does not
// multiply the load on a service in an outage. A retry costs a token, and any response that is not
// retried restores a tenth of one. When the budget is empty, a failed call is not retried, and its
// error has RetryBudgetEmpty set. The default is 100 tokens; 0 means no limit.
func WithRetryBudget(tokens int) ClientOption {
	return ClientOption{func(s *settings) error {
		if tokens < 0 {
			return argErrorf("retry budget", "is negative; 0 means no limit")
		}
		s.retryBudget = tokens
		return nil
	}}
}

// WithAttemptTimeout sets how long one attempt may take, from connecting to the last byte of the
// response. It does not end the call, which may be retried; the context does. The default is 30
// seconds. [WithCallAttemptTimeout] sets it for one call.
func WithAttemptTimeout(d time.Duration) ClientOption {
	return ClientOption{func(s *settings) error {
		s.attemptTimeout = d
		return checkAttemptTimeout(d)
	}}
}

// WithLogger logs each attempt: method, path with placeholders for identifiers, status, attempt,
// duration, and why and when it is retried. The level is info for an attempt that is retried, or
// that is not retried because the retry budget is empty, and debug for any other. A response
// without a member that should always be present is logged at info too. Keys, bodies, names and
// identifiers are never logged. The default is not to log.
func WithLogger(l *slog.Logger) ClientOption {
	return ClientOption{func(s *settings) error {
		s.logger = l
		return nil
	}}
}

// WithUserAgent puts the name of your program in front of the User-Agent, so that Moment's support
// can find your calls: "billing-backend/2.3 moment-go/0.1.0".
func WithUserAgent(name string) ClientOption {
	return ClientOption{func(s *settings) error {
		if name == "" || !isHeaderValue(name) {
			return argErrorf("user agent", "is empty or contains a control character")
		}
		s.userAgent = name + " " + userAgent
		return nil
	}}
}

func (s *settings) transport() transport.Transport {
	timeout := s.attemptTimeout
	if t := s.httpClient.Timeout; t > 0 {
		timeout = min(timeout, t)
	}
	roundTripper := s.httpClient.Transport
	if roundTripper == nil {
		roundTripper = defaultTransport(timeout)
	}
	return transport.Transport{
		RoundTripper:   roundTripper,
		Jar:            s.httpClient.Jar,
		AttemptTimeout: timeout,
		MaxRetries:     s.maxRetries,
		Backoff:        s.backoff,
		Budget:         transport.NewBudget(s.retryBudget),
		Logger:         s.logger,
		FromService:    isServiceError,
	}
}

// defaultTransport returns a copy of http.DefaultTransport that keeps more idle connections,
// because the original closes all but 2 per host after a burst of calls. If the program has
// replaced http.DefaultTransport (for tracing, or with a mock), it is used unchanged.
func defaultTransport(attemptTimeout time.Duration) http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	t = t.Clone()
	t.MaxIdleConnsPerHost = 256
	t.MaxIdleConns = 256
	if t.MaxResponseHeaderBytes == 0 {
		t.MaxResponseHeaderBytes = 64 << 10 // with net/http's 10 MiB, an attempt could allocate 70 MiB
	}
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	// Pings find a dead HTTP/2 connection within one attempt. Without them, each call on the
	// connection would wait until its timeout.
	t.HTTP2.SendPingTimeout = cmp.Or(t.HTTP2.SendPingTimeout, min(10*time.Second, attemptTimeout/3))
	t.HTTP2.PingTimeout = cmp.Or(t.HTTP2.PingTimeout, min(5*time.Second, attemptTimeout/3))
	if t.OnProxyConnectResponse == nil {
		t.OnProxyConnectResponse = checkProxy
	}
	return t
}

// checkProxy returns an error that names the proxy which rejected a connection, because the error
// of net/http is only a status text: "Forbidden".
func checkProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("the proxy %s://%s rejected the connection: %d %s", proxy.Scheme, proxy.Host, resp.StatusCode,
		http.StatusText(resp.StatusCode))
}
