package moment_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

// There was no response in time. For a write, errors.Is(err, moment.ErrOutcomeUnknown) reports
// whether it may have been applied.
func ExampleConnectionError() {
	srv := momenttest.NewServer()
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()

	_, err := srv.Client().Bills.Get(ctx, "UBR1234567890")
	var failure *moment.ConnectionError
	if errors.As(err, &failure) {
		fmt.Println("could not", failure.Op+":", failure.Err)
	}
	fmt.Println(errors.Is(err, context.DeadlineExceeded), errors.Is(err, moment.ErrOutcomeUnknown))
	// Output:
	// could not get bill: context deadline exceeded
	// true false
}
