package integration_test

import (
	"slices"
	"strings"

	"github.com/moment-billing/moment-go/momenttest"
)

// The places of payment requests in the reference.
var (
	newRequest = place{
		name: "payment request", operation: "POST /collect/payment_requests", body: `%s`,
		beside: map[string]string{"amount": `2000`, "currency": `"ZAR"`},
	}
	oldRequest = place{
		name: "update of a payment request", operation: "PATCH /collect/payment_requests/pr_H4jp6KnU5cPw263v1jyz4", body: `%s`,
		before: []request{asked},
	}
	push = place{
		name: "push of a payment request", path: "push.", operation: "POST /collect/payment_requests",
		body:   `{"type": "push", "amount": 2000, "currency": "ZAR", "push": %s}`,
		beside: map[string]string{"provider": `"capitec"`, "capitec": `{"phone_number": "+27823778084"}`},
	}
	pushTo = place{
		name: "account of a push", path: "push.capitec.", operation: "POST /collect/payment_requests",
		body:   `{"type": "push", "amount": 2000, "currency": "ZAR", "push": {"provider": "capitec", "capitec": %s}}`,
		beside: map[string]string{"phone_number": `"+27823778084"`},
	}

	newRequests = []place{newRequest}
	requests    = []place{newRequest, oldRequest}
	pushes      = []place{push}
	pushesTo    = []place{pushTo}
)

const (
	oneRequest = "/collect/payment_requests/pr_H4jp6KnU5cPw263v1jyz4"
	onePayment = "/collect/payments/pay_H4jp6KnU5cPw263v1jyz4"
	requestID  = "pr_H4jp6KnU5cPw263v1jyz4"

	oneExample = "prism shows one example"
)

var pushed = post("/collect/payment_requests", `{
	"type": "push", "amount": 2000, "currency": "ZAR", "push": {"provider": "capitec", "capitec": {"phone_number": "+27823778084"}}
}`)

// collectDocumentation has Moment's documentation of payment requests and payments.
var collectDocumentation = slices.Concat(
	[]exchange{
		ask("create a payment request: every field of a link", post("/collect/payment_requests", `{
			"type": "link", "amount": 2000, "currency": "ZAR", "external_reference": "UBR1234567890", "description": "Water, January",
			"expires_at": "2099-01-31T12:00:00Z", "metadata": {"order_id": "ord_789012"}
		}`), created(`{
			"id": "pr_H4jp6KnU5cPw263v1jyz4", "type": "link", "status": "active", "payment_id": null, "amount": 2000, "currency": "ZAR",
			"external_reference": "UBR1234567890", "description": "Water, January", "expires_at": "2099-01-31T12:00:00Z", "push": null,
			"metadata": {"order_id": "ord_789012"}
		}`)),
		ask("create a payment request: an amount and a currency are enough", post("/collect/payment_requests", `{"amount": 2000, "currency": "ZAR"}`), created(`{
			"id": "pr_H4jp6KnU5cPw263v1jyz4", "type": "link", "status": "active", "amount": 2000, "currency": "ZAR", "external_reference": null, "description": null, "metadata": null
		}`)),
		ask("create a payment request: a push", pushed, created(`{
			"id": "pr_H4jp6KnU5cPw263v1jyz4", "type": "push", "status": "active", "amount": 2000, "currency": "ZAR", "link": null,
			"push": {"provider": "capitec", "capitec": {"phone_number": "+27823778084"}}
		}`)).not(oneExample, onMock),
		ask("create a payment request: another of the same reference", asked, created(`{"external_reference": "UBR1234567890"}`)).after(asked).
			undocumented("whether references of payment requests are unique"),
		ask("create a payment request: without an expiry, it has one", post("/collect/payment_requests", `{"amount": 2000, "currency": "ZAR", "expires_at": null}`),
			created(`{"status": "active"}`)),
		ask("create a payment request: with an expiry in the past, it has expired", post("/collect/payment_requests", `{"amount": 2000, "currency": "ZAR", "expires_at": "2025-01-31T12:00:00Z"}`),
			created(`{"status": "expired"}`)).undocumented("whether a payment request may be created with an expiry in the past"),
		ask("retrieve a payment request", get(oneRequest), found(`{
			"id": "pr_H4jp6KnU5cPw263v1jyz4", "type": "link", "status": "active", "amount": 2000, "currency": "ZAR", "external_reference": "UBR1234567890",
			"description": "Water, January", "metadata": {"order_id": "ord_789012"}
		}`)).after(asked),
		ask("retrieve a push", get(oneRequest), found(`{"id": "pr_H4jp6KnU5cPw263v1jyz4", "type": "push", "status": "active"}`)).after(pushed),
		ask("retrieve a payment request that is paid", get(oneRequest), found(`{"status": "paid", "payment_id": "pay_H4jp6KnU5cPw263v1jyz4"}`)).
			after(asked, pay(requestID)).not(oneExample, onMock),
		ask("retrieve a link whose payer's card was declined", get(oneRequest), found(`{"status": "active", "payment_id": null}`)).after(asked, decline(requestID)).
			undocumented("what a declined card does to a link"),
		ask("retrieve a push whose payer's card was declined", get(oneRequest), found(`{"status": "failed", "payment_id": null}`)).after(pushed, decline(requestID)).
			undocumented("when a push fails"),
		ask("retrieve a payment request that has expired", get(oneRequest), found(`{"status": "expired"}`)).
			after(post("/collect/payment_requests", `{"amount": 2000, "currency": "ZAR", "expires_at": "2025-01-31T12:00:00Z"}`)).
			undocumented("whether a payment request may be created with an expiry in the past"),
		ask("update a payment request: a description replaces the old one, and the rest is unchanged", patch(oneRequest, `{"description": "Sewage"}`), found(`{
			"id": "pr_H4jp6KnU5cPw263v1jyz4", "status": "active", "amount": 2000, "currency": "ZAR", "external_reference": "UBR1234567890",
			"description": "Sewage", "metadata": {"order_id": "ord_789012"}
		}`)).after(asked),
		ask("update a payment request: every field", patch(oneRequest, `{
			"external_reference": "OTHER1234567890", "description": "Sewage", "expires_at": "2099-01-31T12:00:00Z", "metadata": {"branch": "Cape Town"}
		}`), found(`{
			"external_reference": "OTHER1234567890", "description": "Sewage", "expires_at": "2099-01-31T12:00:00Z",
			"metadata": {"order_id": "ord_789012", "branch": "Cape Town"}
		}`)).after(asked),
		ask("update a payment request: nothing", patch(oneRequest, `{}`), found(`{"description": "Water, January"}`)).after(asked),
		ask("update a payment request that has expired", patch(oneRequest, `{"expires_at": "2099-01-31T12:00:00Z"}`), found(`{"status": "active"}`)).
			after(post("/collect/payment_requests", `{"amount": 2000, "currency": "ZAR", "expires_at": "2025-01-31T12:00:00Z"}`)).
			undocumented("whether an update makes an expired payment request active again"),
		ask("update a payment request that is paid", patch(oneRequest, `{"description": "Sewage"}`), failed(409)).after(asked, pay(requestID)),
		ask("a payment request after an update", get(oneRequest), found(`{"description": "Sewage"}`)).after(asked, patch(oneRequest, `{"description": "Sewage"}`)),
		ask("metadata of a payment request: a new value replaces the old one", patch(oneRequest, `{"metadata": {"order_id": "ord_2"}}`),
			found(`{"metadata": {"order_id": "ord_2"}}`)).after(asked),
		ask("metadata of a payment request with more than 10 keys after merging", patch(oneRequest, `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(asked, patch(oneRequest, `{"metadata": `+strings.Replace(metadata(9), "{", `{"order_id": "ord_789012", `, 1)+`}`)).
			undocumented("the result of more than 10 keys after merging"),
		ask("retrieve a payment", get(onePayment), found(`{
			"id": "pay_H4jp6KnU5cPw263v1jyz4", "status": "succeeded", "amount": 2000, "currency": "ZAR", "mode": "test", "intent": "payment",
			"external_reference": "UBR1234567890", "capture_method": "automatic", "metadata": {"order_id": "ord_789012"},
			"payment_method_details": {"type": "card", "card": {"type": "credit", "scheme": "visa", "bin": "424242", "last4": "4242"}}
		}`)).after(asked, pay(requestID)),
		ask("retrieve a payment whose card was declined", get(onePayment), found(`{"id": "pay_H4jp6KnU5cPw263v1jyz4", "status": "failed", "amount": 2000, "currency": "ZAR"}`)).
			after(pushed, decline(requestID)),
		ask("no payment request with this reference: only the id is documented", get("/collect/payment_requests/UBR1234567890"), failed(404, "UBR1234567890")).after(asked).
			undocumented("a lookup by reference"),
		ask("the id of a payment request is not a payment's", get("/collect/payments/pr_H4jp6KnU5cPw263v1jyz4"), failed(404, "pr_")).after(asked),
		ask("the id of a bill is not a payment request's", get("/collect/payment_requests/bill_H4jp6KnU5cPw263v1jyz4"), failed(404, "bill_")).after(raised),
		ask("the id of a payment request is not a bill's", get("/billing/bills/pr_H4jp6KnU5cPw263v1jyz4"), failed(404, "pr_")).after(asked),
		ask("a payment request: the first request with the idempotency key is still running", asked, failed(409)).
			not("no request is waiting while another one is sent", onFake, onProxy, onMoment),
	},

	// The required fields, and the forms of fields.
	rejects(newRequests, "no amount", "amount", ""),
	rejects(newRequests, "no currency", "currency", ""),
	accepts(newRequests, "an amount of 1", "amount", `1`),
	accepts(newRequests, "an amount above the limit of a bill", "amount", `100000000`),
	rejects(newRequests, "an amount of 0", "amount", `0`),
	rejects(newRequests, "an amount below zero", "amount", `-2000`),
	rejects(newRequests, "an amount in major units", "amount", `20.5`),
	rejects(newRequests, "an amount that is a string", "amount", `"2000"`),
	rejects(newRequests, "an amount of null", "amount", `null`),
	accepts(newRequests, "a currency that is not listed as supported", "currency", `"JPY"`),
	rejects(newRequests, "a currency of 2 letters", "currency", `"ZA"`),
	rejects(newRequests, "a currency of 4", "currency", `"ZARR"`),
	rejects(newRequests, "a currency in small letters", "currency", `"zar"`),
	rejects(newRequests, "a currency that is a number", "currency", `710`),
	accepts(newRequests, "a link", "type", `"link"`),
	rejects(newRequests, "another type", "type", `"page"`),
	rejects(newRequests, "a type in capitals", "type", `"LINK"`),
	rejects(newRequests, "a type that is a number", "type", `1`),
	accepts(requests, "a reference of 1 character", "external_reference", `"a"`),
	accepts(requests, "a reference of 255 characters", "external_reference", reference(255)),
	rejects(requests, "a reference of 256", "external_reference", reference(256)),
	accepts(requests, "a reference with every kind of character", "external_reference", `"aZ09_-1234567890"`),
	rejects(requests, "an empty reference", "external_reference", `""`),
	rejects(requests, "a reference with a dot", "external_reference", `"a.1234567890"`),
	rejects(requests, "a reference with a space", "external_reference", `"a 1234567890"`),
	rejects(requests, "a reference not in ASCII", "external_reference", `"é1234567890"`),
	rejects(requests, "a reference that is a number", "external_reference", `1234567890`),
	accepts(requests, "a description of 500 characters", "description", quoted(500)),
	rejects(requests, "a description of 501", "description", quoted(501)),
	accepts(requests, "characters of a description are counted, not bytes", "description", `"`+strings.Repeat("é", 500)+`"`),
	rejects(requests, "a description that is a list", "description", `["Water"]`),
	accepts(requests, "an expiry", "expires_at", `"2099-01-31T12:00:00Z"`),
	rejects(requests, "an expiry without its zone", "expires_at", `"2099-01-31T12:00:00"`),
	rejects(requests, "an expiry without a time", "expires_at", `"2099-01-31"`),
	rejects(requests, "an expiry on a day that does not exist", "expires_at", `"2099-02-30T12:00:00Z"`),
	rejects(requests, "an expiry that is a number", "expires_at", `4073538000`),
	accepts(newRequests, "metadata with 10 keys", "metadata", metadata(10)),
	rejects(requests, "metadata with 11", "metadata", metadata(11)),
	accepts(newRequests, "metadata with a key of 40 characters", "metadata", `{`+quoted(40)+`: "v"}`),
	rejects(requests, "metadata with a key of 41", "metadata", `{`+quoted(41)+`: "v"}`),
	accepts(newRequests, "metadata with a value of 500 characters", "metadata", `{"k": `+quoted(500)+`}`),
	rejects(requests, "metadata with a value of 501", "metadata", `{"k": `+quoted(501)+`}`),
	rejects(requests, "metadata with a number", "metadata", `{"k": 1}`),
	rejects(requests, "metadata in metadata", "metadata", `{"k": {"k": "v"}}`),
	rejects(requests, "metadata that is a list", "metadata", `["k", "v"]`),
	rejectsBody(requests, "a body that is a list", `[{"amount": 2000, "currency": "ZAR"}]`),
	rejectsBody(requests, "a body that is a string", `"pr_1234567890"`),
	rejectsBody(requests, "no body", ""),

	// Pushes.
	rejects([]place{{
		name: "push", operation: "POST /collect/payment_requests", body: `%s`,
		beside: map[string]string{"type": `"push"`, "amount": `2000`, "currency": `"ZAR"`},
	}}, "no push", "push", ""),
	rejects(pushes, "no provider", "provider", ""),
	rejects(pushes, "another provider", "provider", `"fnb"`),
	rejects(pushes, "a provider that is a number", "provider", `1`),
	rejects(pushes, "no account", "capitec", ""),
	rejects(pushes, "an account that is a string", "capitec", `"+27823778084"`),
	rejects(pushesTo, "no phone number", "phone_number", ""),
	accepts(pushesTo, "a phone number of 15 digits", "phone_number", `"+278765432109876"`),
	rejects(pushesTo, "a phone number of 16", "phone_number", `"+2787654321098765"`),
	rejects(pushesTo, "a phone number within the country", "phone_number", `"0823778084"`),
	rejects(pushesTo, "a phone number that is a number", "phone_number", `27823778084`),

	// The service saves the response to the key of a create and, unlike below /billing/, of an
	// update.
	twice("create a payment request", asked, created(`{"id": "pr_H4jp6KnU5cPw263v1jyz4", "amount": 2000}`)),
	twice("update a payment request", patch(oneRequest, `{"description": "Sewage"}`), found(`{"description": "Sewage"}`), asked),
	twice("a payment request without an amount", post("/collect/payment_requests", `{"currency": "ZAR"}`), rejected("amount")),
	twice("a payment request that does not exist", asking, failed(404, "pr_1234567890")),
	twice("a payment request that fails", asked.meeting(momenttest.ServiceError(402)), failed(402)),
	twice("an error of the service, on an update", asking.meeting(momenttest.ServiceError(500)), failed(500)),
	[]exchange{
		ask("an idempotency key of another payment request", post("/collect/payment_requests", `{"amount": 1, "currency": "ZAR"}`).with("Idempotency-Key: key-1234567890"),
			failed(422, "Idempotency-Key")).after(asked.with("Idempotency-Key: key-1234567890")),
		ask("an idempotency key of another operation: update of a payment request", patch(oneRequest, `{"description": "Sewage"}`).with("Idempotency-Key: key-1234567890"),
			failed(422, "Idempotency-Key")).after(asked.with("Idempotency-Key: key-1234567890")),
		ask("an idempotency key of another update", patch(oneRequest, `{"description": "Power"}`).with("Idempotency-Key: key-1234567890"),
			failed(422, "Idempotency-Key")).after(asked, patch(oneRequest, `{"description": "Sewage"}`).with("Idempotency-Key: key-1234567890")),
		ask("the saved response is out of date: payment request", asked.with("Idempotency-Key: key-1234567890"), again(created(`{"description": "Water, January"}`))).
			after(asked.with("Idempotency-Key: key-1234567890"), patch(oneRequest, `{"description": "Sewage"}`)),
		ask("an idempotency key with an underscore, on an update", asking.with("Idempotency-Key: key_1234567890"), rejected("Idempotency-Key")),
	},
)
