package moment_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleError() {
	srv := momenttest.NewServer()
	defer srv.Close()

	_, err := srv.Client().Bills.Get(context.Background(), "UBR1234567890")
	var failure *moment.Error
	switch {
	case errors.As(err, &failure) && !failure.FromService: // a gateway's: it says nothing about the bill
		fmt.Println(err)
	case errors.Is(err, moment.ErrNotFound): // one kind of error
		fmt.Println("there is no such bill")
	case failure != nil: // any other error of the service, with all its details
		fmt.Println(failure.Status, failure.Title, failure.Detail, failure.RequestID)
	case err != nil: // no connection, no response in time, or wrong arguments
		fmt.Println(err)
	}
	// Output: there is no such bill
}
