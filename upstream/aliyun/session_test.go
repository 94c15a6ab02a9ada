package aliyun

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/internal/alink"
)

// A name that no topic can hold is refused before it reaches the connection,
// which the platform would close, for all devices of the gateway.
func TestNamesThatNoTopicHolds(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a/b", "a+", "#", "a&b", "a|b", "a b", "\x00", "\xff", "a\nb", "a\u0085b"} {
		if alink.PlainName(name) {
			t.Errorf("%q is taken for a name", name)
		}
	}
	for _, name := range []string{"truck-1", "a_b@c.d:e", "\u8f66"} {
		if !alink.PlainName(name) {
			t.Errorf("%q is taken for no name", name)
		}
	}
}

// Commands that come before done of the login was called, such as those that the
// platform kept while the device was away, are handed over behind it.
func TestCommandsBeforeDone(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	var happened []string
	k.h.done = func(_ upstream.Device, err error) { happened = append(happened, "done") }
	k.h.command = func(c *thing.Command) { happened = append(happened, c.ID) }
	k.h.dev().state = subscribing
	for i := range maxEarly + 10 {
		k.say(deviceTopic+"thing/service/ping", `{"id":"`+strconv.Itoa(i)+`","params":{}}`)
	}
	if len(happened) > 0 {
		t.Fatalf("%v before done of the login", happened)
	}
	k.subscribed(k.h.dev())
	k.say(deviceTopic+"thing/service/ping", `{"id":"last","params":{}}`)
	if len(happened) != maxEarly+2 || happened[0] != "done" || happened[1] != "call:0" || happened[maxEarly+1] != "call:last" {
		t.Errorf("got %v", happened)
	}
	if n := k.stats.unknown; n != 10 {
		t.Errorf("%d commands counted as dropped, want 10", n)
	}
	if len(k.room) != 0 {
		t.Errorf("%d places for commands are not given back", len(k.room))
	}
}

// A login that takes the place of one under way takes its commands too; those of
// a login that fails are dropped.
func TestCommandsBeforeDoneOfAnother(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	k.h.done = func(upstream.Device, error) {}
	k.h.dev().state = loggingIn
	k.say(deviceTopic+"thing/service/ping", `{"id":"1","params":{}}`)
	var got []string
	k.mu.Lock()
	k.login(k.h.dev(), &upstream.Login{
		Device:  auth.Identity{ProductKey: "a1truck0001", DeviceName: "truck-1", DeviceSecret: "secret"},
		Command: func(c *thing.Command) { got = append(got, c.ID) },
	}, func(upstream.Device, error) {})
	k.mu.Lock()
	k.loggedIn(k.h.dev())
	k.mu.Unlock()
	k.subscribed(k.h.dev())
	k.say(deviceTopic+"thing/service/ping", `{"id":"2","params":{}}`)
	if !slices.Equal(got, []string{"call:1", "call:2"}) || len(k.commands) > 0 {
		t.Errorf("the newer login got %v, the older %v", got, k.commands)
	}

	k = newTold(t)
	k.h.done = func(upstream.Device, error) {}
	k.h.dev().state = loggingIn
	k.say(deviceTopic+"thing/service/ping", `{"id":"1","params":{}}`)
	k.mu.Lock()
	k.notLoggedIn(k.h.dev(), refused(codeDisabled, ""), giveUp)
	k.mu.Unlock()
	k.say("/ext/session/another/gateway/combine/login_reply", "")
	if len(k.commands) > 0 || k.stats.unknown != 1 {
		t.Errorf("a login that failed got %v, %d counted", k.commands, k.stats.unknown)
	}
}

// A platform that takes logins and then denies the session is not asked again
// and again at full speed: other devices share the rate of logins.
func TestSessionsThatDoNotLast(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	k.link.logWake, k.link.subWake = make(chan struct{}, 1), make(chan struct{}, 1)
	d := k.h.dev()
	lose := func() {
		d.state = online
		k.say("/ext/error/a1gateway01/gateway-0", `{"id":"a1truck0001/truck-1","code":520}`)
	}
	lose()
	if d.state != wanted {
		t.Fatalf("state %d after the first loss, want another login at once", d.state)
	}
	last := int64(0)
	for range 5 {
		before := time.Now().UnixMilli()
		k.wanted, d.inWanted = nil, false
		lose()
		if d.state != pausing || d.retryAt-before < last {
			t.Fatalf("state %d, pause of %d ms after one of at least %d: want it to grow", d.state, d.retryAt-before, last)
		}
		last = max(last, (d.retryAt-before)/3)
	}
	if last < 2000 {
		t.Errorf("the pause has grown to %d ms only", last*3)
	}
	d.lostAt -= 2 * maxBackOff.Milliseconds() * 2
	lose()
	if d.state != wanted {
		t.Errorf("state %d after a session that lasted, want another login at once", d.state)
	}
}

// An error notice about a message is no end of the device's session.
func TestErrorNoticeOfAMessage(t *testing.T) {
	t.Parallel()
	g, h := onlineDevice(t, Config{Confirm: ConfirmReply})
	k := &told{gateway: g, h: h}
	h.lost = func(cause error) { k.lost = append(k.lost, cause) }
	done := make(chan error, 1)
	h.Publish(location(time.Time{}), func(err error) { done <- err })
	id := h.dev().head.id
	g.take(g.link, make([]*outgoing, 0, 4))
	k.say("/ext/error/a1gateway01/gateway-0", `{"id":"`+strconv.FormatUint(uint64(id), 10)+`","code":460,"message":"request parameter error"}`)
	if len(k.lost) > 0 || h.dev().state != online {
		t.Errorf("lost %v, state %d", k.lost, h.dev().state)
	}
	var refusal *upstream.RefusedError
	select {
	case err := <-done:
		if !errors.As(err, &refusal) || refusal.Code != 460 {
			t.Errorf("the message: %v, want a refusal with code 460", err)
		}
	default:
		t.Error("the message still waits for its answer")
	}
}

// A batch of logouts is refused as a whole: then each device is logged out
// alone.
func TestBatchLogoutRefused(t *testing.T) {
	t.Parallel()
	k := newTold(t)
	other := newDevice(k.gateway, auth.Identity{ProductKey: "a1truck0001", DeviceName: "truck-2", DeviceSecret: "secret"})
	k.devices[other.name()] = other
	left := 0
	devices := []*device{k.h.dev(), other}
	for _, d := range devices {
		d.state, d.current, d.left = leaving, nil, func(error) { left++ }
		k.logouts++
	}
	answer := func(verb string, asked []*device, code string) {
		k.mu.Lock()
		id := k.ask(logoutRequest, asked)
		k.mu.Unlock()
		k.say(sessionReply+verb+"_reply", `{"id":"`+strconv.FormatUint(uint64(id), 10)+`","code":`+code+`}`)
	}
	answer("batch_logout", devices, `"520"`)
	if left != 0 {
		t.Fatalf("%d logouts done of a batch that was refused", left)
	}
	_, batch, _ := k.take(k.link, make([]*outgoing, 0, 8))
	if len(batch) != 2 || !batch[0].logout || !batch[1].logout || !batch[0].alone || !batch[1].alone {
		t.Fatalf("to be sent next: %+v, want two logouts, each alone", batch)
	}
	answer("logout", devices[:1], "520")
	answer("logout", devices[1:], "200")
	if left != 2 || len(k.devices) != 0 {
		t.Errorf("%d logouts done, %d devices left", left, len(k.devices))
	}
}

// Large messages fill the queue before many do, and leave it when they end.
func TestQueueHoldsBytes(t *testing.T) {
	t.Parallel()
	g, h := onlineDevice(t, Config{QueueBytes: 100_000})
	results := make(chan error, 10)
	publish := func() {
		h.Publish(&thing.Message{Kind: thing.Raw, QoS: thing.AtLeastOnce, Raw: make([]byte, 40_000)}, func(err error) { results <- err })
	}
	for range 3 {
		publish()
	}
	drain(g, make([]*outgoing, 0, 8))
	for i, want := range []error{nil, nil, upstream.ErrOverloaded} {
		if err := <-results; !errors.Is(err, want) {
			t.Errorf("message %d: %v, want %v", i, err, want)
		}
	}
	for range 2 {
		publish()
		drain(g, make([]*outgoing, 0, 8))
		if err := <-results; err != nil {
			t.Errorf("after the queue was empty: %v", err)
		}
	}
	if g.bytes != 0 {
		t.Errorf("%d bytes are counted of nothing", g.bytes)
	}
}
