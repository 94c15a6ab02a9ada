package alarmclock_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/linkspan/linkspan/internal/alarmclock"
	"github.com/linkspan/linkspan/internal/wheel"
)

// What is due is called in its time, once, unless it was moved or stopped; and what
// is called may use the clock.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := alarmclock.New[string](100 * time.Millisecond)
		var mu sync.Mutex
		var called []string // guarded by mu
		var again wheel.Timer[string]
		again.Value = "again"
		done, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			c.Run(done, func(v string) {
				mu.Lock()
				called = append(called, v)
				mu.Unlock()
				if v == "first" {
					c.Set(&again, c.Now()+time.Second)
				}
			})
		}()
		timers := make([]wheel.Timer[string], 3)
		for i, name := range []string{"first", "moved", "stopped"} {
			timers[i].Value = name
			c.Set(&timers[i], c.At(time.Now().Add(time.Second)))
		}
		c.Set(&timers[1], c.Now()+3*time.Second)
		c.Stop(&timers[2])
		for _, step := range []struct {
			pass time.Duration
			want []string
		}{
			{900 * time.Millisecond, nil},
			{200 * time.Millisecond, []string{"first"}},
			{1100 * time.Millisecond, []string{"first", "again"}},
			{time.Minute, []string{"first", "again", "moved"}},
		} {
			<-time.After(step.pass)
			synctest.Wait()
			mu.Lock()
			if !slices.Equal(called, step.want) {
				t.Errorf("at %s %q were called, want %q", c.Now(), called, step.want)
			}
			mu.Unlock()
		}
		close(done)
		<-ended
	})
}
