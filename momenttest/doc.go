// Package momenttest is a Moment Billing API to test against: a stateful,
// in-memory fake on a loopback address, in the manner of net/http/httptest.
//
//	srv := momenttest.NewServer()
//	t.Cleanup(srv.Close)
//	client := srv.Client() // a real *moment.Client
//
// Programs that take a base URL and a key can be given srv.URL and any key that
// begins with sk_test_. For programs in other languages, the command cmd/moment-mock
// of this module is the same fake.
//
// # What it imitates
//
//   - The documented operations: create, retrieve and update customers, accounts
//     and bills, and void a bill; create, retrieve and update payment requests, and
//     retrieve payments. Customers, accounts and bills are found by their id and by
//     their external reference, the others by their id.
//   - Authentication: 401 without a test key, 403 for a public key.
//   - Validation: 400 with a detail that names the parameter by its path
//     (account.customer.name) and states the limit. References to objects that
//     do not exist are 404. A balance needs a currency, now or from before; a bill
//     belongs to a customer or to an account, not both; its bill_date defaults to
//     today in UTC.
//   - Money: amounts are whole minor units; a bill's amount_remaining and status
//     follow its amount_paid. Setting more than is due, and giving a bill another
//     currency, is 422.
//   - Metadata is merged by updates. More than ten keys after merging is 422.
//   - Composite creates: an account may bring its customer along, a bill its
//     account and customer. The whole request is validated before anything is
//     created; but where a later part then meets a duplicate reference, what
//     was created before it stays. Do not count on such a call being atomic.
//   - Conflicts: 409 for an external reference that is taken, and for every
//     change to a voided bill, voiding it again among them.
//   - Idempotency: every POST, and the PATCH of a payment request, needs an
//     Idempotency-Key. The first answer given
//     under a key, be it success or failure, is given again for 24 hours with
//     Idempotent-Replayed: true. The key sent with another path or other bytes is
//     422. Requests that are refused before they reach an operation save nothing:
//     authentication, an unknown path or method, an ill-formed key, a body that is
//     too large, not JSON by its Content-Type, or breaks off.
//   - Errors are problem details (RFC 9457); each answer has a new X-Request-Id.
//
// # Payments and webhooks
//
// A test lets money come in, and the fake tells the merchant's endpoint, signed as
// Moment signs:
//
//	srv.SetWebhook(endpoint.URL+"/webhooks/moment", secret)
//	delivery, err := srv.Pay(ctx, momenttest.Payment{Bill: bill.ID, Amount: 1500})
//
// Payments to bills, accounts and customers are told by obligation.amount_applied
// events, each with an obligation and a payment of its own. A bill changes by itself;
// part payment is allowed and overpayment refused. Balances stay: the merchant
// reconciles them. What is not answered with a 2xx is delivered again, under the same
// webhook-id with a new timestamp, three times in all and without waiting in between.
//
// # Payment requests
//
// [Handler.Pay] pays a payment request too, in full. The request becomes paid, and the events
// payment.succeeded and payment_request.paid are delivered. [Handler.FailPayment] declines a card.
// Every payment, whatever it pays, can be retrieved under its payment_id.
//
// Moment does not document whether paying a request is also applied to a bill or a balance. Here it
// is not: no obligation.amount_applied is sent, and a bill of the same reference stays as it is.
// Other choices of this fake are these. A request expires by the clock: its status is expired from
// expires_at on, and active again if an update moves expires_at. A declined card leaves a link
// active, and makes a push failed. An update of a paid request is 409. External references of
// requests need not be unique. The link leads to /_pay/ on this server, where there is no page yet.
// The events payment_request.created and payment_request.updated are not sent. There is no DELETE.
//
// [NewWebhookRequest] and [SignWebhook] sign events of the test's own, for a handler
// without a server.
//
// # Failures
//
// A test lets requests fail, to see what its program does about it:
//
//	srv.Fail(momenttest.Status(503), momenttest.DropAfterCommit().On("create bill"))
//
// Afterwards, [Handler.Requests] tells what has arrived, attempt by attempt, and
// [Handler.State] what there is now.
//
// # What it does not
//
// Customers and accounts answer without payment_rules unless they were seeded with
// them, and can be paid all the same.
// The announced events bill.created, bill.updated and customer.created are not sent.
// All API keys share one set of data, which is gone when the server is closed. There
// is no live mode: a key that is not known is always 401.
// Of two requests with one idempotency key at the same time, the second waits and
// gets the first one's answer; the service may answer 409, as this one does while a
// [Delay] holds the first.
//
// Where the documentation leaves a choice, the fake made one, and its details are
// worded its own way: a green test is no promise that the service has no other
// rules. It is lenient in these: a paid bill may be voided; a body on void is
// ignored, as are fields that an operation does not document, so that misspelt
// ones go unnoticed; a due_date may lie before the bill_date; currencies are
// checked for their form and not against ISO 4217, and e-mail addresses for their
// length only; empty names are taken and left out of answers.
package momenttest
