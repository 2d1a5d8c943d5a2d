package main

import (
	"net/http"
	"time"
)

// The clock can be moved between these years.
const (
	firstYear = 1970
	lastYear  = 2199
)

func (m *mock) getClock(*adminRequest) (any, *rejection) {
	return map[string]any{"now": m.fake.Now().UTC()}, nil
}

func (m *mock) putClock(r *adminRequest) (any, *rejection) {
	var sent struct {
		Now     string `json:"now"`
		Advance string `json:"advance"`
	}
	if rejected := r.decode(&sent); rejected != nil {
		return nil, rejected
	}
	if (sent.Now == "") == (sent.Advance == "") {
		return nil, reject(http.StatusBadRequest, `either now or advance is required, as in {"advance": "5s"} or {"now": "2025-01-31T12:00:00Z"}`)
	}
	to := m.fake.Now()
	if sent.Advance != "" {
		d, ok := parseDuration(sent.Advance)
		if !ok {
			return nil, reject(http.StatusBadRequest, "advance must be a duration such as 5s, 30m or 2h; to go back, set the time")
		}
		to = to.Add(d)
	} else {
		at, err := time.Parse(time.RFC3339, sent.Now)
		if err != nil {
			return nil, reject(http.StatusBadRequest, "now must be a time as in RFC 3339, such as 2025-01-31T12:00:00Z")
		}
		to = at
	}
	if year := to.UTC().Year(); year < firstYear || year > lastYear {
		return nil, reject(http.StatusUnprocessableEntity, "the clock can be set to the years from %d to %d, not to %d", firstYear, lastYear, year)
	}
	m.fake.SetTime(to)
	return m.getClock(r)
}
