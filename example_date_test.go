package moment_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/moment-billing/moment-go"
)

func ExampleNewDate() {
	fmt.Println(moment.NewDate(2025, time.January, 31))

	// A day that does not exist is not changed to another day: encoding it fails.
	_, err := json.Marshal(moment.NewDate(2025, time.February, 30))
	var argument *moment.ArgumentError
	if errors.As(err, &argument) {
		fmt.Println(argument.Reason)
	}
	// Output:
	// 2025-01-31
	// 2025-02-30 is not a day: February 2025 has 28 days
}

func ExampleParseDate() {
	due, err := moment.ParseDate("2025-01-31")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(due.Day, due.Month, due.Year)

	_, err = moment.ParseDate("31/01/2025")
	fmt.Println(err)
	// Output:
	// 31 January 2025
	// moment: parse date: date: "31/01/2025" is not in the form YYYY-MM-DD, like "2025-01-31"
}

func ExampleDateOf() {
	johannesburg := time.FixedZone("SAST", 2*60*60)
	now := time.Date(2025, time.January, 31, 23, 30, 0, 0, time.UTC)
	fmt.Println(moment.DateOf(now))
	fmt.Println(moment.DateOf(now.In(johannesburg)))
	// Output:
	// 2025-01-31
	// 2025-02-01
}

func ExampleDate_Time() {
	due := moment.NewDate(2025, time.January, 31)
	overdue := due.Time(time.UTC).AddDate(0, 0, 1) // the start of the next day
	fmt.Println(overdue.Format(time.RFC3339))
	// Output: 2025-02-01T00:00:00Z
}
