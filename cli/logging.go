package cli

import (
	"errors"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// LogConfig is the log section of application.conf.
type LogConfig struct {
	Level  string `conf:"level" doc:"debug, info, warn or error; debug shows undecodable frames in hex"`
	Format string `conf:"format" doc:"console for people, json for machines"`
	Path   string `conf:"path" doc:"file to append to; stderr or stdout for the process's own"`
}

// DefaultLogConfig is the configuration of someone who wrote nothing.
func DefaultLogConfig() LogConfig {
	return LogConfig{Level: "info", Format: "console", Path: "stderr"}
}

// newLogger makes the process's one logger.
func newLogger(cfg LogConfig) (*zap.Logger, error) {
	var errs []error
	level, err := zapcore.ParseLevel(cfg.Level)
	if err != nil {
		errs = append(errs, fmt.Errorf("cli: log.level is %q, want debug, info, warn or error", cfg.Level))
	}
	if cfg.Format != "json" && cfg.Format != "console" {
		errs = append(errs, fmt.Errorf("cli: log.format is %q, want console or json", cfg.Format))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	z := zap.NewProductionConfig()
	z.Level = zap.NewAtomicLevelAt(level)
	z.Sampling = nil // the rooms limit what they log by themselves
	z.DisableStacktrace = true
	z.DisableCaller = true
	z.OutputPaths, z.ErrorOutputPaths = []string{cfg.Path}, []string{"stderr"}
	z.EncoderConfig.EncodeTime = zapcore.ISO8601TimeEncoder
	z.EncoderConfig.EncodeDuration = zapcore.StringDurationEncoder
	z.Encoding = cfg.Format
	if cfg.Format == "console" {
		z.EncoderConfig.EncodeLevel = zapcore.CapitalLevelEncoder
	}
	log, err := z.Build()
	if err != nil {
		return nil, fmt.Errorf("cli: log.path: %w", err)
	}
	return log, nil
}
