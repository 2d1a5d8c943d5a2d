package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const output = `^Account:  bacc_[A-Z0-9]{21} of John Doe owes ZAR 20\.00
Asked:    ZAR 20\.00 at http://127\.0\.0\.1:\d+/_pay/chk_[A-Z0-9]{21}
Payment:  pay_[A-Z0-9]{21} of ZAR 15\.00 - the account now owes ZAR 5\.00
Responded: 204
Payment:  pay_[A-Z0-9]{21} of ZAR 5\.00 - the account now owes ZAR 0\.00
Responded: 204
$`

func TestAccountBalance(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	assert.Regexp(t, output, out.String())
}
