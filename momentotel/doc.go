// Package momentotel records OpenTelemetry spans and metrics for the calls of a [moment.Client] and
// the deliveries to a webhook handler.
//
//	client, err := moment.NewClientFromEnv(momentotel.ObserveCalls())
//	…
//	handler := verifier.Handler(process, momentotel.ObserveDeliveries())
//
// No span and no metric contains an API key, a body, an identifier or personal data.
//
// # Calls
//
// Each call has a span of kind client, for example "moment create bill". Its attempts have no
// spans; wrap the transport with otelhttp to add a child span for each attempt. An Ensure has a
// span, for example "moment ensure bill", and the spans of its calls are children of it. Attributes
// of spans:
//
//	http.request.method         POST
//	url.template                /billing/bills
//	http.response.status_code   of the last response, if there was one
//	http.request.resend_count   number of retries, if any
//	error.type                  the status, or a word such as no_response, if the call failed
//	moment.operation            create bill
//	moment.mode                 test or live
//	moment.wait                 seconds between the attempts, if any
//	moment.replayed             the service returned a saved response
//	moment.from_service         an error response is the service's own
//	moment.outcome_unknown      a write may have been applied
//	moment.retry_budget_empty   the call was not retried because the retry budget was spent
//
// The last four are set only if they are true. Metrics of calls have the attributes
// moment.operation, moment.mode and, if the call failed, error.type:
//
//	moment.call.duration             histogram, seconds
//	moment.call.attempts             counter
//	moment.call.outcome_unknown      counter of writes that may have been applied, without those
//	                                 that an Ensure has settled
//	moment.call.retry_budget_empty   counter of calls that were not retried because the
//	                                 budget was spent
//
// # Deliveries
//
// Each delivery has a span of kind consumer, named "moment webhook", with a link to the trace in
// the request's traceparent header. The link is not a parent, because anybody may send that header.
// Attributes of spans and of the metric moment.delivery.duration (histogram, seconds):
//
//	messaging.system            moment
//	messaging.operation.type    process
//	moment.delivery.outcome     processed, duplicate, failed or rejected
//	moment.event.type           obligation.amount_applied, if the delivery is verified
//	error.type                  such as invalid_signature, if it was rejected or failed
package momentotel
