// Package moment is the Go client of the Moment Billing API, which stores a merchant's customers,
// accounts and bills, and collects payments.
//
//	client, err := moment.NewClientFromEnv()
//	…
//	bill, err := client.Bills.Ensure(ctx, moment.BillCreateParams{
//		Customer:          moment.ExistingCustomer("UCR1234567890"),
//		ExternalReference: "UBR1234567890",
//		Currency:          moment.ZAR,
//		AmountDue:         2000, // ZAR 20.00
//		DueDate:           moment.NewDate(2025, time.January, 31),
//	})
//
// Structs mirror Moment's reference field by field, and methods are its operations. Amounts are
// integers in minor units; [Money] formats and parses them. To test code that uses this package,
// run it against the fake service of [github.com/moment-billing/moment-go/momenttest].
//
// # Errors
//
// A call that fails returns one of these types, for [errors.As]. The text of each is one line that
// names the operation and the reason. It never contains the API key.
//
//   - [*Error]: a complete response that is not a success. errors.Is(err, moment.ErrNotFound) and
//     the other sentinels match its status. FromService reports whether it is the service's own
//     response, and not a gateway's.
//   - [*ConnectionError]: no usable response. A success counts only if it is the requested object.
//   - [*ArgumentError]: the arguments are wrong, and nothing was sent.
//   - [*MismatchError]: Ensure found another object under the external reference.
//
// Besides the errors that a method names, any call may end in [ErrUnauthorized], [ErrForbidden],
// [ErrRateLimited] or [ErrServer].
//
// # Retries
//
// A call is retried only if the retry cannot apply it twice, at most 3 times. Every create and void
// carries an idempotency key, under which the service returns its first response for 24 hours. So
// does every update of a payment request, which is retried like a create.
//
//	what happened                                    Get  Create, Void  Update  may have been applied
//	never sent, because there was no connection      yes  yes           yes     no
//	429, from any sender                             yes  yes           yes     no
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
// The last column describes one attempt. An unknown outcome stays unknown until a later response
// settles it: a success, a replayed 4xx other than 408 and 429, or the service's own 400, 402, 404
// or 422. An earlier copy may be in flight if an earlier attempt left the outcome unknown, or if
// the caller supplied the key. A retry costs a token of the client's budget, unless it follows a
// 409: see [WithRetryBudget].
//
// An error that matches [ErrOutcomeUnknown] means that a write may have been applied although the
// call failed. Ensure settles a create: it creates the object, or finds the same object. Call it
// with the error's IdempotencyKey, or in place of Create. To settle an update, read the object. The
// page docs/idempotency.md of the repository has the details.
//
// # Webhooks
//
// [WebhookVerifier.Handler] is an [http.Handler] that verifies Moment's webhooks and passes each
// [Event] to a function. A [Deduplicator] processes each event once;
// [github.com/moment-billing/moment-go/momentsql] does so within a database transaction of the
// program.
package moment
