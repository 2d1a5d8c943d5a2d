// Package moment is the Go client of the Moment Billing API, in which merchants keep customers, accounts and bills.
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
// Structs mirror Moment's reference field by field, and methods are its operations. Amounts are integers in minor units;
// [Money] formats and parses them. To test code that uses this package, run it against package momenttest.
//
// # Errors
//
// A call that fails returns one of three types, to be taken with [errors.As]:
//
//   - [*Error]: the service answered with an error. errors.Is(err, moment.ErrNotFound) and the other sentinels ask for
//     its status.
//   - [*ConnectionError]: there was no usable answer.
//   - [*ArgumentError]: the arguments cannot be right, and nothing was sent.
//
// Each says in one line which operation failed and why, and never holds the API key.
//
// The methods name the errors that are their own. Besides these, any call may end in [ErrUnauthorized] or [ErrForbidden] (the
// key), in [ErrRateLimited] or [ErrServer] (after the last retry), in a [*ConnectionError], and in an [*ArgumentError] (an empty
// identifier, say).
//
// # Idempotency
//
// Every create and void carries an idempotency key, made before its first attempt or given by [WithIdempotencyKey]. All
// attempts of a call send the same key and the same bytes. The service saves its first answer to a key for 24 hours,
// success or failure, and gives it again to whoever comes with the same key: a repeated create creates nothing twice,
// and a failure that was saved is given again even if its cause is gone, until the call is made with another key. The
// error then says that it was replayed. [Error].IdempotencyKey and [Response] tell the key.
//
// # Retries
//
// A call is repeated only if repeating it cannot apply it twice, and at most 3 times (see [WithMaxRetries]). Is it?
//
//	what happened                         Get   Create, Void   Update
//	no connection could be made           yes   yes            yes
//	429                                   yes   yes            yes
//	503 with Retry-After                  yes   yes            yes
//	503 without                           yes   yes            no
//	408, any 5xx but 501, 503, 505        yes   yes            no
//	no answer, or not in time             yes   yes            no
//	a success cut short or not JSON       yes   yes            no
//	409 (see below)                       no    yes            no
//	an error replayed from a saved key    -     no             no
//	501, 505, any other 4xx, a redirect   no    no             no
//	a success over 2 MiB                  no    no             no
//	a success of another shape            no    no             no
//	the certificate is not trusted        no    no             no
//	the context ended                     no    no             no
//
// An Update is the careful one because it sets a balance: repeating one whose first copy was applied could undo a payment
// made in between.
//
// A 409 is repeated if an earlier copy may still be at work in the service (one was sent and got no answer, a cut one, 408, 502
// or 504, or the key was given by the caller) and the answer is not itself replayed. A replayed success that is not JSON is not
// repeated either.
//
// The wait before a retry is random between 0 and 500 ms, 1 s, 2 s, … up to 8 s (see [WithBackoff]), on top of what
// the service asks for by Retry-After. If it asks for more than 30 seconds, or the context would end before the wait does,
// the call returns at once, with [Error].RetryAfter. Each attempt has a timeout of its own, 30 seconds (see
// [WithAttemptTimeout]); the context bounds the whole call.
//
// net/http sends a request again by itself where a connection that it had kept turns out dead, or a stream of HTTP/2 is refused:
// a Get, a create or a void, and an Update only if it had not begun to send it. The copies are one attempt here, and what the
// answer to the last leaves open about the others stays open.
//
// Redirects are never followed: they would carry the key and the request to another place.
//
// # When the outcome is unknown
//
// If a write was sent and no definite answer came back, the error matches [ErrOutcomeUnknown]: it may or may not have been
// applied. Errors with a definite answer do not match it, and neither do those where it is certain that nothing was sent,
// or where the service refused before it did anything (429, 503 with Retry-After). A 409 to a key of the caller's does
// match it unless it is replayed: an earlier call with that key may be running. An attempt that times out while it still
// connects counts as sent: that nothing was is likely, but not certain.
//
// To settle a create or a void, repeat it with the same key, [ConnectionError].IdempotencyKey or [Error].IdempotencyKey, and the
// same arguments: with others, the service answers 422 for the key, which says nothing of the first call. The
// text of the error does not hold it, so log it or, better, store a key of your own before the call.
// If the error then says Replayed, or the key is older than 24 hours, read the object by its external reference: if it is
// there, compare it and go on; if it is not, create it with a new key. The reference is unique, which is the last guard
// against creating it twice. Until the repeated call succeeds, says Replayed, or is refused with 400, 402, 404 or 422, the
// first one stays unknown whatever the repeat's own error is (a 429, say, or a 401): keep the key and repeat it later.
// The example OutcomeUnknown does all this for a bill. To settle an update, read the object and decide, as the example of
// [BillsService.Update] does.
//
// # Webhooks
//
// Moment tells of payments by webhooks. [WebhookVerifier.Handler] is an [http.Handler] that takes them: it verifies that Moment
// has signed them, not longer than 3 minutes ago, and gives the [Event] to a function of yours. Moment delivers an event again
// until it is acknowledged, and sometimes after that: a [Deduplicator] sees to it that it is processed once. Package momentsql
// keeps that in your database, in the transaction of your own work.
package moment
