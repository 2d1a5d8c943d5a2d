package moment_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/internal/testkit"
)

// operation is a documented operation: the call, the request that it sends, and the response of
// Moment's reference.
type operation struct {
	method   string // CustomersService.Create
	op       string // the name in errors
	request  string // method and path
	body     string
	status   int
	response string
	call     func(context.Context, *moment.Client) (any, error)
	returned string // the id in the result of the call
}

// operations lists every documented operation.
var operations = slices.Concat(customerOperations, accountOperations, billOperations, paymentRequestOperations, paymentOperations)

func TestOperationsOnTheWire(t *testing.T) {
	for _, o := range operations {
		t.Run(o.op, func(t *testing.T) {
			s := testkit.Serve(t, testkit.Respond(o.status, o.response))
			got, err := o.call(t.Context(), clientOf(t, s))
			require.NoError(t, err)
			assert.Equal(t, o.returned, idOf(t, got))

			r := s.Only(t)
			method, path, _ := strings.Cut(o.request, " ")
			if before, rest, found := strings.Cut(path, "{"); found {
				_, after, _ := strings.Cut(rest, "}")
				name := "external_reference"
				if strings.HasPrefix(path, "/collect/") {
					name = "id"
				}
				path = before + testkit.StringMember(t, o.response, name) + after
			}
			assert.Equal(t, method, r.Method)
			assert.Equal(t, testkit.BasePath+path, r.URI)
			keyed := method == "POST" || method == "PATCH" && strings.HasPrefix(path, "/collect/")
			assert.Equal(t, keyed, r.Header.Get("Idempotency-Key") != "")
			if o.body == "" {
				assert.Empty(t, r.Body)
				assert.NotContains(t, r.Header, "Content-Type")
			} else {
				assert.JSONEq(t, o.body, r.Body)
			}
			if method == "POST" && o.body == "" {
				assert.Equal(t, "0", r.Header.Get("Content-Length"))
			}
		})
	}
}

func idOf(t *testing.T, object any) string {
	t.Helper()
	switch o := object.(type) {
	case *moment.Customer:
		return o.ID
	case *moment.Account:
		return o.ID
	case *moment.Bill:
		return o.ID
	case *moment.PaymentRequest:
		return o.ID
	case *moment.Payment:
		return o.ID
	default:
		t.Fatalf("unexpected %T", object)
		return ""
	}
}

func TestOperationsNameThemselvesInErrors(t *testing.T) {
	for _, o := range operations {
		s := testkit.Serve(t, testkit.Respond(404, testkit.ProblemJSON, "X-Request-Id: req_1"))
		_, err := o.call(t.Context(), clientOf(t, s))
		require.ErrorIs(t, err, moment.ErrNotFound)
		assert.EqualError(t, err, "moment: "+o.op+": 404 Not Found: There is no bill with this identifier. (request id req_1)")
	}
}

// Every method of a service names its operation in its comment and has an example. The operations
// are exactly the documented ones.
func TestOperationComments(t *testing.T) {
	documented := map[string]string{}
	pkg := testkit.PackageDocs(t, ".", "github.com/moment-billing/moment-go")
	for _, typ := range pkg.Types {
		if !strings.HasSuffix(typ.Name, "Service") {
			continue
		}
		for _, m := range typ.Methods {
			if m.Level > 0 {
				continue // methods of every service
			}
			first, _, _ := strings.Cut(m.Doc, "\n\n")
			_, operation, found := strings.Cut(strings.ReplaceAll(first, "\n", " "), ": ")
			require.True(t, found, "%s.%s names no operation", typ.Name, m.Name)
			operation, _, _ = strings.Cut(operation, ".")
			documented[typ.Name+"."+m.Name] = strings.TrimSpace(operation)
			if assert.NotEmpty(t, m.Examples, "%s.%s has no example", typ.Name, m.Name) {
				assert.NotEmpty(t, m.Examples[0].Output, "%s.%s has an example that is not run", typ.Name, m.Name)
			}
		}
	}
	want := map[string]string{}
	for _, o := range operations {
		want[o.method] = o.request
		if service, ok := strings.CutSuffix(o.method, ".Create"); ok && service != "PaymentRequestsService" {
			singular := strings.ToLower(strings.TrimSuffix(service, "sService"))
			want[service+".Ensure"] = o.request + ", and GET /billing/" + singular + "s/{" + singular + "} if the create does not settle the outcome"
		}
	}
	assert.Equal(t, want, documented)
}
