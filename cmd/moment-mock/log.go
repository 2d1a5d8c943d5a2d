package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moment-billing/moment-go/momenttest"
)

// eventLog writes a line for each request and for each attempt to deliver an event. It does not log
// bodies, headers and queries, because they contain keys and personal data.
type eventLog struct {
	mu      sync.Mutex
	out     io.Writer
	json    *slog.Logger // with --log json; otherwise nil
	colours bool
	retries int // attempts of an event at most
}

func newEventLog(out io.Writer, asJSON bool, getenv func(string) string, retries int) *eventLog {
	l := &eventLog{out: out, retries: retries, colours: isTerminal(out) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
	if asJSON {
		l.json = slog.New(slog.NewJSONHandler(out, nil))
	}
	return l
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// line writes a line as a whole, because requests and attempts log concurrently.
func (l *eventLog) line(parts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.out, strings.Join(parts, " "))
}

// Write logs the messages of net/http.Server.
func (l *eventLog) Write(text []byte) (int, error) {
	if l.json != nil {
		l.json.Warn("server", "detail", strings.TrimSpace(string(text)))
	} else {
		l.line(strings.TrimSuffix(string(text), "\n"))
	}
	return len(text), nil
}

// requests logs each request, except for successful GETs of the admin API, because the console
// sends one every second.
func (l *eventLog) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		a := &loggedResponse{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(a, r)
		if strings.HasPrefix(r.URL.Path, adminPath) && (r.Method == http.MethodGet || r.Method == http.MethodHead) && a.status < http.StatusBadRequest {
			return
		}
		took, id, replayed := time.Since(begin).Round(10*time.Microsecond), w.Header().Get("X-Request-Id"), w.Header().Get("Idempotent-Replayed") == "true"
		path := r.URL.EscapedPath() // escaped, it can neither break the line nor be two words
		if l.json != nil {
			l.json.Info("request", "method", r.Method, "path", path, "status", a.status, "duration_ms", float64(took.Microseconds())/1000, "request_id", id, "replayed", replayed)
			return
		}
		line := []string{begin.Format("15:04:05.000"), r.Method, path, l.status(a.status), took.String()}
		if id != "" {
			line = append(line, id)
		}
		if replayed {
			line = append(line, "replayed")
		}
		l.line(line...)
	})
}

// attempt logs the last attempt of an event: "→ evt_… to :3000/webhooks 500, attempt 1 of 6, next
// in 5 s".
func (l *eventLog) attempt(m momenttest.Message, now time.Time) {
	a, head := m.Attempts[len(m.Attempts)-1], headOf(m.Event)
	target := shortURL(a.URL)
	if l.json != nil {
		l.json.Info("delivery", "message_id", m.ID, "event_id", head.ID, "type", head.Type, "to", target, "status", a.Status, "error", shortError(a.Error), "attempt", len(m.Attempts), "resent", a.Resent, "next_attempt_at", m.NextAttemptAt)
		return
	}
	outcome := l.status(a.Status)
	if a.Status == 0 {
		outcome = l.colour(red, shortError(a.Error))
	}
	line := "→ " + head.ID + " to " + target + " " + outcome
	if a.Resent {
		line += ", resent"
	} else {
		line += fmt.Sprintf(", attempt %d of %d", len(m.Attempts), l.retries)
	}
	switch {
	case a.Acknowledged():
	case !m.NextAttemptAt.IsZero():
		line += ", next in " + plainDuration(m.NextAttemptAt.Sub(now))
	default:
		line += ": moment-mock resend " + m.ID + " delivers it again"
	}
	l.line(time.Now().Format("15:04:05.000"), line)
}

const (
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (l *eventLog) status(status int) string {
	colour := red
	switch status / 100 {
	case 2:
		colour = green
	case 3, 4:
		colour = yellow
	}
	return l.colour(colour, strconv.Itoa(status))
}

func (l *eventLog) colour(colour, text string) string {
	if !l.colours {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// shortURL leaves out the scheme and the query, in which there may be a token, and a host of this
// machine.
func shortURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	host := u.Host
	if addr, err := netip.ParseAddr(u.Hostname()); (err == nil && addr.IsLoopback() || u.Hostname() == "localhost") && u.Port() != "" {
		host = ":" + u.Port()
	}
	return host + u.EscapedPath()
}

// shortError leaves out the beginning, in which net/http quotes the URL.
func shortError(text string) string {
	if _, reason, ok := strings.Cut(text, `": `); ok {
		text = reason
	}
	return strings.ReplaceAll(text, "\n", " ")
}

// plainDuration is 5 s, 5 min or 2 h.
func plainDuration(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d >= 0 && d < 2*time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	default:
		return d.String()
	}
}

// loggedResponse stores the status for the log.
type loggedResponse struct {
	http.ResponseWriter

	status int
}

func (a *loggedResponse) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController, by which faults end connections.
func (a *loggedResponse) Unwrap() http.ResponseWriter { return a.ResponseWriter }
