package proof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// The personal data that the merchant sends to the service.
var person = moment.CustomerCreateParams{
	ExternalReference: "UCR-jane-roe",
	Name:              "Jane Roe",
	Email:             "jane.roe@example.com",
	Phone:             "+27831234567",
	Metadata:          map[string]string{"nickname": "Jay"},
}

// The person's payment request and payment.
var (
	personRequest = moment.PaymentRequestCreateParams{
		Amount: 2000, Currency: moment.ZAR, Type: moment.PaymentRequestTypePush, ExternalReference: "UCR-jane-roe", Description: "Jane Roe",
		Push:     &moment.PaymentPush{Provider: "capitec", Capitec: &moment.CapitecPush{PhoneNumber: "+27831234567"}},
		Metadata: map[string]string{"nickname": "Jay"},
	}
	personRequestUpdate = moment.PaymentRequestUpdateParams{Description: moment.Ptr("Jane Roe"), Metadata: map[string]string{"nickname": "Jay"}}
)

const (
	personRequestJSON = `{"id":"pr_UCR-jane-roe","type":"push","status":"Jane Roe","amount":2000,"currency":"ZAR","external_reference":"UCR-jane-roe","description":"Jane Roe",` +
		`"push":{"provider":"capitec","capitec":{"phone_number":"+27831234567"}},"metadata":{"nickname":"Jane Roe"},"created_at":"Jane Roe","updated_at":"Jane Roe"}`
	personPaymentJSON = `{"id":"pay_UCR-jane-roe","status":"Jane Roe","amount":2000,"currency":"ZAR","external_reference":"UCR-jane-roe",` +
		`"payment_method_details":{"type":"card","card":{"type":"Jane Roe","scheme":"visa","bin":"CARDBIN","last4":"LAST4"}},` +
		`"last_payment_error":{"error_code":"card_declined","message":"Jane Roe","timestamp":"Jane Roe"},"metadata":{"nickname":"Jane Roe"}}`
)

// askPerson makes each call about a payment request or a payment of the person.
func askPerson(ctx context.Context, c *moment.Client) []error {
	_, create := c.PaymentRequests.Create(ctx, personRequest)
	_, get := c.PaymentRequests.Get(ctx, "pr_UCR-jane-roe")
	_, update := c.PaymentRequests.Update(ctx, "pr_UCR-jane-roe", personRequestUpdate, moment.WithIdempotencyKey("raise-jane"))
	_, payment := c.Payments.Get(ctx, "pay_UCR-jane-roe")
	return []error{create, get, update, payment, c.Do(ctx, "DELETE", "/collect/payment_requests/pr_UCR-jane-roe", nil, nil, moment.WithIdempotencyKey("raise-jane"))}
}

// failures returns errors of each type, from a service that echoes the key and from arguments that
// contain it.
func failures(t *testing.T) (errs []error, responses []moment.Response) {
	t.Helper()
	for _, r := range []testkit.Reply{
		testkit.EchoKey(200), testkit.EchoKey(302), testkit.EchoKey(401), testkit.EchoKey(503),
		testkit.Respond(200, "<pre>Authorization: Bearer "+testkit.SecretKey+"</pre>"),
		testkit.Respond(502, "<pre>Authorization: Bearer "+testkit.SecretKey+"</pre>", "Content-Type: text/html"),
		testkit.Respond(502, strings.ReplaceAll(`{"sk_test_YOUR_SECRET_KEY":"Bearer sk_test_YOUR_SECRET_KEY"}`, "_", `\u005F`)),
		testkit.Respond(200, `{"id":"bill_1","due_date":"`+testkit.SecretKey+`"}`),
		testkit.TruncateAfter(`{"id":"` + testkit.SecretKey),
		testkit.RespondRaw("Bearer " + testkit.SecretKey + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\nBearer " + testkit.SecretKey + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\nContent-Length: " + testkit.SecretKey + "\r\n\r\n"),
		testkit.HangUp,
	} {
		s := testkit.Serve(t, r)
		for _, call := range calls {
			var resp moment.Response
			errs = append(errs, call(t.Context(), clientOf(t, s), moment.WithResponse(&resp)))
			responses = append(responses, resp)
		}
	}
	ctx := t.Context()
	c := newClient(t)
	_, err := moment.NewClient(testkit.SecretKey + "\n")
	errs = append(errs, err)
	_, err = moment.NewClient("pk_" + testkit.SecretKey)
	errs = append(errs, err)
	_, err = moment.NewClient(testkit.SecretKey, moment.WithBaseURL("https://"+testkit.SecretKey+"@moment.test"))
	errs = append(errs, err)
	_, err = moment.NewClient(testkit.SecretKey, moment.WithBaseURL("ftp://moment.test/"+testkit.SecretKey))
	errs = append(errs, err)
	_, err = moment.NewWebhookVerifier(webhookSecret, moment.WithAdditionalSecret(webhookSecret+"\n"))
	errs = append(errs, err)
	_, err = moment.NewWebhookVerifier(string(testkit.WebhookKey))
	errs = append(errs, err)
	_, err = c.Bills.Get(ctx, "..", moment.WithHeader("Authorization", "Bearer "+testkit.SecretKey))
	errs = append(errs, err)
	_, err = c.Bills.Get(ctx, "UBR1", moment.WithHeader(testkit.SecretKey+"\n", ""), moment.WithIdempotencyKey(testkit.SecretKey))
	errs = append(errs, err)
	errs = append(errs, c.Do(ctx, testkit.SecretKey, "/", nil, nil), c.Do(ctx, "GET", testkit.SecretKey, nil, nil), c.Do(ctx, "POST", "/billing/x/../"+testkit.SecretKey, nil, nil))
	for _, err := range errs {
		require.Error(t, err)
	}
	return errs, responses
}

// TestNoFormattingShowsASecret formats values of each exported type in every way. It fails for a
// type without a row.
func TestNoFormattingShowsASecret(t *testing.T) {
	c := newClient(t)
	s := testkit.Serve(t, testkit.Respond(200, testkit.CustomerJSON), testkit.Respond(200, testkit.AccountJSON), testkit.Respond(200, testkit.BillJSON),
		testkit.Respond(200, testkit.PaymentRequestJSON), testkit.Respond(200, testkit.PaymentJSON))
	customer, err := clientOf(t, s).Customers.Get(t.Context(), "UCR1234567890")
	require.NoError(t, err)
	account, err := clientOf(t, s).Accounts.Get(t.Context(), "UAR1234567890")
	require.NoError(t, err)
	bill, err := clientOf(t, s).Bills.Get(t.Context(), "UBR1234567890")
	require.NoError(t, err)
	request, err := clientOf(t, s).PaymentRequests.Get(t.Context(), "pr_H4jp6KnU5cPw263v1jyz4")
	require.NoError(t, err)
	payment, err := clientOf(t, s).Payments.Get(t.Context(), "pay_1313235234843nmafdsa")
	require.NoError(t, err)
	_, unknownCurrency := moment.Currency("QQQ").Exponent()
	v := newVerifier(t, moment.WithAdditionalSecret(moment.RawWebhookSecret(testkit.OldWebhookKey)))
	event, err := v.Parse(testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, testkit.FullEventJSON), []byte(testkit.FullEventJSON))
	require.NoError(t, err)
	rows := map[string][]any{
		"Client":               {c, *c, moment.Client{}},
		"CustomersService":     {c.Customers, *c.Customers},
		"AccountsService":      {c.Accounts, *c.Accounts},
		"BillsService":         {c.Bills, *c.Bills},
		"Mode":                 {c.Mode()},
		"WebhookVerifier":      {v, *v, moment.WebhookVerifier{}},
		"WebhookOption":        {moment.WithAdditionalSecret(webhookSecret)},
		"HandlerOption":        {moment.WithDeduplicator(moment.NewMemoryDeduplicator(time.Hour))},
		"Event":                {event, *event},
		"EventType":            {event.Type},
		"EventData":            {event.Data},
		"AmountApplied":        {event.Data, *event.Data.(*moment.AmountApplied)},
		"ObligationKind":       {moment.ObligationBill},
		"UnknownEvent":         {&moment.UnknownEvent{}},
		"Deduplicator":         {moment.NewMemoryDeduplicator(time.Hour)},
		"MemoryDeduplicator":   {moment.NewMemoryDeduplicator(time.Hour)},
		"ClientOption":         {moment.WithBaseURL(s.URL), moment.WithHTTPClient(http.DefaultClient)},
		"RequestOption":        {moment.WithIdempotencyKey("key"), moment.WithHeader("X-Tenant", "7")},
		"Customer":             {customer, *customer},
		"CustomerRef":          {moment.ExistingCustomer("UCR1"), person},
		"ExistingCustomer":     {moment.ExistingCustomer("UCR1")},
		"CustomerCreateParams": {person},
		"CustomerUpdateParams": {moment.CustomerUpdateParams{Name: moment.Ptr("Jane Roe")}},
		"Account":              {account, *account},
		"AccountRef":           {moment.ExistingAccount("UAR1"), moment.AccountCreateParams{Customer: person}},
		"ExistingAccount":      {moment.ExistingAccount("UAR1")},
		"AccountCreateParams":  {moment.AccountCreateParams{Customer: person}},
		"AccountUpdateParams":  {moment.AccountUpdateParams{Balance: moment.MinorUnits(0)}},
		"Bill":                 {bill, *bill},
		"BillStatus":           {bill.Status},
		"BillCreateParams":     {billParams},
		"BillUpdateParams":     {moment.BillUpdateParams{AmountPaid: moment.MinorUnits(1500)}},
		"PaymentRules":         {moment.PaymentRules{}},
		"Amount":               {bill.AmountDue},
		"Currency":             {bill.Currency},
		"Money":                {bill.DueMoney()},
		"Date":                 {bill.DueDate},
		"UnknownCurrencyError": {unknownCurrency},
		"Observer":             {moment.Observer(nil)},
		"Call":                 {moment.Call{Operation: "create bill"}},
		"CallResult":           {moment.CallResult{Attempts: 1}},
		"HandlerObserver":      {moment.HandlerObserver(nil)},
		"Delivery":             {moment.Delivery{}},
		"DeliveryResult":       {moment.DeliveryResult{Outcome: moment.DeliveryProcessed}},
		"DeliveryOutcome":      {moment.DeliveryProcessed},
		"MismatchError":        {&moment.MismatchError{Op: "ensure bill", Differences: []string{"amount_due"}, Existing: bill, IdempotencyKey: "key-1"}},

		"PaymentRequestsService":     {c.PaymentRequests, *c.PaymentRequests},
		"PaymentsService":            {c.Payments, *c.Payments},
		"PaymentRequest":             {request, *request},
		"PaymentRequestType":         {request.Type},
		"PaymentRequestStatus":       {request.Status},
		"PaymentRequestCreateParams": {personRequest},
		"PaymentRequestUpdateParams": {personRequestUpdate},
		"PaymentLink":                {request.Link, *request.Link},
		"PaymentPush":                {personRequest.Push, *personRequest.Push},
		"CapitecPush":                {personRequest.Push.Capitec, *personRequest.Push.Capitec},
		"Payment":                    {payment, *payment},
		"PaymentStatus":              {payment.Status},
		"PaymentMethod":              {payment.Method, &payment.Method},
		"PaymentCard":                {payment.Method.Card, *payment.Method.Card},
		"PaymentError":               {moment.PaymentError{Code: "card_declined"}},
	}
	errs, responses := failures(t)
	for _, err := range errs {
		name := strings.TrimPrefix(fmt.Sprintf("%T", err), "*moment.")
		rows[name] = append(rows[name], err, reflect.ValueOf(err).Elem().Interface())
		for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(inner) {
			rows[name] = append(rows[name], inner)
		}
	}
	for _, resp := range responses {
		var decoded any
		_ = json.Unmarshal(resp.Body, &decoded)
		rows["Response"] = append(rows["Response"], resp, &resp, string(resp.Body), fmt.Sprint(decoded))
	}
	for _, declared := range testkit.PackageDocs(t, root, "github.com/moment-billing/moment-go").Types {
		assert.NotEmpty(t, rows[declared.Name], "%s is a type without a row", declared.Name)
		for _, value := range rows[declared.Name] {
			testkit.AssertNoSecret(t, testkit.EveryFormat(t, value))
		}
	}
}

// The errors of the package itself contain no personal data. Only the service's own texts may
// contain some.
func TestNoErrorNamesAPerson(t *testing.T) {
	testkit.SilenceNetHTTP(t)
	body := `{"id":"bcus_1","external_reference":"UCR-jane-roe","name":"Jane Roe","email":"jane.roe@example.com","phone":"+27831234567"}`
	for _, r := range []testkit.Reply{
		testkit.Respond(200, body[1:]), testkit.Respond(200, strings.Replace(body, `"bcus_1"`, "1", 1)), testkit.Respond(200, strings.Replace(body, `"Jane Roe"`, `"Jane Roe","balance":"Jane Roe"`, 1)),
		testkit.Respond(200, `{"id":"bcus_1","external_reference":"jane","metadata":{"Jane Roe":1}}`),
		testkit.Respond(200, "{}"), testkit.Respond(302, body, "Location: https://example.com/UCR-jane-roe"), testkit.Respond(400, body), testkit.Respond(502, body),
		testkit.TruncateAfter(body), testkit.HangUp,
		// net/http quotes what it cannot parse.
		testkit.RespondRaw(body + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 " + body + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\n" + body + "\r\n\r\n"),
		testkit.RespondRaw("HTTP/1.1 200 OK\r\n " + body + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\nContent-Length: " + body + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + body + "\r\n\r\n"),
		testkit.RespondRaw("HTTP/1.1 200 OK\r\nX: \x7f" + body + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + "\r\n"),
		testkit.RespondRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + body + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n " + body + "\r\n\r\n"),
		testkit.RespondRaw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\nJane Roe\r\n\r\n"),
	} {
		c := clientOf(t, testkit.Serve(t, r))
		_, err := c.Customers.Create(t.Context(), person)
		require.Error(t, err)
		for ; err != nil; err = errors.Unwrap(err) {
			testkit.AssertNoPerson(t, err.Error())
		}
		_, err = c.Customers.Get(t.Context(), person.ExternalReference)
		require.Error(t, err)
		testkit.AssertNoPerson(t, err.Error())
	}
	c := newClient(t)
	_, err := c.Customers.Create(t.Context(), moment.CustomerCreateParams{Name: "Jane Roe\xff", Email: "jane.roe@example.com"})
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	testkit.AssertNoPerson(t, err.Error())
}

// The errors of payment requests and payments do not contain data of the payer.
func TestNoErrorNamesAPayer(t *testing.T) {
	testkit.SilenceNetHTTP(t)
	for _, object := range []string{personRequestJSON, personPaymentJSON} {
		for _, r := range []testkit.Reply{
			testkit.Respond(200, object[1:]), testkit.Respond(200, strings.Replace(object, "2000", `"+27831234567"`, 1)), testkit.Respond(200, strings.Replace(object, "2000", "2000.5", 1)),
			testkit.Respond(200, strings.Replace(object, `"status":"Jane Roe"`, `"status":{"Jane Roe":1}`, 1)), testkit.Respond(200, strings.Replace(object, `"id":"p`, `"id":"x`, 1)),
			testkit.Respond(302, object, "Location: https://example.com/UCR-jane-roe"), testkit.Respond(400, object), testkit.Respond(409, object), testkit.Respond(502, object),
			testkit.TruncateAfter(object), testkit.HangUp, testkit.RespondRaw("HTTP/1.1 " + object + "\r\n\r\n"),
		} {
			failed := 0
			for _, err := range askPerson(t.Context(), clientOf(t, testkit.Serve(t, r))) {
				for ; err != nil; err = errors.Unwrap(err) {
					failed++
					testkit.AssertNoPerson(t, err.Error())
				}
			}
			assert.NotZero(t, failed)
		}
	}
	invalid := personRequest
	invalid.Description += "\xff"
	c := newClient(t)
	_, err := c.PaymentRequests.Create(t.Context(), invalid)
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	testkit.AssertNoPerson(t, err.Error())
	_, err = c.Payments.Get(t.Context(), "Jane Roe\n")
	require.ErrorIs(t, err, moment.ErrInvalidArgument)
	testkit.AssertNoPerson(t, err.Error())
}

// TestNoLogShowsASecretOrAPerson logs whole calls at level debug, with all kinds of failures and
// retries.
func TestNoLogShowsASecretOrAPerson(t *testing.T) {
	testkit.SilenceNetHTTP(t)
	var out bytes.Buffer
	everything := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	echoed := `{"id":"bcus_1","external_reference":"UCR-jane-roe","name":"Jane Roe ` + testkit.SecretKey + `","email":"jane.roe@example.com"}`
	handlers := []slog.Handler{slog.NewTextHandler(&out, everything), slog.NewJSONHandler(&out, everything)}
	for _, handler := range handlers {
		for _, r := range []testkit.Reply{
			testkit.EchoKey(200), testkit.EchoKey(307), testkit.EchoKey(401), testkit.EchoKey(409), testkit.EchoKey(429), testkit.EchoKey(500), testkit.EchoKey(503), testkit.Respond(200, echoed), testkit.Respond(200, personRequestJSON), testkit.Respond(200, personPaymentJSON), testkit.Respond(400, echoed), testkit.Respond(502, echoed, "Content-Type: text/"+testkit.SecretKey),
			testkit.HangUp, testkit.TruncateAfter(echoed), testkit.RespondRaw(echoed + "\r\n\r\n"), testkit.RespondRaw("HTTP/1.1 200 OK\r\n" + echoed + "\r\n\r\n"),
		} {
			s := testkit.Serve(t, testkit.Problem(503, "Retry-After: 0"), r)
			c := clientOf(t, s, moment.WithLogger(slog.New(handler)))
			ctx := t.Context()
			_, _ = c.Customers.Create(ctx, person, moment.WithHeader("X-Name", person.Name))
			_, _ = c.Customers.Get(ctx, person.ExternalReference)
			_, _ = c.Customers.Update(ctx, person.ExternalReference, moment.CustomerUpdateParams{Email: &person.Email})
			_, _ = c.Accounts.Create(ctx, moment.AccountCreateParams{Customer: person})
			_, _ = c.Bills.Void(ctx, "bill_UCR-jane", moment.WithIdempotencyKey("raise-jane"))
			_ = c.Do(ctx, "GET", "/billing/customers/"+person.ExternalReference, nil, nil, moment.WithQuery(struct {
				Name string `url:"name"`
			}{person.Name}))
			askPerson(ctx, c)
			for _, r := range s.Received() {
				require.Equal(t, "Bearer "+testkit.SecretKey, r.Header.Get("Authorization"))
			}
		}
	}
	text := out.String()
	for _, want := range []string{"path=/billing/customers/{customer}", "path=/collect/payment_requests/{payment_request}", "path=/collect/payments/{payment}", "path=/collect/payment_requests/…", "response lacks members", `"path":"/billing/customers/{customer}"`, "retry_in=", `"failure":"no response"`, `"status":503`, "level=DEBUG"} {
		assert.Contains(t, text, want, "otherwise the test proves nothing")
	}
	testkit.AssertNoSecret(t, text)
	testkit.AssertNoPerson(t, text)
	for _, other := range []string{"Bearer", "127.0.0.1", "raise-jane", "bcus_1"} {
		assert.NotContains(t, text, other)
	}
}

// panics has ways to end a program, each with the text that it prints.
var panics = map[string]func(context.Context, *moment.Client){
	"in a RoundTripper, in the middle of a call": func(ctx context.Context, _ *moment.Client) {
		c, _ := moment.NewClient(testkit.SecretKey, moment.WithHTTPClient(&http.Client{Transport: testkit.RoundTripFunc(func(*http.Request) (*http.Response, error) { panic("broken") })}))
		_, _ = c.Customers.Create(ctx, person)
	},
	"with a client":  func(_ context.Context, c *moment.Client) { panic(c) },
	"with its value": func(_ context.Context, c *moment.Client) { panic(*c) },
	"with a service": func(_ context.Context, c *moment.Client) { panic(*c.Customers) },
	"with an error": func(ctx context.Context, c *moment.Client) {
		_, err := c.Customers.Create(ctx, person)
		panic(err)
	},
	"with a verifier": func(context.Context, *moment.Client) {
		v, _ := moment.NewWebhookVerifier(webhookSecret)
		panic(*v)
	},
	"with a bad argument": func(ctx context.Context, c *moment.Client) {
		_, err := c.Customers.Get(ctx, person.Name+"\n", moment.WithIdempotencyKey(testkit.SecretKey))
		panic(err)
	},
}

// The logs of deliveries, and the errors of rejected ones, contain no data of the payer.
func TestWebhooksLogNoSecretAndNoPerson(t *testing.T) {
	var out bytes.Buffer
	everything := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	about := `{"id":"evt_1","type":"obligation.amount_applied","data":{"amount":1,"currency":"ZAR","bill_id":"bill_1","metadata":{"nickname":"Jane Roe"}}}`
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, everything), slog.NewJSONHandler(&out, everything)} {
		v := newVerifier(t)
		h := v.Handler(func(context.Context, *moment.Event) error { return errors.New("closed") }, moment.WithHandlerLogger(slog.New(handler)))
		panics := v.Handler(func(_ context.Context, e *moment.Event) error { panic(e) }, moment.WithHandlerLogger(slog.New(handler)))
		for _, body := range []string{
			about, about[1:], `{"type":"payment_request.paid","data":` + personRequestJSON + `}`, `{"type":"payment.failed","data":` + personPaymentJSON + `}`,
			`{"type":"payment.failed","data":` + strings.Replace(personPaymentJSON, "2000", `"Jane Roe"`, 1) + `}`, `{"type":"payment_request.paid","data":` + strings.Replace(personRequestJSON, `"ZAR"`, `["Jane Roe"]`, 1) + `}`, strings.Replace(about, `"ZAR"`, "1", 1), strings.Replace(about, `"metadata":`, `"created_at":"Jane Roe","metadata":`, 1),
			strings.Replace(about, `{"nickname":"Jane Roe"}`, `"Jane Roe"`, 1), strings.Replace(about, "bill_id", "jane.roe@example.com", 1),
		} {
			for _, header := range []http.Header{testkit.SignWebhook(testkit.WebhookKey, "msg_1", testkit.SignedAt, body), testkit.SignWebhook(testkit.OldWebhookKey, "msg_1", testkit.SignedAt, body), {"Webhook-Id": {string(testkit.WebhookKey)}}} {
				testkit.Deliver(h, http.MethodPost, header, strings.NewReader(body))
				testkit.Deliver(panics, http.MethodPost, header, strings.NewReader(body))
				if _, err := v.Parse(header, []byte(body)); err != nil {
					testkit.AssertNoSecret(t, err.Error())
					testkit.AssertNoPerson(t, err.Error())
				}
			}
		}
	}
	assert.Contains(t, out.String(), `"moment: webhook failed"`, "otherwise the test proves nothing")
	testkit.AssertNoSecret(t, out.String())
	testkit.AssertNoPerson(t, out.String())
	for _, signed := range []string{"v1,", "whsec_", "bill_1"} {
		assert.NotContains(t, out.String(), signed)
	}
}

// TestPanicTextShowsNoSecretOrPerson runs this test binary again, for each way to end it.
func TestPanicTextShowsNoSecretOrPerson(t *testing.T) {
	if way := os.Getenv("MOMENT_TEST_PANIC"); way != "" {
		c, err := moment.NewClient(testkit.SecretKey, moment.WithBaseURL(os.Getenv("MOMENT_TEST_URL")), moment.WithBackoff(0, 0))
		require.NoError(t, err)
		go panics[way](t.Context(), c) // not recovered, so that the stacks of all goroutines are printed
		select {}
	}
	s := testkit.Serve(t, testkit.EchoKey(500))
	for way := range panics {
		t.Run(way, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestPanicTextShowsNoSecretOrPerson$")
			cmd.Env = append(os.Environ(), "MOMENT_TEST_PANIC="+way, "MOMENT_TEST_URL="+s.URL, "GOTRACEBACK=all")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = io.Discard, &out
			require.Error(t, cmd.Run())
			require.Contains(t, out.String(), "panic: ")
			require.Contains(t, out.String(), "goroutine ")
			testkit.AssertNoSecret(t, out.String())
			testkit.AssertNoPerson(t, out.String())
		})
	}
}
