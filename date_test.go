package moment_test

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the tests must not depend on the machine's zones

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/moment-billing/moment-go"
)

func TestNewDateDoesNotNormalise(t *testing.T) {
	d := moment.NewDate(2025, time.February, 30)
	assert.Equal(t, moment.Date{Year: 2025, Month: time.February, Day: 30}, d)
	assert.Equal(t, "2025-02-30", d.String(), "a log shows a wrong date too")
}

func TestParseDate(t *testing.T) {
	for _, tt := range []struct {
		text string
		want moment.Date
		why  string
	}{
		{"2025-01-31", moment.NewDate(2025, time.January, 31), "the example of the reference"},
		{"2024-02-29", moment.NewDate(2024, time.February, 29), "a leap year"},
		{"2000-02-29", moment.NewDate(2000, time.February, 29), "a leap year by the rule of 400"},
		{"2025-12-31", moment.NewDate(2025, time.December, 31), "the month after it is in another year"},
		{"0000-01-01", moment.NewDate(0, time.January, 1), "the first day of RFC 3339"},
		{"9999-12-31", moment.NewDate(9999, time.December, 31), "the last day of RFC 3339"},
	} {
		got, err := moment.ParseDate(tt.text)
		require.NoError(t, err, tt.why)
		assert.Equal(t, tt.want, got, tt.why)
		assert.Equal(t, tt.text, got.String(), tt.why)
	}
}

func TestParseDateErrors(t *testing.T) {
	const form = ` is not in the form YYYY-MM-DD, like "2025-01-31"`
	for _, tt := range []struct {
		text, reason, why string
	}{
		{"", `""` + form, "an empty text is not the zero Date"},
		{"2025-1-31", `"2025-1-31"` + form, "two digits for a month"},
		{"2025-01-1", `"2025-01-1"` + form, "two digits for a day"},
		{"25-01-31", `"25-01-31"` + form, "four digits for a year"},
		{"02025-01-31", `"02025-01-31"` + form, "not five"},
		{"20250131", `"20250131"` + form, "the basic form of ISO 8601"},
		{"2025/01/31", `"2025/01/31"` + form, "hyphens only"},
		{"2025-01/31", `"2025-01/31"` + form, "both of them"},
		{"2025/01-31", `"2025/01-31"` + form, "both of them"},
		{"31-01-2025", `"31-01-2025"` + form, "the year comes first"},
		{"2025-01-31T00:00:00Z", `"2025-01-31T00:00:00Z"` + form, "the day of a time depends on a time zone: see DateOf"},
		{" 2025-01-3", `" 2025-01-3"` + form, "nothing is trimmed"},
		{"2025-01-31\n", `"2025-01-31\n"` + form, "nothing is trimmed"},
		{"+025-01-31", `"+025-01-31"` + form, "a sign is not a digit of the year"},
		{"2025-+1-31", `"2025-+1-31"` + form, "nor of the month"},
		{"2025-01--1", `"2025-01--1"` + form, "nor of the day"},
		{"２025-01-3", `"２025-01-3"` + form, "digits are ASCII"},
		{strings.Repeat("9", 1000), `"` + strings.Repeat("9", 40) + `…"` + form, "the message does not grow with the input"},
		{"2025-00-31", "2025-00-31 is not a day: months are 01 to 12", "months begin with 1"},
		{"2025-13-31", "2025-13-31 is not a day: months are 01 to 12", "and end with 12"},
		{"2025-01-00", "2025-01-00 is not a day: January 2025 has 31 days", "days begin with 1"},
		{"2025-04-31", "2025-04-31 is not a day: April 2025 has 30 days", "a short month"},
		{"2025-02-29", "2025-02-29 is not a day: February 2025 has 28 days", "not a leap year"},
		{"1900-02-29", "1900-02-29 is not a day: February 1900 has 28 days", "not a leap year by the rule of 100"},
		{"2025-12-32", "2025-12-32 is not a day: December 2025 has 31 days", "the month after it is in another year"},
		{"0000-00-00", "0000-00-00 is not a day: the zero Date means that there is no date", "MySQL's zero date"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			got, err := moment.ParseDate(tt.text)
			assert.Zero(t, got)
			assertArgumentError(t, err, "parse date", "date", tt.reason, tt.why)
		})
	}
}

func TestDateMarshalTextErrors(t *testing.T) {
	for _, tt := range []struct {
		date        moment.Date
		reason, why string
	}{
		{moment.Date{}, "0000-00-00 is not a day: the zero Date means that there is no date", "the zero Date has no text"},
		{moment.NewDate(2025, time.February, 30), "2025-02-30 is not a day: February 2025 has 28 days", "time.Date would make it March 2"},
		{moment.NewDate(2025, time.January, 0), "2025-01-00 is not a day: January 2025 has 31 days", "time.Date would make it December 31"},
		{moment.NewDate(2025, 13, 1), "2025-13-01 is not a day: months are 01 to 12", "time.Date would make it January"},
		{moment.NewDate(2025, 0, 1), "2025-00-01 is not a day: months are 01 to 12", "an empty month"},
		{moment.NewDate(10000, time.January, 1), "10000-01-01 cannot be written: years are 0000 to 9999", "five digits"},
		{moment.NewDate(-1, time.January, 1), "-001-01-01 cannot be written: years are 0000 to 9999", "before year 0"},
	} {
		text, err := tt.date.MarshalText()
		assert.Nil(t, text)
		assertArgumentError(t, err, "encode date", "date", tt.reason, tt.why)
	}
}

func TestDateUnmarshalTextError(t *testing.T) {
	d := moment.NewDate(2025, time.January, 31)
	err := d.UnmarshalText([]byte("2025-02-30"))
	require.EqualError(t, err, "moment: decode date: 2025-02-30 is not a day: February 2025 has 28 days")
	assert.NotErrorIs(t, err, moment.ErrInvalidArgument, "a wrong response must not look like a call that was not sent")
	assert.Equal(t, moment.NewDate(2025, time.January, 31), d, "unchanged")
}

type dated struct {
	BillDate moment.Date `json:"bill_date,omitzero"`
	DueDate  moment.Date `json:"due_date,omitzero"`
}

func TestDateJSON(t *testing.T) {
	for _, tt := range []struct {
		body string
		want dated
		why  string
	}{
		{`{"bill_date":"2025-01-01","due_date":"2025-01-31"}`, dated{moment.NewDate(2025, 1, 1), moment.NewDate(2025, 1, 31)}, "both"},
		{`{"due_date":"2025-01-31"}`, dated{DueDate: moment.NewDate(2025, 1, 31)}, "omitzero leaves out the other"},
		{`{}`, dated{}, "none"},
	} {
		var got dated
		require.NoError(t, json.Unmarshal([]byte(tt.body), &got), tt.why)
		assert.Equal(t, tt.want, got, tt.why)
		body, err := json.Marshal(got)
		require.NoError(t, err, tt.why)
		assert.Equal(t, tt.body, string(body), tt.why)
	}
}

func TestDateJSONNull(t *testing.T) {
	var got dated
	require.NoError(t, json.Unmarshal([]byte(`{"bill_date":null,"due_date":"2025-01-31"}`), &got))
	assert.Equal(t, dated{DueDate: moment.NewDate(2025, 1, 31)}, got, "null is the same as absent")
}

func TestZeroDateIsNull(t *testing.T) {
	type plain struct {
		Day  moment.Date   `json:"day"` // without omitzero
		Days []moment.Date `json:"days"`
	}
	want := plain{Days: []moment.Date{{}, moment.NewDate(2025, 1, 31)}}
	body, err := json.Marshal(want)
	require.NoError(t, err)
	assert.JSONEq(t, `{"day":null,"days":[null,"2025-01-31"]}`, string(body))
	got := plain{Day: moment.NewDate(2024, 2, 29)}
	require.NoError(t, json.Unmarshal(body, &got))
	assert.Equal(t, want, got, "null replaces an earlier date")
}

func TestDateAsKeyOfJSON(t *testing.T) {
	want := map[moment.Date]int{moment.NewDate(2025, 1, 31): 2}
	body, err := json.Marshal(want)
	require.NoError(t, err)
	assert.Equal(t, `{"2025-01-31":2}`, string(body))
	var got map[moment.Date]int
	require.NoError(t, json.Unmarshal(body, &got))
	assert.Equal(t, want, got)
	_, err = json.Marshal(map[moment.Date]int{{}: 1})
	assert.ErrorContains(t, err, "the zero Date means that there is no date", "the zero Date cannot be a key")
}

func TestDateInLogs(t *testing.T) {
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		for _, row := range []struct {
			date       moment.Date
			text, json string
		}{
			{moment.Date{}, `due=""`, `"due":""`},
			{moment.NewDate(2025, time.January, 31), `due=2025-01-31`, `"due":"2025-01-31"`},
			{moment.NewDate(2025, time.February, 30), `due=2025-02-30`, `"due":"2025-02-30"`},
		} {
			log.Reset()
			slog.New(handler).Info("bill", "due", row.date)
			assert.Contains(t, log.String(), map[bool]string{true: row.json, false: row.text}[log.Bytes()[0] == '{'])
		}
	}
}

var (
	_ driver.Valuer = moment.Date{}
	_ sql.Scanner   = (*moment.Date)(nil)
)

func TestDateValue(t *testing.T) {
	for _, row := range []struct {
		date moment.Date
		want driver.Value
	}{
		{moment.Date{}, nil},
		{moment.NewDate(2025, time.January, 31), "2025-01-31"},
		{moment.NewDate(1, time.January, 1), "0001-01-01"},
	} {
		got, err := row.date.Value()
		require.NoError(t, err)
		assert.Equal(t, row.want, got)
	}
	got, err := moment.NewDate(2025, time.February, 30).Value()
	assert.Nil(t, got)
	assertArgumentError(t, err, "encode date", "date", "2025-02-30 is not a day: February 2025 has 28 days", "not normalised")
}

func TestDateScan(t *testing.T) {
	day := moment.NewDate(2024, time.April, 26)
	for _, row := range []struct {
		src  any
		want moment.Date
		why  string
	}{
		{nil, moment.Date{}, "NULL"},
		{"2024-04-26", day, "a text column, and a driver that returns text"},
		{[]byte("2024-04-26"), day, "MySQL's driver"},
		{time.Date(2024, 4, 26, 0, 0, 0, 0, time.UTC), day, "pgx"},
		{time.Date(2024, 4, 26, 0, 0, 0, 0, time.FixedZone("", 0)), day, "lib/pq"},
		{time.Date(2024, 4, 26, 0, 0, 0, 0, location(t, "Africa/Johannesburg")), day, "a driver with the location of the machine"},
		{time.Date(2024, 4, 26, 1, 0, 0, 0, location(t, "Africa/Cairo")), day, "a day without midnight"},
	} {
		got := moment.NewDate(2000, time.January, 1)
		require.NoError(t, got.Scan(row.src), row.why)
		assert.Equal(t, row.want, got, row.why)
	}
}

func TestDateScanErrors(t *testing.T) {
	for _, row := range []struct {
		src       any
		says, why string
	}{
		{"2025-02-30", "2025-02-30 is not a day: February 2025 has 28 days", "not normalised"},
		{[]byte("0000-00-00"), "0000-00-00 is not a day: the zero Date means that there is no date", "MySQL's zero date"},
		{"", `"" is not in the form YYYY-MM-DD, like "2025-01-31"`, "SQLite stores any text in a DATE column"},
		{"2025-01-31 10:00:00", `"2025-01-31 10:00:00" is not in the form YYYY-MM-DD, like "2025-01-31"`, "a time as text"},
		{time.Date(2025, 1, 31, 22, 0, 0, 0, time.UTC), "a time that is not the start of a day: scan it into a time.Time, and use DateOf", "midnight in Johannesburg, in UTC"},
		{time.Date(2025, 1, 31, 0, 0, 0, 1, time.UTC), "a time that is not the start of a day: scan it into a time.Time, and use DateOf", "a nanosecond later"},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), `"10000-01-01" is not in the form YYYY-MM-DD, like "2025-01-31"`, "PostgreSQL has such years"},
		{time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC), `"-001-01-01" is not in the form YYYY-MM-DD, like "2025-01-31"`, "such as years before 0"},
		{int64(20250131), "int64 is not text or a time", "a number"},
	} {
		got := moment.NewDate(2000, time.January, 1)
		assert.EqualError(t, got.Scan(row.src), "moment: scan date: "+row.says, row.why)
		assert.Equal(t, moment.NewDate(2000, time.January, 1), got, "unchanged")
	}
}

func TestDateJSONErrors(t *testing.T) {
	for _, body := range []string{`{"due_date":""}`, `{"due_date":"2025-02-30"}`, `{"due_date":20250131}`} {
		var got dated
		assert.Error(t, json.Unmarshal([]byte(body), &got), body)
		assert.Zero(t, got, body)
	}

	body, err := json.Marshal(dated{DueDate: moment.NewDate(2025, time.February, 30)})
	assert.Nil(t, body)
	var argument *moment.ArgumentError
	require.ErrorAs(t, err, &argument, "visible through the error of encoding/json")
	assert.Equal(t, "2025-02-30 is not a day: February 2025 has 28 days", argument.Reason)
}

func TestDateIsZero(t *testing.T) {
	assert.True(t, moment.Date{}.IsZero())
	assert.False(t, moment.NewDate(0, time.January, 1).IsZero(), "a day, although long ago")
}

func TestDateCompare(t *testing.T) {
	sorted := []moment.Date{
		{},
		moment.NewDate(2024, time.December, 31),
		moment.NewDate(2025, time.January, 1),
		moment.NewDate(2025, time.January, 31),
		moment.NewDate(2025, time.February, 1),
		moment.NewDate(2026, time.January, 1),
	}
	for i, d := range sorted {
		for j, e := range sorted {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			assert.Equal(t, want, d.Compare(e), "%v %v", d, e)
		}
	}
	assert.True(t, slices.IsSortedFunc(sorted, moment.Date.Compare))
}

func TestDateOf(t *testing.T) {
	instant := time.Date(2025, time.January, 31, 23, 30, 0, 0, time.UTC)
	assert.Equal(t, moment.NewDate(2025, time.January, 31), moment.DateOf(instant))
	assert.Equal(t, moment.NewDate(2025, time.February, 1), moment.DateOf(instant.In(location(t, "Africa/Johannesburg"))),
		"the day is that of the time's own location")
}

func TestDateTime(t *testing.T) {
	for _, tt := range []struct {
		date     moment.Date
		location *time.Location
		want     string
		why      string
	}{
		{moment.NewDate(2025, 1, 31), nil, "2025-01-31T00:00:00Z", "nil is UTC"},
		{moment.NewDate(2025, 1, 31), location(t, "Africa/Johannesburg"), "2025-01-31T00:00:00+02:00", "east of it"},
		{moment.NewDate(2025, 1, 31), location(t, "America/New_York"), "2025-01-31T00:00:00-05:00", "west of it"},
		{moment.NewDate(2024, 4, 26), location(t, "Africa/Cairo"), "2024-04-26T01:00:00+03:00", "no midnight, east"},
		{moment.NewDate(2024, 9, 8), location(t, "America/Santiago"), "2024-09-08T01:00:00-03:00", "no midnight, west: time.Date says September 7"},
		{moment.NewDate(1991, 10, 20), location(t, "America/Argentina/Cordoba"), "1991-10-20T02:00:00-02:00", "two hours skipped"},
		{moment.NewDate(2025, 2, 30), nil, "2025-03-02T00:00:00Z", "a day that does not exist is normalised as by time.Date"},
	} {
		got := tt.date.Time(tt.location)
		assert.Equal(t, tt.want, got.Format(time.RFC3339), tt.why)
	}
}

func location(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// FuzzParseDate compares ParseDate with package time, and an accepted text with the output of
// MarshalText.
func FuzzParseDate(f *testing.F) {
	for _, text := range []string{
		"2025-01-31", "2024-02-29", "2025-02-29", "1900-02-29", "2000-02-29", "2025-04-31", "2025-12-31", "2025-12-32",
		"0000-01-01", "0000-02-29", "9999-12-31", "0000-00-00", "2025-00-10", "2025-13-10", "2025-01-00",
		"", "2025-1-31", "2025-01-31 ", "20250131", "2025-01-31T00:00:00Z", "-001-01-01", "+025-01-01", "2025-+1-01", "２025-01-3",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := moment.ParseDate(text)
		want, timeErr := time.Parse(time.DateOnly, text)
		if timeErr != nil {
			var argument *moment.ArgumentError
			assert.ErrorAs(t, err, &argument, "package time says %v", timeErr)
			assert.Zero(t, got)
			return
		}
		require.NoError(t, err)
		assert.Equal(t, moment.DateOf(want), got)
		assert.Equal(t, want, got.Time(nil))

		written, err := got.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, text, string(written))
		var again moment.Date
		require.NoError(t, again.UnmarshalText(written))
		assert.Equal(t, got, again)
	})
}
