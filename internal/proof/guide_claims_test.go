package proof_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// docs/client.md recommends ExistingCustomer for a customer who has been billed before.
func TestRequestsOfAnotherBill(t *testing.T) {
	customer := moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Doe"}
	renamed := moment.CustomerCreateParams{ExternalReference: "UCR1", Name: "John Smith"}
	for _, row := range []struct {
		why      string
		customer moment.CustomerRef
		requests int
		differs  []string
	}{
		{"nothing can conflict", moment.ExistingCustomer("UCR1"), 1, nil},
		{"create, lookups of the bill and the customer, create", customer, 4, nil},
		{"no bill is created for a customer who differs", renamed, 3, []string{"customer.name"}},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := momenttest.NewServer()
			t.Cleanup(srv.Close)
			client := srv.Client()
			_, err := client.Customers.Ensure(t.Context(), customer)
			require.NoError(t, err)
			before := len(srv.Requests())
			_, err = client.Bills.Ensure(t.Context(), moment.BillCreateParams{
				Customer: row.customer, ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000,
			})
			if row.differs == nil {
				require.NoError(t, err)
			} else {
				var mismatch *moment.MismatchError
				require.ErrorAs(t, err, &mismatch)
				assert.Equal(t, row.differs, mismatch.Differences)
			}
			assert.Len(t, srv.Requests()[before:], row.requests)
		})
	}
}

// docs/errors.md says how log/slog logs an error, and an error that wraps it.
func TestLoggedErrors(t *testing.T) {
	srv := momenttest.NewServer()
	t.Cleanup(srv.Close)
	_, err := srv.Client().Bills.Create(t.Context(), moment.BillCreateParams{
		Customer: moment.ExistingCustomer("UCR1"), ExternalReference: "UBR1", Currency: moment.ZAR, AmountDue: 2000,
	})
	var failure *moment.Error
	require.ErrorAs(t, err, &failure)
	for _, row := range []struct {
		why         string
		err         error
		key, detail bool
	}{
		{"log/slog calls LogValue", err, true, false},
		{"log/slog calls LogValue of the outer error only", fmt.Errorf("raise bills: %w", err), false, true},
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Error("bill", slog.Any("error", row.err))
		assert.Equal(t, row.key, bytes.Contains(log.Bytes(), []byte(failure.IdempotencyKey)), row.why)
		assert.Equal(t, row.detail, bytes.Contains(log.Bytes(), []byte("does not exist")), row.why)
	}
}

// docs/testing.md shows the event of a reversed payment, and says how old a replay attack is.
func TestEventOfTheTestingGuide(t *testing.T) {
	needsTheRepository(t)
	event := regexp.MustCompile("(?s)```json\n(\\{\"id\": \"evt_.*?)```").FindStringSubmatch(page(t, "docs/testing.md"))
	require.Len(t, event, 2)
	secret := moment.RawWebhookSecret([]byte("16 bytes or more, for tests"))
	verifier, err := moment.NewWebhookVerifier(secret)
	require.NoError(t, err)
	var applied []moment.Amount
	handler := verifier.Handler(func(_ context.Context, e *moment.Event) error {
		applied = append(applied, e.Data.(*moment.AmountApplied).Amount)
		return nil
	}, moment.WithHandlerLogger(slog.New(slog.DiscardHandler)))

	reversal := momenttest.NewWebhookRequest("/webhooks/moment", secret, json.RawMessage(event[1]))
	old := httptest.NewRequest(http.MethodPost, "/webhooks/moment", bytes.NewReader([]byte(event[1])))
	old.Header = momenttest.SignWebhook(secret, "msg_1", time.Now().Add(-4*time.Minute), []byte(event[1]))
	for _, row := range []struct {
		why     string
		request *http.Request
		status  int
	}{
		{"a reversal is an event like any other", reversal, http.StatusNoContent},
		{"an old delivery may be a replay attack", old, http.StatusBadRequest},
	} {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, row.request)
		assert.Equal(t, row.status, response.Code, row.why)
	}
	assert.Equal(t, []moment.Amount{-1500}, applied)
}
