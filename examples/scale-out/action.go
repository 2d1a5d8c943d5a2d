package main

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/moment-billing/moment-go"
)

// longestWait is what is believed of what the service asks to wait: a mistake in it is not to put
// bills off for years.
const longestWait = time.Hour

// act says what River is to do with a job, given the error of the call that it made: cancel it, put
// it off (which takes none of its attempts), or, for any other error, try it again, ever later:
// [river.DefaultClientRetryPolicy] spreads 25 attempts over three weeks.
func act(err error) error {
	var failure *moment.Error
	switch {
	case errors.Is(err, moment.ErrRateLimited) && errors.As(err, &failure):
		least := min(max(failure.RetryAfter, time.Second), longestWait)
		return river.JobSnooze(least + rand.N(least)) // not all at once
	case errors.Is(err, moment.ErrOutcomeUnknown): // asked before what says no: that would be an answer, and there is none
		return err
	case errors.Is(err, moment.ErrInvalidArgument), errors.As(err, &failure) && failure.FromService && slices.Contains([]int{400, 402, 422}, failure.Status):
		return river.JobCancel(err)
	default: // among them 401, 403 and 404: the key or the address is wrong, and the bill is not
		return err
	}
}
