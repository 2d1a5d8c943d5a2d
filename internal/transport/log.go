package transport

import (
	"context"
	"log/slog"
	"time"
)

// log writes one record per attempt: at level debug, or info where another attempt follows. What it says is a list of
// what is allowed, never a dump of the request or the answer.
func (t *Transport) log(ctx context.Context, req *Request, o outcome, attempt int, start time.Time, again bool, wait time.Duration) {
	level := slog.LevelDebug
	if again {
		level = slog.LevelInfo
	}
	if t.Logger == nil || !t.Logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 7)
	attrs = append(attrs, slog.String("method", req.Method), slog.String("path", req.Route),
		slog.Int("attempt", attempt), slog.Duration("duration", time.Since(start)))
	if o.status != 0 {
		attrs = append(attrs, slog.Int("status", o.status))
	}
	if o.kind != answered {
		attrs = append(attrs, slog.String("failure", o.kind.String()))
	}
	if again {
		attrs = append(attrs, slog.Duration("retry_in", wait))
	}
	t.Logger.LogAttrs(ctx, level, "moment: request", attrs...)
}
