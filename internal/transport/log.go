package transport

import (
	"context"
	"log/slog"
	"time"
)

// log writes one record per attempt, at level info if another attempt follows or the retry budget
// prevents one, and otherwise at debug. It logs only a list of allowed attributes, and never a dump
// of the request or the response.
func (t *Transport) log(ctx context.Context, req *Request, res Result, o outcome, took time.Duration, retry bool, wait time.Duration) {
	level := slog.LevelDebug
	if retry || res.BudgetEmpty {
		level = slog.LevelInfo
	}
	if !t.Logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs, slog.String("method", req.Method), slog.String("path", req.Route),
		slog.Int("attempt", res.Attempts), slog.Duration("duration", took))
	if o.status != 0 {
		attrs = append(attrs, slog.Int("status", o.status))
	}
	if id := t.RequestID(o.header); id != "" {
		attrs = append(attrs, slog.String("request_id", id))
	}
	if o.event == complete && o.status >= 400 {
		attrs = append(attrs, slog.Bool("from_service", o.fromService))
	}
	if o.event != complete {
		attrs = append(attrs, slog.String("failure", o.event.String()))
	}
	if retry {
		attrs = append(attrs, slog.Duration("retry_in", wait))
	}
	if res.BudgetEmpty {
		attrs = append(attrs, slog.Bool("retry_budget_empty", true))
	}
	t.Logger.LogAttrs(ctx, level, "moment: request", attrs...)
}
