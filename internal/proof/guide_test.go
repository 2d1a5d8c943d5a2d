package proof_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// The table of docs/testing.md has the outcome of a call for each fault.
func TestTableOfTheTestingGuide(t *testing.T) {
	ends := func(applied bool, err error) string {
		text := "applied"
		if !applied {
			text = "not applied"
		}
		switch {
		case errors.Is(err, moment.ErrOutcomeUnknown):
			return text + ", outcome unknown"
		case !errors.Is(err, moment.ErrRateLimited):
			require.NoError(t, err)
		}
		return text
	}
	for fault, f := range map[string]momenttest.Fault{
		"Status(503)": momenttest.Status(503), "RateLimit(d)": momenttest.RateLimit(0), "RateLimit(d)`, longer": momenttest.RateLimit(31 * time.Second), "ServiceError(500)": momenttest.ServiceError(500),
		"DropBeforeCommit()": momenttest.DropBeforeCommit(), "DropAfterCommit()": momenttest.DropAfterCommit(),
		"Truncate()": momenttest.Truncate(), "Delay(d)": momenttest.Delay(time.Minute),
	} {
		patience := time.Minute
		if fault == "Delay(d)" {
			patience = 100 * time.Millisecond
		}
		srv := momenttest.NewServer()
		client := srv.Client(moment.WithAttemptTimeout(patience))
		srv.Fail(f)
		_, err := client.Customers.Create(t.Context(), moment.CustomerCreateParams{ExternalReference: "UCR1"})
		create := ends(len(srv.State().Customers) == 1, err)
		require.NoError(t, srv.Seed(momenttest.State{Customers: []moment.Customer{{ExternalReference: "UCR2"}}}))
		srv.Fail(f)
		_, err = client.Customers.Update(t.Context(), "UCR2", moment.CustomerUpdateParams{Name: moment.Ptr("John Doe")})
		customers := srv.State().Customers
		update := ends(customers[len(customers)-1].Name != "", err)
		if fault == "Delay(d)" { // Close ends the delay before its time
			create, update = strings.Replace(create, "not", "not yet", 1), strings.Replace(update, "not", "not yet", 1)
		}
		srv.Close()
		if !strings.Contains(fault, "`") {
			fault += "`"
		}
		assert.Regexp(t, "(?m)^"+regexp.QuoteMeta("| `"+fault+" |")+"[^|]*"+regexp.QuoteMeta("| "+create+" | "+update+" |")+"$", sources(t, "docs/testing.md"))
	}
}
