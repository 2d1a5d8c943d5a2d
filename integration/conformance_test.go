package integration_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moment-billing/moment-go/momenttest"
)

// Moment's documentation as a table of requests and responses. TestConformance compares momenttest,
// api/openapi.yaml and, with a test key, the service itself with it.
//
// Rows contain the documentation's samples: customer UCR1234567890 has account UAR1234567890, which
// has bill UBR1234567890. When a row is sent, 1234567890 is replaced with the row's own digits, so
// that rows do not share objects. An id of the samples (bcus_H4jp6KnU5cPw263v1jyz4) is replaced
// with the id of an object that the row created before.

// An exchange is a row of the table.
type exchange struct {
	why    string
	before []request // the requests before
	request
	response

	notOn   []string // targets that cannot run the row
	because string
	open    string // an undocumented detail, on which the service may differ
}

// A request is sent with a test key and, if it is a POST or below /collect/ a PATCH, an idempotency
// key of its own.
type request struct {
	operation string            // method and path
	body      string            // JSON
	header    []string          // "Name: value" replaces a default header; "Name: " removes it
	fault     *momenttest.Fault // the fault
}

// An response is a success or, from status 400, a problem.
type response struct {
	status     int
	members    string   // of a success, as JSON: present values, null for absent members, "today" for the date
	names      []string // of a problem: the parameter in its detail
	plain      bool     // of a problem: the request alone shows it, for any existing objects
	gateway    bool     // of a problem: it may be HTML, because a gateway responds
	replayed   bool
	retryAfter string
}

func ask(why string, r request, a response) exchange {
	return exchange{why: why, request: r, response: a}
}

func (e exchange) after(before ...request) exchange {
	e.before = before
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

// pay and decline are actions of a payer on a payment request of ZAR 20.00. They are not requests
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

func created(members string) response { return response{status: 201, members: members} }
func found(members string) response   { return response{status: 200, members: members} }

// rejected is for a missing or malformed parameter. It has several names if each parameter is valid
// without the others.
func rejected(params ...string) response { return response{status: 400, names: params, plain: true} }

// failed is for an error that the request alone does not show.
func failed(status int, names ...string) response { return response{status: status, names: names} }

var unauthorized = response{status: 401, plain: true}

func again(a response) response {
	a.replayed = true
	return a
}

// twice is for a request that was sent before with the same key.
func twice(why string, r request, a response, before ...request) []exchange {
	r = r.with("Idempotency-Key: key-1234567890")
	return []exchange{ask("again with its key: "+why, r, again(a)).after(append(before, r)...)}
}

// each returns a row for each of the requests.
func each(requests []request, why string, r func(request) request, a response) []exchange {
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

// notOnMoment is for rows that are not sent to the service.
func notOnMoment(because string, rows []exchange) []exchange {
	for i := range rows {
		rows[i] = rows[i].not(because, onMoment)
	}
	return rows
}

// A place is an object in a body, which can have parameters.
type place struct {
	name      string
	before    []request
	operation string
	body      string            // with %s for the object
	path      string            // before the names of the object's parameters
	beside    map[string]string // the other members of the object
}

// request returns a request with a parameter in this place. An empty value omits it.
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

// at returns a row for each of the places.
func at(places []place, why string, r func(place) request, a func(place) response) []exchange {
	rows := make([]exchange, 0, len(places))
	for _, p := range places {
		rows = append(rows, ask(p.name+": "+why, r(p), a(p)).after(p.before...))
	}
	return rows
}

// accepts is for a valid value. If the response has the parameter, it has the value that was sent.
func accepts(places []place, why, name, value string) []exchange {
	return at(places, why, func(p place) request { return p.request(name, value) }, func(p place) response {
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

func rejects(places []place, why, name, value string) []exchange {
	return at(places, why, func(p place) request { return p.request(name, value) }, func(p place) response { return rejected(p.path + name) })
}

// rejectsBody is for a body that is not an object.
func rejectsBody(places []place, why, body string) []exchange {
	return at(places, why, func(p place) request { return request{operation: p.operation, body: body} }, func(place) response { return rejected() })
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

// The places of the reference.
var (
	newCustomer = place{
		name: "customer", operation: "POST /billing/customers", body: `%s`,
		beside: map[string]string{"external_reference": `"UCR1234567890"`, "currency": `"ZAR"`},
	}
	oldCustomer = place{
		name: "update of a customer", operation: "PATCH /billing/customers/UCR1234567890", body: `%s`,
		before: []request{customer},
	}
	newAccount = place{
		name: "account", operation: "POST /billing/accounts", body: `%s`,
		before: []request{customer},
		beside: map[string]string{"external_reference": `"UAR1234567890"`, "currency": `"ZAR"`, "customer": `"UCR1234567890"`},
	}
	oldAccount = place{
		name: "update of an account", operation: "PATCH /billing/accounts/UAR1234567890", body: `%s`,
		before: []request{account},
	}
	newBill = place{
		name: "bill", operation: "POST /billing/bills", body: `%s`,
		before: []request{customer},
		beside: map[string]string{"external_reference": `"UBR1234567890"`, "currency": `"ZAR"`, "amount_due": `2000`, "customer": `"UCR1234567890"`},
	}
	oldBill = place{
		name: "update of a bill", operation: "PATCH /billing/bills/UBR1234567890", body: `%s`,
		before: []request{raised},
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
		before: []request{customer},
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

// long contains the digits of its row.
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
	// Customers: only a reference is required, and a response contains only members that were sent.
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
		ask("update a customer by its id: a balance replaces the old one, and the rest is unchanged", patch("/billing/customers/bcus_H4jp6KnU5cPw263v1jyz4", `{"balance": 5000}`), found(`{
			"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "name": "John Doe", "email": "john.doe@example.com",
			"currency": "ZAR", "balance": 5000
		}`)).after(customer),
		ask("update a customer by its reference: a name", patch("/billing/customers/UCR1234567890", `{"name": "Jane Doe"}`), found(`{
			"external_reference": "UCR1234567890", "name": "Jane Doe", "email": "john.doe@example.com", "currency": "ZAR", "balance": 2000
		}`)).after(customer),
		ask("update a customer: a balance with its currency, if there was no balance", patch("/billing/customers/UCR1234567890", `{"balance": 5000, "currency": "ZAR"}`),
			found(`{"currency": "ZAR", "balance": 5000}`)).after(post("/billing/customers", `{"external_reference": "UCR1234567890"}`)),
		ask("update a customer: every field", patch("/billing/customers/UCR1234567890", `{
			"name": "Jane Doe", "email": "jane.doe@example.com", "phone": "+27987654321", "currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`), found(`{
			"external_reference": "UCR1234567890", "name": "Jane Doe", "email": "jane.doe@example.com", "phone": "+27987654321",
			"currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`)).after(customer),
		ask("update a customer: an empty update changes no field", patch("/billing/customers/UCR1234567890", `{}`), found(`{
			"name": "John Doe", "email": "john.doe@example.com", "currency": "ZAR", "balance": 2000
		}`)).after(customer),
		ask("an update can be retrieved", get("/billing/customers/UCR1234567890"), found(`{"name": "Jane Doe", "balance": 2000}`)).
			after(customer, patch("/billing/customers/UCR1234567890", `{"name": "Jane Doe"}`)),
	},

	// Accounts: the same for an account of a customer.
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
		ask("the customer of the composite create exists", get("/billing/customers/UCR1234567890"), found(`{
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
		ask("update an account by its id: a balance replaces the old one, and the rest is unchanged", patch("/billing/accounts/bacc_H4jp6KnU5cPw263v1jyz4", `{"balance": 10000}`), found(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4",
			"name": "Subscription Account", "currency": "ZAR", "balance": 10000
		}`)).after(account),
		ask("update an account by its reference: every field", patch("/billing/accounts/UAR1234567890", `{
			"name": "Savings Account", "currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`), found(`{
			"external_reference": "UAR1234567890", "name": "Savings Account", "currency": "USD", "balance": -1, "metadata": {"a": "b"}
		}`)).after(account),
		ask("other accounts of the customer are unchanged", get("/billing/accounts/SECOND1234567890"), found(`{"name": "Secondary Account", "balance": 500}`)).after(
			account,
			post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "SECOND1234567890", "name": "Secondary Account", "currency": "ZAR", "balance": 500}`),
			patch("/billing/accounts/UAR1234567890", `{"balance": 10000}`)),
		ask("the customer is unchanged too", get("/billing/customers/UCR1234567890"), found(`{"name": "John Doe", "balance": null}`)).
			after(account, patch("/billing/accounts/UAR1234567890", `{"balance": 10000}`)),
	},

	// Bills: of a customer or an account, each of which may be created in the same call.
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
		ask("create account and bill in one call, for an existing customer", post("/billing/bills", `{
			"account": {"customer": "UCR1234567890", "external_reference": "UAR1234567890", "name": "Primary Account"},
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}`)).after(customer),
		ask("create customer, account and bill in one call", raised, created(`{
			"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890",
			"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "account_id": "bacc_H4jp6KnU5cPw263v1jyz4",
			"status": "unpaid", "currency": "ZAR", "amount_due": 2000, "amount_paid": 0, "amount_remaining": 2000,
			"bill_date": "2025-01-01", "due_date": "2025-01-31"
		}`)),
		ask("the account of the composite create exists", get("/billing/accounts/UAR1234567890"), found(`{
			"id": "bacc_H4jp6KnU5cPw263v1jyz4", "customer_id": "bcus_H4jp6KnU5cPw263v1jyz4", "name": "Subscription Account", "balance": 2000
		}`)).after(raised),
		ask("its customer exists too", get("/billing/customers/UCR1234567890"), found(`{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "name": "John Doe"}`)).after(raised),
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
		ask("update a bill: amount_paid with its currency, as the reference requires", patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500, "currency": "ZAR"}`),
			found(`{"status": "unpaid", "amount_paid": 1500, "amount_remaining": 500}`)).after(raised),
		ask("update a bill: amount_paid is set, not added", patch("/billing/bills/UBR1234567890", `{"amount_paid": 1600}`),
			found(`{"status": "unpaid", "amount_paid": 1600, "amount_remaining": 400}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500}`)),
		ask("update a bill: amount_paid is lowered again", patch("/billing/bills/UBR1234567890", `{"amount_paid": 1500}`),
			found(`{"status": "unpaid", "amount_paid": 1500, "amount_remaining": 500}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`)).
			undocumented("whether a paid bill can be unpaid again"),
		ask("an update of another field does not change a payment", patch("/billing/bills/UBR1234567890", `{"metadata": {"a": "b"}}`),
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

	// Metadata is merged: the responses in the reference have the old keys and the new ones.
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
		ask("a new value replaces the old one", patch("/billing/customers/UCR1234567890", `{"metadata": {"customer_id": "cust_2"}}`),
			found(`{"metadata": {"customer_id": "cust_2", "order_id": "ord_789012"}}`)).
			after(customer, patch("/billing/customers/UCR1234567890", `{"metadata": {"customer_id": "cust_1", "order_id": "ord_789012"}}`)),
	},

	// Names: 255 characters at most.
	accepts(owing, "a name of 255 characters", "name", quoted(255)),
	rejects(owing, "a name of 256", "name", quoted(256)),
	accepts([]place{newCustomer, newAccount}, "characters are counted, not bytes", "name", `"`+strings.Repeat("é", 255)+`"`),
	rejects([]place{newCustomer, newAccount}, "a name of 256 characters that are not ASCII", "name", `"`+strings.Repeat("é", 256)+`"`),
	rejects(owing, "a name that is a number", "name", `1`),
	accepts(customers, "an email of 255 characters", "email", quoted(255)),
	rejects(customers, "an email of 256", "email", quoted(256)),
	rejects(customers, "an email that is a list", "email", `["john.doe@example.com"]`),

	// Telephone numbers: E.164, ^\+[1-9]\d{1,14}$.
	accepts(customers, "a phone number of 2 digits", "phone", `"+27"`),
	rejects(customers, "a phone number of 1", "phone", `"+2"`),
	accepts(customers, "a phone number of 15", "phone", `"+278765432109876"`),
	rejects(customers, "a phone number of 16", "phone", `"+2787654321098765"`),
	rejects([]place{newCustomer, oldCustomer}, "a phone number without a plus", "phone", `"27123456789"`),
	rejects([]place{newCustomer, oldCustomer}, "a phone number with a trunk 0", "phone", `"+0123456789"`),
	rejects([]place{newCustomer, oldCustomer}, "a phone number with spaces", "phone", `"+27 12 345 6789"`),
	rejects([]place{newCustomer, oldCustomer}, "a phone number with text after it", "phone", `"+27123456789x"`),
	rejects([]place{newCustomer, oldCustomer}, "a phone number with text before it", "phone", `"x+27123456789"`),
	rejects([]place{newCustomer, oldCustomer}, "a phone number that is a number", "phone", `27123456789`),

	// Currencies: three letters of ISO 4217.
	accepts([]place{newCustomer, newAccount, newBill}, "a currency that is not listed as supported", "currency", `"JPY"`),
	rejects(everywhere, "a currency of 2 letters", "currency", `"ZA"`),
	rejects(everywhere, "a currency of 4", "currency", `"ZARR"`),
	rejects(outermost, "a currency in small letters", "currency", `"zar"`),
	rejects(outermost, "a currency by its number", "currency", `"710"`),
	rejects(outermost, "a currency that is a number", "currency", `710`),

	// Balances: whole minor units of either sign. Without a balance, Moment does not track one.
	accepts(owing, "a balance of 0, which is not missing", "balance", `0`),
	accepts(owing, "a credit", "balance", `-2000`),
	accepts(owing, "a balance above the limit of a bill", "balance", `100000000`),
	rejects(owing, "a balance in major units", "balance", `20.5`),
	rejects([]place{newCustomer, oldCustomer, newAccount, oldAccount}, "a balance that is a string", "balance", `"2000"`),
	// The reference requires a currency with a balance. The guide omits it if the object already
	// has one: see above.
	[]exchange{
		ask("customer: a balance without a currency", post("/billing/customers", `{"external_reference": "UCR1234567890", "balance": 2000}`), rejected("currency")),
		ask("account: a balance without a currency", post("/billing/accounts", `{"external_reference": "UAR1234567890", "customer": "UCR1234567890", "balance": 2000}`),
			rejected("currency")).after(customer),
		ask("customer of an account: a balance without a currency", post("/billing/accounts", `{
			"external_reference": "UAR1234567890", "currency": "ZAR", "customer": {"external_reference": "UCR1234567890", "balance": 2000}
		}`), rejected("customer.currency")),
		ask("customer of a bill: a balance without a currency", post("/billing/bills", `{
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000, "customer": {"external_reference": "UCR1234567890", "balance": 2000}
		}`), rejected("customer.currency")),
		ask("account of a bill: a balance without a currency", post("/billing/bills", `{
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000,
			"account": {"external_reference": "UAR1234567890", "customer": "UCR1234567890", "balance": 2000}
		}`), rejected("account.currency")).after(customer),
		ask("update of a customer: a balance without a currency, and the object has none", patch("/billing/customers/UCR1234567890", `{"balance": 5000}`),
			failed(400, "currency")).after(post("/billing/customers", `{"external_reference": "UCR1234567890"}`)),
		ask("update of an account: a balance without a currency, and the object has none", patch("/billing/accounts/UAR1234567890", `{"balance": 5000}`),
			failed(400, "currency")).after(customer, post("/billing/accounts", `{"external_reference": "UAR1234567890", "customer": "UCR1234567890"}`)),
	},

	// Amounts of bills: 1 to 99,999,999 minor units to pay, and 0 to 99,999,999 paid.
	accepts([]place{newBill}, "an amount_due of 1", "amount_due", `1`),
	rejects([]place{newBill}, "an amount_due of 0", "amount_due", `0`),
	accepts([]place{newBill}, "an amount_due of 99999999", "amount_due", `99999999`),
	rejects([]place{newBill}, "an amount_due of 100000000", "amount_due", `100000000`),
	rejects([]place{newBill}, "an amount_due below zero", "amount_due", `-2000`),
	rejects([]place{newBill}, "an amount_due in major units", "amount_due", `20.5`),
	rejects([]place{newBill}, "an amount_due that is a string", "amount_due", `"2000"`),
	accepts([]place{oldBill}, "an amount_paid of 0", "amount_paid", `0`),
	rejects([]place{oldBill}, "an amount_paid of -1", "amount_paid", `-1`),
	rejects([]place{oldBill}, "an amount_paid of 100000000", "amount_paid", `100000000`),
	rejects([]place{oldBill}, "an amount_paid in major units", "amount_paid", `20.5`),
	rejects([]place{oldBill}, "an amount_paid that is a string", "amount_paid", `"2000"`),
	[]exchange{
		ask("update of a bill: an amount_paid of 99999999", patch("/billing/bills/UBR1234567890", `{"amount_paid": 99999999}`),
			found(`{"status": "paid", "amount_due": 99999999, "amount_paid": 99999999, "amount_remaining": 0}`)).
			after(customer, post("/billing/bills", `{"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 99999999}`)),
	},

	// Dates: of the calendar, in the form YYYY-MM-DD.
	accepts([]place{newBill}, "a bill_date on a leap day", "bill_date", `"2024-02-29"`),
	rejects([]place{newBill}, "a bill_date on February 29 of a common year", "bill_date", `"2025-02-29"`),
	rejects([]place{newBill}, "a bill_date with a time", "bill_date", `"2025-01-01T00:00:00Z"`),
	accepts([]place{newBill}, "a due_date", "due_date", `"2025-12-31"`),
	rejects([]place{newBill}, "a due_date on day 31 of 30", "due_date", `"2025-04-31"`),
	rejects([]place{newBill}, "a due_date in month 13", "due_date", `"2025-13-01"`),
	rejects([]place{newBill}, "a due_date without its zeros", "due_date", `"2025-1-1"`),
	rejects([]place{newBill}, "a due_date in another order", "due_date", `"31-01-2025"`),
	rejects([]place{newBill}, "a due_date that is a number", "due_date", `20250131`),

	// Metadata: 10 keys of 40 characters, with strings of 500.
	accepts(everywhere, "metadata with 10 keys", "metadata", metadata(10)),
	rejects(everywhere, "metadata with 11", "metadata", metadata(11)),
	accepts(everywhere, "metadata with a key of 40 characters", "metadata", `{`+quoted(40)+`: "v"}`),
	rejects(everywhere, "metadata with a key of 41", "metadata", `{`+quoted(41)+`: "v"}`),
	accepts(everywhere, "metadata with a value of 500 characters", "metadata", `{"k": `+quoted(500)+`}`),
	rejects(everywhere, "metadata with a value of 501", "metadata", `{"k": `+quoted(501)+`}`),
	rejects(everywhere, "metadata with a number", "metadata", `{"k": 1}`),
	rejects(outermost, "metadata in metadata", "metadata", `{"k": {"k": "v"}}`),
	rejects(outermost, "metadata that is a list", "metadata", `["k", "v"]`),
	[]exchange{
		ask("metadata of a customer with more than 10 keys after merging", patch("/billing/customers/UCR1234567890", `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(customer, patch("/billing/customers/UCR1234567890", `{"metadata": `+metadata(10)+`}`)).
			undocumented("the result of more than 10 keys after merging"),
		ask("metadata of an account with more than 10 keys after merging", patch("/billing/accounts/UAR1234567890", `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(account, patch("/billing/accounts/UAR1234567890", `{"metadata": `+metadata(10)+`}`)).
			undocumented("the result of more than 10 keys after merging"),
		ask("metadata of a bill with more than 10 keys after merging", patch("/billing/bills/UBR1234567890", `{"metadata": {"one": "more"}}`), failed(422, "metadata")).
			after(raised, patch("/billing/bills/UBR1234567890", `{"metadata": `+metadata(10)+`}`)).
			undocumented("the result of more than 10 keys after merging"),
		ask("metadata with 10 existing keys", patch("/billing/bills/UBR1234567890", `{"metadata": `+metadata(10)+`}`), found(`{"metadata": `+metadata(10)+`}`)).
			after(raised, patch("/billing/bills/UBR1234567890", `{"metadata": `+metadata(10)+`}`)),
	},

	// External references: 1 to 255 of a-z, A-Z, 0-9, _ and -. Accounts reject bacc_ at the
	// beginning, and customers and bills bcus_.
	notOnMoment("it soon exists on the service", accepts(objects, "a reference of 1 character", "external_reference", `"a"`)),
	accepts(creates, "a reference of 255 characters", "external_reference", reference(255)),
	rejects(creates, "a reference of 256", "external_reference", reference(256)),
	accepts(creates, "a reference with every kind of character", "external_reference", `"aZ09_-1234567890"`),
	accepts(objects, "a reference with a reserved prefix, but not at its beginning", "external_reference", `"my_bcus_bacc_1234567890"`),
	accepts(objects, "a reference with a reserved prefix, but no underscore", "external_reference", `"bcus-1234567890"`),
	rejects(creates, "no reference", "external_reference", ""),
	rejects(creates, "an empty reference", "external_reference", `""`),
	rejects(objects, "a reference with a dot", "external_reference", `"a.1234567890"`),
	rejects(objects, "a reference with a slash", "external_reference", `"a/1234567890"`),
	rejects(objects, "a reference with a space", "external_reference", `"a 1234567890"`),
	rejects(objects, "a reference with a line end", "external_reference", `"1234567890\n"`),
	rejects(objects, "a reference not in ASCII", "external_reference", `"é1234567890"`),
	rejects(objects, "a reference that is a number", "external_reference", `1234567890`),
	rejects(accounts, "a reference with the prefix that is reserved for accounts", "external_reference", `"bacc_1234567890"`),
	rejects(others, "a reference with the prefix that is reserved for customers and bills", "external_reference", `"bcus_1234567890"`),
	accepts(accounts, "bcus_ is not reserved for accounts", "external_reference", `"bcus_1234567890"`),
	accepts(others, "bacc_ is not reserved for customers and bills", "external_reference", `"bacc_1234567890"`),
	accepts(creates, "bill_ is not reserved", "external_reference", `"bill_1234567890"`),
	accepts(creates, "ob_ is not reserved", "external_reference", `"ob_1234567890"`),
	accepts(creates, "pay_ is not reserved", "external_reference", `"pay_1234567890"`),
	accepts(creates, "evt_ is not reserved", "external_reference", `"evt_1234567890"`),

	// The other required fields, and the unions.
	rejects([]place{newAccount, billsAccount}, "no customer", "customer", ""),
	rejects([]place{newBill}, "no currency", "currency", ""),
	rejects([]place{newBill}, "no amount_due", "amount_due", ""),
	rejects(owned, "a customer that is a number", "customer", `1`),
	rejects(owned, "a customer that is a list", "customer", `["UCR1234567890"]`),
	rejects(owned, "a customer that is null", "customer", `""`),
	rejects(owned, "a customer by a name", "customer", `"John Doe"`),
	rejects(owned, "a customer by a reference of 256 characters", "customer", reference(256)),
	[]exchange{
		ask("a bill without a customer and an account", post("/billing/bills", `{"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000}`), rejected("customer", "account")),
		ask("a bill of a customer and an account", post("/billing/bills", `{
			"customer": "UCR1234567890", "account": "UAR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), rejected("customer", "account")).after(account),
		ask("a bill of an account that is a number", post("/billing/bills", `{"account": 1, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000}`),
			rejected("account")),
		ask("a bill of an account by a reference of 256 characters", post("/billing/bills", `{
			"account": `+reference(256)+`, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), rejected("account")),
		ask("an account of a customer by a reference of 255 characters", post("/billing/accounts", `{"customer": `+reference(255)+`, "external_reference": "UAR1234567890"}`),
			created(`{"customer_id": "bcus_H4jp6KnU5cPw263v1jyz4"}`)).after(post("/billing/customers", `{"external_reference": `+reference(255)+`}`)),
		ask("a bill of an account by a reference of 255 characters", post("/billing/bills", `{
			"account": `+reference(255)+`, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), created(`{"account_id": "bacc_H4jp6KnU5cPw263v1jyz4"}`)).
			after(customer, post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": `+reference(255)+`}`)),
		ask("a customer by a reference of 255 characters", get("/billing/customers/"+long(255)), found(`{"external_reference": `+reference(255)+`}`)).
			after(post("/billing/customers", `{"external_reference": `+reference(255)+`}`)),
	},
	rejectsBody(outermost, "a body that is a list", `[{"external_reference": "UCR1234567890"}]`),
	rejectsBody(outermost, "a body that is a string", `"UCR1234567890"`),
	rejectsBody(outermost, "no body", ""),
	[]exchange{
		ask("a body that is not JSON", post("/billing/customers", `{"external_reference": "UCR1234567890"`), rejected()).
			not("prism parses the body before it uses the description, and rejects a body that is not JSON with its own text", onMock, onProxy),
		ask("a body with a charset", customer.with("Content-Type: application/json; charset=utf-8"), created(`{"name": "John Doe"}`)),
		ask("a body with another content type", customer.with("Content-Type: text/plain"), rejected()).
			undocumented("the result of a content type that is not JSON"),
	},

	// API keys.
	each(operations, "no key", with("Authorization: "), unauthorized),
	notOnMoment("it is not a merchant's key", each(operations, "a public key", with("Authorization: Bearer pk_test_YOUR_PUBLIC_KEY"), failed(403))),
	[]exchange{
		ask("an unknown key, by the page on authentication: customer", gets[0].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("an unknown key, by the page on authentication: account", gets[1].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("an unknown key, by the page on authentication: bill", gets[2].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("an unknown key, by the page on authentication: payment request", gets[3].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("an unknown key, by the page on authentication: payment", gets[4].with("Authorization: Bearer UNKNOWN"), failed(400)).
			not("it follows the page on errors", onFake, onProxy).undocumented("which of the pages is right"),
		ask("an unknown key, by the page on errors", gets[0].with("Authorization: Bearer UNKNOWN"), failed(401)).undocumented("which of the pages is right"),
		ask("an unknown key, when something is created", raised.with("Authorization: Bearer UNKNOWN"), failed(401)).undocumented("which of the pages is right"),
		ask("a key in another scheme", gets[0].with("Authorization: Basic c2tfdGVzdF9ZT1VSX1NFQ1JFVF9LRVk6"), unauthorized),
		ask("a public key of live mode", gets[0].with("Authorization: Bearer pk_YOUR_PUBLIC_KEY"), failed(403)).not("it is not a merchant's key", onMoment),
	},

	// Idempotency keys: 1 to 255 of a-z, A-Z, 0-9 and -, required with each POST.
	each(keyed, "no idempotency key", with("Idempotency-Key: "), rejected("Idempotency-Key")),
	each(keyed, "an idempotency key of 256 characters", with("Idempotency-Key: "+long(256)), rejected("Idempotency-Key")),
	[]exchange{
		ask("an idempotency key of 255 characters", customer.with("Idempotency-Key: "+long(255)), created(`{"external_reference": "UCR1234567890"}`)),
		ask("an idempotency key of 1 character", customer.with("Idempotency-Key: k"), created(`{"external_reference": "UCR1234567890"}`)).
			not("it soon exists on the service", onMoment),
		ask("an idempotency key that is a UUID", customer.with("Idempotency-Key: 1b9d6bcd-bbfd-4b2d-9b5d-ab1234567890"), created(`{"external_reference": "UCR1234567890"}`)),
		ask("an idempotency key with every kind of character", customer.with("Idempotency-Key: aZ09-1234567890"), created(`{"external_reference": "UCR1234567890"}`)),
		ask("an idempotency key with an underscore", customer.with("Idempotency-Key: key_1234567890"), rejected("Idempotency-Key")),
		ask("an idempotency key in quotes, as in the draft", customer.with(`Idempotency-Key: "1234567890"`), rejected("Idempotency-Key")),
		ask("an idempotency key with a space", customer.with(`Idempotency-Key: key 1234567890`), rejected("Idempotency-Key")),
	},
	// Every response to a key is saved.
	twice("create a customer", customer, created(`{"id": "bcus_H4jp6KnU5cPw263v1jyz4", "external_reference": "UCR1234567890", "balance": 2000}`)),
	twice("create customer and account in one call", account, created(`{"id": "bacc_H4jp6KnU5cPw263v1jyz4", "external_reference": "UAR1234567890"}`)),
	twice("create customer, account and bill in one call", raised, created(`{"id": "bill_H4jp6KnU5cPw263v1jyz4", "external_reference": "UBR1234567890"}`)),
	twice("void a bill", voided, found(`{"external_reference": "UBR1234567890", "status": "voided"}`), raised),
	twice("a malformed parameter", post("/billing/customers", `{"external_reference": "a.b"}`), rejected("external_reference")),
	twice("a customer that does not exist", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`), failed(404, "customer")),
	twice("an existing reference", customer, failed(409, "external_reference"), customer),
	twice("a bill that is already voided", voided, failed(409), raised, voided),
	[]exchange{
		ask("the saved response is out of date", customer.with("Idempotency-Key: key-1234567890"), again(created(`{"balance": 2000}`))).
			after(customer.with("Idempotency-Key: key-1234567890"), patches[0]),
		ask("a failure is replayed after its reason has gone", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`).
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

	// Objects that do not exist.
	each(slices.Concat(gets, patches, []request{voided, asking}), "a reference that does not exist", asItIs, failed(404, "1234567890")),
	[]exchange{
		ask("no customer with this id", get("/billing/customers/bcus_1234567890"), failed(404, "bcus_1234567890")),
		ask("no account with this id", get("/billing/accounts/bacc_1234567890"), failed(404, "bacc_1234567890")),
		ask("no bill with this id", get("/billing/bills/bill_1234567890"), failed(404, "bill_1234567890")),
		ask("the reference of a customer is not an account's", get("/billing/accounts/UCR1234567890"), failed(404, "UCR1234567890")).after(customer),
		ask("the reference of an account is not a customer's", get("/billing/customers/UAR1234567890"), failed(404, "UAR1234567890")).after(account),
		ask("the reference of an account is not a bill's", get("/billing/bills/UAR1234567890"), failed(404, "UAR1234567890")).after(account),
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

	// Conflicts: references are unique among the objects of a kind, and a voided bill cannot be
	// changed.
	[]exchange{
		ask("a customer's reference exists", customer, failed(409, "external_reference")).after(customer),
		ask("an account's reference exists", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UAR1234567890"}`),
			failed(409, "external_reference")).after(account),
		ask("a bill's reference exists", post("/billing/bills", `{
			"customer": "UCR1234567890", "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(409, "external_reference")).after(raised),
		ask("a reference exists: the customer of an account", account, failed(409, "customer.external_reference")).after(customer),
		ask("a reference exists: the customer of a bill", post("/billing/bills", `{
			"customer": {"external_reference": "UCR1234567890"}, "external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(409, "customer.external_reference")).after(customer),
		ask("a reference exists: the customer of an account of a bill", raised, failed(409, "account.customer.external_reference")).after(customer),
		ask("a reference exists: the account of a bill", post("/billing/bills", `{
			"account": {"customer": "UCR1234567890", "external_reference": "UAR1234567890"},
			"external_reference": "UBR1234567890", "currency": "ZAR", "amount_due": 2000
		}`), failed(409, "account.external_reference")).after(account),
		ask("a reference of another kind of object can be used", post("/billing/accounts", `{"customer": "UCR1234567890", "external_reference": "UCR1234567890"}`),
			created(`{"external_reference": "UCR1234567890"}`)).after(customer),
		ask("a voided bill is voided", voided, failed(409)).after(raised, voided),
		ask("a voided bill is paid", patch("/billing/bills/UBR1234567890", `{"amount_paid": 2000}`), failed(409)).after(raised, voided),
		ask("a voided bill is updated", patch("/billing/bills/UBR1234567890", `{"metadata": {"a": "b"}}`), failed(409)).after(raised, voided),
		ask("the first request with the idempotency key is still running", customer, failed(409)).
			not("no request is waiting while another one is sent", onFake, onProxy, onMoment),
	},

	// Failures of the service, or of a gateway in front of it, on any request.
	each(writes, "the request fails", meeting(momenttest.ServiceError(402)), failed(402)),
	each(operations, "an error of the service", meeting(momenttest.ServiceError(500)), failed(500)),
	each(operations, "too many requests", meeting(momenttest.RateLimit(time.Second)), response{status: 429, retryAfter: "1"}),
	each(operations, "a gateway gets no response", meeting(momenttest.Status(502)), response{status: 502, gateway: true}),
	each(operations, "a gateway has no service", meeting(momenttest.Status(503)), response{status: 503, gateway: true}),
	each(operations, "a gateway gets no response in time", meeting(momenttest.Status(504)), response{status: 504, gateway: true}),
	each(patches[:2], "another request is in flight", meeting(momenttest.ServiceError(409)), failed(409)),
	[]exchange{
		ask("a dependency has failed", raised.meeting(momenttest.ServiceError(503)), failed(503)),
	},
	twice("a request that fails", raised.meeting(momenttest.ServiceError(402)), failed(402)),
	twice("an error of the service", raised.meeting(momenttest.ServiceError(500)), failed(500)),

	// Requests that are well-formed, but impossible.
	[]exchange{
		ask("more is paid than is due", patch("/billing/bills/UBR1234567890", `{"amount_paid": 2001}`), failed(422, "amount_paid")).after(raised).
			undocumented("whether a bill can be overpaid"),
		ask("an update sets another currency of a bill", patch("/billing/bills/UBR1234567890", `{"currency": "USD"}`), failed(422, "currency")).after(raised).
			undocumented("the result of another currency"),
	},

	collectDocumentation,
)
