package integration_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/momenttest"
)

// Moment's documentation as a table of requests and answers. TestConformance holds momenttest
// against it, api/openapi.yaml and, with a test key, the service itself.
//
// Rows are written in the documentation's samples: customer UCR1234567890 has account
// UAR1234567890, and that one bill UBR1234567890. When they are sent, each row has digits of its
// own in place of 1234567890, so that none meets the objects of another; and in place of an id of
// the samples (bcus_H4jp6KnU5cPw263v1jyz4) the one that was given to what came before.

// An exchange is a row of the table.
type exchange struct {
	why   string
	given []request // what comes before
	request
	answer

	notOn   []string // targets on which it cannot be had
	because string
	open    string // what the documentation does not say: the service may answer otherwise
}

// A request is sent with a test key and, if it is a POST or below /collect/ a PATCH, an idempotency
// key of its own.
type request struct {
	operation string            // method and path
	body      string            // JSON
	header    []string          // "Name: value" in place of what is sent otherwise; "Name: " for none
	fault     *momenttest.Fault // what it meets
}

// An answer is a success or, from status 400, a problem.
type answer struct {
	status     int
	members    string   // of a success, as JSON: values that are there, null for what is not, "today" for the date
	names      []string // of a problem: what its detail names
	plain      bool     // of a problem: the request alone shows it, whatever there is
	gateway    bool     // of a problem: it may be HTML instead, as it is not the service that answers
	replayed   bool
	retryAfter string
}

func ask(why string, r request, a answer) exchange { return exchange{why: why, request: r, answer: a} }

func (e exchange) after(given ...request) exchange {
	e.given = given
	return e
}

func (e exchange) not(because string, on ...string) exchange {
	e.notOn, e.because = on, because
	return e
}

func (e exchange) undocumented(what string) exchange {
	e.open = what
	return e
}

func get(path string) request         { return request{operation: "GET " + path} }
func post(path, body string) request  { return request{operation: "POST " + path, body: body} }
func patch(path, body string) request { return request{operation: "PATCH " + path, body: body} }

// pay and decline are what a payer does with a payment request of ZAR 20.00. They are no requests
// to the service.
func pay(id string) request     { return request{operation: payerPays + " " + id} }
func decline(id string) request { return request{operation: payerDeclined + " " + id} }

const (
	payerPays     = "PAY"
	payerDeclined = "DECLINE"
)

func (r request) with(header string) request {
	r.header = append(slices.Clip(r.header), header)
	return r
}

func (r request) meeting(f momenttest.Fault) request {
	r.fault = &f
	return r
}

func created(members string) answer { return answer{status: 201, members: members} }
func found(members string) answer   { return answer{status: 200, members: members} }

// refused is for what is missing or malformed. Several parameters are named where each one is good
// but for the others.
func refused(params ...string) answer { return answer{status: 400, names: params, plain: true} }

// failed is for what the request alone does not show.
func failed(status int, names ...string) answer { return answer{status: status, names: names} }

var unauthorized = answer{status: 401, plain: true}

func again(a answer) answer {
	a.replayed = true
	return a
}

// twice is for a request that is sent before under the same key.
func twice(why string, r request, a answer, given ...request) []exchange {
	r = r.with("Idempotency-Key: key-1234567890")
	return []exchange{ask("again under its key: "+why, r, again(a)).after(append(given, r)...)}
}

// each has a row for each of the requests.
func each(requests []request, why string, r func(request) request, a answer) []exchange {
	rows := make([]exchange, 0, len(requests))
	for _, sample := range requests {
		rows = append(rows, ask(sample.operation+": "+why, r(sample), a))
	}
	return rows
}

func with(header string) func(request) request {
	return func(r request) request { return r.with(header) }
}

func meeting(f momenttest.Fault) func(request) request {
	return func(r request) request { return r.meeting(f) }
}

func asItIs(r request) request { return r }

// notOnMoment is for rows that the service has no use for.
func notOnMoment(because string, rows []exchange) []exchange {
	for i := range rows {
		rows[i] = rows[i].not(because, onMoment)
	}
	return rows
}

// A place is where a parameter may stand: in an object in the body.
type place struct {
	name      string
	given     []request
	operation string
	body      string            // with %s for the object
	path      string            // of the object, in front of the names of its parameters
	beside    map[string]string // what the object has besides
}

// request has a parameter in this place. If the value is empty, it is left out.
func (p place) request(name, value string) request {
	members := map[string]string{}
	maps.Copy(members, p.beside)
	members[name] = value
	var object []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if members[name] != "" {
			object = append(object, fmt.Sprintf("%q: %s", name, members[name]))
		}
	}
	return request{operation: p.operation, body: strings.Replace(p.body, "%s", "{"+strings.Join(object, ", ")+"}", 1)}
}

// at has a row for each of the places.
func at(places []place, why string, r func(place) request, a func(place) answer) []exchange {
	rows := make([]exchange, 0, len(places))
	for _, p := range places {
		rows = append(rows, ask(p.name+": "+why, r(p), a(p)).after(p.given...))
	}
	return rows
}

// takes is for a good value. Where the answer has the parameter, it is as it was sent.
func takes(places []place, why, name, value string) []exchange {
	return at(places, why, func(p place) request { return p.request(name, value) }, func(p place) answer {
		members := `{}`
		if p.path == "" {
			members = fmt.Sprintf(`{%q: %s}`, name, value)
		}
		if strings.HasPrefix(p.operation, "PATCH ") {
			return found(members)
		}
		return created(members)
	})
}

func refuses(places []place, why, name, value string) []exchange {
	return at(places, why, func(p place) request { return p.request(name, value) }, func(p place) answer { return refused(p.path + name) })
}

// refusesBody is for what is no object at all.
func refusesBody(places []place, why, body string) []exchange {
	return at(places, why, func(p place) request { return request{operation: p.operation, body: body} }, func(place) answer { return refused() })
}

// The samples.
var (
	customer = post("/billing/customers", `{
		"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com", "currency": "ZAR", "balance": 2000
	}`)
	account = post("/billing/accounts", `{
		"customer": {"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com"},
		"external_reference": "UAR1234567890", "name": "Subscription Account", "currency": "ZAR", "balance": 2000
	}`)
	raised = post("/billing/bills", `{
		"account": {
			"customer": {"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com"},
			"external_reference": "UAR1234567890", "name": "Subscription Account", "currency": "ZAR", "balance": 2000
		},
		"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000, "bill_date": "2025-01-01", "due_date": "2025-01-31"
	}`)
	voided = post("/billing/bills/UBR1234567890/void", "")

	asked = post("/collect/payment_requests", `{
		"amount": 2000, "currency": "ZAR", "external_reference": "UBR1234567890", "description": "Water, January", "metadata": {"order_id": "ord_789012"}
	}`)
	asking = patch("/collect/payment_requests/pr_1234567890", `{"description": "Water"}`)

	posts = []request{customer, account, raised, voided}
	gets  = []request{
		get("/billing/customers/UCR1234567890"),
		get("/billing/accounts/UAR1234567890"),
		get("/billing/bills/UBR1234567890"),
		get("/collect/payment_requests/pr_1234567890"),
		get("/collect/payments/pay_1234567890"),
	}
	patches = []request{
		patch("/billing/customers/UCR1234567890", `{"balance": 5000}`),
		patch("/billing/accounts/UAR1234567890", `{"balance": 10000}`),
		patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500}`),
	}
	keyed      = slices.Concat(posts, []request{asked, asking})
	writes     = slices.Concat(posts, patches, []request{asked, asking})
	operations = slices.Concat(writes, gets)
)

// The places, as the reference has them.
var (
	newCustomer = place{
		name: "customer", operation: "POST /billing/customers", body: `%s`,
		beside: map[string]string{"external_reference": `"UCR1234567890"`, "currency": `"ZAR"`},
	}
	oldCustomer = place{
		name: "update of a customer", operation: "PATCH /billing/customers/UCR1234567890", body: `%s`,
		given: []request{customer},
	}
	newAccount = place{
		name: "account", operation: "POST /billing/accounts", body: `%s`,
		given:  []request{customer},
		beside: map[string]string{"external_reference": `"UAR1234567890"`, "currency": `"ZAR"`, "customer": `"UCR1234567890"`},
	}
	oldAccount = place{
		name: "update of an account", operation: "PATCH /billing/accounts/UAR1234567890", body: `%s`,
		given: []request{account},
	}
	newBill = place{
		name: "bill", operation: "POST /billing/bills", body: `%s`,
		given:  []request{customer},
		beside: map[string]string{"external_reference": `"UBR1234567890"`, "currency": `"ZAR"`, "amount_due": `2000`, "customer": `"UCR1234567890"`},
	}
	oldBill = place{
		name: "update of a bill", operation: "PATCH /billing/bills/UBR1234567890", body: `%s`,
		given: []request{raised},
	}
	accountsCustomer = place{
		name: "customer of an account", path: "customer.", operation: "POST /billing/accounts",
		body:   `{"external_reference": "UAR1234567890", "customer": %s}`,
		beside: newCustomer.beside,
	}
	billsCustomer = place{
		name: "customer of a bill", path: "customer.", operation: "POST /billing/bills",
		body:   `{"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000, "customer": %s}`,
		beside: newCustomer.beside,
	}
	billsAccount = place{
		name: "account of a bill", path: "account.", operation: "POST /billing/bills",
		body:   `{"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000, "account": %s}`,
		given:  []request{customer},
		beside: newAccount.beside,
	}
	accountsCustomerOfABill = place{
		name: "customer of an account of a bill", path: "account.customer.", operation: "POST /billing/bills",
		body: `{
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000,
			"account": {"external_reference": "UAR1234567890", "customer": %s}
		}`,
		beside: newCustomer.beside,
	}

	objects    = []place{newCustomer, newAccount, newBill}
	updates    = []place{oldCustomer, oldAccount, oldBill}
	outermost  = slices.Concat(objects, updates)
	creates    = slices.Concat(objects, []place{accountsCustomer, billsCustomer, billsAccount, accountsCustomerOfABill})
	accounts   = []place{newAccount, billsAccount}
	others     = []place{newCustomer, newBill, accountsCustomer, billsCustomer, accountsCustomerOfABill} // than accounts
	everywhere = slices.Concat(creates, updates)
	customers  = []place{newCustomer, oldCustomer, accountsCustomer, billsCustomer, accountsCustomerOfABill}
	owing      = slices.Concat(customers, []place{newAccount, oldAccount, billsAccount}) // have a name and a balance
	owned      = []place{newAccount, newBill, billsAccount}                              // have a customer
)

func quoted(length int) string { return `"` + strings.Repeat("a", length) + `"` }

// long has the digits of its row in it.
func long(length int) string      { return strings.Repeat("a", length-10) + "1234567890" }
func reference(length int) string { return `"` + long(length) + `"` }

func metadata(keys int) string {
	pairs := make([]string, 0, keys)
	for i := range keys {
		pairs = append(pairs, fmt.Sprintf(`"key-%d": "v"`, i))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

var documentation = slices.Concat(
	// Customers: a reference is all that they need, and there is nothing in an answer that was not
	// sent.
	[]exchange{
		ask("create a customer: the guide's request", post("/billing/customers", `{
			"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com"
		}`), created(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"phone": null, "currency": null, "balance": null, "metadata": null
		}`)),
		ask("create a customer: a reference is enough", post("/billing/customers", `{"external_reference": "UCR1234567890"}`), created(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890",
			"name": null, "email": null, "phone": null, "currency": null, "balance": null, "metadata": null
		}`)),
		ask("create a customer: every field", post("/billing/customers", `{
			"external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com", "phone": "+27123456789",
			"currency": "ZAR", "balance": 2000, "metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
		}`), created(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"phone": "+27123456789", "currency": "ZAR", "balance": 2000, "metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
		}`)),
		ask("retrieve a customer by its id", get("/billing/customers/bcus_H4jp6KnU5cPw263v1jyz4"), found(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"currency": "ZAR", "balance": 2000
		}`)).after(customer),
		ask("retrieve a customer by its reference", get("/billing/customers/UCR1234567890"), found(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"currency": "ZAR", "balance": 2000
		}`)).after(customer),
		ask("update a customer by its id: a balance replaces the old one, and the rest stays", patch("/billing/customers/bcus_H4jp6KnU5cPw263v1jyz4", `{"balance": 5000}`), found(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"currency": "ZAR", "balance": 5000
		}`)).after(customer),
		ask("update a customer by its reference: a name", patch("/billing/customers/UCR1234567890", `{"name": "Jane Doe"}`), found(`{
			"external_reference": "UCR1234567890", "name": "Jane Doe", "email": "john.doe@example.com", "currency": "ZAR", "balance": 2000
		}`)).after(customer),
		ask("update a customer: a balance with its currency, where there was none", patch("/billing/customers/UCR1234567890", `{"balance": 5000, "currency": "ZAR"}`),
			found(`{"currency": "ZAR", "balance": 5000}`)).after(post("/billing/customers", `{"external_reference": "UCR1234567890"}`)),
		ask("update a customer: every field", patch("/billing/customers/UCR1234567890", `{
			"name": "Jane Doe", "email": "jane.doe@example.com", "phone": "+27987654321", "currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`), found(`{
			"external_reference": "UCR1234567890", "name": "Jane Doe", "email": "jane.doe@example.com", "phone": "+27987654321",
			"currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`)).after(customer),
		ask("update a customer: nothing is sent, nothing changes", patch("/billing/customers/UCR1234567890", `{}`), found(`{
			"name": "John Doe", "email": "john.doe@example.com", "currency": "ZAR", "balance": 2000
		}`)).after(customer),
		ask("an update can be retrieved", get("/billing/customers/UCR1234567890"), found(`{"name": "Jane Doe", "balance": 2000}`)).
			after(customer, patch("/billing/customers/UCR1234567890", `{"name": "Jane Doe"}`)),
	},

	// Accounts: as the above, under a customer.
	[]exchange{
		ask("create an account: the guide's request, under a customer by its id", post("/billing/accounts", `{
			"customer": "bcus_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UAR1234567890", "name": "Subscription Account", "currency": "ZAR", "balance": 2000
		}`), created(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Subscription Account", "currency": "ZAR", "balance": 2000, "metadata": null
		}`)).after(customer),
		ask("create an account: under a customer by its reference, which is enough", post("/billing/accounts", `{
			"customer": "UCR1234567890", "external_reference": "UAR1234567890"
		}`), created(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": null, "currency": null, "balance": null, "metadata": null
		}`)).after(customer),
		ask("create an account: every field", post("/billing/accounts", `{
			"customer": "UCR1234567890", "external_reference": "UAR1234567890", "name": "Subscription Account", "currency": "ZAR", "balance": 2000,
			"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
		}`), created(`{
			"name": "Subscription Account", "currency": "ZAR", "balance": 2000, "metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
		}`)).after(customer),
		ask("create customer and account in one call", account, created(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Subscription Account", "currency": "ZAR", "balance": 2000
		}`)),
		ask("the customer of one call is there", get("/billing/customers/UCR1234567890"), found(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"balance": null
		}`)).after(account),
		ask("create a second account of the same customer", post("/billing/accounts", `{
			"customer": "bcus_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "SECOND1234567890", "name": "Secondary Account", "currency": "ZAR", "balance": 2000
		}`), created(`{
			"external_reference": "SECOND1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "name": "Secondary Account", "balance": 2000
		}`)).after(account),
		ask("retrieve an account by its id", get("/billing/accounts/bacc_H4jp6KnU5cPw263v1jyz4"), found(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Subscription Account", "currency": "ZAR", "balance": 2000
		}`)).after(account),
		ask("retrieve an account by its reference", get("/billing/accounts/UAR1234567890"), found(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Subscription Account", "currency": "ZAR", "balance": 2000
		}`)).after(account),
		ask("update an account by its id: a balance replaces the old one, and the rest stays", patch("/billing/accounts/bacc_H4jp6KnU5cPw263v1jyz4", `{"balance": 10000}`), found(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Subscription Account", "currency": "ZAR", "balance": 10000
		}`)).after(account),
		ask("update an account by its reference: every field", patch("/billing/accounts/UAR1234567890", `{
			"name": "Savings Account", "currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`), found(`{
			"external_reference": "UAR1234567890", "name": "Savings Account", "currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`)).after(account),
		ask("other accounts of the customer stay as they are", get("/billing/accounts/SECOND1234567890"), found(`{"name": "Secondary Account", "balance": 500}`)).after(
			account,
			post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "SECOND1234567890", "name": "Secondary Account", "currency": "ZAR", "balance": 500}`),
			patch("/billing/accounts/UAR1234567890", `{"balance": 10000}`)),
		ask("so does the customer", get("/billing/customers/UCR1234567890"), found(`{"name": "John Doe", "balance": null}`)).
			after(account, patch("/billing/accounts/UAR1234567890", `{"balance": 10000}`)),
	},

	// Bills: of a customer or an account, each of which may come with them.
	[]exchange{
		ask("create a bill of an account by its id", post("/billing/bills", `{
			"account": "bacc_H4jp6KnU5cPw263v1jyz4",
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000, "bill_date": "2025-01-01", "due_date": "2025-01-31"
		}`), created(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "2025-01-01", "due_date": "2025-01-31", "metadata": null
		}`)).after(account),
		ask("create a bill of an account by its reference", post("/billing/bills", `{
			"account": "UAR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4", "status": "unpaid"
		}`)).after(account),
		ask("create a bill of a customer by its id: no account, and today's date", post("/billing/bills", `{
			"customer": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": null,
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "today", "due_date": null, "metadata": null
		}`)).after(customer),
		ask("create a bill of a customer by its reference", post("/billing/bills", `{
			"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": null}`)).after(customer),
		ask("create customer and bill in one call, without an account", post("/billing/bills", `{
			"customer": {"external_reference": "UCR1234567890", "name": "John Doe"},
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": null, "amount_due": 2000}`)),
		ask("create account and bill in one call, for a customer that is there", post("/billing/bills", `{
			"account": {"customer": "UCR1234567890", "external_reference": "UAR1234567890", "name": "Primary Account"},
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}`)).after(customer),
		ask("create customer, account and bill in one call", raised, created(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "2025-01-01", "due_date": "2025-01-31"
		}`)),
		ask("the account of one call is there", get("/billing/accounts/UAR1234567890"), found(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "name": "Subscription Account", "balance": 2000
		}`)).after(raised),
		ask("so is its customer", get("/billing/customers/UCR1234567890"), found(`{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "name": "John Doe"}`)).after(raised),
		ask("create a bill: metadata", post("/billing/bills", `{
			"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000,
			"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}
		}`), created(`{"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}}`)).after(customer),
		ask("retrieve a bill by its id", get("/billing/bills/bill_H4jp6KnU5cPw263v1jyz4"), found(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "2025-01-01", "due_date": "2025-01-31"
		}`)).after(raised),
		ask("retrieve a bill by its reference", get("/billing/bills/UBR1234567890"), found(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890", "status": "unpaid", "amount_due": 2000
		}`)).after(raised),
		ask("update a bill by its id: the guide's request, a part is paid", patch("/billing/bills/bill_H4jp6KnU5cPw263v1jyz4", `{"amount_paid": 1500}`), found(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 1500, "amount_remaining": 500,
			"bill_date": "2025-01-01", "due_date": "2025-01-31"
		}`)).after(raised),
		ask("update a bill by its reference: all is paid", patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`),
			found(`{"status": "paid", "amount_paid": 2000, "amount_remaining": 0}`)).after(raised),
		ask("update a bill: amount_paid with its currency, as the reference wants it", patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500, "currency": "ZAR"}`),
			found(`{"status": "unpaid", "amount_paid": 1500, "amount_remaining": 500}`)).after(raised),
		ask("update a bill: amount_paid is set, not added", patch("/billing/bills/UBR1234567890", `{"amount_paid": 1600}`),
			found(`{"status": "unpaid", "amount_paid": 1600, "amount_remaining": 400}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500}`)),
		ask("update a bill: amount_paid is lowered again", patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500}`),
			found(`{"status": "unpaid", "amount_paid": 1500, "amount_remaining": 500}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`)).
			undocumented("whether a paid bill can be unpaid again"),
		ask("a payment stays when something else is updated", patch("/billing/bills/UBR1234567890", `{"metadata": {"a": "b"}}`),
			found(`{"status": "paid", "amount_paid": 2000, "amount_remaining": 0, "metadata": {"a": "b"}}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`)),
		ask("void a bill by its id", post("/billing/bills/bill_H4jp6KnU5cPw263v1jyz4/void", ""), found(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890", "status": "voided", "amount_due": 2000
		}`)).after(raised),
		ask("void a bill by its reference", voided, found(`{"external_reference": "UBR1234567890", "status": "voided"}`)).after(raised),
		ask("void a bill that is paid in part", voided, found(`{"status": "voided", "amount_paid": 1500}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500}`)),
		ask("void a bill that is paid", voided, found(`{"status": "voided", "amount_paid": 2000}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`)).
			undocumented("whether a paid bill may be voided"),
		ask("retrieve a voided bill", get("/billing/bills/UBR1234567890"), found(`{"external_reference": "UBR1234567890", "status": "voided"}`)).after(raised, voided),
	},

	// Metadata is merged: the answers of the reference show the old keys beside the new ones.
	[]exchange{
		ask("metadata of a customer is merged", patch("/billing/customers/UCR1234567890", `{"metadata": {"order_id": "ord_789012"}}`),
			found(`{"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}}`)).
			after(customer, patch("/billing/customers/UCR1234567890", `{"metadata": {"customer_id": "cust_123456"}}`)),
		ask("metadata of an account is merged", patch("/billing/accounts/UAR1234567890", `{"metadata": {"order_id": "ord_789012"}}`),
			found(`{"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}}`)).
			after(account, patch("/billing/accounts/UAR1234567890", `{"metadata": {"customer_id": "cust_123456"}}`)),
		ask("metadata of a bill is merged", patch("/billing/bills/UBR1234567890", `{"metadata": {"order_id": "ord_789012"}}`),
			found(`{"metadata": {"customer_id": "cust_123456", "order_id": "ord_789012"}}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"metadata": {"customer_id": "cust_123456"}}`)),
		ask("a new value takes the place of the old one", patch("/billing/customers/UCR1234567890", `{"metadata": {"customer_id": "cust_2"}}`),
			found(`{"metadata": {"customer_id": "cust_2", "order_id": "ord_789012"}}`)).
			after(customer, patch("/billing/customers/UCR1234567890", `{"metadata": {"customer_id": "cust_1", "order_id": "ord_789012"}}`)),
	},

	// Names: 255 characters at most.
	takes(owing, "a name of 255 characters", "name", quoted(255)),
	refuses(owing, "a name of 256", "name", quoted(256)),
	takes([]place{newCustomer, newAccount}, "characters are counted, not bytes", "name", `"`+strings.Repeat("é", 255)+`"`),
	refuses([]place{newCustomer, newAccount}, "a name of 256 characters that are not ASCII", "name", `"`+strings.Repeat("é", 256)+`"`),
	refuses(owing, "a name that is a number", "name", `1`),
	takes(customers, "an email of 255 characters", "email", quoted(255)),
	refuses(customers, "an email of 256", "email", quoted(256)),
	refuses(customers, "an email that is a list", "email", `["john.doe@example.com"]`),

	// Telephone numbers: E.164, ^\+[1-9]\d{1,14}$.
	takes(customers, "a phone number of 2 digits", "phone", `"+27"`),
	refuses(customers, "a phone number of 1", "phone", `"+2"`),
	takes(customers, "a phone number of 15", "phone", `"+278765432109876"`),
	refuses(customers, "a phone number of 16", "phone", `"+2787654321098765"`),
	refuses([]place{newCustomer, oldCustomer}, "a phone number without a plus", "phone", `"27123456789"`),
	refuses([]place{newCustomer, oldCustomer}, "a phone number with a trunk 0", "phone", `"+0123456789"`),
	refuses([]place{newCustomer, oldCustomer}, "a phone number with spaces", "phone", `"+27 12 345 6789"`),
	refuses([]place{newCustomer, oldCustomer}, "a phone number with something behind it", "phone", `"+27123456789x"`),
	refuses([]place{newCustomer, oldCustomer}, "a phone number with something in front", "phone", `"x+27123456789"`),
	refuses([]place{newCustomer, oldCustomer}, "a phone number that is a number", "phone", `27123456789`),

	// Currencies: three letters of ISO 4217.
	takes([]place{newCustomer, newAccount, newBill}, "a currency beside those listed as supported", "currency", `"JPY"`),
	refuses(everywhere, "a currency of 2 letters", "currency", `"ZA"`),
	refuses(everywhere, "a currency of 4", "currency", `"ZARR"`),
	refuses(outermost, "a currency in small letters", "currency", `"zar"`),
	refuses(outermost, "a currency by its number", "currency", `"710"`),
	refuses(outermost, "a currency that is a number", "currency", `710`),

	// Balances: whole minor units of either sign, and where there is none, none is tracked.
	takes(owing, "a balance of 0, which is one", "balance", `0`),
	takes(owing, "a credit", "balance", `-2000`),
	takes(owing, "a balance beyond what a bill can be about", "balance", `100000000`),
	refuses(owing, "a balance in major units", "balance", `20.5`),
	refuses([]place{newCustomer, oldCustomer, newAccount, oldAccount}, "a balance that is a string", "balance", `"2000"`),
	// The reference wants the currency beside a balance. The guide leaves it out where there is one
	// already, see above.
	[]exchange{
		ask("customer: a balance without a currency", post("/billing/customers", `{"external_reference": "UCR1234567890", "balance": 2000}`), refused("currency")),
		ask("account: a balance without a currency", post("/billing/accounts", `{"external_reference": "UAR1234567890", "customer": "UCR1234567890", "balance": 2000}`),
			refused("currency")).after(customer),
		ask("customer of an account: a balance without a currency", post("/billing/accounts", `{
			"external_reference": "UAR1234567890", "currency": "ZAR", "customer": {"external_reference": "UCR1234567890", "balance": 2000}
		}`), refused("customer.currency")),
		ask("customer of a bill: a balance without a currency", post("/billing/bills", `{
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000, "customer": {"external_reference": "UCR1234567890", "balance": 2000}
		}`), refused("customer.currency")),
		ask("account of a bill: a balance without a currency", post("/billing/bills", `{
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000,
			"account": {"external_reference": "UAR1234567890", "customer": "UCR1234567890", "balance": 2000}
		}`), refused("account.currency")).after(customer),
		ask("update of a customer: a balance without a currency, and there was none before", patch("/billing/customers/UCR1234567890", `{"balance": 5000}`),
			failed(400, "currency")).after(post("/billing/customers", `{"external_reference": "UCR1234567890"}`)),
		ask("update of an account: a balance without a currency, and there was none before", patch("/billing/accounts/UAR1234567890", `{"balance": 5000}`),
			failed(400, "currency")).after(customer, post("/billing/accounts", `{"external_reference": "UAR1234567890", "customer": "UCR1234567890"}`)),
	},

	// Amounts of bills: 1 to 99,999,999 minor units to pay, and 0 to 99,999,999 paid.
	takes([]place{newBill}, "an amount_due of 1", "amount_due", `1`),
	refuses([]place{newBill}, "an amount_due of 0", "amount_due", `0`),
	takes([]place{newBill}, "an amount_due of 99999999", "amount_due", `99999999`),
	refuses([]place{newBill}, "an amount_due of 100000000", "amount_due", `100000000`),
	refuses([]place{newBill}, "an amount_due below zero", "amount_due", `-2000`),
	refuses([]place{newBill}, "an amount_due in major units", "amount_due", `20.5`),
	refuses([]place{newBill}, "an amount_due that is a string", "amount_due", `"2000"`),
	takes([]place{oldBill}, "an amount_paid of 0", "amount_paid", `0`),
	refuses([]place{oldBill}, "an amount_paid of -1", "amount_paid", `-1`),
	refuses([]place{oldBill}, "an amount_paid of 100000000", "amount_paid", `100000000`),
	refuses([]place{oldBill}, "an amount_paid in major units", "amount_paid", `20.5`),
	refuses([]place{oldBill}, "an amount_paid that is a string", "amount_paid", `"2000"`),
	[]exchange{
		ask("update of a bill: an amount_paid of 99999999", patch("/billing/bills/UBR1234567890", `{"amount_paid": 99999999}`),
			found(`{"status": "paid", "amount_due": 99999999, "amount_paid": 99999999, "amount_remaining": 0}`)).
			after(customer, post("/billing/bills", `{"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 99999999}`)),
	},

	// Dates: of the calendar, in the form YYYY-MM-DD.
	takes([]place{newBill}, "a bill_date on a leap day", "bill_date", `"2024-02-29"`),
	refuses([]place{newBill}, "a bill_date on a leap day of no leap year", "bill_date", `"2025-02-29"`),
	refuses([]place{newBill}, "a bill_date with a time", "bill_date", `"2025-01-01T00:00:00Z"`),
	takes([]place{newBill}, "a due_date", "due_date", `"2025-12-31"`),
	refuses([]place{newBill}, "a due_date on day 31 of 30", "due_date", `"2025-04-31"`),
	refuses([]place{newBill}, "a due_date in month 13", "due_date", `"2025-13-01"`),
	refuses([]place{newBill}, "a due_date without its zeros", "due_date", `"2025-1-1"`),
	refuses([]place{newBill}, "a due_date in another order", "due_date", `"31-01-2025"`),
	refuses([]place{newBill}, "a due_date that is a number", "due_date", `20250131`),

	// Metadata: 10 keys of 40 characters, with strings of 500.
	takes(everywhere, "metadata with 10 keys", "metadata", metadata(10)),
	refuses(everywhere, "metadata with 11", "metadata", metadata(11)),
	takes(everywhere, "metadata with a key of 40 characters", "metadata", `{`+quoted(40)+`: "v"}`),
	refuses(everywhere, "metadata with a key of 41", "metadata", `{`+quoted(41)+`: "v"}`),
	takes(everywhere, "metadata with a value of 500 characters", "metadata", `{"k": `+quoted(500)+`}`),
	refuses(everywhere, "metadata with a value of 501", "metadata", `{"k": `+quoted(501)+`}`),
	refuses(everywhere, "metadata with a number", "metadata", `{"k": 1}`),
	refuses(outermost, "metadata in metadata", "metadata", `{"k": {"k": "v"}}`),
	refuses(outermost, "metadata that is a list", "metadata", `["k", "v"]`),
	[]exchange{
		ask("metadata of a customer outgrows its 10 keys", patch("/billing/customers/UCR1234567890", `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(customer, patch("/billing/customers/UCR1234567890", `{"metadata": `+metadata(10)+`}`)).
			undocumented("what becomes of more than 10 keys after merging"),
		ask("metadata of an account outgrows its 10 keys", patch("/billing/accounts/UAR1234567890", `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(account, patch("/billing/accounts/UAR1234567890", `{"metadata": `+metadata(10)+`}`)).
			undocumented("what becomes of more than 10 keys after merging"),
		ask("metadata of a bill outgrows its 10 keys", patch("/billing/bills/UBR1234567890", `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(raised, patch("/billing/bills/UBR1234567890", `{"metadata": `+metadata(10)+`}`)).
			undocumented("what becomes of more than 10 keys after merging"),
		ask("metadata with 10 keys that are there already", patch("/billing/bills/UBR1234567890", `{"metadata": `+metadata(10)+`}`), found(`{"metadata": `+metadata(10)+`}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"metadata": `+metadata(10)+`}`)),
	},

	// External references: 1 to 255 of a-z, A-Z, 0-9, _ and -. Accounts reject bacc_ at the beginning,
	// and customers and bills bcus_.
	notOnMoment("it is soon taken", takes(objects, "a reference of 1 character", "external_reference", `"a"`)),
	takes(creates, "a reference of 255 characters", "external_reference", reference(255)),
	refuses(creates, "a reference of 256", "external_reference", reference(256)),
	takes(creates, "a reference with every kind of character", "external_reference", `"aZ09_-1234567890"`),
	takes(objects, "a reference with a reserved prefix, but not in front", "external_reference", `"my_bcus_bacc_1234567890"`),
	takes(objects, "a reference with a reserved prefix, but no underscore", "external_reference", `"bcus-1234567890"`),
	refuses(creates, "no reference", "external_reference", ""),
	refuses(creates, "an empty reference", "external_reference", `""`),
	refuses(objects, "a reference with a dot", "external_reference", `"a.1234567890"`),
	refuses(objects, "a reference with a slash", "external_reference", `"a/1234567890"`),
	refuses(objects, "a reference with a space", "external_reference", `"a 1234567890"`),
	refuses(objects, "a reference with a line end", "external_reference", `"1234567890\n"`),
	refuses(objects, "a reference not in ASCII", "external_reference", `"é1234567890"`),
	refuses(objects, "a reference that is a number", "external_reference", `1234567890`),
	refuses(accounts, "a reference with the prefix that is reserved for accounts", "external_reference", `"bacc_1234567890"`),
	refuses(others, "a reference with the prefix that is reserved for customers and bills", "external_reference", `"bcus_1234567890"`),
	takes(accounts, "bcus_ is not reserved for accounts", "external_reference", `"bcus_1234567890"`),
	takes(others, "bacc_ is not reserved for customers and bills", "external_reference", `"bacc_1234567890"`),
	takes(creates, "bill_ is not reserved", "external_reference", `"bill_1234567890"`),
	takes(creates, "ob_ is not reserved", "external_reference", `"ob_1234567890"`),
	takes(creates, "pay_ is not reserved", "external_reference", `"pay_1234567890"`),
	takes(creates, "evt_ is not reserved", "external_reference", `"evt_1234567890"`),

	// What else is required, and the unions.
	refuses([]place{newAccount, billsAccount}, "no customer", "customer", ""),
	refuses([]place{newBill}, "no currency", "currency", ""),
	refuses([]place{newBill}, "no amount_due", "amount_due", ""),
	refuses(owned, "a customer that is a number", "customer", `1`),
	refuses(owned, "a customer that is a list", "customer", `["UCR1234567890"]`),
	refuses(owned, "a customer that is nobody", "customer", `""`),
	refuses(owned, "a customer by a name", "customer", `"John Doe"`),
	refuses(owned, "a customer by a reference of 256 characters", "customer", reference(256)),
	[]exchange{
		ask("a bill of nobody", post("/billing/bills", `{"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000}`), refused("customer", "account")),
		ask("a bill of both", post("/billing/bills", `{
			"customer": "UCR1234567890", "account": "UAR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), refused("customer", "account")).after(account),
		ask("a bill of an account that is a number", post("/billing/bills", `{"account": 1, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000}`),
			refused("account")),
		ask("a bill of an account by a reference of 256 characters", post("/billing/bills", `{
			"account": `+reference(256)+`, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), refused("account")),
		ask("an account of a customer by a reference of 255 characters", post("/billing/accounts", `{"customer": `+reference(255)+`, "external_reference": "UAR1234567890"}`),
			created(`{"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4"}`)).after(post("/billing/customers", `{"external_reference": `+reference(255)+`}`)),
		ask("a bill of an account by a reference of 255 characters", post("/billing/bills", `{
			"account": `+reference(255)+`, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{"account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}`)).
			after(customer, post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": `+reference(255)+`}`)),
		ask("a customer by a reference of 255 characters", get("/billing/customers/"+long(255)), found(`{"external_reference": `+reference(255)+`}`)).
			after(post("/billing/customers", `{"external_reference": `+reference(255)+`}`)),
	},
	refusesBody(outermost, "a body that is a list", `[{"external_reference": "UCR1234567890"}]`),
	refusesBody(outermost, "a body that is a string", `"UCR1234567890"`),
	refusesBody(outermost, "no body", ""),
	[]exchange{
		ask("a body that is no JSON", post("/billing/customers", `{"external_reference": "UCR1234567890"`), refused()).
			not("prism reads the body before the description, and refuses what is no JSON in words of its own", onMock, onProxy),
		ask("a body that says how it is encoded", customer.with("Content-Type: application/json; charset=utf-8"), created(`{"name": "John Doe"}`)),
		ask("a body that is said to be no JSON", customer.with("Content-Type: text/plain"), refused()).
			undocumented("what becomes of bodies that are not JSON by their type"),
	},

	// Keys of the API.
	each(operations, "no key", with("Authorization: "), unauthorized),
	notOnMoment("it is no key of a merchant", each(operations, "a public key", with("Authorization: Bearer pk_test_YOUR_PUBLIC_KEY"), failed(403))),
	[]exchange{
		ask("a key that is none, by the page on authentication: customer", gets[0].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("a key that is none, by the page on authentication: account", gets[1].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("a key that is none, by the page on authentication: bill", gets[2].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("a key that is none, by the page on authentication: payment request", gets[3].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("a key that is none, by the page on authentication: payment", gets[4].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("a key that is none, by the page on errors", gets[0].with("Authorization: Bearer UNKNOWN"), failed(401)).undocumented("which of the pages is right"),
		ask("a key that is none, when something is created", raised.with("Authorization: Bearer UNKNOWN"), failed(401)).undocumented("which of the pages is right"),
		ask("a key in another scheme", gets[0].with("Authorization: Basic c2tfdGVzdF9ZT1VSX1NFQ1JFVF9LRVk6"), unauthorized),
		ask("a public key of live mode", gets[0].with("Authorization: Bearer pk_YOUR_PUBLIC_KEY"), failed(403)).not("it is no key of a merchant", onMoment),
	},

	// Idempotency keys: 1 to 255 of a-z, A-Z, 0-9 and -, required with each POST.
	each(keyed, "no idempotency key", with("Idempotency-Key: "), refused("Idempotency-Key")),
	each(keyed, "an idempotency key of 256 characters", with("Idempotency-Key: "+long(256)), refused("Idempotency-Key")),
	[]exchange{
		ask("an idempotency key of 255 characters", customer.with("Idempotency-Key: "+long(255)), created(`{"external_reference": "UCR1234567890"}`)),
		ask("an idempotency key of 1 character", customer.with("Idempotency-Key: k"), created(`{"external_reference": "UCR1234567890"}`)).
			not("it is soon taken", onMoment),
		ask("an idempotency key that is a UUID", customer.with("Idempotency-Key: 1b9d6bcd-bbfd-4b2d-9b5d-ab1234567890"), created(`{"external_reference": "UCR1234567890"}`)),
		ask("an idempotency key with every kind of character", customer.with("Idempotency-Key: aZ09-1234567890"), created(`{"external_reference": "UCR1234567890"}`)),
		ask("an idempotency key with an underscore", customer.with("Idempotency-Key: key_1234567890"), refused("Idempotency-Key")),
		ask("an idempotency key in quotes, as in the draft", customer.with(`Idempotency-Key: "1234567890"`), refused("Idempotency-Key")),
		ask("an idempotency key with a space", customer.with(`Idempotency-Key: key 1234567890`), refused("Idempotency-Key")),
	},
	// The answer to a key is saved, whatever it was.
	twice("create a customer", customer, created(`{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "balance": 2000}`)),
	twice("create customer and account in one call", account, created(`{"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890"}`)),
	twice("create customer, account and bill in one call", raised, created(`{"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890"}`)),
	twice("void a bill", voided, found(`{"external_reference": "UBR1234567890", "status": "voided"}`), raised),
	twice("a malformed parameter", post("/billing/customers", `{"external_reference": "a.b"}`), refused("external_reference")),
	twice("a customer that does not exist", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`), failed(404, "customer")),
	twice("a reference that is taken", customer, failed(409, "external_reference"), customer),
	twice("a bill that is voided already", voided, failed(409), raised, voided),
	[]exchange{
		ask("the saved answer is what was, not what is", customer.with("Idempotency-Key: key-1234567890"), again(created(`{"balance": 2000}`))).
			after(customer.with("Idempotency-Key: key-1234567890"), patches[0]),
		ask("a failure is answered again when its reason has gone", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`).
			with("Idempotency-Key: key-1234567890"), again(failed(404, "customer"))).
			after(post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`).with("Idempotency-Key: key-1234567890"), customer),
		ask("an idempotency key of another body", post("/billing/customers", `{"external_reference": "OTHER1234567890"}`).with("Idempotency-Key: key-1234567890"),
			failed(422, "Idempotency-Key")).after(customer.with("Idempotency-Key: key-1234567890")),
		ask("an idempotency key of another operation: account", account.with("Idempotency-Key: key-1234567890"), failed(422, "Idempotency-Key")).
			after(customer.with("Idempotency-Key: key-1234567890")),
		ask("an idempotency key of another operation: bill", raised.with("Idempotency-Key: key-1234567890"), failed(422, "Idempotency-Key")).
			after(customer.with("Idempotency-Key: key-1234567890")),
		ask("an idempotency key of another operation: void", voided.with("Idempotency-Key: key-1234567890"), failed(422, "Idempotency-Key")).
			after(raised.with("Idempotency-Key: key-1234567890")),
	},

	// What does not exist.
	each(slices.Concat(gets, patches, []request{voided, asking}), "no such reference", asItIs, failed(404, "1234567890")),
	[]exchange{
		ask("no customer with this id", get("/billing/customers/bcus_1234567890"), failed(404, "bcus_1234567890")),
		ask("no account with this id", get("/billing/accounts/bacc_1234567890"), failed(404, "bacc_1234567890")),
		ask("no bill with this id", get("/billing/bills/bill_1234567890"), failed(404, "bill_1234567890")),
		ask("a customer is no account", get("/billing/accounts/UCR1234567890"), failed(404, "UCR1234567890")).after(customer),
		ask("an account is no customer", get("/billing/customers/UAR1234567890"), failed(404, "UAR1234567890")).after(account),
		ask("an account is no bill", get("/billing/bills/UAR1234567890"), failed(404, "UAR1234567890")).after(account),
		ask("an account of a customer that does not exist", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`), failed(404, "customer")),
		ask("a bill of a customer that does not exist", post("/billing/bills", `{
			"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(404, "customer")),
		ask("a bill of an account that does not exist", post("/billing/bills", `{
			"account": "UAR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(404, "account")),
		ask("a bill of a new account of a customer that does not exist", post("/billing/bills", `{
			"account": {"customer": "UCR1234567890", "external_reference": "UAR1234567890"},
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(404, "account.customer")),
	},

	// Conflicts: references are unique among the objects of a kind, and what is voided stays as it
	// is.
	[]exchange{
		ask("a customer's reference is taken", customer, failed(409, "external_reference")).after(customer),
		ask("an account's reference is taken", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`),
			failed(409, "external_reference")).after(account),
		ask("a bill's reference is taken", post("/billing/bills", `{
			"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(409, "external_reference")).after(raised),
		ask("a reference is taken: the customer of an account", account, failed(409, "customer.external_reference")).after(customer),
		ask("a reference is taken: the customer of a bill", post("/billing/bills", `{
			"customer": {"external_reference": "UCR1234567890"}, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(409, "customer.external_reference")).after(customer),
		ask("a reference is taken: the customer of an account of a bill", raised, failed(409, "account.customer.external_reference")).after(customer),
		ask("a reference is taken: the account of a bill", post("/billing/bills", `{
			"account": {"customer": "UCR1234567890", "external_reference": "UAR1234567890"},
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(409, "account.external_reference")).after(account),
		ask("a reference is free that belongs to another kind", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UCR1234567890"}`),
			created(`{"external_reference": "UCR1234567890"}`)).after(customer),
		ask("a voided bill is voided", voided, failed(409)).after(raised, voided),
		ask("a voided bill is paid", patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`), failed(409)).after(raised, voided),
		ask("a voided bill is updated", patch("/billing/bills/UBR1234567890", `{"metadata": {"a": "b"}}`), failed(409)).after(raised, voided),
		ask("the first request with the idempotency key is still running", customer, failed(409)).
			not("no request is waiting while another one is sent", onFake, onProxy, onMoment),
	},

	// What is wrong with the service, or in front of it, and comes on any request.
	each(writes, "the request fails", meeting(momenttest.ServiceError(402)), failed(402)),
	each(operations, "an error of the service", meeting(momenttest.ServiceError(500)), failed(500)),
	each(operations, "too many requests", meeting(momenttest.RateLimit(time.Second)), answer{status: 429, retryAfter: "1"}),
	each(operations, "a gateway has no answer", meeting(momenttest.Status(502)), answer{status: 502, gateway: true}),
	each(operations, "a gateway has no service", meeting(momenttest.Status(503)), answer{status: 503, gateway: true}),
	each(operations, "a gateway has no answer in time", meeting(momenttest.Status(504)), answer{status: 504, gateway: true}),
	each(patches[:2], "another request is in the way", meeting(momenttest.ServiceError(409)), failed(409)),
	[]exchange{
		ask("a dependency has failed", raised.meeting(momenttest.ServiceError(503)), failed(503)),
	},
	twice("a request that fails", raised.meeting(momenttest.ServiceError(402)), failed(402)),
	twice("an error of the service", raised.meeting(momenttest.ServiceError(500)), failed(500)),

	// What is well-formed, but cannot be.
	[]exchange{
		ask("more is paid than is due", patch("/billing/bills/UBR1234567890", `{"amount_paid": 2001}`), failed(422, "amount_paid")).after(raised).
			undocumented("whether a bill can be overpaid"),
		ask("a bill is given another currency", patch("/billing/bills/UBR1234567890", `{"currency": "USD"}`), failed(422, "currency")).after(raised).
			undocumented("what becomes of another currency"),
	},

	collectDocumentation,
)
