package platform_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// answering makes truck-1 answer every command with code, and its own params as
// data.
func (c *client) answering(code string) {
	c.t.Helper()
	tok := c.Subscribe("/sys/"+spk+"/truck-1/thing/service/#", 1, func(cl mqtt.Client, m mqtt.Message) {
		var r struct {
			ID      string          `json:"id"`
			Method  string          `json:"method"`
			Version string          `json:"version"`
			Params  json.RawMessage `json:"params"`
		}
		if err := json.Unmarshal(m.Payload(), &r); err != nil || r.Version != "1.0" ||
			r.Method != "thing.service."+strings.ReplaceAll(strings.SplitN(m.Topic(), "/service/", 2)[1], "/", ".") {
			c.t.Errorf("command under %s is %s: %v", m.Topic(), m.Payload(), err)
		}
		cl.Publish(m.Topic()+"_reply", 0, false, fmt.Sprintf(`{"id":%q,"code":%s,"data":%s,"message":"so it is"}`, r.ID, code, r.Params))
	})
	if !tok.WaitTimeout(5*time.Second) || tok.Error() != nil {
		c.t.Fatal("not subscribed")
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	ctx := t.Context()
	c := dialGateway(t, p)
	c.login("truck-1")

	r, err := p.Set(ctx, spk, "truck-1", map[string]int{"fan": 1})
	if err != nil || r.State != "failed" || !strings.Contains(r.Message, "not subscribed to /sys/"+spk+"/truck-1/thing/service/property/set") {
		t.Errorf("without a subscription: %+v, %v", r, err)
	}
	c.answering("200")
	for name, tc := range map[string]struct {
		call func() (api.Result, error)
		data string
	}{
		"set":     {func() (api.Result, error) { return p.Set(ctx, spk, "truck-1", map[string]int{"fan": 1}) }, `{"fan":1}`},
		"get":     {func() (api.Result, error) { return p.Get(ctx, spk, "truck-1", "fan", "temp") }, `["fan","temp"]`},
		"get all": {func() (api.Result, error) { return p.Get(ctx, spk, "truck-1") }, `[]`},
		"service": {func() (api.Result, error) { return p.Invoke(ctx, spk, "truck-1", "reboot", nil) }, `{}`},
	} {
		r, err := tc.call()
		if err != nil || r.State != "done" || r.Code != 200 || string(r.Data) != tc.data || r.Latency <= 0 || r.Message != "so it is" {
			t.Errorf("%s: %+v %s, %v", name, r, r.Data, err)
		}
	}
	for name, call := range map[string]func() (api.Result, error){
		"no such device": func() (api.Result, error) { return p.Set(ctx, spk, "nobody", map[string]int{}) },
	} {
		if _, err := call(); !errors.Is(err, platform.ErrUnknownDevice) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var bad *api.Error
	if _, err := p.Set(ctx, spk, "truck-1", 1); !errors.As(err, &bad) || bad.Code != api.CodeBadRequest {
		t.Errorf("params that are no object: %v", err)
	}
	if _, err := p.Set(ctx, spk, "truck-1", func() {}); !errors.As(err, &bad) {
		t.Errorf("params that are no JSON: %v", err)
	}
	if _, err := p.Invoke(ctx, spk, "truck-1", "a/b", nil); !errors.As(err, &bad) {
		t.Errorf("a service that is none: %v", err)
	}
	if r, err := p.Set(ctx, spk, "truck-2", map[string]int{}); err != nil || r.State != "offline" {
		t.Errorf("offline device: %+v, %v", r, err)
	}
	if got := p.Stats().Commands; got["done"] != 4 || got["failed"] != 1 || got["offline"] != 1 {
		t.Errorf("commands: %v", got)
	}
}

func TestCommandRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"100001", `"100001"`} {
		p := start(t, nil)
		c := dialGateway(t, p)
		c.login("truck-1")
		c.answering(code)
		r, err := p.Set(t.Context(), spk, "truck-1", map[string]int{"fan": 1})
		if err != nil || r.State != "refused" || r.Code != 100001 {
			t.Errorf("code %s: %+v, %v", code, r, err)
		}
	}
}

func TestCommandEnds(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.CommandTimeout, c.Pending = 30*time.Millisecond, 1 })
	c, sys := truck(t, p)
	set := sys + "thing/service/property/set"
	r, err := p.Set(t.Context(), spk, "truck-1", map[string]int{"fan": 1})
	if err != nil || r.State != "timed out" {
		t.Errorf("no answer: %+v, %v", r, err)
	}
	id := c.next(set)["id"]
	c.publish(set+"_reply", 1, fmt.Sprintf(`{"id":%q,"code":200}`, id))
	if got := p.Stats().Refused["reply_unexpected"]; got != 1 {
		t.Errorf("late reply counted %d times", got)
	}
	c.publish(set+"_reply", 1, `{"id":"1"}`)
	if got := p.Stats().Refused["reply 460"]; got != 1 {
		t.Errorf("reply without a code counted %d times: %v", got, p.Stats().Refused)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, _ = p.Set(ctx, spk, "truck-1", map[string]int{"fan": 1}); r.State != "timed out" || !strings.Contains(r.Message, "stopped waiting") {
		t.Errorf("cancelled: %+v", r)
	}
	if n := p.Stats().CommandsPending; n != 0 {
		t.Errorf("%d commands wait", n)
	}
}

// A device that goes offline ends its commands; those of others go on. The
// number of those that wait is bounded.
func TestCommandDeviceGone(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.CommandTimeout, c.Pending = time.Minute, 1 })
	c, sys := truck(t, p)
	done := make(chan api.Result)
	go func() {
		r, _ := p.Set(context.Background(), spk, "truck-1", map[string]int{"fan": 1})
		done <- r
	}()
	c.next(sys + "thing/service/property/set")
	if _, err := p.Set(t.Context(), spk, "truck-1", map[string]int{"fan": 2}); !errors.Is(err, platform.ErrTooManyCommands) {
		t.Errorf("a second one: %v", err)
	}
	c.request("combine/logout", `{"id":"1","params":{"productKey":"`+spk+`","deviceName":"truck-1"}}`)
	if r := <-done; r.State != "offline" {
		t.Errorf("result %+v", r)
	}
}

func TestRawDown(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	done := make(chan api.Result)
	go func() {
		r, _ := p.SendRaw(context.Background(), spk, "truck-1", []byte{1, 2, 0xff})
		done <- r
	}()
	m := <-c.got
	if m.topic != sys+"thing/model/down_raw" || string(m.payload) != "\x01\x02\xff" {
		t.Errorf("got %s % x", m.topic, m.payload)
	}
	c.publish(sys+"thing/model/down_raw_reply", 0, "\x03")
	if r := <-done; r.State != "done" || string(r.Raw) != "\x03" {
		t.Errorf("result %+v", r)
	}
}

func TestManage(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	online := func() {
		t.Helper()
		c.login("truck-1")
		c.subscribe("/sys/" + spk + "/truck-1/thing/#")
	}
	notice := func(what string) {
		t.Helper()
		if r := c.next("/sys/" + spk + "/truck-1/thing/" + what); r["method"] != "thing."+what {
			t.Errorf("notice %v", r)
		}
	}
	forced := func(want int) {
		t.Helper()
		r := c.next(c.session("combine/logout_reply"))
		data, _ := r["data"].(map[string]any)
		if code, _ := codeOf(r); code != want || data["deviceName"] != "truck-1" {
			t.Errorf("gateway was told %v, want %d", r, want)
		}
	}
	refused := func(want int) {
		t.Helper()
		r := c.request("combine/login", `{"id":"1","params":`+loginParams(spk, "truck-1")+`}`)
		if code, _ := codeOf(r); code != want {
			t.Errorf("login: %v, want %d", r, want)
		}
	}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	online()
	ok(p.Kick(spk, "truck-1"))
	forced(427)
	online()
	ok(p.Disable(spk, "truck-1"))
	notice("disable")
	forced(522)
	refused(522)
	ok(p.Enable(spk, "truck-1"))
	notice("enable")
	online()
	ok(p.Delete(spk, "truck-1"))
	notice("delete")
	forced(521)
	if d, _ := p.Device(spk, "truck-1"); d.State != api.Deleted || d.Online {
		t.Errorf("deleted: %+v", d)
	}
	ok(p.AddDevice(auth.Identity{ProductKey: spk, DeviceName: "truck-1", DeviceSecret: secret}, ""))
	refused(6401)
	for name, f := range map[string]func(string, string) error{"disable": p.Disable, "enable": p.Enable, "delete": p.Delete, "kick": p.Kick} {
		if err := f("no", "body"); !errors.Is(err, platform.ErrUnknownDevice) {
			t.Errorf("%s of nobody: %v", name, err)
		}
	}
	ok(p.Disable(pk, gw))
	select {
	case <-c.lost:
	case <-time.After(5 * time.Second):
		t.Error("a disabled gateway stays connected")
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	if err := p.SetFaults(api.Faults{RefuseConnects: &api.Refusal{Count: 1, Code: 3}}); err != nil {
		t.Fatal(err)
	}
	if err := newClient(t, options(p, pk, gw)).connect(); err == nil {
		t.Error("connected")
	}
	c := dialGateway(t, p)
	if err := p.SetFaults(api.Faults{RefuseLogins: &api.Refusal{Count: 2, Code: 429}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{429, 429, 200} {
		r := c.request("combine/login", `{"id":"1","params":`+loginParams(spk, "truck-1")+`}`)
		if code, _ := codeOf(r); code != want {
			t.Errorf("login: %v, want %d", r, want)
		}
	}
	yes, delay := true, api.Duration(40*time.Millisecond)
	if err := p.SetFaults(api.Faults{Delay: &delay}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for i := range 3 {
		c.publish(c.sys("thing/topo/get"), 0, fmt.Sprintf(`{"id":"%d","params":{}}`, i))
	}
	for i := range 3 {
		if r := c.next(c.sys("thing/topo/get_reply")); r["id"] != strconv.Itoa(i) {
			t.Errorf("delayed reply %d is %v", i, r)
		}
	}
	if d := time.Since(began); d < time.Duration(delay) {
		t.Errorf("delayed replies took %s", d)
	}
	if err := p.SetFaults(api.Faults{Silent: &yes}); err != nil {
		t.Fatal(err)
	}
	c.publish(c.sys("thing/topo/get"), 1, `{"id":"lost","params":{}}`)
	p.ClearFaults()
	c.publish(c.sys("thing/topo/get"), 0, `{"id":"back","params":{}}`)
	if r := c.next(c.sys("thing/topo/get_reply")); r["id"] != "back" {
		t.Errorf("got %v", r)
	}
	negative := api.Duration(-1)
	for name, f := range map[string]api.Faults{
		"code of CONNACK": {RefuseConnects: &api.Refusal{Count: 1, Code: 6}},
		"code of login":   {RefuseLogins: &api.Refusal{Count: -1, Code: 200}},
		"delay":           {Delay: &negative},
		"nobody":          {Disconnect: "no/body"},
	} {
		if err := p.SetFaults(f); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// A frozen platform acknowledges nothing, and everything once it thaws.
func TestFrozen(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	yes, no := true, false
	if err := p.SetFaults(api.Faults{Frozen: &yes}); err != nil {
		t.Fatal(err)
	}
	tok := c.Publish(c.sys("thing/event/property/post"), 1, false, `{"id":"1","params":{}}`)
	if tok.WaitTimeout(50 * time.Millisecond) {
		t.Error("acknowledged")
	}
	if err := p.SetFaults(api.Faults{Frozen: &no}); err != nil {
		t.Fatal(err)
	}
	if !tok.WaitTimeout(5 * time.Second) {
		t.Error("not acknowledged after the frost")
	}
	c.next(c.sys("thing/event/property/post_reply"))
	if err := p.SetFaults(api.Faults{Frozen: &yes, Disconnect: "all"}); err != nil {
		t.Fatal(err)
	}
	<-c.lost // a frozen connection can be closed, and so can the platform
	if err := p.WaitOffline(t.Context(), pk, gw); err != nil {
		t.Fatal(err)
	}
	if again := newClient(t, options(p, pk, gw).SetConnectTimeout(50*time.Millisecond)); again.connect() == nil {
		t.Error("a frozen platform took a connection")
	}
}

func TestWaitOnline(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.WaitOnline(ctx, pk, gw); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody came online: %v", err)
	}
	done := make(chan error)
	go func() { done <- p.WaitOnline(context.Background(), pk, gw) }()
	dial(t, p, pk, gw)
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- p.WaitOnline(context.Background(), pk, "gateway-2") }()
	closing, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	if err := p.Close(closing); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, platform.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
	if _, err := p.Set(t.Context(), pk, gw, map[string]int{}); !errors.Is(err, platform.ErrClosed) {
		t.Errorf("set after close: %v", err)
	}
	if _, err := p.Subscribe(platform.Filter{}); !errors.Is(err, platform.ErrClosed) {
		t.Errorf("subscribe after close: %v", err)
	}
	if err := p.Start(t.Context()); !errors.Is(err, platform.ErrClosed) {
		t.Errorf("start after close: %v", err)
	}
}

func TestSlowObserver(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.WatchQueue, c.Watchers = 2, 1 })
	w, err := p.Subscribe(platform.Filter{Kinds: []string{api.KindProperty}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Subscribe(platform.Filter{}); !errors.Is(err, platform.ErrTooManyWatchers) {
		t.Errorf("a second watcher: %v", err)
	}
	c, sys := truck(t, p)
	for i := range 5 {
		c.publish(sys+"thing/event/property/post", 0, fmt.Sprintf(`{"id":"%d","params":{}}`, i))
		c.next(sys + "thing/event/property/post_reply")
	}
	m, err := w.Next(t.Context())
	if err != nil || m.Kind != api.KindLagged || m.Count != 3 {
		t.Errorf("first: %+v, %v", m, err)
	}
	for _, want := range []string{"0", "1"} {
		if m, err = w.Next(t.Context()); err != nil || m.ID != want {
			t.Errorf("then: %+v, %v; want %s", m, err, want)
		}
	}
	if s := p.Stats(); s.Lagged != 3 || s.Watchers != 1 {
		t.Errorf("stats: %+v", s)
	}
	w.Close()
	w.Close()
	if _, err := w.Next(t.Context()); !errors.Is(err, platform.ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}
