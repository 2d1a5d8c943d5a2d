package momenttest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdempotencyKeyForm(t *testing.T) {
	const (
		missing   = "The header Idempotency-Key is required."
		malformed = "The header Idempotency-Key must be 1 to 255 of a-z, A-Z, 0-9 and -."
	)
	srv := newServer(t)
	for _, row := range []struct {
		why, key, detail string
	}{
		{"none", "", missing},
		{"one character", "k", ""},
		{"a UUID", "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", ""},
		{"255 characters", strings.Repeat("k", 255), ""},
		{"256 characters", strings.Repeat("k", 256), malformed},
		{"an underscore", "bill_1", malformed},
		{"a space", "bill 1", malformed},
		{"the draft's quoted string", `"bill-1"`, malformed},
		{"not ASCII", "clé", malformed},
	} {
		t.Run(row.why, func(t *testing.T) {
			reference := strings.NewReplacer(" ", "-", "'", "").Replace(row.why)
			a := send(t, srv, "POST", "/billing/customers", `{"external_reference": "`+reference+`"}`, "Idempotency-Key: "+row.key)
			if row.detail == "" {
				require.Equal(t, 201, a.status, a.body)
				return
			}
			requireProblem(t, a, 400, row.detail)
			require.Equal(t, 404, send(t, srv, "GET", "/billing/customers/"+reference, "").status, "nothing was created")
		})
	}
	t.Run("every POST needs one", func(t *testing.T) {
		for _, path := range []string{"/billing/customers", "/billing/accounts", "/billing/bills", "/billing/bills/x/void"} {
			requireProblem(t, send(t, srv, "POST", path, `{}`, "Idempotency-Key: "), 400, missing)
		}
	})
}

func TestReplay(t *testing.T) {
	for _, row := range []struct {
		why, path, body string
		status          int
	}{
		{"a success", "/billing/customers", `{"external_reference": "a"}`, 201},
		{"a malformed parameter", "/billing/customers", `{"external_reference": ""}`, 400},
		{"a body that is not JSON", "/billing/customers", `no JSON`, 400},
		{"an unknown customer", "/billing/accounts", `{"external_reference": "a", "customer": "nobody"}`, 404},
		{"a duplicate reference", "/billing/customers", `{"external_reference": "UCR1234567890"}`, 409},
		{"a void: the second is not rejected, it is the first", "/billing/bills/UBR1234567890/void", ``, 200},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newSample(t)
			first := send(t, srv, "POST", row.path, row.body, "Idempotency-Key: k")
			require.Equal(t, row.status, first.status, first.body)
			require.Empty(t, first.header.Values("Idempotent-Replayed"))
			for range 2 {
				again := send(t, srv, "POST", row.path, row.body, "Idempotency-Key: k")
				require.Equal(t, first.status, again.status)
				require.Equal(t, first.body, again.body)
				require.Equal(t, first.header.Get("Content-Type"), again.header.Get("Content-Type"))
				require.Equal(t, []string{"true"}, again.header.Values("Idempotent-Replayed"))
			}
		})
	}

	t.Run("a failure is replayed even when its cause has gone", func(t *testing.T) {
		srv := newServer(t)
		const body = `{"external_reference": "a", "customer": "later"}`
		first := send(t, srv, "POST", "/billing/accounts", body, "Idempotency-Key: k")
		require.Equal(t, 404, first.status)
		require.Equal(t, 201, send(t, srv, "POST", "/billing/customers", `{"external_reference": "later"}`).status)
		require.Equal(t, first.body, send(t, srv, "POST", "/billing/accounts", body, "Idempotency-Key: k").body)
		require.Equal(t, 201, send(t, srv, "POST", "/billing/accounts", body, "Idempotency-Key: another").status)
	})

	t.Run("a success is replayed as it was, not as the object is now", func(t *testing.T) {
		srv := newServer(t)
		const body = `{"external_reference": "a", "name": "John Doe"}`
		first := send(t, srv, "POST", "/billing/customers", body, "Idempotency-Key: k")
		require.Equal(t, 200, send(t, srv, "PATCH", "/billing/customers/a", `{"name": "Jane Doe"}`).status)
		require.Equal(t, first.body, send(t, srv, "POST", "/billing/customers", body, "Idempotency-Key: k").body)
	})

	t.Run("keys are for POST: elsewhere the header is ignored", func(t *testing.T) {
		srv := newSample(t)
		for range 2 {
			a := send(t, srv, "PATCH", "/billing/customers/UCR1234567890", `{"balance": 1}`, "Idempotency-Key: no key!")
			require.Equal(t, 200, a.status)
			require.Empty(t, a.header.Values("Idempotent-Replayed"))
		}
	})
}

func TestKeyReuse(t *testing.T) {
	const reused = "This Idempotency-Key was used with another request; the path and body must be the same, byte for byte."
	srv := newSample(t)
	const path, body = "/billing/customers", `{"external_reference": "a"}`
	first := send(t, srv, "POST", path, body, "Idempotency-Key: k")
	require.Equal(t, 201, first.status)
	for _, row := range []struct {
		why, path, body string
	}{
		{"another body", path, `{"external_reference": "b"}`},
		{"the same JSON in other bytes", path, `{"external_reference":"a"}`},
		{"another path", "/billing/accounts", body},
		{"another path, where the body does not matter", "/billing/bills/UBR1234567890/void", body},
	} {
		t.Run(row.why, func(t *testing.T) {
			a := send(t, srv, "POST", row.path, row.body, "Idempotency-Key: k")
			requireProblem(t, a, 422, reused)
			require.Empty(t, a.header.Values("Idempotent-Replayed"))
		})
	}
	require.Equal(t, first.body, send(t, srv, "POST", path, body, "Idempotency-Key: k").body, "the 422 was not saved")
	require.Equal(t, "unpaid", field(t, send(t, srv, "GET", "/billing/bills/UBR1234567890", ""), "status"))
}

func TestRejectedRequestsSaveNoKey(t *testing.T) {
	for _, row := range []struct {
		why, path, body, header string
		status                  int
	}{
		{"no API key", "/billing/customers", `{"external_reference": "a"}`, "Authorization: ", 401},
		{"public API key", "/billing/customers", `{"external_reference": "a"}`, "Authorization: Bearer pk_test_x", 403},
		{"unknown path", "/billing/clients", `{"external_reference": "a"}`, "X: y", 404},
		{"wrong method", "/billing/customers/a", `{"external_reference": "a"}`, "X: y", 405},
		{"body too large", "/billing/customers", strings.Repeat(" ", 1<<20+1), "X: y", 413},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newServer(t)
			a := send(t, srv, "POST", row.path, row.body, "Idempotency-Key: k", row.header)
			require.Equal(t, row.status, a.status, a.body)
			a = send(t, srv, "POST", "/billing/customers", `{"external_reference": "a"}`, "Idempotency-Key: k")
			require.Equal(t, 201, a.status, a.body)
			require.Empty(t, a.header.Values("Idempotent-Replayed"))
		})
	}
}
