package queue_test

import (
	"context"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/upstream"
)

// patientCloud waits for its platform as long as it may when it is closed; what is not
// acknowledged by then never is.
type patientCloud struct{ *cloud }

func (c patientCloud) Close(ctx context.Context) error {
	<-ctx.Done()
	c.mu.Lock()
	c.held = nil
	c.mu.Unlock()
	_ = c.cloud.Close(ctx)
	return ctx.Err()
}

// At an orderly stop nobody waits for a platform that does not answer: what it has not
// acknowledged is stored, and said after the next start.
func TestCloseWhilePlatformIsSilent(t *testing.T) {
	t.Parallel()
	cfg := config(t, queue.ModeOn)
	c := newCloud(t)
	q, err := queue.New(cfg, patientCloud{c}, names{}, queue.WithLogger(zaptest.NewLogger(t, zaptest.Level(zap.FatalLevel))))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context(), upstream.Host{}); err != nil {
		t.Fatal(err)
	}
	c.diagnose = func() string { return "" }
	d := online(t, q, "d")
	c.set(func() { c.hold["d"] = true })
	d.store(0, 3)
	c.until(t, "the messages", func() bool { return len(c.numbers("d")) == 3 })

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := q.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
	if ctx.Err() != nil {
		t.Error("Close took all the time that there was")
	}

	c = newCloud(t)
	_, stop := start(t, cfg, c, names{})
	c.until(t, "what was not acknowledged", func() bool { return len(c.numbers("d")) == 3 })
	stop()
}
