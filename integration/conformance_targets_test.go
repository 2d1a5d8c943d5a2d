package integration_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// The targets of the table in conformance_test.go.
const (
	onFake   = "momenttest"
	onMock   = "mock of the description"
	onProxy  = "momenttest checked against the description"
	onMoment = "Moment"
)

const (
	description = "../api/openapi.yaml"
	anyTestKey  = "sk_test_YOUR_SECRET_KEY"
)

func TestConformance(t *testing.T) {
	t.Run(onFake, func(t *testing.T) {
		fake := newFake(t)
		conform(t, onFake, service{url: fake.URL, key: anyTestKey, fake: fake}.check)
	})

	// Prism's mock responds with the examples of the description. It finds errors that a request
	// shows by itself. For errors that depend on existing objects, the test asks for the status.
	t.Run(onMock, func(t *testing.T) {
		// Prism responds to an invalid request with the description's 422, although the
		// documentation has 400, and Prism has no option for it. So such requests go to a second
		// mock, of the same description without 422.
		first := startPrism(t, "mock", description)
		second := startPrism(t, "mock", changed(t, `(?m)^ +"422": .*\n`, ""))
		conform(t, onMock, prismMock{url: first(), without422: second()}.check)
	})

	// Prism's proxy checks requests to momenttest and its responses against the schemas of the
	// description.
	t.Run(onProxy, func(t *testing.T) {
		fake := newFake(t)
		proxy := startPrism(t, "proxy", description, fake.URL)
		conform(t, onProxy, service{url: proxy(), described: true, key: anyTestKey, fake: fake}.check)
	})

	t.Run(onMoment, func(t *testing.T) {
		url, key := cmp.Or(os.Getenv("MOMENT_BASE_URL"), "https://api.momentpay.net"), os.Getenv("MOMENT_API_KEY")
		if !strings.HasPrefix(key, "sk_test_") {
			t.Skip("MOMENT_API_KEY is not a test key")
		}
		_, err := moment.NewClient(key, moment.WithBaseURL(url)) // rejects a base URL that would reveal the key
		require.NoError(t, err)
		conform(t, onMoment, service{url: strings.TrimSuffix(url, "/"), key: key}.check)
	})
}

func newFake(t *testing.T) *momenttest.Server {
	t.Helper()
	fake := momenttest.NewServer()
	t.Cleanup(fake.Close)
	return fake
}

// conform sends all rows to a target. check returns the differences from the row.
func conform(t *testing.T, target string, check func(*testing.T, exchange) []string) {
	t.Helper()
	asked, different := 0, 0
	for _, e := range documentation {
		t.Run(e.why, func(t *testing.T) {
			if slices.Contains(e.notOn, target) {
				t.Skip(e.because)
			}
			differences := strings.Join(check(t, e), "\n")
			asked++
			switch {
			case differences == "":
			case target == onMoment && e.open != "":
				t.Skipf("not documented: %s\n%s", e.open, differences)
			default:
				different++
				t.Errorf("%s\n%s", e.operation, differences)
			}
		})
	}
	t.Logf("%d rows, %d sent, %d different", len(documentation), asked, different)
}

// service is a target that has state.
type service struct {
	url, key  string
	fake      *momenttest.Server // nil: the real one
	described bool               // prism is in front of it
}

const (
	sampleDigits = "1234567890"
	sampleID     = "H4jp6KnU5cPw263v1jyz4" // after its prefix
)

func (s service) check(t *testing.T, e exchange) []string {
	t.Helper()
	known := samples{sampleDigits: strconv.FormatInt(1e9+mathrand.Int64N(9e9), 10)}
	send := func(r request) reply {
		switch method, id, _ := strings.Cut(r.operation, " "); {
		case method != payerPays && method != payerDeclined:
		case s.fake == nil:
			t.Skip("programs cannot pay")
		default:
			return payRequest(t, s.fake, known.replace(id), method == payerDeclined)
		}
		switch {
		case r.fault != nil && s.fake == nil:
			t.Skip("it cannot be made to fail")
		case r.fault != nil:
			s.fake.Fail(*r.fault)
		}
		r.operation, r.body, r.header = known.replace(r.operation), known.replace(r.body), slices.Clone(r.header)
		for i := range r.header {
			r.header[i] = known.replace(r.header[i])
		}
		return roundTrip(t, s.url, s.key, r)
	}
	var first reply // to the same request
	for _, r := range e.before {
		before := send(r)
		known.learn(before)
		switch {
		case e.replayed && reflect.DeepEqual(r, e.request):
			first = before
		default:
			require.Less(t, before.status, http.StatusMultipleChoices, "%s: %s", r.operation, before.body)
		}
	}

	d := differences{want: e, got: send(e.request)}
	if !d.head() {
		return d.found
	}
	if e.replayed {
		d.expectf(d.got.body == first.body, "the first response was %s", first.body)
	}
	d.expectf(e.replayed || !d.got.replayed(), "it is marked as replayed")
	if e.status < http.StatusBadRequest {
		d.values(known)
	} else {
		d.problem()
		d.detail(known)
	}
	if s.described {
		d.violations()
	}
	return d.found
}

// payRequest pays a request, or declines the payer's card, and returns the object of the last
// event.
func payRequest(t *testing.T, fake *momenttest.Server, id string, declined bool) reply {
	t.Helper()
	pay := fake.Pay
	if declined {
		pay = fake.FailPayment
	}
	delivery, err := pay(t.Context(), momenttest.Payment{Request: id, Amount: 2000})
	require.NoError(t, err)
	object, _ := decode(string(delivery.Body))["data"].(map[string]any)
	return reply{status: http.StatusOK, object: object}
}

// prismMock is a target with a description and without state.
type prismMock struct {
	url, without422 string
}

func (m prismMock) check(t *testing.T, e exchange) []string {
	t.Helper()
	url := m.url
	switch {
	case e.plain:
		url = m.without422
	case e.status >= http.StatusBadRequest:
		e.request = e.with("Prefer: code=" + strconv.Itoa(e.status))
	}
	d := differences{want: e, got: roundTrip(t, url, anyTestKey, e.request)}
	if !d.head() {
		return d.found
	}
	if e.status < http.StatusBadRequest {
		d.kinds()
	} else {
		d.problem()
	}
	d.violations()
	return d.found
}

// samples has the replacements for the documentation's samples in a row.
type samples map[string]string

func (s samples) replace(text string) string {
	for sample, value := range s {
		text = strings.ReplaceAll(text, sample, value)
	}
	return text
}

// learn stores the ids of a response, unless it has ids of that kind already.
func (s samples) learn(from reply) {
	for _, name := range []string{"id", "customer_id", "account_id", "payment_id"} {
		id := from.text(name)
		if prefix, _, ok := strings.Cut(id, "_"); ok {
			sample := prefix + "_" + sampleID
			s[sample] = cmp.Or(s[sample], id)
		}
	}
}

// reply is a received response.
type reply struct {
	status     int
	header     http.Header
	body       string
	object     map[string]any // nil if the body is not JSON
	violations []violation    // reported by prism
}

func (r reply) text(member string) string {
	text, _ := r.object[member].(string)
	return text
}

func (r reply) replayed() bool { return r.header.Get("Idempotent-Replayed") == "true" }

func roundTrip(t *testing.T, url, key string, r request) reply {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	method, path, _ := strings.Cut(r.operation, " ")
	req, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(r.body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+key)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost || method == http.MethodPatch && strings.HasPrefix(path, "/collect/") {
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	for _, line := range r.header {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := http.DefaultTransport.RoundTrip(req) // which does not follow redirects
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	got := reply{status: resp.StatusCode, header: resp.Header, body: string(body), object: decode(string(body))}
	if found := resp.Header.Get("Sl-Violations"); found != "" {
		require.NoError(t, json.Unmarshal([]byte(found), &got.violations), found)
	}
	return got
}

// decode keeps the form of numbers.
func decode(object string) map[string]any {
	decoder := json.NewDecoder(strings.NewReader(object))
	decoder.UseNumber()
	var members map[string]any
	if decoder.Decode(&members) != nil {
		return nil
	}
	return members
}

// differences collects the differences between a reply and a row.
type differences struct {
	want  exchange
	got   reply
	found []string
}

func (d *differences) expectf(ok bool, format string, args ...any) {
	if !ok {
		d.found = append(d.found, fmt.Sprintf(format, args...)+fmt.Sprintf(": %d %s", d.got.status, d.got.body))
	}
}

// head compares the status and the headers. If the status differs, the rest is not compared.
func (d *differences) head() bool {
	mediaType := "application/json"
	if d.want.status >= http.StatusBadRequest {
		mediaType = "application/problem+json"
	}
	got, _, _ := strings.Cut(d.got.header.Get("Content-Type"), ";")
	if d.got.status != d.want.status {
		d.expectf(false, "not %d", d.want.status)
		return false
	}
	d.expectf(got == mediaType || d.html(), "%s is not %s", got, mediaType)
	d.expectf(d.got.replayed() || !d.want.replayed, "it is not marked as replayed")
	d.expectf(d.got.header.Get("Retry-After") == d.want.retryAfter || d.want.retryAfter == "", "Retry-After is not %s", d.want.retryAfter)
	return true
}

// html reports whether a gateway has responded, and not the service.
func (d *differences) html() bool {
	return d.want.gateway && strings.HasPrefix(d.got.header.Get("Content-Type"), "text/html")
}

// values compares the members of a success.
func (d *differences) values(known samples) {
	for name, want := range decode(strings.ReplaceAll(d.want.members, sampleDigits, known[sampleDigits])) {
		sample, _ := want.(string)
		switch prefix, isID := strings.CutSuffix(sample, sampleID); {
		case isID && name != "id" && known[sample] != "": // of the objects before
			d.expectf(d.got.text(name) == known[sample], "%s is not %s", name, known[sample])
		case isID:
			d.expectf(regexp.MustCompile("^"+prefix+"[a-zA-Z0-9]+$").MatchString(d.got.text(name)), "%s does not begin with %s", name, prefix)
		case want == "today":
			date, err := time.Parse(time.DateOnly, d.got.text(name))
			d.expectf(err == nil && time.Since(date).Abs() < 48*time.Hour, "%s is not today, anywhere", name)
		default:
			d.expectf(reflect.DeepEqual(d.got.object[name], want), "%s is not %v", name, want)
		}
	}
}

// kinds compares the names and the kinds of members, because an example has other values.
func (d *differences) kinds() {
	for name, want := range decode(d.want.members) {
		d.expectf(want == nil || reflect.TypeOf(d.got.object[name]) == reflect.TypeOf(want), "%s is not like %v", name, want)
	}
}

var problemType = regexp.MustCompile(`^https://api\.(momentco\.io|momentpay\.net)/docs/errors#[a-z-]+$`)

// problem compares the form of problem details.
func (d *differences) problem() {
	if d.html() {
		return
	}
	d.expectf(problemType.MatchString(d.got.text("type")), "type is not of its form")
	d.expectf(d.got.object["status"] == json.Number(strconv.Itoa(d.want.status)), "status is not that of the response")
	for _, name := range []string{"title", "detail", "instance"} {
		d.expectf(d.got.text(name) != "", "there is no %s", name)
	}
}

// detail compares the problem details that depend on the request.
func (d *differences) detail(known samples) {
	if d.html() {
		return
	}
	_, path, _ := strings.Cut(known.replace(d.want.operation), " ")
	d.expectf(d.got.text("instance") == path, "instance is not %s", path)
	for _, name := range d.want.names {
		d.expectf(strings.Contains(d.got.text("detail"), known.replace(name)), "detail does not name %s", name)
	}
}

// violation is a difference from the description.
type violation struct {
	Location []string `json:"location"`
	Message  string   `json:"message"`
}

var absent = regexp.MustCompile(`must have (?:required property '|property )([\w-]+)`)

// parameter returns the path of the parameter that does not fit.
func (v violation) parameter() string {
	path := v.Location[min(2, len(v.Location)):] // after request.body
	if name := absent.FindStringSubmatch(v.Message); name != nil {
		path = append(slices.Clip(path), name[1])
	}
	return strings.Join(path, ".")
}

// violations compares the reports of prism. Responses must fit the description, and requests too,
// unless the row expects a violation.
func (d *differences) violations() {
	named := len(d.want.names) != 1
	for _, v := range d.got.violations {
		d.expectf(v.Location[0] == "request" && d.want.plain, "%s: %s", v.Location, v.Message)
		// An error that depends on several members is reported for the object around them.
		named = named || strings.EqualFold(d.want.names[0], v.parameter()) || strings.HasPrefix(v.parameter(), d.want.names[0]+".")
	}
	if d.want.plain {
		d.expectf(len(d.got.violations) > 0, "it fits the description")
		d.expectf(named, "only %v does not fit the description, not %s", d.got.violations, d.want.names)
	}
}

// startPrism starts prism with arguments of its command line, for one test. The returned function
// waits until prism listens, and returns its URL.
func startPrism(t *testing.T, args ...string) func() string {
	t.Helper()
	const dir = "testdata/openapi"
	program, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "@stoplight", "prism-cli"))
	}
	if err != nil {
		text := fmt.Sprintf("the npm package @stoplight/prism-cli is not installed: bash .ci/node installs it (%v)", err)
		if os.Getenv("CI") != "" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	// One process, on a port that the system chooses.
	cmd := exec.CommandContext(t.Context(), program, append([]string{filepath.Join(dir, "prism.js")}, append(args, "--port=0", "--multiprocess=false")...)...)
	var stderr strings.Builder // and not this process's own, which Node.js would make non-blocking
	cmd.Stderr = &stderr
	_, err = cmd.StdinPipe() // it ends with its input, even if this process is killed
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	return func() string {
		var said strings.Builder
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			fmt.Fprintln(&said, lines.Text())
			if _, url, ok := strings.Cut(lines.Text(), "Prism is listening on "); ok {
				late.Stop()
				go func() { _, _ = io.Copy(io.Discard, stdout) }()
				return strings.TrimSpace(url)
			}
		}
		_ = cmd.Wait()
		t.Fatalf("prism does not listen:\n%s%s", said.String(), stderr.String())
		return ""
	}
}

// changed returns a changed copy of the description.
func changed(t *testing.T, pattern, replacement string) string {
	t.Helper()
	whole, err := os.ReadFile(description)
	require.NoError(t, err)
	other := regexp.MustCompile(pattern).ReplaceAll(whole, []byte(replacement))
	require.NotEqual(t, string(whole), string(other))
	path := filepath.Join(t.TempDir(), "openapi.yaml")
	require.NoError(t, os.WriteFile(path, other, 0o600))
	return path
}

// Prism does not accept webhooks, so the webhooks of the description become paths.
func TestConformanceOfEvents(t *testing.T) {
	prism := startPrism(t, "mock", changed(t, `(?m)^(?:webhooks:\n)?  (obligation|payment|payment_request)\.`, "  /$1."))()
	endpoint := prism + "/obligation.amount_applied"

	fake := newFake(t)
	fake.SetWebhook(endpoint, webhookSecret)
	got := roundTrip(t, fake.URL, anyTestKey, post("/billing/bills", `{
		"account": {
			"customer": {"external_reference": "UCR1234567890", "currency": "ZAR", "balance": 2000, "metadata": {"order_id": "ord_789012"}},
			"external_reference": "UAR1234567890", "currency": "ZAR", "balance": 2000
		},
		"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
	}`))
	require.Equal(t, http.StatusCreated, got.status, got.body)
	for _, payment := range []momenttest.Payment{
		{Customer: "UCR1234567890", Amount: 1}, {Account: "UAR1234567890", Amount: 99999999}, {Bill: "UBR1234567890", Amount: 2000},
	} {
		delivery, err := fake.Pay(t.Context(), payment)
		require.NoError(t, err)
		assert.True(t, delivery.Acknowledged(), "%s", delivery.Body)
	}

	const guide = `{"id": "evt_2341234567890abcdef", "type": "obligation.amount_applied", "data": {
		"id": "ob_N2a38DJQWPL8K4X42354234", "amount": 2000, "currency": "ZAR", "payment_id": "pay_1313235234843nmafdsa",
		"account_id": "bacc_H4jp6KnU5cPw263v1jyz4"
	}}`
	for _, row := range []struct {
		why, old, new string // replaced in the event of the guide
		accepts       bool
	}{
		{"the guide's own event", "", "", true},
		{"the reference has more", `"amount"`, `"metadata": {"a": "b"}, "created_at": "2025-01-01T12:00:00Z", "updated_at": "2025-01-01T12:00:00+02:00", "amount"`, true},
		{"an id of 50 characters, the maximum", "evt_2341234567890abcdef", "evt_" + strings.Repeat("a", 46), true},
		{"an id of 51", "evt_2341234567890abcdef", "evt_" + strings.Repeat("a", 47), false},
		{"an id of another kind", "evt_", "msg_", false},
		{"another type has another description", "obligation.amount_applied", "bill.created", false},
		{"a customer's", `"account_id": "bacc_`, `"customer_id": "bcus_`, true},
		{"a bill's", `"account_id": "bacc_`, `"bill_id": "bill_`, true},
		{"nobody's", `"account_id"`, `"payment_request_id"`, false},
		{"of two", `"amount"`, `"bill_id": "bill_H4jp6KnU5cPw263v1jyz4", "amount"`, false},
		{"no amount", `"amount": 2000,`, ``, false},
		{"no currency", `"currency": "ZAR",`, ``, false},
		{"no payment", `"payment_id": "pay_1313235234843nmafdsa",`, ``, false},
		{"no obligation", `"id": "ob_N2a38DJQWPL8K4X42354234",`, ``, false},
		{"an amount in major units", `2000`, `20.5`, false},
		{"a time without its zone", `"amount"`, `"created_at": "2025-01-01T12:00:00", "amount"`, false},
	} {
		resp, err := http.DefaultTransport.RoundTrip(momenttest.NewWebhookRequest(endpoint, webhookSecret, strings.Replace(guide, row.old, row.new, 1)))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, row.accepts, resp.StatusCode == http.StatusOK, row.why)
	}
}

// The events of payment requests and payments fit the description, each under its own type.
func TestConformanceOfPaymentEvents(t *testing.T) {
	prism := startPrism(t, "mock", changed(t, `(?m)^(?:webhooks:\n)?  (obligation|payment|payment_request)\.`, "  /$1."))()
	fake := newFake(t)
	asked := roundTrip(t, fake.URL, anyTestKey, asked)
	require.Equal(t, http.StatusCreated, asked.status, asked.body)
	declined, err := fake.FailPayment(t.Context(), momenttest.Payment{Request: asked.text("id"), Amount: 2000})
	require.NoError(t, err)
	paid, err := fake.Pay(t.Context(), momenttest.Payment{Request: asked.text("id"), Amount: 2000, Method: "zapper"})
	require.NoError(t, err)
	events := map[string]string{}
	for _, d := range []*momenttest.Delivery{declined.Previous, declined, paid.Previous, paid} {
		kind, _ := decode(string(d.Body))["type"].(string)
		events[kind] = string(d.Body)
	}
	request := events["payment_request.paid"]
	events["payment_request.created"] = strings.Replace(request, "payment_request.paid", "payment_request.created", 1)
	events["payment_request.updated"] = strings.Replace(request, "payment_request.paid", "payment_request.updated", 1)
	events["payment.captured"] = strings.Replace(events["payment.succeeded"], "payment.succeeded", "payment.captured", 1)
	events["payment.voided"] = strings.Replace(events["payment.succeeded"], "payment.succeeded", "payment.voided", 1)
	require.Len(t, events, 8)
	accepts := func(kind, event string) bool {
		resp, err := http.DefaultTransport.RoundTrip(momenttest.NewWebhookRequest(prism+"/"+kind, webhookSecret, event))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode == http.StatusOK
	}
	for kind, event := range events {
		assert.True(t, accepts(kind, event), event)
		assert.True(t, accepts(kind, strings.Replace(event, `"id":"evt_`, `"id":"wh_`, 1)), "an id as in one of the samples")
		assert.False(t, accepts(kind, strings.Replace(event, kind, "payment.other", 1)), "of another type")
		assert.False(t, accepts(kind, strings.Replace(event, `"amount":2000`, `"amount":20.5`, 1)), "in major units")
		assert.False(t, accepts(kind, strings.Replace(event, `"currency":"ZAR",`, "", 1)), "without a currency")
		assert.False(t, accepts(kind, strings.Replace(event, `"status":"`, `"status":"un`, 1)), "with another status")
	}
}

// The table has a row for each described status of each operation. Names of rows are unique, and
// the members of a success can be decoded.
func TestConformanceIsComplete(t *testing.T) {
	whole, err := os.ReadFile(description)
	require.NoError(t, err)
	paths, _, _ := strings.Cut(string(whole), "\nwebhooks:")
	described := map[string]bool{}
	var path, method string
	for line := range strings.Lines(paths) {
		if m := regexp.MustCompile(`^  (/\S+):\n`).FindStringSubmatch(line); m != nil {
			path = m[1]
		}
		if m := regexp.MustCompile(`^    (get|post|patch):\n`).FindStringSubmatch(line); m != nil {
			method = strings.ToUpper(m[1])
		}
		if m := regexp.MustCompile(`^        "(\d+)": `).FindStringSubmatch(line); m != nil {
			described[method+" "+path+" "+m[1]] = true
		}
	}
	asked, whys := map[string]bool{}, map[string]bool{}
	identifier := regexp.MustCompile(`(customer|account|bill|payment_request|payment)s/[^/]+`)
	for _, e := range documentation {
		assert.False(t, whys[e.why], e.why)
		whys[e.why] = true
		assert.Equal(t, e.status < http.StatusBadRequest, decode(e.members) != nil, e.why)
		asked[identifier.ReplaceAllString(e.operation, "${1}s/{${1}}")+" "+strconv.Itoa(e.status)] = true
	}
	require.NotEmpty(t, described)
	for status := range described {
		assert.True(t, asked[status], "no row for %s", status)
	}
	for status := range asked {
		assert.True(t, described[status], "not described: %s", status)
	}
}
