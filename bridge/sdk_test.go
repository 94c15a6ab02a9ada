package bridge_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/session"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

func TestCoreSDK(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	ctx := t.Context()
	s := session.New("a", &endpoint{})
	if err := b.Online(ctx, s); err != nil {
		t.Fatal(err)
	}
	if b.Sessions().Get("a") != s || s.State() != session.Online {
		t.Fatalf("session is %s", s.State())
	}
	id, err := b.Devices().Identity("a")
	if err != nil || id.DeviceName != "a" {
		t.Errorf("%v, %v", id, err)
	}
	payload := []byte("hello")
	for _, m := range []bridge.Message{
		{Topic: "/user/update", Payload: payload, QoS: thing.AtMostOnce},
		{Payload: payload},
		{Thing: &thing.Message{Kind: thing.Event, Name: "alarm"}},
	} {
		if err := b.Publish(ctx, "a", m); err != nil {
			t.Fatal(err)
		}
	}
	if token := b.PublishAsync("a", bridge.Message{Topic: "/user/update"}); token.Err() != nil {
		t.Error(token.Err())
	} else if <-token.Done(); token.Err() != nil {
		t.Error(token.Err())
	}
	said := p.last().said
	if len(said) != 4 || said[0].Kind != thing.Publication || said[0].Topic != "/user/update" ||
		!bytes.Equal(said[0].Raw, payload) || said[0].QoS != thing.AtMostOnce || said[1].Kind != thing.Raw ||
		said[2].Kind != thing.Event || said[2].Name != "alarm" {
		t.Errorf("said %+v", said)
	}
	for range 2 {
		if err := b.Offline(ctx, "a"); err != nil {
			t.Fatal(err)
		}
	}
	if s.State() != session.Closed || p.last().logouts != 1 || len(p.current) != 0 {
		t.Errorf("session is %s, %d logouts", s.State(), p.last().logouts)
	}
	if err := b.Publish(ctx, "a", bridge.Message{}); !errors.Is(err, bridge.ErrOffline) {
		t.Errorf("published offline: %v", err)
	}
	if err := b.Publish(ctx, "?", bridge.Message{}); !errors.Is(err, bridge.ErrUnknownDevice) {
		t.Errorf("published for nobody: %v", err)
	}
	if err := b.Online(ctx, s); !errors.Is(err, session.ErrReused) {
		t.Errorf("online again with the same session: %v", err)
	}
	if st := b.Stats(); st.Logins != 1 || st.Delivered != 4 || st.Refused["offline"] != 2 || st.InFlight != 0 {
		t.Errorf("%+v", st)
	}
}

// credentials accepts one word.
type credentials struct{ asked chan string }

func (c credentials) Authenticate(ctx context.Context, identity string, words []string) error {
	if identity == "slow" {
		close(c.asked)
		<-ctx.Done()
		return ctx.Err()
	}
	if !slices.Equal(words, []string{"sesame"}) {
		return auth.ErrBadCredentials
	}
	return nil
}

func TestWhyDevicesDoNotGoOnline(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithAuth(credentials{}))
	online := func(identity string, words ...string) error {
		s := session.New(identity, &endpoint{})
		err := b.Online(t.Context(), s, words...)
		if (err == nil) != (s.State() == session.Online) || (err == nil) != (b.Sessions().Get(identity) == s) {
			t.Errorf("%s: session is %s after %v", identity, s.State(), err)
		}
		return err
	}
	if err := online("a"); !errors.Is(err, auth.ErrBadCredentials) {
		t.Errorf("no credentials: %v", err)
	}
	if err := online("?x", "sesame"); !errors.Is(err, bridge.ErrUnknownDevice) || !strings.Contains(err.Error(), "?x") {
		t.Errorf("unknown device: %v", err)
	}
	p.refuse = &upstream.RefusedError{Code: 6401, Reason: "no topology"}
	var refused *upstream.RefusedError
	if err := online("a", "sesame"); !errors.As(err, &refused) || refused.Code != 6401 {
		t.Errorf("refused: %v", err)
	}
	p.refuse = upstream.ErrNotConnected
	if err := online("a", "sesame"); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("platform away: %v", err)
	}
	p.refuse = nil
	if err := online("a", "sesame"); err != nil {
		t.Error(err)
	}
	f := b.Stats().LoginFailures
	for _, cause := range []string{"bad credentials", "unknown device", "refused", "not connected"} {
		if f[cause] != 1 {
			t.Errorf("%s was counted %d times", cause, f[cause])
		}
	}
}

func TestOnlineEndsWithItsContext(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.manual = true
	presence := newPresence()
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithListener(presence))
	ctx, cancel := context.WithCancelCause(t.Context())
	p.after = func(auth.Identity) { cancel(errCause) }
	s := session.New("a", &endpoint{})
	if err := b.Online(ctx, s); !errors.Is(err, errCause) {
		t.Fatal(err)
	}
	p.finish()
	if s.State() != session.Closed || p.last().logouts != 1 || len(p.current) != 0 {
		t.Errorf("session is %s, %d logouts", s.State(), p.last().logouts)
	}
}

func TestAuthQueueIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	cfg := bridge.DefaultConfig()
	cfg.AuthWorkers, cfg.AuthQueue = 1, 1
	c := credentials{make(chan string)}
	b := newBridge(t, p, cfg, bridge.WithAuth(c), bridge.WithSlowDevices())
	var slow, waits, excess result
	b.Uplink().Online(session.New("slow", nil), nil, slow.done)
	<-c.asked
	b.Uplink().Online(session.New("a", nil), []string{"sesame"}, waits.done)
	b.Uplink().Online(session.New("b", nil), []string{"sesame"}, excess.done)
	if err := excess.once(t); !errors.Is(err, bridge.ErrOverloaded) {
		t.Errorf("a third: %v", err)
	}
	if err := b.Close(t.Context()); err != nil { // cancels the check
		t.Fatal(err)
	}
	if err := slow.once(t); !errors.Is(err, context.Canceled) {
		t.Errorf("the check ended with %v", err)
	}
	if err := waits.once(t); err == nil {
		t.Error("online on a closed bridge")
	}
}

func TestKick(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	b := newBridge(t, p, bridge.DefaultConfig())
	e := &endpoint{}
	if err := b.Online(t.Context(), session.New("a", e)); err != nil {
		t.Fatal(err)
	}
	if !b.Kick("a", errCause) || b.Kick("a", errCause) || !errors.Is(e.cause(), errCause) || p.last().logouts != 1 {
		t.Errorf("channel closed with %v", e.cause())
	}
}

func TestCloseDrains(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.keep = true
	presence := newPresence()
	b := newBridge(t, p, bridge.DefaultConfig(), bridge.WithListener(presence))
	e := &endpoint{}
	s := session.New("a", e)
	if err := b.Online(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	token := b.PublishAsync("a", bridge.Message{})
	p.mu.Lock()
	p.keep = false
	p.mu.Unlock()
	closed := make(chan error)
	go func() { closed <- b.Close(t.Context()) }()
	wait(t, "closing", func() bool {
		return errors.Is(b.Publish(t.Context(), "a", bridge.Message{}), bridge.ErrClosed)
	})
	if s.State() != session.Online || e.cause() != nil {
		t.Error("closed before the message was delivered")
	}
	var r result
	b.Uplink().Online(session.New("b", nil), nil, r.done)
	if err := r.once(t); !errors.Is(err, bridge.ErrClosed) {
		t.Errorf("online while closing: %v", err)
	}
	p.mu.Lock()
	ack := p.acks[0]
	p.acks = nil
	p.mu.Unlock()
	ack()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if token.Err() != nil || p.closed != 1 || p.last().logouts != 1 || !errors.Is(e.cause(), bridge.ErrClosed) {
		t.Errorf("token %v, closed %d times, %d logouts, channel %v", token.Err(), p.closed, p.last().logouts, e.cause())
	}
	if presence.online[s] != 1 || presence.gone[s] != 1 || !errors.Is(presence.causes[s], bridge.ErrClosed) {
		t.Errorf("presence: %+v", presence)
	}
	if err := b.Start(t.Context()); !errors.Is(err, bridge.ErrClosed) {
		t.Errorf("started again: %v", err)
	}
}

func TestCloseKeepsToItsContext(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.keep = true
	b := newBridge(t, p, bridge.DefaultConfig())
	if err := b.Online(t.Context(), session.New("a", nil)); err != nil {
		t.Fatal(err)
	}
	b.PublishAsync("a", bridge.Message{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.Close(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "1 messages") {
		t.Errorf("Close: %v", err)
	}
	if p.last().logouts != 1 || p.closed != 1 {
		t.Error("steps were left out")
	}
}

func TestBeforeStart(t *testing.T) {
	t.Parallel()
	b, err := bridge.New(bridge.DefaultConfig(), newPlatform(), names{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Online(t.Context(), session.New("a", nil)); !errors.Is(err, bridge.ErrNotStarted) {
		t.Errorf("Online: %v", err)
	}
	if err := b.Publish(t.Context(), "a", bridge.Message{}); !errors.Is(err, bridge.ErrNotStarted) {
		t.Errorf("Publish: %v", err)
	}
	if err := b.Offline(t.Context(), "a"); err != nil {
		t.Errorf("Offline: %v", err)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestConfigurationMistakesAreReportedTogether(t *testing.T) {
	t.Parallel()
	_, err := bridge.New(bridge.Config{}, nil, nil)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, key := range []string{
		"maxInFlight", "maxSessionInFlight", "maxCommands", "authWorkers", "authQueue", "downlinkWorkers",
		"downlinkQueue", "loginTimeout", "commandTimeout", "authTimeout", "connector", "maxSessions",
	} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%q does not name %s", err, key)
		}
	}
}

// TestInFlightIsBounded for each session and for all.
func TestInFlightIsBounded(t *testing.T) {
	t.Parallel()
	p := newPlatform()
	p.keep = true
	cfg := bridge.DefaultConfig()
	cfg.MaxSessionInFlight, cfg.MaxInFlight = 3, 4
	b := newBridge(t, p, cfg)
	for _, id := range []string{"a", "b"} {
		if err := b.Online(t.Context(), session.New(id, nil)); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(id string) bool {
		token := b.PublishAsync(id, bridge.Message{})
		select {
		case <-token.Done():
			return errors.Is(token.Err(), bridge.ErrOverloaded)
		default:
			return false
		}
	}
	for i := range 4 {
		if got := refused("a"); got != (i == 3) {
			t.Errorf("message %d refused: %v; a session may have 3 under way", i, got)
		}
	}
	if refused("b") || !refused("b") {
		t.Error("all may have 4 under way")
	}
	if st := b.Stats(); st.InFlight != 4 || st.Refused["overloaded"] != 2 {
		t.Errorf("%+v", st)
	}
	p.mu.Lock()
	ack := p.acks[0]
	p.acks = p.acks[1:]
	p.mu.Unlock()
	ack()
	if refused("b") || !refused("a") {
		t.Error("there was room for one more")
	}
}
