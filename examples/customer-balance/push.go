package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
)

// pusher sets balances at Moment. Only pushers change them there, because payments do not.
//
// Each push is claimed first, in a transaction of its own, for longer than its update can be in
// flight. The reason is that an update may reach Moment late, after its call has failed with
// ErrOutcomeUnknown or after its process was killed, and would then overwrite a newer balance. If
// the update fails, or its process is killed, the claim expires. Then the current balance is
// pushed. It is not compared with Moment's, because it replaces Moment's.
type pusher struct {
	client *moment.Client
	db     *sql.DB
	claim  time.Duration // a call ends within a third of it; its update may be in flight for the rest
}

// run pushes balances until ctx ends, and finishes the last push.
func (p *pusher) run(ctx context.Context) {
	for ctx.Err() == nil {
		more, err := p.pushNext(context.WithoutCancel(ctx))
		if err != nil {
			log.Println("balance not pushed:", err)
		}
		if !more {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

// pushNext pushes the balance of one customer, and reports whether there was one to push.
func (p *pusher) pushNext(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, p.claim/3) // the timeout starts before the claim, so that it ends first
	defer cancel()
	var customer string
	var currency moment.Currency
	var balance moment.Amount
	var version int64
	var claim time.Time
	err := p.db.QueryRowContext(ctx, `UPDATE balances SET claimed_until = now() + make_interval(secs => $1)
		WHERE customer_id = (SELECT customer_id FROM balances WHERE pushed < version AND claimed_until < now()
			ORDER BY claimed_until LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING customer_id, currency, balance, version, claimed_until`,
		p.claim.Seconds()).Scan(&customer, &currency, &balance, &version, &claim)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("claim: %w", err)
	}
	_, err = p.client.Customers.Update(ctx, customer, moment.CustomerUpdateParams{Balance: &balance, Currency: &currency})
	if err != nil {
		return true, err
	}
	ours, err := affected(p.db.ExecContext(ctx, `UPDATE balances SET pushed = $1, claimed_until = '-infinity'
		WHERE customer_id = $2 AND claimed_until = $3`, version, customer, claim))
	if err == nil && !ours { // the claim has expired, and another process may have pushed meanwhile: push again
		_, err = p.db.ExecContext(ctx, `UPDATE balances SET version = version + 1 WHERE customer_id = $1`, customer)
	}
	return true, err
}
