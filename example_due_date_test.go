package moment_test

import (
	"fmt"
	"time"

	"github.com/moment-billing/moment-go"
)

// A Date has no arithmetic of its own: package time has it. Calculate in UTC, where each day has
// 24 hours.
func Example_dueDate() {
	billed := moment.NewDate(2025, time.January, 30)

	in30Days := moment.DateOf(billed.Time(time.UTC).AddDate(0, 0, 30))
	endOfMonth := moment.DateOf(time.Date(billed.Year, billed.Month+1, 0, 0, 0, 0, 0, time.UTC)) // day 0 is the day before the first
	endOfNextMonth := moment.DateOf(time.Date(billed.Year, billed.Month+2, 0, 0, 0, 0, 0, time.UTC))
	fmt.Println(in30Days, endOfMonth, endOfNextMonth)

	inOneMonth := moment.DateOf(billed.Time(time.UTC).AddDate(0, 1, 0)) // February 30 becomes March 2
	fmt.Println(inOneMonth)

	workday := in30Days.Time(time.UTC)
	for workday.Weekday() == time.Saturday || workday.Weekday() == time.Sunday {
		workday = workday.AddDate(0, 0, 1)
	}
	fmt.Println(moment.DateOf(workday))
	// Output:
	// 2025-03-01 2025-01-31 2025-02-28
	// 2025-03-02
	// 2025-03-03
}

// A bill is overdue from the day after its due date, in the merchant's time zone.
func Example_dueDate_overdue() {
	due := moment.NewDate(2025, time.January, 31)
	now := time.Date(2025, time.January, 31, 23, 30, 0, 0, time.UTC)

	johannesburg := time.FixedZone("SAST", 2*60*60) // or time.LoadLocation("Africa/Johannesburg")
	overdue := moment.DateOf(now.In(johannesburg)).Compare(due) > 0
	fmt.Println(overdue)
	// Output: true
}
