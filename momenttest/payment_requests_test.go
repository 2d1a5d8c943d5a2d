package momenttest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// movedClock is a clock that a test moves.
type movedClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *movedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *movedClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newClocked(t *testing.T) (*momenttest.Server, *movedClock) {
	t.Helper()
	clock := &movedClock{at: time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)}
	srv := momenttest.NewServer(momenttest.WithClock(clock.now))
	t.Cleanup(srv.Close)
	return srv, clock
}

const (
	requestsPath = "/collect/payment_requests"
	asked        = `{"amount": 2000, "currency": "ZAR", "external_reference": "UBR1234567890", "description": "Water", "metadata": {"bill": "UBR1234567890"}}`
)

func TestPaymentRequests(t *testing.T) {
	srv, clock := newClocked(t)
	created := send(t, srv, "POST", requestsPath, asked)
	id := field(t, created, "id")
	require.Regexp(t, `^pr_[A-Z0-9]{21}$`, id)
	session := strings.TrimPrefix(field(t, created, "link"), "map[checkout_session_id:")
	session, _, _ = strings.Cut(session, " ")
	require.Regexp(t, `^chk_[A-Z0-9]{21}$`, session)
	want := `{"id": "` + id + `", "type": "link", "status": "active", "amount": 2000, "currency": "ZAR", "external_reference": "UBR1234567890",
		"description": "Water", "expires_at": "2025-02-01T12:00:00Z", "link": {"checkout_session_id": "` + session + `", "url": "` + srv.URL + `/_pay/` + session + `"},
		"metadata": {"bill": "UBR1234567890"}, "created_at": "2025-01-31T12:00:00Z", "updated_at": "2025-01-31T12:00:00Z"}`
	requireObject(t, created, 201, want)
	requireObject(t, send(t, srv, "GET", requestsPath+"/"+id, ""), 200, want)
	requireProblem(t, send(t, srv, "GET", requestsPath+"/UBR1234567890", ""), 404, `No payment request has the id "UBR1234567890".`)
	require.Equal(t, 201, send(t, srv, "POST", requestsPath, asked).status, "references are not unique, because Moment does not document that they are")

	clock.add(time.Hour)
	updated := send(t, srv, "PATCH", requestsPath+"/"+id, `{"description": "Sewage", "external_reference": "b", "expires_at": "2025-03-01T00:00:00+02:00", "metadata": {"c": "d"}}`, "Idempotency-Key: update-1")
	require.Equal(t, 200, updated.status, updated.body)
	for name, value := range map[string]string{
		"description": "Sewage", "external_reference": "b", "expires_at": "2025-03-01T00:00:00+02:00", "metadata": "map[bill:UBR1234567890 c:d]",
		"amount": "2000", "status": "active", "created_at": "2025-01-31T12:00:00Z", "updated_at": "2025-01-31T13:00:00Z",
	} {
		assert.Equal(t, value, field(t, updated, name), name)
	}
	clock.add(time.Hour)
	again := send(t, srv, "PATCH", requestsPath+"/"+id, `{"description": "Sewage", "external_reference": "b", "expires_at": "2025-03-01T00:00:00+02:00", "metadata": {"c": "d"}}`, "Idempotency-Key: update-1")
	assert.Equal(t, updated.body, again.body)
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	requireProblem(t, send(t, srv, "PATCH", requestsPath+"/"+id, `{}`, "Idempotency-Key: update-1"), 422, "This Idempotency-Key was used with another request; the path and body must be the same, byte for byte.")
	requireProblem(t, send(t, srv, "PATCH", requestsPath+"/"+id, `{}`), 400, "The header Idempotency-Key is required.")
	requireProblem(t, send(t, srv, "PATCH", requestsPath+"/pr_1", `{}`, "Idempotency-Key: update-2"), 404, `No payment request has the id "pr_1".`)
}

func TestPushRequest(t *testing.T) {
	srv, _ := newClocked(t)
	created := send(t, srv, "POST", requestsPath, `{"type": "push", "amount": 1, "currency": "JPY", "push": {"provider": "capitec", "capitec": {"phone_number": "+27823778084"}}}`)
	requireObject(t, created, 201, `{"id": "`+field(t, created, "id")+`", "type": "push", "status": "active", "amount": 1, "currency": "JPY", "expires_at": "2025-01-31T12:02:00Z",
		"push": {"provider": "capitec", "capitec": {"phone_number": "+27823778084"}}, "created_at": "2025-01-31T12:00:00Z", "updated_at": "2025-01-31T12:00:00Z"}`)
}

func TestPaymentRequestParameters(t *testing.T) {
	srv, _ := newClocked(t)
	id := field(t, send(t, srv, "POST", requestsPath, asked), "id")
	keys := func(n int) string {
		pairs := make([]string, 0, n)
		for i := range n {
			pairs = append(pairs, `"`+string(rune('a'+i))+`":"v"`)
		}
		return `"metadata":{` + strings.Join(pairs, ",") + `}`
	}
	const money = `"amount":2000,"currency":"ZAR",`
	create := func(member string) string { return "{" + money + member + "}" }
	for _, row := range []struct {
		why, body string
		status    int
		detail    string
	}{
		{"no amount", `{"currency":"ZAR"}`, 400, "amount is required."},
		{"no currency", `{"amount":1}`, 400, "currency is required."},
		{"an amount of 0", `{"amount":0,"currency":"ZAR"}`, 400, "amount must be an integer from 1 to 9223372036854775807, in minor units."},
		{"a fraction", `{"amount":1.5,"currency":"ZAR"}`, 400, "amount must be an integer from 1 to 9223372036854775807, in minor units."},
		{"a currency in small letters", `{"amount":1,"currency":"zar"}`, 400, "currency must be an ISO 4217 code of three capital letters, such as ZAR."},
		{"another type", create(`"type":"page"`), 400, "type must be link or push."},
		{"a reference with a space", create(`"external_reference":"a b"`), 400, "external_reference must be 1 to 255 of a-z, A-Z, 0-9, _ and -."},
		{"a description of 500", create(`"description":"` + strings.Repeat("é", 500) + `"`), 201, ""},
		{"a description of 501", create(`"description":"` + strings.Repeat("é", 501) + `"`), 400, "description must be a string of at most 500 characters."},
		{"a date", create(`"expires_at":"2025-02-01"`), 400, "expires_at must be a time as in RFC 3339, such as 2025-01-31T12:00:00Z."},
		{"null is the default", create(`"expires_at":null`), 201, ""},
		{"a push without where to", create(`"type":"push"`), 400, "push is required."},
		{"a push without a provider", create(`"type":"push","push":{"capitec":{"phone_number":"+27823778084"}}`), 400, "push.provider is required."},
		{"another provider", create(`"type":"push","push":{"provider":"fnb","capitec":{"phone_number":"+27823778084"}}`), 400, "push.provider must be capitec."},
		{"a push without a phone number", create(`"type":"push","push":{"provider":"capitec","capitec":{}}`), 400, "push.capitec.phone_number is required."},
		{"a push without capitec", create(`"type":"push","push":{"provider":"capitec"}`), 400, "push.capitec is required."},
		{"a phone number within the country", create(`"type":"push","push":{"provider":"capitec","capitec":{"phone_number":"0823778084"}}`), 400, "push.capitec.phone_number must be a phone number in E.164 form, such as +27123456789."},
		{"eleven keys", create(keys(11)), 400, "metadata may have at most 10 keys."},
		{"no JSON", `no JSON`, 400, "The body must be a JSON object in UTF-8."},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, "POST", requestsPath, row.body)
			if row.detail == "" {
				require.Equal(t, row.status, a.status, a.body)
				return
			}
			requireProblem(t, a, row.status, row.detail)
		})
	}
	requireProblem(t, send(t, srv, "PATCH", requestsPath+"/"+id, "{"+keys(10)+"}", "Idempotency-Key: keys"), 422, "metadata would have 11 keys after merging; at most 10 are allowed.")
	requireProblem(t, send(t, srv, "PATCH", requestsPath+"/"+id, `[]`, "Idempotency-Key: list"), 400, "The body must be a JSON object in UTF-8.")
}

func TestPaymentRequestsExpireByTheClock(t *testing.T) {
	srv, clock := newClocked(t)
	status := func(id string) string { return field(t, send(t, srv, "GET", requestsPath+"/"+id, ""), "status") }
	link := field(t, send(t, srv, "POST", requestsPath, asked), "id")
	push := field(t, send(t, srv, "POST", requestsPath, `{"type":"push","amount":1,"currency":"ZAR","push":{"provider":"capitec","capitec":{"phone_number":"+27823778084"}}}`), "id")
	own := field(t, send(t, srv, "POST", requestsPath, `{"amount":1,"currency":"ZAR","expires_at":"2025-01-31T12:00:01Z"}`), "id")

	past := send(t, srv, "POST", requestsPath, `{"amount":1,"currency":"ZAR","expires_at":"2025-01-31T12:00:00Z"}`)
	assert.Equal(t, "expired", field(t, past, "status"), "it cannot be paid, so it is not active at first")
	shorter := send(t, srv, "PATCH", requestsPath+"/"+own, `{"expires_at":"2025-01-31T11:59:59Z"}`, "Idempotency-Key: shorter")
	assert.Equal(t, "expired", field(t, shorter, "status"))
	moved := send(t, srv, "PATCH", requestsPath+"/"+own, `{"expires_at":"2025-01-31T12:00:01Z"}`, "Idempotency-Key: moved")
	assert.Equal(t, "active", field(t, moved, "status"))

	clock.add(time.Second)
	assert.Equal(t, []string{"active", "active", "expired"}, []string{status(link), status(push), status(own)})
	clock.add(2*time.Minute - time.Second)
	assert.Equal(t, []string{"active", "expired"}, []string{status(link), status(push)})
	clock.add(24 * time.Hour)
	assert.Equal(t, moment.PaymentRequestStatusExpired, srv.State().PaymentRequests[0].Status)
	_, err := srv.Pay(t.Context(), momenttest.Payment{Request: link, Amount: 2000})
	require.EqualError(t, err, "momenttest: pay: "+link+" expired at 2025-02-01T12:00:00Z: it can no longer be paid")

	longer := send(t, srv, "PATCH", requestsPath+"/"+link, `{"expires_at":"2025-03-01T00:00:00Z"}`, "Idempotency-Key: longer")
	assert.Equal(t, "active", field(t, longer, "status"), "it has not been paid, so it can be changed")
	_, err = srv.Pay(t.Context(), momenttest.Payment{Request: link, Amount: 2000})
	require.NoError(t, err)
	clock.add(365 * 24 * time.Hour)
	assert.Equal(t, "paid", status(link), "a paid request does not expire")
}

// The recipe of docs/testing.md: a request expires by the clock of the fake.
func TestExpiryRecipe(t *testing.T) {
	var clock atomic.Pointer[time.Time] // the server reads it from other goroutines
	now := time.Date(2025, time.January, 31, 12, 0, 0, 0, time.UTC)
	clock.Store(&now)
	srv := momenttest.NewServer(momenttest.WithClock(func() time.Time { return *clock.Load() }))
	t.Cleanup(srv.Close)
	client := srv.Client()
	request, err := client.PaymentRequests.Create(t.Context(), moment.PaymentRequestCreateParams{Amount: 2000, Currency: moment.ZAR})
	if err != nil {
		t.Fatal(err)
	}

	clock.Store(&request.ExpiresAt) // 24 hours later
	request, err = client.PaymentRequests.Get(t.Context(), request.ID)
	if err != nil || request.Status != moment.PaymentRequestStatusExpired {
		t.Error(request, err)
	}
	if _, err := srv.Pay(t.Context(), momenttest.Payment{Request: request.ID, Amount: 2000}); err == nil {
		t.Error("an expired request was paid")
	}
}

func TestPaymentRequestsInStateAndSeed(t *testing.T) {
	srv, clock := newClocked(t)
	for range 3 {
		require.Equal(t, 201, send(t, srv, "POST", requestsPath, asked).status)
	}
	require.Equal(t, 201, send(t, srv, "POST", requestsPath, `{"type":"push","amount":1,"currency":"ZAR","push":{"provider":"capitec","capitec":{"phone_number":"+27823778084"}}}`).status)
	all := srv.State().PaymentRequests
	_, err := srv.Pay(t.Context(), momenttest.Payment{Request: all[1].ID, Amount: 2000, Method: "zapper"})
	require.NoError(t, err)
	_, err = srv.FailPayment(t.Context(), momenttest.Payment{Request: all[3].ID, Amount: 1})
	require.NoError(t, err)
	require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", `{"external_reference":"UCR-1","currency":"ZAR"}`).status)
	_, err = srv.Pay(t.Context(), momenttest.Payment{Customer: "UCR-1", Amount: 5})
	require.NoError(t, err)
	state := srv.State()
	assert.Contains(t, state.String(), "payment request "+all[1].ID+" UBR1234567890 paid ZAR 20.00\n")

	other := momenttest.NewServer(momenttest.WithClock(clock.now))
	t.Cleanup(other.Close)
	require.NoError(t, other.Seed(state))
	assert.Equal(t, state, other.State())
	for _, r := range state.PaymentRequests {
		assert.Equal(t, send(t, srv, "GET", requestsPath+"/"+r.ID, "").body, send(t, other, "GET", requestsPath+"/"+r.ID, "").body)
	}
	for _, p := range state.PaymentDetails {
		assert.Equal(t, send(t, srv, "GET", "/collect/payments/"+p.ID, "").body, send(t, other, "GET", "/collect/payments/"+p.ID, "").body)
	}
	assert.Len(t, state.PaymentDetails, 3)

	request := moment.PaymentRequest{Amount: 2000, Currency: moment.ZAR}
	change := func(change func(*moment.PaymentRequest)) momenttest.State {
		changed := request
		change(&changed)
		return momenttest.State{PaymentRequests: []moment.PaymentRequest{changed}}
	}
	for _, row := range []struct {
		why   string
		state momenttest.State
		says  string
	}{
		{"another kind of id", change(func(r *moment.PaymentRequest) { r.ID = "pay_1" }), "PaymentRequests[0]: id must be an id: pr_ and then letters and digits"},
		{"paid by nothing", change(func(r *moment.PaymentRequest) { r.Status = moment.PaymentRequestStatusPaid }), "PaymentRequests[0]: payment_id is required of a request that is paid, and of no other"},
		{"another status", change(func(r *moment.PaymentRequest) { r.Status = "open" }), "PaymentRequests[0]: status must be active or paid or expired or failed"},
		{"what the service would reject", change(func(r *moment.PaymentRequest) { r.Amount = 0 }), "PaymentRequests[0]: amount must be an integer from 1"},
		{"an id that exists already", momenttest.State{PaymentRequests: []moment.PaymentRequest{{ID: all[0].ID, Amount: 1, Currency: moment.ZAR}}}, "PaymentRequests[0]: id \"" + all[0].ID + "\" belongs to another payment request"},
		{"a payment without a currency", momenttest.State{PaymentDetails: []moment.Payment{{ID: "p_1", Amount: 1}}}, "PaymentDetails[0]: currency is required"},
		{"a payment with another id", momenttest.State{PaymentDetails: []moment.Payment{{ID: "pr_1", Amount: 1, Currency: moment.ZAR}}}, "PaymentDetails[0]: id must be an id: pay_ or p_ and then letters and digits"},
	} {
		assert.ErrorContains(t, srv.Seed(row.state), row.says, row.why)
	}
	require.NoError(t, srv.Seed(momenttest.State{PaymentRequests: []moment.PaymentRequest{request}, PaymentDetails: []moment.Payment{{ID: "p_1", Amount: 1, Currency: moment.ZAR}}}))
	payment, err := srv.Client().Payments.Get(t.Context(), "p_1")
	require.NoError(t, err)
	assert.Equal(t, moment.PaymentStatusSucceeded, payment.Status)
	assert.Regexp(t, "^"+srv.URL+"/_pay/chk_", srv.State().PaymentRequests[4].Link.URL)
}

// A link leads to the service that the request was sent to, and that of a seeded request to the
// server.
func TestLinksLeadToTheFake(t *testing.T) {
	asked := momenttest.State{PaymentRequests: []moment.PaymentRequest{{Amount: 1, Currency: moment.ZAR}}}
	for _, opts := range [][]momenttest.Option{nil, {momenttest.InProcess()}} {
		srv := momenttest.NewServer(opts...)
		t.Cleanup(srv.Close)
		require.NoError(t, srv.Seed(asked))
		assert.Regexp(t, "^"+srv.URL+"/_pay/chk_", srv.State().PaymentRequests[0].Link.URL)
	}

	r := httptest.NewRequest(http.MethodPost, "https://moment.localhost"+requestsPath, strings.NewReader(`{"amount":1,"currency":"ZAR"}`))
	r.Header = http.Header{"Authorization": {"Bearer sk_test_YOUR_SECRET_KEY"}, "Content-Type": {"application/json"}, "Idempotency-Key": {"k"}}
	handler := momenttest.NewHandler()
	handler.ServeHTTP(httptest.NewRecorder(), r)
	assert.Regexp(t, "^https://moment.localhost/_pay/chk_", handler.State().PaymentRequests[0].Link.URL)
}

// A request that is seeded as expired stays expired.
func TestSeededExpiredRequest(t *testing.T) {
	srv := newServer(t)
	require.NoError(t, srv.Seed(momenttest.State{PaymentRequests: []moment.PaymentRequest{{ID: "pr_1", Amount: 1, Currency: moment.ZAR, Status: moment.PaymentRequestStatusExpired}}}))
	require.Equal(t, "expired", field(t, send(t, srv, "GET", "/collect/payment_requests/pr_1", ""), "status"))
}

// A seed that fails leaves no payment request and no payment behind.
func TestFailedSeedAddsNothing(t *testing.T) {
	srv := newServer(t)
	require.Error(t, srv.Seed(momenttest.State{
		PaymentRequests: []moment.PaymentRequest{{ID: "pr_1", Amount: 1, Currency: moment.ZAR}},
		PaymentDetails:  []moment.Payment{{ID: "pay_1", Amount: 1, Currency: moment.ZAR}, {ID: "pay_1", Amount: 1, Currency: moment.ZAR}},
	}))
	for _, path := range []string{"/collect/payment_requests/pr_1", "/collect/payments/pay_1"} {
		require.Equal(t, 404, send(t, srv, "GET", path, "").status, path)
	}
}
