package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const output = `Raised:  UBR1 of ZAR 50.00
Opened:  Primary Account owes ZAR 50.00 and Secondary Account owes ZAR 20.00
Raised:  UBR1234567890 of ZAR 20.00 by 2025-01-31
Set:     John Doe owes ZAR 50.00 and Subscription Account owes ZAR 100.00
Paid:    ZAR 15.00 of ZAR 20.00 - ZAR 5.00 remaining, now unpaid
Paid:    ZAR 50.00 of ZAR 50.00 - ZAR 0.00 remaining, now paid
By:      ZAR 5.00 succeeded by card visa 4242
Changed: Jane Smith map[branch:Cape Town order_id:ord_789012]
Voided:  UBR2 is voided
`

func TestCommonOperations(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, output, out.String())
}
