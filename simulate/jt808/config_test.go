package jt808_test

import (
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/simulate/jt808"
)

func TestDefaultConfigIsValid(t *testing.T) {
	t.Parallel()
	if err := jt808.DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestMistakesAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	for key, spoil := range map[string]func(*jt808.Config){
		"target":      func(c *jt808.Config) { c.Target = "nowhere" },
		"devices":     func(c *jt808.Config) { c.Devices = 0 },
		"rate":        func(c *jt808.Config) { c.Rate = -1 },
		"duration":    func(c *jt808.Config) { c.Duration = -time.Second },
		"heartbeat":   func(c *jt808.Config) { c.Heartbeat = 1 },
		"connectRate": func(c *jt808.Config) { c.ConnectRate = -1 },
		"churn":       func(c *jt808.Config) { c.Churn = -1 },
		"alarms":      func(c *jt808.Config) { c.Alarms = 1.1 },
		"batch:":      func(c *jt808.Config) { c.Batch = -0.1 },
		"batchSize":   func(c *jt808.Config) { c.BatchSize = 0 },
		"number":      func(c *jt808.Config) { c.Number = "" },
		"ackTimeout":  func(c *jt808.Config) { c.AckTimeout = 0 },
		"retries":     func(c *jt808.Config) { c.Retries = -1 },
		"pending":     func(c *jt808.Config) { c.Pending = 1 << 16 },
		"backoffMin":  func(c *jt808.Config) { c.BackoffMin = 0 },
		"backoffMax":  func(c *jt808.Config) { c.BackoffMax = 1 },
		"refuse":      func(c *jt808.Config) { c.Refuse = 2 },
		"answerDelay": func(c *jt808.Config) { c.AnswerDelay = -1 },
		"workers":     func(c *jt808.Config) { c.Workers = -1 },
		"sources":     func(c *jt808.Config) { c.Sources = []string{"here"} },
		"versions":    func(c *jt808.Config) { c.Versions = "2015" },
		"firstPhone":  func(c *jt808.Config) { c.FirstPhone = "12a" },
		"faults.":     func(c *jt808.Config) { c.Faults.Garbage = -1 },
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			cfg := jt808.DefaultConfig()
			spoil(&cfg)
			_, err := jt808.New(cfg)
			if err == nil || !strings.Contains(err.Error(), "simulate: "+key) {
				t.Errorf("%v, want it to name %s", err, key)
			}
			cfg.Target = "nowhere"
			if _, err := jt808.New(cfg); err == nil || !strings.Contains(err.Error(), key) || !strings.Contains(err.Error(), "target") {
				t.Errorf("%v, want it to name %s and target", err, key)
			}
		})
	}
	for name, spoil := range map[string]func(*jt808.Config){
		"no weight":       func(c *jt808.Config) { c.Versions = "2013=0" },
		"weight":          func(c *jt808.Config) { c.Versions = "2013=x" },
		"not a number":    func(c *jt808.Config) { c.Versions = "2013=NaN" },
		"numbers run out": func(c *jt808.Config) { c.FirstPhone, c.Devices = "999999999999", 2 },
		"too long":        func(c *jt808.Config) { c.FirstPhone = "1380013800100" },
		"share NaN":       func(c *jt808.Config) { c.Batch = c.Batch / (c.Batch - c.Batch) * 0 },
		"faults sum":      func(c *jt808.Config) { c.Faults = jt808.Faults{Garbage: 0.6, SlowWriter: 0.6} },
		"open files":      func(c *jt808.Config) { c.Devices = 1_000_000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := jt808.DefaultConfig()
			spoil(&cfg)
			if _, err := jt808.New(cfg); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestReportPrints(t *testing.T) {
	t.Parallel()
	f, err := jt808.New(jt808.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if text := f.Report().String(); !strings.Contains(text, "10 terminals, 0 online") {
		t.Errorf("report of a fleet that did not run:\n%s", text)
	}
}
