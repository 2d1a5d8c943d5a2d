// Package moment is the Go client of the Moment Billing API, in which merchants keep customers,
// accounts and bills.
//
//	client, err := moment.NewClient(os.Getenv("MOMENT_API_KEY"))
//	…
//	bill, err := client.Bills.Create(ctx, moment.BillCreateParams{
//		Customer:          moment.ExistingCustomer("UCR1234567890"),
//		ExternalReference: "UBR1234567890",
//		Currency:          moment.ZAR,
//		AmountDue:         2000, // ZAR 20.00
//		DueDate:           moment.NewDate(2025, time.January, 31),
//	})
//
// Structs mirror Moment's reference field by field, and methods are its operations. Amounts are
// integers in minor units; [Money] formats and parses them. To test code that uses this package,
// run it against package momenttest.
//
// # Errors
//
// A call that fails returns one of three types, for [errors.As]:
//
//   - [*Error]: a complete response that is not a success. errors.Is(err, moment.ErrNotFound) and
//     the other sentinels match its status. FromService reports whether it is the service's own
//     response, and not one of a gateway in front of it.
//   - [*ConnectionError]: there was no usable response.
//   - [*ArgumentError]: the arguments are wrong, and nothing was sent.
//
// Each is one line that says which operation failed and why, and never contains the API key.
//
// The methods name the errors that are their own. Besides these, any call may end in
// [ErrUnauthorized] or [ErrForbidden] (the key), in [ErrRateLimited] or [ErrServer] (after the last
// retry), in a [*ConnectionError], and in an [*ArgumentError] (an empty identifier, for example).
//
// # Idempotency
//
// Every create and void carries an idempotency key, which is generated before its first attempt or
// supplied with [WithIdempotencyKey]. All attempts of a call send the same key and the same bytes.
// The service saves its first response to a key for 24 hours, success or failure, and returns it to
// every later request with that key: a retried create creates nothing twice. A saved failure is
// returned even if its cause is gone, until the call is made with another key; the error then says
// that it was replayed. [Error].IdempotencyKey and [Response] report the key.
//
// # The service's own response
//
// Only the service's own response decides whether a write was applied. An error response is the
// service's own if it is a problem details object (application/problem+json or application/json)
// with a title, the response's status and a type on momentco.io or momentpay.net, or if it is
// replayed from a saved key. Anything else comes from a gateway, a firewall or a mock, perhaps
// after the write was applied.
//
// A success counts only if it is the requested object: its id has the right prefix, its id or
// external reference is the one that was requested or sent, and a create has the amount, the
// currency and the ids that were sent. A bill must have its status, currency and amounts, and a
// void must be voided. Otherwise the call fails with a [*ConnectionError] that names the member.
// Dates, times, metadata and payment rules are left empty if they have an unexpected form, because
// no money depends on them. [Client.Do] knows no objects: it requires JSON, and its caller checks
// the rest.
//
// # Retries
//
// A call is retried only if the retry cannot apply it twice, at most 3 times (see
// [WithMaxRetries]):
//
//	what happened                                    Get  Create, Void  Update  may have been applied
//	never sent, because there was no connection      yes  yes           yes     no
//	429, from whichever sender                       yes  yes           yes     no
//	408 or 5xx, but not 501 or 505                   yes  yes           no      yes
//	no response, or none within the attempt timeout  yes  yes           no      yes
//	a success that is truncated or not JSON          yes  yes           no      yes
//	409 while an earlier copy may be in flight       no   yes           no      yes
//	400, 402, 404 or 422 of the service              no   no            no      no, settled
//	any other 4xx of the service                     no   no            no      no
//	401, 405, 407, 413, 414 or 431 of a gateway      no   no            no      no
//	any other 4xx of a gateway                       no   no            no      yes
//	408, 429 or 5xx, replayed                        -    no            -       yes, but not after 429
//	any other 4xx, replayed                          -    no            -       no, settled
//	501, 505 or a redirect                           no   no            no      yes
//	a success that is too large or another object    no   no            no      yes
//	a certificate that is not trusted                no   no            no      no
//	the context ended                                no   no            no      yes, if it was sent
//
// The last column holds for one attempt. What an earlier attempt left open stays open until a
// success, a replayed 4xx (but 408 and 429), or a 400, 402, 404 or 422 of the service settles it.
//
// An Update is retried conservatively because it sets a balance: a retry of one whose first attempt
// was applied could undo a payment made in between. A 503 is no exception, because caches and
// gateways send it after the service has committed, with Retry-After or without.
//
// An earlier copy may be in flight if an earlier attempt left the outcome open, or if the caller
// supplied the key. A replayed success that is truncated is retried, because the service returns
// the whole of it next time.
//
// The wait before a retry is random between 0 and 500 ms, 1 s, 2 s, … up to 8 s (see
// [WithBackoff]), on top of what the response asks for with Retry-After. If it asks for more than
// 30 seconds, or the context would end before the wait does, the call returns at once, with
// [Error].RetryAfter. Each attempt has its own timeout, 30 seconds (see [WithAttemptTimeout]); the
// context bounds the whole call.
//
// All calls of a client share a retry budget of 100 tokens (see [WithRetryBudget]), so that a
// client does not multiply the load in an outage. A retry costs a token, and any response that is
// not retried restores a tenth of one. A 409 is retried for free.
//
// net/http sends a request again by itself where a kept connection turns out to be dead, or where
// an HTTP/2 stream is refused: a Get, a create or a void, and an Update only if it had not begun to
// send it. The copies are one attempt here, and what the response to the last copy leaves open
// about the others stays open.
//
// Redirects are never followed, because they would carry the key and the request to another place.
//
// # When the outcome is unknown
//
// If a write was sent and nothing settled it, the error matches [ErrOutcomeUnknown]: it may or may
// not have been applied.
//
// To settle a create or a void, call it again with the same key, [ConnectionError].IdempotencyKey
// or [Error].IdempotencyKey, and the same arguments: with others, the service returns 422 for the
// key, which says nothing of the first call. The text of the error does not contain the key, so log
// it or, better, store a key of your own before the call. If the error then says Replayed, or the
// key is older than 24 hours, read the object by its external reference: if it is there, compare it
// and go on; if the service itself says 404, create it with a new key. The reference is unique,
// which is the last guard against creating it twice. Until the second call succeeds, says
// Replayed, or is rejected by the service with 400, 402, 404 or 422, the first one stays unknown
// whatever the second call's error is (a 429 or a 401, for example): keep the key and call again
// later. The function raiseBill in the README does all this for a bill. To settle an update, read
// the object and decide, as the example of [BillsService.Update] does.
//
// # Webhooks
//
// Moment reports payments with webhooks. [WebhookVerifier.Handler] is an [http.Handler] for them:
// it verifies that Moment signed them, not longer than 3 minutes ago, and passes the [Event] to a
// function of yours. Moment delivers an event again until it is acknowledged, and sometimes after
// that: a [Deduplicator] processes it once. Package momentsql keeps that in your database, in the
// transaction of your own work.
package moment
