// Package momenttest provides a fake of the Moment Billing API for tests. The fake is stateful,
// keeps its data in memory, and listens on a loopback address like a server of net/http/httptest.
//
//	srv := momenttest.NewServer()
//	t.Cleanup(srv.Close)
//	client := srv.Client() // a real *moment.Client
//
// A program that accepts a base URL and a key works with srv.URL and any key that begins with
// sk_test_. For programs in other languages, the command cmd/moment-mock of this module is the same
// fake. Inside testing/synctest, use [InProcess].
//
// # Behaviour
//
//   - The documented operations: create, retrieve and update customers, accounts and bills, and
//     void a bill; create, retrieve and update payment requests, and retrieve payments.
//     Customers, accounts and bills are found by their id and by their external reference, the
//     others by their id.
//   - Authentication: 401 without a test key, 403 for a public key.
//   - Validation: 400 with a detail that names the parameter by its path (account.customer.name)
//     and states the limit. References to objects that do not exist are 404. External references
//     must not begin with bacc_ on accounts, or with bcus_ on customers and bills. A balance
//     needs a currency, in the request or on the object. A bill belongs to a customer or to an
//     account, not both; its bill_date defaults to today in UTC.
//   - Money: amounts are integers in minor units. A bill's amount_remaining and status follow its
//     amount_paid. An amount_paid that exceeds the amount due, or another currency, is 422.
//   - Updates merge metadata. More than ten keys after merging is 422.
//   - Composite creates: an account may contain its new customer, and a bill its new account and
//     customer. The whole request is validated before anything is created. If a later part has a
//     duplicate reference, the objects created before it stay, so do not rely on atomicity.
//   - Conflicts: 409 for an external reference that exists already, and for every change to a
//     voided bill, also for voiding it again.
//   - Idempotency: every POST, and the PATCH of a payment request, needs an Idempotency-Key. The
//     first response under a key, a success or a failure, is replayed for 24 hours with
//     Idempotent-Replayed: true, and then forgotten. The same key with another path or body is
//     422. A response is not saved if the request is rejected before it reaches an operation: for
//     its authentication, path, method or idempotency key, or for a body that is too large,
//     truncated, or not JSON by its Content-Type.
//   - Errors are problem details (RFC 9457). Each response has a new X-Request-Id.
//   - A path that does not exist: 404 with the HTML page of a gateway, so that a wrong base URL
//     is not mistaken for a missing object.
//
// # Payments and webhooks
//
// A test applies a payment, and the fake sends the event to the merchant's endpoint, signed like
// Moment's events:
//
//	srv.SetWebhook(endpoint.URL+"/webhooks/moment", secret)
//	delivery, err := srv.Pay(ctx, momenttest.Payment{Bill: bill.ID, Amount: 1500})
//
// Payments of bills, accounts and customers send obligation.amount_applied events, each with its
// own obligation and payment. Pay changes a bill; it allows part payment and rejects overpayment.
// It does not change balances, because the merchant reconciles them. An event without a 2xx
// response is delivered again under the same webhook-id with a new timestamp, with at most three
// attempts and without a wait.
//
// With [WithOutbox], the server keeps the events, and retries those that were not acknowledged. Its
// clock decides when, and [Handler.Advance] moves it. [Handler.Resend] delivers an event again, if
// needed with another secret or an old timestamp. [Handler.Send] delivers an event of any type. The
// number of attempts and the waits are choices of this fake.
//
// [NewWebhookRequest] and [SignWebhook] sign the test's own events, for a handler without a server.
//
// # Payment requests
//
// [Handler.Pay] pays a payment request too, in full. The request becomes paid, and the events
// payment.succeeded and payment_request.paid are delivered. [Handler.FailPayment] declines a card.
// Every payment can be retrieved under its payment_id.
//
// Moment does not document whether paying a request is also applied to a bill or a balance. This
// fake does not apply it: it sends no obligation.amount_applied, and a bill with the same reference
// does not change. Other choices of this fake are these. A request expires by the clock: its status
// is expired from expires_at on, at once if expires_at is past, and active again if an update moves
// expires_at. A declined card leaves a link active, and makes a push failed. One decline sends both
// payment.attempt_failed and payment.failed, and the next attempt is another payment with another
// id. A payment copies the external_reference and the metadata of what it pays. Every card is a
// Visa that ends in 4242. An update of a paid request is 409. External references of requests need
// not be unique. The link leads to the payer's page on this server. The fake does not send the
// events payment_request.created and payment_request.updated, and does not implement DELETE.
//
// # The payer's page
//
// A browser test pays as a customer does, at the link of a payment request or at
// srv.URL+"/_pay/"+name, where name is the id or the external reference of a bill, an account or a
// customer. The page is plain HTML, works without JavaScript, and says that it is a fake. It offers
// the whole amount, another amount where the payment rules allow one, and a card that is declined;
// then it shows a receipt. The forms call [Handler.Pay] and [Handler.FailPayment], so the events
// have been delivered when the receipt appears. A form that is submitted twice pays once. The
// elements have stable data-testid attributes, which docs/testing.md lists. Moment's own page has
// another address, and looks different.
//
// # Failures
//
// A test makes requests fail, to see how its program reacts:
//
//	srv.Fail(momenttest.Status(503), momenttest.DropAfterCommit().On("create bill"))
//
// [Status] responds like a gateway, and [ServiceError] like the service. Afterwards,
// [Handler.Requests] returns each attempt that the fake received, and [Handler.State] its data.
// [Handler.Reset] restores the data that [Handler.Seed] added, for the next test.
//
// # Differences from the service
//
// Customers and accounts have no payment_rules unless they were seeded with them, and can be paid
// without them. The announced events bill.created, bill.updated and customer.created are not sent.
// All API keys share one set of data, which is lost when the server closes. There is no live mode:
// an unknown key is always 401. The second of two simultaneous requests with one idempotency key
// waits for the response to the first; the service may respond with 409, like this fake while a
// [Delay] is in progress. Requests with a foreign Host or Origin header are rejected: see
// [Handler].
//
// Where the documentation leaves a choice, the fake makes one, and the details of its problems have
// their own wording. The service may have rules that the fake does not have, so a green test does
// not prove that the service accepts a request. The fake is lenient in these points: a paid bill
// can be voided; a body on void is ignored; members that an operation does not document are
// ignored, also misspelt ones; a due_date may be before the bill_date; currencies are checked for
// their form and not against ISO 4217, and e-mail addresses for their length only; empty names are
// accepted, and absent from responses; a bill's reference may be another bill's id, which then
// finds the bill with that id.
package momenttest
