package momenttest

import (
	"net/http"
	"net/url"
	"strings"
)

// An operation returns the object for the response. Its arguments are the identifier in the path
// and the body.
type operation func(id string, body []byte) (any, *problem)

type route struct {
	name      string // as in the errors of package moment
	method    string
	pattern   string
	status    int // of a success
	operation operation
}

func (h *Handler) operations() []route {
	return []route{
		{"create customer", http.MethodPost, "/billing/customers", http.StatusCreated, create(h.newCustomer, h.addCustomer)},
		{"get customer", http.MethodGet, "/billing/customers/{id}", http.StatusOK, h.customers.get},
		{"update customer", http.MethodPatch, "/billing/customers/{id}", http.StatusOK, h.customers.update((*customer).change)},
		{"create account", http.MethodPost, "/billing/accounts", http.StatusCreated, create(h.newAccount, h.addAccount)},
		{"get account", http.MethodGet, "/billing/accounts/{id}", http.StatusOK, h.accounts.get},
		{"update account", http.MethodPatch, "/billing/accounts/{id}", http.StatusOK, h.accounts.update((*account).change)},
		{"create bill", http.MethodPost, "/billing/bills", http.StatusCreated, create(h.newBill, h.addBill)},
		{"get bill", http.MethodGet, "/billing/bills/{id}", http.StatusOK, h.bills.get},
		{"update bill", http.MethodPatch, "/billing/bills/{id}", http.StatusOK, h.bills.update((*bill).change)},
		{"void bill", http.MethodPost, "/billing/bills/{id}/void", http.StatusOK, h.voidBill},
		{"create payment request", http.MethodPost, "/collect/payment_requests", http.StatusCreated, create(h.newPaymentRequest, h.addPaymentRequest)},
		{"get payment request", http.MethodGet, "/collect/payment_requests/{id}", http.StatusOK, h.getPaymentRequest},
		{"update payment request", http.MethodPatch, "/collect/payment_requests/{id}", http.StatusOK, h.updatePaymentRequest},
		{"get payment", http.MethodGet, "/collect/payments/{id}", http.StatusOK, h.getPayment},
	}
}

// keyed reports whether an operation requires an idempotency key: every POST, and every PATCH but
// those below /billing/.
func (rt route) keyed() bool {
	return rt.method == http.MethodPost || rt.method == http.MethodPatch && !strings.HasPrefix(rt.pattern, "/billing/")
}

func operationNames() []string {
	routes := new(Handler).operations()
	names := make([]string, len(routes))
	for i, rt := range routes {
		names[i] = rt.name
	}
	return names
}

// find returns the route of a method and an escaped path, and the identifier in the path.
func (h *Handler) find(method, path string) (route, string, *problem) {
	segments := strings.Split(path, "/")
	var allow []string
	for _, rt := range h.routes {
		id, ok := rt.match(segments)
		if ok && rt.method == method {
			return rt, id, nil
		}
		if ok {
			allow = append(allow, rt.method)
		}
	}
	if allow == nil {
		// An ingress responds, so that a wrong base URL is not mistaken for a missing object.
		return route{}, "", &problem{Status: http.StatusNotFound, gateway: true}
	}
	p := newProblem(http.StatusMethodNotAllowed, "This path accepts %s only.", strings.Join(allow, " and "))
	p.allow = strings.Join(allow, ", ")
	return route{}, "", p
}

// match compares segment by segment and decodes each one by itself, so that an escaped slash stays
// inside an identifier. Unlike http.ServeMux it never cleans a path: ".." is an identifier that
// does not exist, and not another path.
func (rt route) match(segments []string) (id string, ok bool) {
	pattern := strings.Split(rt.pattern, "/")
	if len(pattern) != len(segments) {
		return "", false
	}
	for i, want := range pattern {
		segment, _ := url.PathUnescape(segments[i]) // net/http has rejected broken escapes
		switch {
		case want == "{id}" && segment != "":
			id = segment
		case want != segment:
			return "", false
		}
	}
	return id, true
}
