package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The deliveries arrive in this order. Each row has the balance and the number of payments after
// its delivery.
func TestRecord(t *testing.T) {
	b := newBooks(t)
	customer := b.open(t, "UCR1")
	for _, row := range []struct {
		why, message, body string
		status             int
		balance, payments  int
	}{
		{"a payment", "msg_1", payment(1, 1500, customer), 204, 98500, 1},
		{"delivered again", "msg_1", payment(1, 1500, customer), 204, 98500, 1},
		{"the event under another message id: it is not subtracted twice", "msg_1b", payment(1, 1500, customer), 204, 98500, 1},
		{"a payment that is reversed", "msg_2", payment(2, -500, customer), 204, 99000, 2},
		{"more than is owed: the customer has credit", "msg_3", payment(3, 100000, customer), 204, -1000, 3},
		{"another currency: the payment cannot be subtracted, and must not be lost", "msg_4", strings.Replace(payment(4, 100, customer), "ZAR", "JPY", 1), 500, -1000, 3},
		{"a customer whose balance is not in the books yet: likewise", "msg_5", payment(5, 100, "bcus_unknown"), 500, -1000, 3},
		{"an event without an id, which cannot be distinguished from others", "msg_6", strings.Replace(payment(6, 100, customer), "evt_6", "", 1), 500, -1000, 3},
		{"a payment of a bill, which Moment updates", "msg_7", strings.Replace(payment(7, 100, "bill_1"), "customer_id", "bill_id", 1), 204, -1000, 4},
		{"an event of an unknown type", "msg_8", `{"id":"evt_8","type":"bill.updated","data":{}}`, 204, -1000, 4},
	} {
		assert.Equal(t, row.status, b.deliver(t, row.message, row.body), row.why)
		assert.Equal(t, row.balance, b.count(t, "SELECT balance FROM balances"), row.why)
		assert.Equal(t, row.payments, b.count(t, "SELECT count(*) FROM payments"), row.why)
	}
	assert.Equal(t, 4, b.count(t, "SELECT version FROM balances"), "each change of the balance must be pushed")
}
