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

// With a double of the interface, which can return any error of moment-go.
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

// With httpmock: activate it on the http.Client before NewClient reads its Transport.
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

// With the fake service, and without a mock.
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

// The service is down, and when it is up again, the response to the create is lost.
func TestEnrolDuringAnOutage(t *testing.T) {
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

// In a synctest bubble, the wait that a gateway asks for ends at once.
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

// The test reads the options of a call from the wire, because a double does not see them.
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
