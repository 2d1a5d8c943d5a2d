package merchant_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"

	merchant "example.com/merchant"
	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// With a double of the interface: the errors of moment-go can be made by hand.
type noCustomers struct{ created moment.CustomerCreateParams }

func (*noCustomers) Get(context.Context, string, ...moment.RequestOption) (*moment.Customer, error) {
	return nil, &moment.Error{Status: http.StatusNotFound, FromService: true}
}

func (n *noCustomers) Create(_ context.Context, params moment.CustomerCreateParams, _ ...moment.RequestOption) (*moment.Customer, error) {
	n.created = params
	return &moment.Customer{ID: "bcus_1", ExternalReference: params.ExternalReference, Name: params.Name}, nil
}

func TestEnrolWithADouble(t *testing.T) {
	double := &noCustomers{}
	customer, err := merchant.Enrol(t.Context(), double, "UCR1", "John Doe")
	if err != nil || customer.ID != "bcus_1" || double.created.Name != "John Doe" {
		t.Fatal(customer, err, double.created)
	}
}

// With httpmock: activate it on the http.Client before NewClient takes its Transport.
func TestEnrolWithHTTPMock(t *testing.T) {
	httpClient := &http.Client{}
	httpmock.ActivateNonDefault(httpClient)
	t.Cleanup(httpmock.DeactivateAndReset)
	httpmock.RegisterResponder("GET", "https://api.momentpay.net/billing/customers/UCR1",
		httpmock.NewStringResponder(http.StatusOK, `{"id": "bcus_1", "external_reference": "UCR1", "name": "John Doe"}`))

	client, err := moment.NewClient("sk_test_YOUR_SECRET_KEY", moment.WithHTTPClient(httpClient))
	if err != nil {
		t.Fatal(err)
	}
	customer, err := merchant.Enrol(t.Context(), client.Customers, "UCR1", "John Doe")
	if err != nil || customer.Name != "John Doe" {
		t.Fatal(customer, err)
	}
	if n := httpmock.GetTotalCallCount(); n != 1 {
		t.Fatalf("%d calls", n)
	}
}

// With the fake service: nothing is mocked.
func TestEnrolWithMomenttest(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	client := srv.Client()
	first, err := merchant.Enrol(t.Context(), client.Customers, "UCR1", "John Doe")
	if err != nil {
		t.Fatal(err)
	}
	again, err := merchant.Enrol(t.Context(), client.Customers, "UCR1", "John Doe")
	if err != nil || again.ID != first.ID {
		t.Fatal(again, err)
	}
}

// In trouble: the service is away, and when it is back, the answer to the create is lost.
func TestEnrolInTrouble(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	srv.Fail(momenttest.Status(503).Times(2), momenttest.DropAfterCommit().On("create customer"))

	customer, err := merchant.Enrol(t.Context(), srv.Client().Customers, "UCR1", "John Doe")
	if err != nil {
		t.Fatal(err)
	}
	if all := srv.State().Customers; len(all) != 1 || all[0].ID != customer.ID {
		t.Error(all)
	}
	if n := len(srv.Requests()); n != 5 { // three to look for the customer, two to create it
		t.Errorf("%d requests", n)
	}
}

// In a bubble, the wait that a gateway asks for takes no real time.
func TestEnrolWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := momenttest.NewServer(momenttest.InProcess())
		t.Cleanup(srv.Close)
		srv.Fail(momenttest.Status(503).RetryAfter(29 * time.Second))

		begun := time.Now()
		if _, err := merchant.Enrol(t.Context(), srv.Client().Customers, "UCR1", "John Doe"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited < 29*time.Second {
			t.Errorf("waited for %s only", waited)
		}
	})
}

// The options of a call are seen on the wire, and not by a double.
func TestEnrolIsIdempotent(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	if _, err := merchant.Enrol(t.Context(), srv.Client().Customers, "UCR1", "John Doe"); err != nil {
		t.Fatal(err)
	}
	create := srv.Requests()[1] // the first one looks for the customer
	if create.Header.Get("Idempotency-Key") != moment.DeriveIdempotencyKey("enrol", "UCR1", "John Doe") {
		t.Error("a second run would create a second customer")
	}
}
