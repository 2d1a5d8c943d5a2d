package moment_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/moment-billing/moment-go"
	"github.com/moment-billing/moment-go/momenttest"
)

func ExampleWithLogger() {
	srv := momenttest.NewServer()
	defer srv.Close()

	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if slices.Contains([]string{slog.TimeKey, "duration", "request_id"}, a.Key) { // not the same each time
				return slog.Attr{}
			}
			return a
		},
	}))
	_, err := srv.Client(moment.WithLogger(logger)).Customers.Get(context.Background(), "UCR1234567890")
	fmt.Println(errors.Is(err, moment.ErrNotFound))
	fmt.Print(out.String())
	// Output:
	// true
	// level=DEBUG msg="moment: request" method=GET path=/billing/customers/{customer} attempt=1 status=404 from_service=true
}
