package moment

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Date is a day in the calendar, without a time or a time zone, for example the date of a bill. In
// JSON it is "2025-01-31", the full-date of RFC 3339. Its years are 0 to 9999. Dates are comparable
// with ==.
//
// The zero Date means that there is no date. Requests omit it, and a response without a date
// decodes to it. It is null in JSON and NULL in a database.
type Date struct {
	Year  int // 0 to 9999
	Month time.Month
	Day   int
}

// NewDate returns a date, and does not check it. Unlike [time.Date], it does not change February 30
// to March 2, because that would move a due date: encoding a day that does not exist is an error.
func NewDate(year int, month time.Month, day int) Date {
	return Date{Year: year, Month: month, Day: day}
}

// ParseDate parses a date in the form YYYY-MM-DD. The error is an [*ArgumentError] for another
// form, and for a day that does not exist.
func ParseDate(s string) (Date, error) {
	d, reason := parseDate(s)
	if reason != "" {
		return Date{}, &ArgumentError{Op: "parse date", Param: "date", Reason: reason}
	}
	return d, nil
}

// parseDate returns the date in s, or the reason why s is not a date.
func parseDate(s string) (d Date, reason string) {
	if len(s) != len(time.DateOnly) || s[4] != '-' || s[7] != '-' ||
		!isDigits(s[:4]) || !isDigits(s[5:7]) || !isDigits(s[8:]) {
		return Date{}, quoteInput(s) + ` is not in the form YYYY-MM-DD, like "2025-01-31"`
	}
	d.Year, _ = strconv.Atoi(s[:4]) // digits only, so none of these fails
	month, _ := strconv.Atoi(s[5:7])
	d.Month = time.Month(month)
	d.Day, _ = strconv.Atoi(s[8:])
	if !d.valid() {
		return Date{}, d.problem()
	}
	return d, ""
}

// DateOf returns the day of t in t's location. The same instant can be two different days in
// Johannesburg and Los Angeles: choose the location with t.In(location).
func DateOf(t time.Time) Date {
	return NewDate(t.Date())
}

// String returns the date in the form YYYY-MM-DD, whether or not the day exists.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// IsZero reports whether d is the zero Date. encoding/json calls it for fields with the option
// omitzero.
func (d Date) IsZero() bool { return d == Date{} }

// Compare returns -1 if d is before e, 0 if they are the same day and +1 if d is
// after e. It can be passed to [slices.SortFunc].
func (d Date) Compare(e Date) int {
	return cmp.Or(
		cmp.Compare(d.Year, e.Year),
		cmp.Compare(d.Month, e.Month),
		cmp.Compare(d.Day, e.Day),
	)
}

// Time returns midnight at the start of d in loc, or in UTC if loc is nil. If summer time skips
// that midnight, as in Cairo or Santiago, it returns the first moment of the day. A day that does
// not exist is normalised as by [time.Date].
func (d Date) Time(loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
	if t.Hour() >= 12 {
		// time.Date used the offset of the evening before for the missing midnight. The day begins
		// with the new offset.
		_, t = t.ZoneBounds()
	}
	return t
}

// MarshalText implements [encoding.TextMarshaler], for keys of JSON objects and formats other than
// JSON. A day that does not exist, and the zero Date, is an [*ArgumentError].
func (d Date) MarshalText() ([]byte, error) {
	if !d.valid() {
		return nil, &ArgumentError{Op: "encode date", Param: "date", Reason: d.problem()}
	}
	return []byte(d.String()), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler]. It accepts the form that [ParseDate]
// accepts. Its error is not an [*ArgumentError], because the text is from a response or an event.
func (d *Date) UnmarshalText(text []byte) error { return d.read("decode", string(text)) }

// MarshalJSON implements [json.Marshaler]: "2025-01-31", and null for the zero Date. A day that
// does not exist is an [*ArgumentError].
func (d Date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	text, err := d.MarshalText()
	if err != nil {
		return nil, err
	}
	return []byte(`"` + string(text) + `"`), nil
}

// UnmarshalJSON implements [json.Unmarshaler]: null is the zero Date, and a string is read as by
// [Date.UnmarshalText].
func (d *Date) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*d = Date{}
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	return d.read("decode", text)
}

// Value implements [driver.Valuer]: the text "2025-01-31", which DATE columns accept, and NULL for
// the zero Date. A day that does not exist is an [*ArgumentError].
func (d Date) Value() (driver.Value, error) {
	if d.IsZero() {
		return nil, nil //nolint:nilnil // this is NULL
	}
	text, err := d.MarshalText()
	if err != nil {
		return nil, err
	}
	return string(text), nil
}

// Scan implements [database/sql.Scanner]. It accepts NULL as the zero Date, text in the form
// YYYY-MM-DD, and a time at the start of a day, because drivers return the value of a DATE column
// as one. Any other time is an error, because its day depends on a time zone: scan it into a
// [time.Time], and choose with [DateOf].
func (d *Date) Scan(src any) error {
	switch src := src.(type) {
	case nil:
		*d = Date{}
		return nil
	case string:
		return d.read("scan", src)
	case []byte:
		return d.read("scan", string(src))
	case time.Time:
		day := DateOf(src)
		if !day.Time(src.Location()).Equal(src) {
			return errors.New("moment: scan date: a time that is not the start of a day: scan it into a time.Time, and use DateOf")
		}
		return d.read("scan", day.String()) // which checks the year
	default:
		return fmt.Errorf("moment: scan date: %T is not text or a time", src)
	}
}

// read sets d to the date in text. It leaves d unchanged after an error.
func (d *Date) read(verb, text string) error {
	parsed, reason := parseDate(text)
	if reason != "" {
		return errors.New("moment: " + verb + " date: " + reason)
	}
	*d = parsed
	return nil
}

// LogValue implements [slog.LogValuer]: the date as text, or nil for the zero Date.
func (d Date) LogValue() slog.Value {
	if d.IsZero() {
		return slog.StringValue("")
	}
	return slog.StringValue(d.String())
}

// valid reports whether d exists and its year has four digits.
func (d Date) valid() bool {
	return d.Year >= 0 && d.Year <= 9999 &&
		d.Month >= time.January && d.Month <= time.December &&
		d.Day >= 1 && d.Day <= d.daysInMonth()
}

func (d Date) daysInMonth() int {
	return time.Date(d.Year, d.Month+1, 0, 0, 0, 0, 0, time.UTC).Day() // the day before the next month's first
}

// problem returns the reason why d is not valid.
func (d Date) problem() string {
	switch {
	case d.IsZero():
		return "0000-00-00 is not a day: the zero Date means that there is no date"
	case d.Year < 0 || d.Year > 9999:
		return fmt.Sprintf("%v cannot be written: years are 0000 to 9999", d)
	case d.Month < time.January || d.Month > time.December:
		return fmt.Sprintf("%v is not a day: months are 01 to 12", d)
	default:
		return fmt.Sprintf("%v is not a day: %v %04d has %d days", d, d.Month, d.Year, d.daysInMonth())
	}
}
