//go:build interop

package interop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// away is how long the broker of the load test is.
const away = 8 * time.Second

// publisher is a device that says numbers, one behind the other, and notes which
// of them were said to have arrived. It may be used from any goroutine.
type publisher struct {
	t      *testing.T
	name   string
	device upstream.Device

	mu      sync.Mutex
	next    int64
	pending int
	done    []int64
	kept    int // of done: the first ones, which the broker may have forgotten
	wrong   []error
	idle    *sync.Cond
}

func (p *publisher) say() {
	p.mu.Lock()
	p.next++
	n := p.next
	p.pending++
	p.mu.Unlock()
	m := &thing.Message{Kind: thing.Property, QoS: thing.AtLeastOnce, Fields: []thing.Field{{Name: "n", Value: thing.Int(n)}}}
	p.device.Publish(m, func(err error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch {
		case err == nil:
			p.done = append(p.done, n)
		case !errors.Is(err, upstream.ErrNotConnected) && !errors.Is(err, upstream.ErrTimeout) && !errors.Is(err, upstream.ErrOverloaded):
			p.wrong = append(p.wrong, err)
		}
		if p.pending--; p.pending == 0 {
			p.idle.Broadcast()
		}
		if p.pending < 0 {
			p.t.Errorf("%s: done was called twice", p.name)
		}
	})
}

// forget has what arrived until now count no more.
func (p *publisher) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = len(p.done)
}

// settled waits for done of everything.
func (p *publisher) settled() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.pending > 0 {
		p.idle.Wait()
	}
}

// TestBrokerGoesAwayUnderLoad ends mosquitto under load, or kills it, or has it
// stand still, and brings it back. What was said to have arrived has, in order for
// each device; what has not was reported; every device is logged in again. A
// broker that is killed forgets what it had acknowledged and not yet handed on.
func TestBrokerGoesAwayUnderLoad(t *testing.T) {
	t.Parallel()
	t.Run("ends", func(t *testing.T) {
		t.Parallel()
		leaveUnderLoad(t, false, func(m *mosquitto) {
			if status := m.stop(); status != 0 {
				t.Errorf("mosquitto ends with status %d", status)
			}
		}, (*mosquitto).begin)
	})
	t.Run("is killed", func(t *testing.T) {
		t.Parallel()
		leaveUnderLoad(t, true, func(m *mosquitto) {
			if err := m.cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			<-m.exit
		}, (*mosquitto).begin)
	})
	t.Run("stands still", func(t *testing.T) {
		t.Parallel()
		signal := func(s syscall.Signal) func(*mosquitto) {
			return func(m *mosquitto) {
				if err := m.cmd.Process.Signal(s); err != nil {
					t.Error(err)
				}
			}
		}
		leaveUnderLoad(t, false, signal(syscall.SIGSTOP), signal(syscall.SIGCONT))
	})
}

func leaveUnderLoad(t *testing.T, forgets bool, leave, back func(*mosquitto)) {
	t.Helper()
	const devices, perSecond = 50, 20
	m := newMosquitto(t, "allow_anonymous true", "autosave_interval 1")
	app := m.hear("-t", "linkspan/+/+/up/property", "-i", "application", "-c")
	cfg := mqtt.DefaultConfig()
	cfg.Endpoint = []string{"tcp://127.0.0.1:" + m.port}
	cfg.KeepAlive, cfg.RequestTimeout, cfg.ConnectTimeout, cfg.ReconnectMax = 2*time.Second, 2*time.Second, 2*time.Second, time.Second
	cfg.HoldTimeout = away / 2 // so that some fail, and some arrive later
	if forgets {
		cfg.HoldTimeout = 10 * away // so that all arrive
	}
	cfg.CleanSession = false
	up, err := mqtt.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(t.Context(), upstream.Host{Logger: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel))}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := up.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	all := make([]*publisher, devices)
	var in sync.WaitGroup
	for i := range all {
		p := &publisher{t: t, name: fmt.Sprintf("truck-%d", i)}
		p.idle = sync.NewCond(&p.mu)
		all[i] = p
		in.Add(1)
		up.Login(upstream.Login{Device: auth.Identity{ProductKey: "demo", DeviceName: p.name}}, func(d upstream.Device, err error) {
			defer in.Done()
			if p.device = d; err != nil {
				t.Error(err)
			}
		})
	}
	in.Wait()
	if t.Failed() {
		return
	}
	load := func(d time.Duration) {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
			for _, p := range all {
				p.say()
			}
		}
	}
	load(2 * time.Second)
	for range perSecond { // so that some are on their way
		for _, p := range all {
			p.say()
		}
	}
	leave(m)
	load(away)
	for _, p := range all {
		if forgets {
			p.forget()
		}
	}
	back(m)
	load(2 * time.Second)
	await(t, "all devices to log in again", func() bool { return up.Stats().Relogins == devices })
	said, arrived := 0, 0
	for _, p := range all {
		p.settled()
		said += int(p.next)
		arrived += len(p.done)
		if len(p.wrong) > 0 {
			t.Errorf("%s: %v", p.name, p.wrong)
		}
		if !slices.IsSorted(p.done) {
			t.Errorf("%s: done was called in another order", p.name)
		}
	}
	switch resent := up.Stats().Resent; {
	case forgets && (arrived != said || resent == 0):
		t.Errorf("%d of %d messages are said to have arrived, %d sent again: want all, and some", arrived, said, resent)
	case forgets:
	case arrived == said || arrived < said/4:
		t.Errorf("%d of %d messages are said to have arrived: want some that failed, and more that did not", arrived, said)
	}
	var heard map[string][]int64
	await(t, "everything that is said to have arrived", func() bool {
		heard = heardNumbers(t, app.log.text())
		for _, p := range all {
			if !contains(heard[p.name], p.done[p.kept:]) {
				return false
			}
		}
		return true
	})
	for _, p := range all {
		if !slices.IsSorted(heard[p.name]) {
			t.Errorf("%s: arrived in another order", p.name)
		}
	}
	t.Logf("%d messages, %d arrived, %d failed, %d sent again", said, arrived, said-arrived, up.Stats().Resent)
}

// contains says whether all of part are in whole.
func contains(whole, part []int64) bool {
	there := make(map[int64]bool, len(whole))
	for _, n := range whole {
		there[n] = true
	}
	return !slices.ContainsFunc(part, func(n int64) bool { return !there[n] })
}
