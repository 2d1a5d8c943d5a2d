// Package momenttest is a Moment Billing API to test against: a stateful,
// in-memory fake on a loopback address, in the manner of net/http/httptest.
//
//	srv := momenttest.NewServer()
//	t.Cleanup(srv.Close)
//	client := srv.Client() // a real *moment.Client
//
// Programs that take a base URL and a key can be given srv.URL and any key that
// begins with sk_test_.
//
// # What it imitates
//
//   - The ten documented operations: create, retrieve and update customers,
//     accounts and bills, and void a bill. Objects are found by their id and by
//     their external reference.
//   - Authentication: 401 without a test key, 403 for a public key.
//   - Validation: 400 with a detail that names the parameter by its path
//     (account.customer.name) and states the limit. References to objects that
//     do not exist are 404.
//   - Money: amounts are whole minor units; a bill's amount_remaining and status
//     follow its amount_paid. Paying more than is due, and giving a bill another
//     currency, is 422.
//   - Metadata is merged by updates. More than ten keys after merging is 422.
//   - Composite creates: an account may bring its customer along, a bill its
//     account and customer. The whole request is validated before anything is
//     created; but where a later part then meets a duplicate reference, what
//     was created before it stays. Do not count on such a call being atomic.
//   - Conflicts: 409 for an external reference that is taken, and for every
//     change to a voided bill, voiding it again among them.
//   - Idempotency: the first answer given under an Idempotency-Key, be it success
//     or failure, is given again for 24 hours with Idempotent-Replayed: true. The
//     key sent with another request is 422. Requests that are refused before they
//     reach an operation (authentication, an unknown path, an ill-formed key, a
//     body over 1 MiB) save nothing.
//   - Errors are problem details (RFC 9457); each answer has a new X-Request-Id.
//
// # What it does not
//
// Customers and accounts answer without payment_rules; those of a bill allow part
// payment and refuse overpayment. All keys share one set of data, which is gone
// when the server is closed. Currencies are checked for their form, not against
// the ISO 4217 list, and e-mail addresses for their length only. There are no rate
// limits, no gateway errors, no payments, no webhooks and no live mode. Fields that an operation does not
// document are ignored. Where the documentation says nothing, the fake does what
// seems the strictest reasonable reading: passing its checks is no promise that
// the service has no others, and the wording of its details is its own.
package momenttest
