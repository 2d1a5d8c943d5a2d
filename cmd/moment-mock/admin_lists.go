package main

import (
	"math"
	"net/http"
)

const (
	// maxLimit is the maximum of the parameter limit, and the number of events and requests that
	// are kept.
	maxLimit = 10_000

	// maxAfter is the largest integer that JavaScript counts to, where int has 64 bits.
	maxAfter = min(math.MaxInt, 1<<53)
)

// listQuery reads the parameters of a list: after is the last item that the caller has, and limit
// the number of newest items to return, or 0 for all.
func (r *adminRequest) listQuery() (after, limit int, rejected *rejection) {
	query := r.URL.Query()
	after, err := number(query["after"], 0, maxAfter)
	if err != nil {
		return 0, 0, reject(http.StatusBadRequest, "after must be an integer: 0 or more")
	}
	limit, err = number(query["limit"], 1, maxLimit)
	if err != nil {
		return 0, 0, reject(http.StatusBadRequest, "limit must be from 1 to %d", maxLimit)
	}
	return after, limit, nil
}

// newest returns the last n, or all if n is 0.
func newest[T any](all []T, n int) []T {
	if n == 0 || n > len(all) {
		return all
	}
	return all[len(all)-n:]
}
