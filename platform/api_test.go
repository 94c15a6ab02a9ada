package platform_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

func apiClient(tb testing.TB, p *platform.Platform) *api.Client {
	tb.Helper()
	c := api.NewClient(p.APIAddr())
	tb.Cleanup(c.Close)
	return c
}

func TestAPIDevices(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a, ctx := apiClient(t, p), t.Context()
	c, sys := truck(t, p)
	c.publish(sys+"thing/event/property/post", 0, `{"id":"1","params":{"a":{"value":1.5,"time":1524448722000}}}`)
	c.next(sys + "thing/event/property/post_reply")
	yes, no := true, false
	for name, tc := range map[string]struct {
		online        *bool
		offset, limit int
		total         int
		names         string
	}{
		"all":      {nil, 0, 0, 7, "gateway-1 gateway-2 stray-1 stray-2 truck-1 truck-2 truck-3"},
		"online":   {&yes, 0, 0, 2, "gateway-1 truck-1"},
		"offline":  {&no, 1, 2, 5, "stray-1 stray-2"},
		"page":     {nil, 5, 10, 7, "truck-2 truck-3"},
		"too far":  {nil, 50, 10, 7, ""},
		"one only": {nil, 4, 1, 7, "truck-1"},
	} {
		page, err := a.Devices(ctx, tc.online, tc.offset, tc.limit)
		names := make([]string, 0, len(page.Devices))
		for _, d := range page.Devices {
			names = append(names, d.DeviceName)
		}
		if err != nil || page.Total != tc.total || strings.Join(names, " ") != tc.names {
			t.Errorf("%s: total %d, %v, %v", name, page.Total, names, err)
		}
	}
	d, err := a.Device(ctx, spk, "truck-1")
	if err != nil || !d.Online || string(d.Properties["a"].Value) != "1.5" || d.Properties["a"].Time.UnixMilli() != 1524448722000 || d.Counters.Properties != 1 {
		t.Errorf("device: %+v, %v", d, err)
	}
	if d, err = a.Device(ctx, pk, gw); err != nil || len(d.SubDevices) != 3 {
		t.Errorf("gateway: %+v, %v", d, err)
	}
	if d, err = a.AddDevice(ctx, spk, "truck-4", "s", pk+"/"+gw); err != nil || d.State != api.Unactive {
		t.Errorf("added: %+v, %v", d, err)
	}
	if d, err = a.Manage(ctx, spk, "truck-4", api.Disable); err != nil || d.State != api.Disabled {
		t.Errorf("disabled: %+v, %v", d, err)
	}
	if d, err = a.Manage(ctx, spk, "truck-4", api.Enable); err != nil || d.State != api.Unactive {
		t.Errorf("enabled: %+v, %v", d, err)
	}
	if d, err = a.Manage(ctx, spk, "truck-1", api.Kick); err != nil || d.State != api.Offline {
		t.Errorf("kicked: %+v, %v", d, err)
	}
	if d, err = a.Manage(ctx, spk, "truck-4", api.Delete); err != nil || d.State != api.Deleted {
		t.Errorf("deleted: %+v, %v", d, err)
	}
	s, err := a.Stats(ctx)
	if err != nil || s.Messages["property"] != 1 || s.Online != 1 || s.Devices != 8 || s.MessagesTotal == 0 {
		t.Errorf("stats: %+v, %v", s, err)
	}
	log, err := a.Log(ctx)
	if err != nil || len(log) != 3 || log[2].Cause != "kicked" {
		t.Errorf("log: %+v, %v", log, err)
	}
}

func TestAPICommands(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a, ctx := apiClient(t, p), t.Context()
	c := dialGateway(t, p)
	c.login("truck-1")
	c.answering("200")
	for name, tc := range map[string]struct {
		r     api.Result
		err   error
		state string
	}{
		"set":      result(a.Set(ctx, spk, "truck-1", map[string]int{"fan": 2}, 0)).want("done"),
		"get":      result(a.Get(ctx, spk, "truck-1", nil, time.Second)).want("done"),
		"service":  result(a.Invoke(ctx, spk, "truck-1", "reboot", nil, 0)).want("done"),
		"no wait":  result(a.Set(ctx, spk, "truck-1", map[string]int{"fan": 2}, api.NoWait)).want("sent"),
		"offline":  result(a.Set(ctx, spk, "truck-2", map[string]int{"fan": 2}, 0)).want("offline"),
		"raw":      result(a.SendRaw(ctx, spk, "truck-1", []byte{1}, api.NoWait)).want("failed"),
		"too late": result(a.Set(ctx, pk, gw, map[string]int{"fan": 2}, time.Millisecond)).want("timed out"),
	} {
		if tc.err != nil || tc.r.State != tc.state {
			t.Errorf("%s: %+v, %v; want %s", name, tc.r, tc.err, tc.state)
		}
	}
}

type outcome = struct {
	r     api.Result
	err   error
	state string
}

type half struct{ o outcome }

func result(r api.Result, err error) half { return half{outcome{r: r, err: err}} }
func (h half) want(state string) outcome  { h.o.state = state; return h.o }

func TestAPIErrors(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	dev := "/api/v1/devices/" + spk + "/truck-1"
	for _, tc := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/", "", 404, api.CodeNotFound},
		{"GET", "/api/v1/nothing", "", 404, api.CodeNotFound},
		{"GET", "/api/v1/devices/no/body", "", 404, api.CodeNoDevice},
		{"DELETE", "/api/v1/devices/no/body", "", 404, api.CodeNoDevice},
		{"POST", "/api/v1/devices/no/body/properties", "{}", 404, api.CodeNoDevice},
		{"PUT", dev, "", 405, api.CodeMethod},
		{"GET", dev + "/kick", "", 405, api.CodeMethod},
		{"GET", "/api/v1/devices?limit=x", "", 400, api.CodeBadRequest},
		{"GET", "/api/v1/devices?limit=100000", "", 400, api.CodeBadRequest},
		{"GET", "/api/v1/devices?offset=-1", "", 400, api.CodeBadRequest},
		{"GET", "/api/v1/devices?online=perhaps", "", 400, api.CodeBadRequest},
		{"POST", "/api/v1/devices", "{}", 400, api.CodeBadRequest},
		{"POST", "/api/v1/devices", `{"productKey":"a","deviceName":"b","deviceSecret":"c","gateway":"x/y"}`, 404, api.CodeNoDevice},
		{"POST", dev + "/properties", "", 400, api.CodeBadRequest},
		{"POST", dev + "/properties", "{", 400, api.CodeBadRequest},
		{"POST", dev + "/properties", "[1]", 400, api.CodeBadRequest},
		{"POST", dev + "/properties?wait=never", "{}", 400, api.CodeBadRequest},
		{"POST", dev + "/properties?wait=61s", "{}", 400, api.CodeBadRequest},
		{"POST", dev + "/properties", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, 413, api.CodeTooLarge},
		{"POST", dev + "/properties", `{"a":"` + strings.Repeat("x", 300<<10) + `"}`, 400, api.CodeBadRequest},
		{"POST", dev + "/properties/get", "{}", 400, api.CodeBadRequest},
		{"POST", dev + "/properties/get?wait=x", "[]", 400, api.CodeBadRequest},
		{"POST", dev + "/services/a_reply", "{}", 400, api.CodeBadRequest},
		{"POST", dev + "/services/x?wait=x", "{}", 400, api.CodeBadRequest},
		{"POST", dev + "/services/x", "{", 400, api.CodeBadRequest},
		{"POST", dev + "/raw", `{"hex":"0"}`, 400, api.CodeBadRequest},
		{"POST", dev + "/raw", `{"hex":1}`, 400, api.CodeBadRequest},
		{"POST", dev + "/raw?wait=x", `{"hex":"00"}`, 400, api.CodeBadRequest},
		{"GET", "/api/v1/watch?kind=nothing", "", 400, api.CodeBadRequest},
		{"POST", "/api/v1/faults", `{"delay":"soon"}`, 400, api.CodeBadRequest},
		{"POST", "/api/v1/faults", `{"disconnect":"nobody"}`, 400, api.CodeBadRequest},
		{"POST", "/api/v1/faults", `{"frozn":true}`, 400, api.CodeBadRequest},
		{"POST", "/api/v1/faults", `{"silent":false} {"frozen":false}`, 400, api.CodeBadRequest},
		{"POST", "/api/v1/faults/rules", `{"action":"refuse","code":500,"methd":"connect"}`, 400, api.CodeBadRequest},
	} {
		status, doc := ask(t, p, tc.method, tc.path, tc.body, nil)
		if status != tc.status || doc.Error.Code != tc.code || doc.Error.Message == "" {
			t.Errorf("%s %s %.30s: %d %+v, want %d %s", tc.method, tc.path, tc.body, status, doc.Error, tc.status, tc.code)
		}
	}
	for header, value := range map[string]string{"Origin": "https://evil.example", "Host": "evil.example"} {
		status, doc := ask(t, p, "GET", "/api/v1/stats", "", map[string]string{header: value})
		if status != 403 || doc.Error.Code != api.CodeForbidden {
			t.Errorf("%s %s: %d %+v", header, value, status, doc.Error)
		}
	}
}

type errorDoc struct {
	Error api.Error `json:"error"`
}

func ask(t *testing.T, p *platform.Platform, method, path, body string, header map[string]string) (int, errorDoc) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.APIAddr()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var doc errorDoc
	if err := json.NewDecoder(resp.Body).Decode(&doc); err != nil {
		t.Errorf("%s %s: answer is no JSON: %v", method, path, err)
	}
	return resp.StatusCode, doc
}

func TestAPIClientErrors(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := apiClient(t, p)
	_, err := a.Device(t.Context(), "no", "body")
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeNoDevice || e.Status != 404 || !strings.Contains(err.Error(), e.Hint) {
		t.Errorf("error is %v", err)
	}
	if _, err = a.Set(t.Context(), spk, "truck-1", func() {}, 0); err == nil {
		t.Error("a function was sent")
	}
	if _, err = api.NewClient("http://127.0.0.1:1").Stats(t.Context()); err == nil || !strings.Contains(err.Error(), "is the platform running") {
		t.Errorf("nobody there: %v", err)
	}
}

func TestAPIFaults(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a, ctx := apiClient(t, p), t.Context()
	c := dialGateway(t, p)
	f, err := a.SetFaults(ctx, api.Faults{RefuseLogins: &api.Refusal{Count: -1, Code: 6401}})
	if err != nil || f.RefuseLogins.Count != -1 {
		t.Errorf("set: %+v, %v", f, err)
	}
	for range 3 {
		if code, _ := codeOf(c.request("combine/login", `{"id":"1","params":`+loginParams(spk, "truck-1")+`}`)); code != 6401 {
			t.Errorf("login: %d", code)
		}
	}
	delay := api.Duration(time.Second)
	if f, err = a.SetFaults(ctx, api.Faults{Delay: &delay}); err != nil || f.RefuseLogins.Count != -1 || *f.Delay != delay {
		t.Errorf("set more: %+v, %v", f, err)
	}
	if err = a.ClearFaults(ctx); err != nil {
		t.Error(err)
	}
	if f, err = a.Faults(ctx); err != nil || f.RefuseLogins.Count != 0 || *f.Delay != 0 || *f.Silent {
		t.Errorf("after clearing: %+v, %v", f, err)
	}
	c.login("truck-1")
	if _, err = a.SetFaults(ctx, api.Faults{Disconnect: pk + "/" + gw}); err != nil {
		t.Error(err)
	}
	select {
	case <-c.lost:
	case <-time.After(5 * time.Second):
		t.Error("still connected")
	}
}

func TestAPIWatch(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	a := apiClient(t, p)
	c, sys := truck(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, got, done := make(chan struct{}), make(chan api.Message, 10), make(chan error)
	go func() {
		done <- a.Watch(ctx, api.Selection{ProductKey: spk, DeviceName: "truck-1", Kinds: []string{api.KindProperty, api.KindOffline}},
			func() { close(ready) }, func(m api.Message) error { got <- m; return nil })
	}()
	<-ready
	c.publish(sys+"thing/event/alarm/post", 0, `{"id":"1","params":{}}`) // not watched
	c.publish(sys+"thing/event/property/post", 0, `{"id":"2","params":{"a":1}}`)
	c.publish(c.sys("thing/event/property/post"), 0, `{"id":"3","params":{"a":1}}`) // of another device
	if m := <-got; m.Kind != api.KindProperty || m.ID != "2" || string(m.Data) != `{"a":1}` || m.DeviceName != "truck-1" || m.Time.IsZero() {
		t.Errorf("got %+v", m)
	}
	if err := p.Kick(spk, "truck-1"); err != nil {
		t.Fatal(err)
	}
	if m := <-got; m.Kind != api.KindOffline || m.Cause != "kicked" || m.Gateway != pk+"/"+gw {
		t.Errorf("got %+v", m)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("watch ended with %v", err)
	}
	stop := errors.New("enough")
	go func() {
		done <- a.Watch(t.Context(), api.Selection{}, func() { dial(t, p, pk, "gateway-2") }, func(api.Message) error { return stop })
	}()
	if err := <-done; !errors.Is(err, stop) {
		t.Errorf("watch ended with %v", err)
	}
}

func TestAPIWatchEvents(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.APIAddr()+"/api/v1/watch?kind=online,offline", nil)
	req.Header.Set("Accept", "text/event-stream")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	dial(t, p, pk, gw)
	r := bufio.NewReader(resp.Body)
	event, _ := r.ReadString('\n')
	data, _ := r.ReadString('\n')
	var m api.Message
	if err = json.Unmarshal([]byte(strings.TrimPrefix(data, "data: ")), &m); err != nil || event != "event: online\n" || m.DeviceName != gw {
		t.Errorf("got %q %q, %v", event, data, err)
	}
	closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err = p.Close(closing); err != nil {
		t.Errorf("close with an open watch: %v", err)
	}
	for line := ""; err == nil; line, err = r.ReadString('\n') {
		_ = line
	}
	if !errors.Is(err, io.EOF) {
		t.Errorf("stream ended with %v", err)
	}
}

// A watcher that does not read misses messages, disturbs nobody, and is told.
func TestAPISlowWatcher(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.WatchQueue = 4 })
	conn, err := net.Dial("tcp", p.APIAddr())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "GET /api/v1/watch?kind=property HTTP/1.1\r\nHost: localhost\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", resp, err)
	}
	defer func() {
		_ = conn.Close() // first, for closing the body reads what is left of it
		_ = resp.Body.Close()
	}()
	r := bufio.NewReader(resp.Body)
	c, sys := truck(t, p)
	payload := `{"id":"1","params":{"a":"` + strings.Repeat("x", 200<<10) + `"}}`
	for p.Stats().Lagged == 0 {
		c.publish(sys+"thing/event/property/post", 0, payload)
		c.next(sys + "thing/event/property/post_reply")
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("no note of what was missed: %v", err)
		}
		if strings.Contains(line, `"kind":"lagged"`) && strings.Contains(line, `"count":`) {
			return
		}
	}
}

func TestAPIWatchLimit(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.Watchers = 1 })
	w, err := p.Subscribe(platform.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if status, doc := ask(t, p, "GET", "/api/v1/watch", "", nil); status != 429 || doc.Error.Code != api.CodeBusy {
		t.Errorf("%d %+v", status, doc)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{`"1.5s"`: 1500 * time.Millisecond, `250`: 250 * time.Millisecond, `"0s"`: 0} {
		var d api.Duration
		if err := json.Unmarshal([]byte(text), &d); err != nil || time.Duration(d) != want {
			t.Errorf("%s is %s, %v", text, time.Duration(d), err)
		}
		back, _ := json.Marshal(d)
		if string(back) != fmt.Sprintf("%q", want) {
			t.Errorf("%s becomes %s", text, back)
		}
	}
	for _, text := range []string{`"soon"`, `{}`} {
		var d api.Duration
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
}
