package momenttest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a parameter must be, in the words of the details.
const (
	reference   = "must be 1 to 255 of a-z, A-Z, 0-9, _ and -, not beginning with PREFIX."
	short       = "must be a string of at most 255 characters."
	value       = "must be a string of at most 500 characters."
	phone       = "must be a phone number in E.164 form, such as +27123456789."
	currency    = "must be an ISO 4217 code of three capital letters, such as ZAR."
	balance     = "must be an integer from -9223372036854775808 to 9223372036854775807, in minor units."
	amountDue   = "must be an integer from 1 to 99999999, in minor units."
	amountPaid  = "must be an integer from 0 to 99999999, in minor units."
	date        = "must be a calendar date in the form YYYY-MM-DD."
	object      = "must be an object of strings."
	refersTo    = "must be an object, an id or an external reference (1 to 255 of a-z, A-Z, 0-9, _ and -)."
	isRequired  = "is required."
	oneParent   = "customer or account is required: a bill belongs to one of them."
	bothParents = "customer and account may not both be sent: a bill belongs to one of them."
)

// TestParameters sends each parameter at the edges of its limits and just past them,
// everywhere it may be sent.
func TestParameters(t *testing.T) {
	// The places of a parameter: a request whose body has %s in its place, and the path before its
	// name.
	type place struct{ method, path, body, prefix string }
	var (
		customerCreate = place{"POST", "/billing/customers", `{"external_reference": "new", %s}`, ""}
		customerUpdate = place{"PATCH", "/billing/customers/UCR1234567890", `{%s}`, ""}
		accountCreate  = place{"POST", "/billing/accounts", `{"external_reference": "new", "customer": "UCR1234567890", %s}`, ""}
		accountUpdate  = place{"PATCH", "/billing/accounts/UAR1234567890", `{%s}`, ""}
		billCreate     = place{"POST", "/billing/bills", `{"external_reference": "new", "customer": "UCR1234567890", "currency": "ZAR", "amount_due": 1, %s}`, ""}
		billUpdate     = place{"PATCH", "/billing/bills/UBR1234567890", `{%s}`, ""}

		inAccount = place{"POST", "/billing/accounts", `{"external_reference": "new", "customer": {"external_reference": "new", %s}}`, "customer."}
		inBill    = place{"POST", "/billing/bills", `{"external_reference": "new", "currency": "ZAR", "amount_due": 1,
			"account": {"external_reference": "new", "customer": "UCR1234567890", %s}}`, "account."}
		inBillsAccount = place{"POST", "/billing/bills", `{"external_reference": "new", "currency": "ZAR", "amount_due": 1,
			"account": {"external_reference": "new", "customer": {"external_reference": "new", %s}}}`, "account.customer."}

		customers  = []place{customerCreate, customerUpdate, inAccount, inBillsAccount}
		accounts   = []place{accountCreate, accountUpdate, inBill}
		creates    = []place{customerCreate, accountCreate, billCreate, inAccount, inBill, inBillsAccount}
		ofAccounts = []place{accountCreate, inBill}
		ofOthers   = []place{customerCreate, billCreate, inAccount, inBillsAccount}
		balances   = append(append([]place{}, customers...), accounts...)
		everywhere = append(append([]place{}, balances...), billCreate, billUpdate)
	)
	text := func(length int) string { return strings.Repeat("a", length) }
	keys := func(n int) string {
		pairs := make([]string, 0, n)
		for i := range n {
			pairs = append(pairs, fmt.Sprintf(`"key-%d": "v"`, i))
		}
		return `"metadata": {` + strings.Join(pairs, ", ") + `}`
	}

	for _, row := range []struct {
		why    string
		places []place
		param  string
		detail string // "": accepted
	}{
		// The later of two members of one name counts, so these replace the "new" of the body.
		{"reference of 1 character", creates, `"external_reference": "a"`, ""},
		{"reference of 255", creates, `"external_reference": "` + text(255) + `"`, ""},
		{"reference of 256", creates, `"external_reference": "` + text(256) + `"`, "external_reference " + reference},
		{"reference with every kind of character", creates, `"external_reference": "aZ09_-"`, ""},
		{"empty reference", creates, `"external_reference": ""`, "external_reference " + reference},
		{"reference with a dot", creates, `"external_reference": "a.b"`, "external_reference " + reference},
		{"reference with a slash", creates, `"external_reference": "a/b"`, "external_reference " + reference},
		{"reference with a line end", creates, `"external_reference": "a\n"`, "external_reference " + reference},
		{"reference not ASCII", creates, `"external_reference": "é"`, "external_reference " + reference},
		{"reference with the prefix that is reserved for accounts", ofAccounts, `"external_reference": "bacc_1"`, "external_reference " + reference},
		{"reference with the prefix that is reserved for customers and bills", ofOthers, `"external_reference": "bcus_1"`, "external_reference " + reference},
		{"bcus_ is not reserved for accounts", ofAccounts, `"external_reference": "bcus_1"`, ""},
		{"bacc_ is not reserved for customers and bills", ofOthers, `"external_reference": "bacc_1"`, ""},
		{"bill_ is not reserved", creates, `"external_reference": "bill_1"`, ""},
		{"ob_ is not reserved", creates, `"external_reference": "ob_1"`, ""},
		{"pay_ is not reserved", creates, `"external_reference": "pay_1"`, ""},
		{"evt_ is not reserved", creates, `"external_reference": "evt_1"`, ""},
		{"reference with a reserved prefix elsewhere", creates, `"external_reference": "my_bcus_bacc_1"`, ""},
		{"reference with a reserved prefix but the underscore", ofAccounts, `"external_reference": "bacc-1"`, ""},
		{"reference null", creates, `"external_reference": null`, "external_reference " + reference},
		{"reference a number", creates, `"external_reference": 1`, "external_reference " + reference},

		{"name of 255 characters", balances, `"name": "` + text(255) + `"`, ""},
		{"name of 256", balances, `"name": "` + text(256) + `"`, "name " + short},
		{"name of 255 characters, 510 bytes", balances, `"name": "` + strings.Repeat("é", 255) + `"`, ""},
		{"name of 256 characters not ASCII", balances, `"name": "` + strings.Repeat("é", 256) + `"`, "name " + short},
		{"empty name", balances, `"name": ""`, ""},
		{"name null", balances, `"name": null`, "name " + short},
		{"name a list", balances, `"name": ["John", "Doe"]`, "name " + short},

		{"email of 255 characters", customers, `"email": "` + text(255) + `"`, ""},
		{"email of 256", customers, `"email": "` + text(256) + `"`, "email " + short},
		{"email null", customers, `"email": null`, "email " + short},
		{"email a boolean", customers, `"email": true`, "email " + short},

		{"phone of 2 digits", customers, `"phone": "+12"`, ""},
		{"phone of 1 digit", customers, `"phone": "+1"`, "phone " + phone},
		{"phone of 15 digits", customers, `"phone": "+123456789012345"`, ""},
		{"phone of 16 digits", customers, `"phone": "+1234567890123456"`, "phone " + phone},
		{"phone without a plus", customers, `"phone": "27123456789"`, "phone " + phone},
		{"phone with a leading 0", customers, `"phone": "+0123456789"`, "phone " + phone},
		{"phone with spaces", customers, `"phone": "+27 12 345 6789"`, "phone " + phone},
		{"phone empty", customers, `"phone": ""`, "phone " + phone},
		{"phone null", customers, `"phone": null`, "phone " + phone},
		{"phone a number", customers, `"phone": 27123456789`, "phone " + phone},

		{"currency", everywhere, `"currency": "ZAR"`, ""},
		{"currency not in any list", creates, `"currency": "QQQ"`, ""},
		{"currency in small letters", everywhere, `"currency": "zar"`, "currency " + currency},
		{"currency of 2 letters", everywhere, `"currency": "ZA"`, "currency " + currency},
		{"currency of 4 letters", everywhere, `"currency": "ZARR"`, "currency " + currency},
		{"currency by its number", everywhere, `"currency": "710"`, "currency " + currency},
		{"currency a number", everywhere, `"currency": 710`, "currency " + currency},
		{"currency empty", everywhere, `"currency": ""`, "currency " + currency},
		{"currency null", everywhere, `"currency": null`, "currency " + currency},

		{"balance without a currency, on an object with one", []place{customerUpdate, accountUpdate}, `"balance": 5000`, ""},
		{"balance without a currency, on an object without one", []place{customerCreate, accountCreate, inAccount, inBill, inBillsAccount}, `"balance": 5000`, "currency is required with a balance."},
		{"currency without a balance", balances, `"currency": "ZAR"`, ""},
		{"balance with one", balances, `"balance": 5000, "currency": "ZAR"`, ""},
		{"balance 0", balances, `"balance": 0, "currency": "ZAR"`, ""},
		{"balance a credit", balances, `"balance": -1, "currency": "ZAR"`, ""},
		{"balance the largest", balances, `"balance": 9223372036854775807, "currency": "ZAR"`, ""},
		{"balance past it", balances, `"balance": 9223372036854775808`, "balance " + balance},
		{"balance the smallest", balances, `"balance": -9223372036854775808, "currency": "ZAR"`, ""},
		{"balance past that", balances, `"balance": -9223372036854775809`, "balance " + balance},
		{"balance with a fraction", balances, `"balance": 10.5`, "balance " + balance},
		{"balance with a fraction of nothing", balances, `"balance": 10.0`, "balance " + balance},
		{"balance with an exponent", balances, `"balance": 1e3`, "balance " + balance},
		{"balance a string", balances, `"balance": "5000"`, "balance " + balance},
		{"balance null", balances, `"balance": null`, "balance " + balance},
		{"balance on a bill is unknown", []place{billCreate, billUpdate}, `"balance": null`, ""},

		{"amount_due 0", []place{billCreate}, `"amount_due": 0`, "amount_due " + amountDue},
		{"amount_due 1", []place{billCreate}, `"amount_due": 1`, ""},
		{"amount_due 99999999", []place{billCreate}, `"amount_due": 99999999`, ""},
		{"amount_due 100000000", []place{billCreate}, `"amount_due": 100000000`, "amount_due " + amountDue},
		{"amount_due negative", []place{billCreate}, `"amount_due": -1`, "amount_due " + amountDue},
		{"amount_due with a fraction", []place{billCreate}, `"amount_due": 10.5`, "amount_due " + amountDue},
		{"amount_due with an exponent", []place{billCreate}, `"amount_due": 1e3`, "amount_due " + amountDue},
		{"amount_due beyond 64 bits", []place{billCreate}, `"amount_due": 18446744073709551617`, "amount_due " + amountDue},
		{"amount_due a string", []place{billCreate}, `"amount_due": "1"`, "amount_due " + amountDue},
		{"amount_due null", []place{billCreate}, `"amount_due": null`, "amount_due " + amountDue},

		{"amount_paid -1", []place{billUpdate}, `"amount_paid": -1`, "amount_paid " + amountPaid},
		{"amount_paid 0", []place{billUpdate}, `"amount_paid": 0`, ""},
		{"amount_paid all", []place{billUpdate}, `"amount_paid": 2000`, ""},
		{"amount_paid with its currency", []place{billUpdate}, `"amount_paid": 2000, "currency": "ZAR"`, ""},
		{"amount_paid 100000000", []place{billUpdate}, `"amount_paid": 100000000`, "amount_paid " + amountPaid},
		{"amount_paid with a fraction", []place{billUpdate}, `"amount_paid": 10.5`, "amount_paid " + amountPaid},
		{"amount_paid null", []place{billUpdate}, `"amount_paid": null`, "amount_paid " + amountPaid},

		{"bill_date a leap day", []place{billCreate}, `"bill_date": "2024-02-29"`, ""},
		{"bill_date not a leap year", []place{billCreate}, `"bill_date": "2025-02-29"`, "bill_date " + date},
		{"bill_date null", []place{billCreate}, `"bill_date": null`, "bill_date " + date},
		{"due_date", []place{billCreate}, `"due_date": "2025-12-31"`, ""},
		{"due_date day 31 of 30", []place{billCreate}, `"due_date": "2025-04-31"`, "due_date " + date},
		{"due_date month 13", []place{billCreate}, `"due_date": "2025-13-01"`, "due_date " + date},
		{"due_date day 0", []place{billCreate}, `"due_date": "2025-01-00"`, "due_date " + date},
		{"due_date without zeros", []place{billCreate}, `"due_date": "2025-1-1"`, "due_date " + date},
		{"due_date with a time", []place{billCreate}, `"due_date": "2025-01-31T00:00:00Z"`, "due_date " + date},
		{"due_date in another order", []place{billCreate}, `"due_date": "31-01-2025"`, "due_date " + date},
		{"due_date a year of five digits", []place{billCreate}, `"due_date": "10000-01-01"`, "due_date " + date},
		{"due_date empty", []place{billCreate}, `"due_date": ""`, "due_date " + date},
		{"due_date a number", []place{billCreate}, `"due_date": 20250131`, "due_date " + date},

		{"metadata without keys", everywhere, keys(0), ""},
		{"metadata with 10 keys", everywhere, keys(10), ""},
		{"metadata with 11 keys", everywhere, keys(11), "metadata may have at most 10 keys."},
		{"metadata key of 40 characters", everywhere, `"metadata": {"` + text(40) + `": "v"}`, ""},
		{"metadata key of 41", everywhere, `"metadata": {"` + text(41) + `": "v"}`, "metadata may have keys of at most 40 characters."},
		{"metadata key of 40 characters, 80 bytes", everywhere, `"metadata": {"` + strings.Repeat("é", 40) + `": "v"}`, ""},
		{"metadata value of 500 characters", everywhere, `"metadata": {"k": "` + text(500) + `"}`, ""},
		{"metadata value of 501", everywhere, `"metadata": {"k": "` + text(501) + `"}`, "metadata.k " + value},
		{"metadata value null", everywhere, `"metadata": {"k": null}`, "metadata.k " + value},
		{"metadata value a number", everywhere, `"metadata": {"k": 1}`, "metadata.k " + value},
		{"metadata value an object", everywhere, `"metadata": {"a": "v", "k": {}}`, "metadata.k " + value},
		{"metadata null", everywhere, `"metadata": null`, "metadata " + object},
		{"metadata a list", everywhere, `"metadata": ["a", "b"]`, "metadata " + object},
		{"metadata a string", everywhere, `"metadata": "a"`, "metadata " + object},
		{"two mistakes: the first key in order is named", everywhere, `"metadata": {"z": 1, "a": 1}`, "metadata.a " + value},

		{"customer a number", []place{accountCreate, inBill}, `"customer": 1`, "customer " + refersTo},
		{"customer null", []place{accountCreate, billCreate, inBill}, `"customer": null`, "customer " + refersTo},
		{"customer a list", []place{accountCreate, billCreate, inBill}, `"customer": []`, "customer " + refersTo},
		{"customer empty", []place{accountCreate, billCreate, inBill}, `"customer": ""`, "customer " + refersTo},
		{"customer no reference", []place{accountCreate, billCreate, inBill}, `"customer": "John Doe"`, "customer " + refersTo},
		{"customer of 256 characters", []place{accountCreate, billCreate, inBill}, `"customer": "` + text(256) + `"`, "customer " + refersTo},
		{"both parents", []place{billCreate}, `"account": "UAR1234567890"`, bothParents},
		{"both parents, one of them null", []place{billCreate}, `"account": null`, bothParents},
	} {
		for _, at := range row.places {
			t.Run(row.why+" on "+at.method+" "+at.path+" "+at.prefix, func(t *testing.T) {
				srv := newSample(t)
				a := send(t, srv, at.method, at.path, fmt.Sprintf(at.body, row.param))
				if row.detail != "" {
					reserved := "bcus_"
					if slices.Contains(ofAccounts, at) {
						reserved = "bacc_"
					}
					requireProblem(t, a, 400, at.prefix+strings.Replace(row.detail, "PREFIX", reserved, 1))
					return
				}
				require.Contains(t, []int{200, 201}, a.status, a.body)
			})
		}
	}
}

func TestRequiredParameters(t *testing.T) {
	srv := newSample(t)
	for _, row := range []struct {
		why, path, body, detail string
	}{
		{"customer: reference", "/billing/customers", `{"name": "John Doe"}`, "external_reference " + isRequired},
		{"account: reference", "/billing/accounts", `{"customer": "UCR1234567890"}`, "external_reference " + isRequired},
		{"account: customer", "/billing/accounts", `{"external_reference": "a"}`, "customer " + isRequired},
		{
			"account: its new customer's reference", "/billing/accounts",
			`{"external_reference": "a", "customer": {"name": "John Doe"}}`, "customer.external_reference " + isRequired,
		},
		{"bill: reference", "/billing/bills", `{"customer": "UCR1234567890", "currency": "ZAR", "amount_due": 1}`, "external_reference " + isRequired},
		{"bill: currency", "/billing/bills", `{"customer": "UCR1234567890", "external_reference": "a", "amount_due": 1}`, "currency " + isRequired},
		{"bill: amount_due", "/billing/bills", `{"customer": "UCR1234567890", "external_reference": "a", "currency": "ZAR"}`, "amount_due " + isRequired},
		{"bill: a parent", "/billing/bills", `{"external_reference": "a", "currency": "ZAR", "amount_due": 1}`, oneParent},
		{
			"bill: its new account's reference", "/billing/bills",
			`{"external_reference": "a", "currency": "ZAR", "amount_due": 1, "account": {"customer": "UCR1234567890"}}`,
			"account.external_reference " + isRequired,
		},
		{
			"bill: its new account's customer", "/billing/bills",
			`{"external_reference": "a", "currency": "ZAR", "amount_due": 1, "account": {"external_reference": "a"}}`,
			"account.customer " + isRequired,
		},
		{
			"bill: its new account's new customer's reference", "/billing/bills",
			`{"external_reference": "a", "currency": "ZAR", "amount_due": 1, "account": {"external_reference": "a", "customer": {}}}`,
			"account.customer.external_reference " + isRequired,
		},
		{
			"bill: its new customer's reference", "/billing/bills",
			`{"external_reference": "a", "currency": "ZAR", "amount_due": 1, "customer": {}}`,
			"customer.external_reference " + isRequired,
		},
	} {
		t.Run(row.why, func(t *testing.T) {
			requireProblem(t, send(t, srv, "POST", row.path, row.body), 400, row.detail)
		})
	}
}

// TestUnprocessable sends well-formed requests that cannot be carried out.
func TestUnprocessable(t *testing.T) {
	for _, row := range []struct {
		why, path, body string
		status          int
		detail          string
	}{
		{
			"paying more than is due", "/billing/bills/UBR1234567890", `{"amount_paid": 2001}`, 422,
			"amount_paid may not be above the bill's amount_due of 2000.",
		},
		{
			"paying as much as can be written", "/billing/bills/UBR1234567890", `{"amount_paid": 99999999}`, 422,
			"amount_paid may not be above the bill's amount_due of 2000.",
		},
		{
			"another currency", "/billing/bills/UBR1234567890", `{"currency": "USD"}`, 422,
			"currency differs from the bill's, which is ZAR.",
		},
		{"400 goes before 422", "/billing/bills/UBR1234567890", `{"currency": "USD", "amount_paid": -1}`, 400, "amount_paid " + amountPaid},
		{"400 goes before 422: metadata", "/billing/bills/UBR1234567890", `{"currency": "USD", "metadata": 1}`, 400, "metadata " + object},
	} {
		t.Run(row.why, func(t *testing.T) {
			srv := newSample(t)
			before := send(t, srv, "GET", row.path, "")
			requireProblem(t, send(t, srv, "PATCH", row.path, row.body), row.status, row.detail)
			require.Equal(t, before.body, send(t, srv, "GET", row.path, "").body)
		})
	}
	for _, path := range []string{"/billing/customers/UCR1234567890", "/billing/accounts/UAR1234567890", "/billing/bills/UBR1234567890"} {
		t.Run("metadata outgrows its limit: "+path, func(t *testing.T) {
			srv := newSample(t)
			for _, row := range []struct {
				why, body string
				status    int
			}{
				{"nine keys", `{"metadata": {"1": "", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": ""}}`, 200},
				{"two more", `{"metadata": {"10": "", "11": ""}}`, 422},
				{"one more", `{"metadata": {"10": ""}}`, 200},
				{"ten, all there already", `{"metadata": {"1": "x", "2": "", "3": "", "4": "", "5": "", "6": "", "7": "", "8": "", "9": "", "10": ""}}`, 200},
				{"one there and one more", `{"metadata": {"1": "y", "11": ""}}`, 422},
			} {
				a := send(t, srv, "PATCH", path, row.body)
				require.Equal(t, row.status, a.status, "%s: %s", row.why, a.body)
				if row.status == 422 {
					requireProblem(t, a, 422, "metadata would have 11 keys after merging; at most 10 are allowed.")
				}
			}
			require.Equal(t, "map[1:x 10: 2: 3: 4: 5: 6: 7: 8: 9:]", field(t, send(t, srv, "GET", path, ""), "metadata"))
		})
	}
}
