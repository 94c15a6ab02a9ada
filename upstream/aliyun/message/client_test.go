package message_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/linkspan/linkspan/internal/platformtest"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun/message"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		fmt.Fprintln(os.Stderr, childGateway(path))
		os.Exit(1) //nolint:forbidigo // a process of its own
	}
	goleak.VerifyTestMain(m)
}

const patience = 20 * time.Second

func startPlatform(t *testing.T, change func(*platform.Config)) *platform.Platform {
	t.Helper()
	cfg := platformtest.Config()
	cfg.HTTP2Address = "127.0.0.1:0"
	if change != nil {
		change(&cfg)
	}
	return platformtest.Start(t, cfg)
}

func profile(p *platform.Platform) message.Profile {
	id := platformtest.Truck(0)
	profile := message.DeviceProfile("http://"+p.HTTP2Addr(), id.ProductKey, id.DeviceName, id.DeviceSecret, "client-1")
	profile.ReconnectMin, profile.ReconnectMax = 5*time.Millisecond, 20*time.Millisecond
	profile.WriteTimeout = time.Second
	return profile
}

func connect(t *testing.T, profile message.Profile, listener message.Listener) *message.Client {
	t.Helper()
	c, err := message.New(profile)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Connect(ctx, listener); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func topic(name string) string {
	id := platformtest.Truck(0)
	return "/" + id.ProductKey + "/" + id.DeviceName + "/" + name
}

func await[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatalf("%s never came", what)
	}
	return v
}

// What a device publishes comes back to its own subscription: by the listener of
// the filter, else by that of Connect.
func TestPublishSubscribe(t *testing.T) {
	t.Parallel()
	standard, own := make(chan *message.Delivery, 10), make(chan *message.Delivery, 10)
	c := connect(t, profile(startPlatform(t, nil)), func(d *message.Delivery) message.Action {
		standard <- d
		return message.Commit
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, s := range []struct {
		filter   string
		listener message.Listener
	}{
		{topic("user/+"), nil},
		{topic("user/own %/#"), func(d *message.Delivery) message.Action {
			own <- d
			return message.Commit
		}},
	} {
		if err := c.Subscribe(ctx, s.filter, s.listener); err != nil {
			t.Fatalf("Subscribe %s: %v", s.filter, err)
		}
	}
	large := make([]byte, 200<<10)
	for i := range large {
		large[i] = byte(i >> 8)
	}
	for _, m := range []struct {
		topic   string
		payload []byte
		qos     byte
		to      <-chan *message.Delivery
	}{
		{topic("user/update"), []byte("hello"), 1, standard},
		{topic("user/update"), []byte("at most once"), 0, standard},
		{topic("user/update"), nil, 1, standard},
		{topic("user/own %/a"), large, 1, own},
	} {
		token := c.Publish(m.topic, m.payload, m.qos)
		if err := token.Wait(ctx); err != nil {
			t.Fatalf("Publish %s: %v", m.topic, err)
		}
		if (token.MessageID() != "") != (m.qos == 1) {
			t.Errorf("message id %q at QoS %d", token.MessageID(), m.qos)
		}
		got := await(t, "the message", m.to)
		if got.Topic != m.topic || string(got.Payload) != string(m.payload) {
			t.Errorf("came: %s with %d bytes, want %s with %d", got.Topic, len(got.Payload), m.topic, len(m.payload))
		}
	}
	if err := c.Unsubscribe(ctx, topic("user/+")); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(topic("user/update"), []byte("unheard"), 1).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Publish(topic("user/own %/last"), []byte("last"), 1).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "the last message", own)
	if len(standard) > 0 {
		t.Error("a message came after Unsubscribe")
	}
}

// A message that is not acknowledged comes again until it is.
func TestActions(t *testing.T) {
	t.Parallel()
	type seen struct {
		d     *message.Delivery
		times int64
	}
	p := startPlatform(t, func(c *platform.Config) { c.HTTP2Redelivery = 50 * time.Millisecond })
	came := make(chan seen, 100)
	var times, action atomic.Int64
	c := connect(t, profile(p), func(d *message.Delivery) message.Action {
		a := message.Action(action.Load())
		came <- seen{d, times.Add(1)}
		return a
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Subscribe(ctx, topic("user/get"), nil); err != nil {
		t.Fatal(err)
	}
	for _, a := range []message.Action{message.Fail, message.Manual} {
		action.Store(int64(a))
		times.Store(0)
		if err := c.Publish(topic("user/get"), fmt.Append(nil, a), 1).Wait(ctx); err != nil {
			t.Fatal(err)
		}
		var last seen
		for last.times < 3 {
			last = await(t, "the message again", came)
		}
		if a == message.Manual {
			if err := c.Ack(last.d); err != nil {
				t.Fatal(err)
			}
			if err := c.Ack(last.d); err != nil {
				t.Errorf("second Ack: %v", err)
			}
		} else {
			action.Store(int64(message.Commit))
			for len(came) > 0 {
				<-came
			}
			await(t, "the message that is committed at last", came)
		}
		// A command behind it shows that nothing comes any more.
		for len(came) > 0 {
			<-came
		}
	}
	if p.Stats().Refused["http2_ack"] > 1 {
		t.Errorf("acknowledgements refused: %v", p.Stats().Refused)
	}
}

// GOAWAY and cut connections under load lose nothing of QoS 1, and keep the order
// of a topic.
func TestNothingLost(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]struct {
		change func(*platform.Config)
		cuts   int
	}{
		"GOAWAY":      {func(c *platform.Config) { c.HTTP2Requests = 50 }, 0},
		"connections": {nil, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPlatform(t, disturb.change)
			watch, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindCustom}})
			if err != nil {
				t.Fatal(err)
			}
			defer watch.Close()
			c := connect(t, profile(p), nil)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			const topics, messages = 8, 100
			var tokens []*message.Token
			for n := range messages {
				for i := range topics {
					tokens = append(tokens, c.Publish(topic(fmt.Sprintf("user/%d", i)), fmt.Append(nil, n), 1))
				}
			}
			for n, token := range tokens {
				if disturb.cuts > 0 && n%(len(tokens)/disturb.cuts) == 0 {
					if err := p.Disconnect("all"); err != nil {
						t.Fatal(err)
					}
				}
				if err := token.Wait(ctx); err != nil {
					t.Fatalf("message %d: %v", n, err)
				}
			}
			got := map[string][]int{}
			for all := 0; all < topics; {
				m, err := watch.Next(ctx)
				if err != nil {
					t.Fatalf("%v, with %v", err, got)
				}
				var n int
				if _, err := fmt.Sscan(string(m.Raw), &n); err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(got[m.Topic], n) { // what came twice counts once
					if got[m.Topic] = append(got[m.Topic], n); len(got[m.Topic]) == messages {
						all++
					}
				}
			}
			for topic, list := range got {
				if !slices.IsSorted(list) {
					t.Errorf("%s arrived in the order %v", topic, list)
				}
			}
			if s := c.Stats(); s.Connects < 2 || s.Published != topics*messages || s.Pending != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	wrong := profile(p)
	id := platformtest.Truck(1)
	wrong = message.DeviceProfile(wrong.Endpoint, id.ProductKey, id.DeviceName, "not it", "client-1")
	for name, profile := range map[string]message.Profile{
		"signature": wrong,
		"app key":   message.AppKeyProfile(wrong.Endpoint, "key", "secret"),
		"headers": message.HeaderProfile(wrong.Endpoint, func(time.Time) []message.Header {
			return []message.Header{{Name: "x-auth-name", Value: "somebody"}}
		}),
		"none": message.HeaderProfile(wrong.Endpoint, func(time.Time) []message.Header { return nil }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := message.New(profile)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err = c.Connect(ctx, nil)
			var no *upstream.RefusedError
			if !errors.As(err, &no) || no.Code != 401 || no.Temporary {
				t.Errorf("Connect: %v, want a refusal with 401", err)
			}
			if err := c.Publish("/a/b", nil, 1).Err(); !errors.Is(err, upstream.ErrClosed) {
				t.Errorf("Publish: %v, want ErrClosed", err)
			}
			if err := c.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	p := startPlatform(t, nil)
	small := profile(p)
	small.Queue, small.HoldTimeout, small.RequestTimeout = 3, 100*time.Millisecond, 100*time.Millisecond
	c := connect(t, small, nil)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.SetFaults(api.Faults{RefuseConnects: &api.Refusal{Count: -1, Code: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Disconnect("all"); err != nil {
		t.Fatal(err)
	}
	for c.Stats().Connected {
		await(t, "a tick", time.After(time.Millisecond))
	}
	if err := c.Publish(topic("a"), nil, 0).Wait(ctx); !errors.Is(err, upstream.ErrNotConnected) {
		t.Errorf("QoS 0 without a connection: %v", err)
	}
	var tokens []*message.Token
	for range 4 {
		tokens = append(tokens, c.Publish(topic("a"), nil, 1))
	}
	for i, want := range []error{upstream.ErrNotConnected, upstream.ErrNotConnected, upstream.ErrNotConnected, upstream.ErrOverloaded} {
		if err := tokens[i].Wait(ctx); !errors.Is(err, want) {
			t.Errorf("message %d: %v, want %v", i, err, want)
		}
	}
	for _, m := range []struct {
		topic string
		size  int
		qos   byte
	}{{"a", 1, 1}, {"/", 1, 1}, {topic("a"), 256<<10 + 1, 1}, {topic("a"), 1, 2}} {
		if err := c.Publish(m.topic, make([]byte, m.size), m.qos).Wait(ctx); !errors.Is(err, message.ErrMessage) {
			t.Errorf("%+v: %v, want ErrMessage", m, err)
		}
	}
}

func TestProfileMistakes(t *testing.T) {
	t.Parallel()
	_, err := message.New(message.Profile{Endpoint: "tcp://host", Streams: -1, Names: message.Names{AckPath: "ack", QoS: "X Qos", OpenMethod: "get"}})
	if err == nil {
		t.Fatal("a profile without anything was taken")
	}
	for _, want := range []string{"endpoint", "credentials", "SignMethod", "HeartbeatInterval", "Streams", "names.ackPath", "names.qos", "names.openMethod"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in %v", want, err)
		}
	}
}
