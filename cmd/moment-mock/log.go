package main

import (
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// logged writes a line for each request that is answered. It holds no body, no header and no query:
// neither keys nor people.
func logged(next http.Handler, logger *log.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		a := &answer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(a, r)
		line := []string{
			begin.Format("15:04:05.000"),
			r.Method,
			r.URL.EscapedPath(), // escaped, it can neither break the line nor be two words
			strconv.Itoa(a.status),
			time.Since(begin).Round(10 * time.Microsecond).String(),
		}
		if id := w.Header().Get("X-Request-Id"); id != "" {
			line = append(line, id)
		}
		if w.Header().Get("Idempotent-Replayed") == "true" {
			line = append(line, "replayed")
		}
		logger.Println(strings.Join(line, " "))
	})
}

// answer remembers its status.
type answer struct {
	http.ResponseWriter

	status int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}
