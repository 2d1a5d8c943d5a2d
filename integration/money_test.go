package integration_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

// TestAmountInDatabase stores an amount and a currency, and reads them back unchanged.
func TestAmountInDatabase(t *testing.T) {
	for _, dialect := range dialects {
		t.Run(string(dialect), func(t *testing.T) {
			db := newDatabase(t, dialect).open(t)
			_, err := db.ExecContext(t.Context(), "CREATE TABLE bills (amount BIGINT, currency TEXT)")
			require.NoError(t, err)
			for _, money := range []moment.Money{moment.Amount(1<<63 - 1).In(moment.ZAR), moment.Amount(0).In(moment.JPY), moment.Amount(-1 << 63).In("QQQ")} {
				_, err := db.ExecContext(t.Context(), "INSERT INTO bills (amount, currency) VALUES ($1, $2)", money.Amount, money.Currency)
				require.NoError(t, err)
				var stored moment.Money
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT amount, currency FROM bills WHERE amount = $1 AND currency = $2",
					money.Amount, money.Currency).Scan(&stored.Amount, &stored.Currency))
				assert.Equal(t, money, stored)
			}
			assert.Equal(t, 3, count(t, db, "SELECT count(*) FROM bills"))
		})
	}
}
