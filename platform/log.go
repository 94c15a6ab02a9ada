package platform

import (
	"context"
	"fmt"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// bridgeLog lets the broker's own log through from warnings upwards, at debug
// level: what matters of it, the platform says itself.
func bridgeLog(log *zap.Logger) *slog.Logger {
	return slog.New(&slogHandler{log: log.Named("mqtt")})
}

type slogHandler struct{ log *zap.Logger }

// Enabled is asked before anything is formatted.
func (h *slogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.log.Core().Enabled(zapcore.DebugLevel)
}

// Handle logs one record.
func (h *slogHandler) Handle(_ context.Context, r slog.Record) error {
	fields := make([]zap.Field, 0, r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			fields = append(fields, zap.String("err", fmt.Sprint(a.Value.Any())))
		}
		return true // packets hold payloads and passwords: not for a log
	})
	h.log.Debug(r.Message, fields...)
	return nil
}

// WithAttrs keeps none: see Handle.
func (h *slogHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup has no groups.
func (h *slogHandler) WithGroup(string) slog.Handler { return h }
