package platform_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// fault adds a fault.
func fault(t *testing.T, p *platform.Platform, f api.Fault) api.Fault {
	t.Helper()
	added, err := p.AddFault(f)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

func postOf(id int) string { return fmt.Sprintf(`{"id":"%d","params":{"a":%d}}`, id, id) }

// A refusal goes to what it is for, with the shape that the answer to such a
// request has, as often as it says.
func TestFaultRefuse(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	login := func(dn string) map[string]any {
		c.publish(c.session("combine/login"), 0, `{"id":"1","params":`+loginParams(spk, dn)+`}`)
		return c.next(c.session("combine/login_reply"))
	}
	batch := func(dn string) map[string]any {
		c.publish(c.session("combine/batch_login"), 0, `{"id":"1","params":{"deviceList":[`+loginParams(spk, dn)+`]}}`)
		return c.next(c.session("combine/batch_login_reply"))
	}

	fault(t, p, api.Fault{Action: api.Refuse, Method: "combine.*login", Device: spk + "/truck-1", Code: 6401, Message: "for a test", Count: 2})
	if r := login("truck-2"); r["code"] != 200.0 {
		t.Errorf("another device: %v", r)
	}
	if r := login("truck-1"); r["code"] != 6401.0 || r["id"] != "1" || r["message"] != "topo relation not exist: for a test" || r["data"] != "" {
		t.Errorf("the device: %v", r)
	}
	if r := batch("truck-1"); r["code"] != "6401" {
		t.Errorf("a batch with the device: %v", r)
	}
	if r := login("truck-1"); r["code"] != 200.0 {
		t.Errorf("a third time: %v", r)
	}
	if rules := p.FaultRules(); len(rules) != 0 {
		t.Errorf("what is spent is still there: %v", rules)
	}

	sys := "/sys/" + spk + "/truck-1/thing/event/"
	c.subscribe("/sys/" + spk + "/truck-1/#")
	fault(t, p, api.Fault{Action: api.Refuse, Topic: "/sys/+/+/thing/event/+/post", Product: spk, Code: 500})
	for _, name := range []string{"property", "alarm"} {
		c.publish(sys+name+"/post", 1, `{"id":"9","params":{"a":1}}`)
		if r := c.next(sys + name + "/post_reply"); r["code"] != 500.0 || r["id"] != "9" || r["method"] != "thing.event."+name+".post" {
			t.Errorf("%s: %v", name, r)
		}
	}
	if d, err := p.Device(spk, "truck-1"); err != nil || len(d.Properties)+len(d.Events) != 0 {
		t.Errorf("what was refused was kept: %+v", d)
	}
	p.ClearFaults()
	c.publish(sys+"property/post", 1, `{"id":"9","params":{"a":1}}`)
	if r := c.next(sys + "property/post_reply"); r["code"] != 200.0 {
		t.Errorf("without faults: %v", r)
	}
	if s := p.Stats(); s.Faults[api.Refuse] != 4 {
		t.Errorf("counted: %v", s.Faults)
	}
}

// Every code of the vendor's can be asked for, at every request that has one.
func TestFaultCodes(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dialGateway(t, p)
	for _, code := range []int{401, 428, 429, 460, 500, 520, 521, 522, 5001, 6100, 6106, 6250, 6280, 6287, 6288, 6289, 6321, 6401, 6402, 6710, 6713} {
		for _, rest := range []string{"thing/topo/add", "thing/topo/delete", "thing/topo/get", "thing/sub/register", "thing/list/found", "thing/deviceinfo/update", "thing/config/get"} {
			fault(t, p, api.Fault{Action: api.Refuse, Method: strings.ReplaceAll(rest, "/", "."), Gateway: pk + "/" + gw, Code: code, Count: 1})
			c.publish(c.sys(rest), 0, `{"id":"3","version":"1.0","params":[]}`)
			if r := c.next(c.sys(rest + "_reply")); r["code"] != float64(code) || r["id"] != "3" {
				t.Errorf("%s, code %d: %v", rest, code, r)
			}
		}
	}
}

// A refused CONNECT has the CONNACK that was asked for, and is refused to those
// it is for.
func TestFaultConnect(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for code, want := range map[int]byte{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 429: 3} {
		fault(t, p, api.Fault{Action: api.Refuse, Method: "connect", Device: spk + "/truck-1", Code: code, Count: 1})
		c := newClient(t, options(p, spk, "truck-1"))
		tok := c.Connect()
		tok.WaitTimeout(5 * time.Second)
		if got := tok.(interface{ ReturnCode() byte }).ReturnCode(); got != want {
			t.Errorf("code %d: CONNACK %d", code, got)
		}
		c.Disconnect(0)
	}
	f := fault(t, p, api.Fault{Action: api.Disconnect, Method: "connect", Device: spk + "/truck-1"})
	if err := newClient(t, options(p, spk, "truck-1")).connect(); err == nil {
		t.Error("the connection was not closed")
	}
	dial(t, p, spk, "truck-2")
	if was, err := p.RemoveFault(f.ID); err != nil || was.Struck != 1 {
		t.Errorf("%+v %v", was, err)
	}
	dial(t, p, spk, "truck-1")
}

// More than the rate is refused with 429, what is in it is not.
func TestFaultThrottle(t *testing.T) {
	t.Parallel()
	var offset atomic.Int64
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	p := start(t, nil, platform.WithClock(func() time.Time { return base.Add(time.Duration(offset.Load())) }))
	c, sys := truck(t, p)
	fault(t, p, api.Fault{Action: api.Throttle, Method: "thing.event.property.post", Rate: 3})
	codes := func(n int) string {
		var text strings.Builder
		for i := range n {
			c.publish(sys+"thing/event/property/post", 0, postOf(i))
			fmt.Fprint(&text, c.next(sys + "thing/event/property/post_reply")["code"], " ")
		}
		return text.String()
	}
	if got := codes(5); got != "200 200 200 429 429 " {
		t.Errorf("at once: %s", got)
	}
	offset.Add(int64(time.Second / 3 * 2))
	if got := codes(3); got != "200 200 429 " && got != "200 429 429 " { // two thirds of a second are 2 less a nanosecond's worth
		t.Errorf("later: %s", got)
	}
}

// Chance strikes now and then.
func TestFaultProbability(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	fault(t, p, api.Fault{Action: api.Refuse, Method: "thing.event.property.post", Code: 500, Probability: 0.5})
	struck := 0
	for i := range 200 {
		c.publish(sys+"thing/event/property/post", 0, postOf(i))
		if c.next(sys + "thing/event/property/post_reply")["code"] == 500.0 {
			struck++
		}
	}
	if struck < 50 || struck > 150 { // seven standard deviations
		t.Errorf("%d of 200", struck)
	}
}

// What is silent, lost, delayed and sent twice.
func TestFaultReplies(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	topic := sys + "thing/event/property/post"
	for _, tc := range []struct {
		action  string
		replies []string // ids of what comes for 1, and then for 2 without the fault
		kept    string   // of the property then
	}{
		{api.Silent, []string{"2"}, "1"},
		{api.Lose, []string{"2"}, "0"},
		{api.Duplicate, []string{"1", "1", "2"}, "1"},
	} {
		c.publish(topic, 1, postOf(0))
		c.next(topic + "_reply")
		fault(t, p, api.Fault{Action: tc.action, Method: "thing.event.property.post", Count: 1})
		c.publish(topic, 1, postOf(1)) // is acknowledged in any case
		d, err := p.Device(spk, "truck-1")
		if got := string(d.Properties["a"].Value); err != nil || got != tc.kept {
			t.Errorf("%s: the platform has %s, want %s", tc.action, got, tc.kept)
		}
		c.publish(topic, 1, postOf(2))
		for _, id := range tc.replies {
			if r := c.next(topic + "_reply"); r["id"] != id {
				t.Errorf("%s: answer to %v, want %s", tc.action, r["id"], id)
			}
		}
	}
	fault(t, p, api.Fault{Action: api.Wait, Method: "thing.event.property.post", Delay: api.Duration(50 * time.Millisecond), Count: 1})
	c.publish(topic, 1, postOf(1))
	c.publish(topic, 1, postOf(2))
	for _, id := range []string{"2", "1"} { // the first waits
		if r := c.next(topic + "_reply"); r["id"] != id {
			t.Errorf("delay: answer to %v, want %s", r["id"], id)
		}
	}
}

// A command that is lost on its way has no answer; one that is sent twice comes
// twice.
func TestFaultCommands(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.CommandTimeout = 100 * time.Millisecond })
	c, sys := truck(t, p)
	fault(t, p, api.Fault{Action: api.Silent, Method: "thing.service.property.set", Device: spk + "/truck-1", Count: 1})
	if r, err := p.Set(t.Context(), spk, "truck-1", map[string]any{"a": 1}); err != nil || r.State != "timed out" {
		t.Errorf("%+v %v", r, err)
	}
	fault(t, p, api.Fault{Action: api.Duplicate, Method: "thing.service.*", Count: 1})
	if _, err := p.Invoke(t.Context(), spk, "truck-1", "text", nil); err != nil {
		t.Fatal(err)
	}
	first, second := c.next(sys+"thing/service/text"), c.next(sys+"thing/service/text")
	if first["id"] != second["id"] {
		t.Errorf("%v and %v", first, second)
	}
}

// Without its PUBACK a publication is not done, though the platform has it.
func TestFaultNoAck(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c, sys := truck(t, p)
	fault(t, p, api.Fault{Action: api.NoAck, Topic: "/sys/#", Count: 1})
	tok := c.Publish(sys+"thing/event/property/post", 1, false, postOf(1))
	c.next(sys + "thing/event/property/post_reply")
	c.publish(sys+"thing/event/property/post", 1, postOf(2))
	c.next(sys + "thing/event/property/post_reply")
	if tok.WaitTimeout(time.Millisecond) {
		t.Error("it was acknowledged")
	}
	if d, err := p.Device(spk, "truck-1"); err != nil || d.Counters.Properties != 2 {
		t.Errorf("%+v %v", d, err)
	}
}

// A subscription can be refused, by its filter.
func TestFaultSubscribe(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dial(t, p, spk, "truck-1")
	fault(t, p, api.Fault{Action: api.Refuse, Method: "subscribe", Topic: "/shadow/#", Code: 500})
	granted := c.subscribeAll("/shadow/get/"+spk+"/truck-1", "/"+spk+"/truck-1/user/get")
	if granted["/shadow/get/"+spk+"/truck-1"] != 0x80 || granted["/"+spk+"/truck-1/user/get"] != 1 {
		t.Errorf("%v", granted)
	}
}

// Connections of a product, or those that are used for something, are closed.
func TestFaultDisconnect(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	one, two, other := dial(t, p, spk, "truck-1"), dial(t, p, spk, "truck-2"), dial(t, p, pk, gw)
	if f := fault(t, p, api.Fault{Action: api.Disconnect, Product: spk}); f.Struck != 2 || len(p.FaultRules()) != 0 {
		t.Errorf("%+v %v", f, p.FaultRules())
	}
	<-one.lost
	<-two.lost
	fault(t, p, api.Fault{Action: api.Disconnect, Method: "thing.topo.get"})
	other.Publish(other.sys("thing/event/property/post"), 1, false, postOf(1)).WaitTimeout(5 * time.Second)
	if !other.IsConnected() {
		t.Error("too much is disconnected")
	}
	other.Publish(other.sys("thing/topo/get"), 1, false, `{"id":"1","params":{}}`)
	<-other.lost
}

// A half-open connection says nothing and stays, until the device connects again
// or the fault ends.
func TestFaultHalfOpen(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	old := dial(t, p, spk, "truck-1")
	other := dial(t, p, spk, "truck-2")
	if f := fault(t, p, api.Fault{Action: api.HalfOpen, Device: spk + "/truck-1"}); f.Struck != 1 {
		t.Errorf("%+v", f)
	}
	lost := old.Publish(old.sys("thing/event/property/post"), 1, false, postOf(1))
	other.publish(other.sys("thing/event/property/post"), 1, postOf(1))
	if d, err := p.Device(spk, "truck-1"); err != nil || d.State != api.Online || d.Counters.Properties != 0 {
		t.Errorf("%+v %v", d, err)
	}
	again := dial(t, p, spk, "truck-1") // it is another connection's turn
	again.publish(again.sys("thing/event/property/post"), 1, postOf(2))
	select {
	case err := <-old.lost:
		t.Errorf("the old connection has heard something: %v", err)
	default:
	}
	if lost.WaitTimeout(time.Millisecond) {
		t.Error("the half-open connection acknowledges")
	}
	p.ClearFaults()
	<-old.lost
	if !again.IsConnected() {
		t.Error("the new connection is gone, too")
	}
}

// A fault ends with its time.
func TestFaultEnds(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	c := dial(t, p, spk, "truck-1")
	if f := fault(t, p, api.Fault{Action: api.HalfOpen, Device: spk + "/truck-1", For: api.Duration(20 * time.Millisecond)}); f.Until.IsZero() {
		t.Errorf("%+v", f)
	}
	<-c.lost // at its end
	if rules := p.FaultRules(); len(rules) != 0 {
		t.Errorf("%v", rules)
	}
}

// The vendor's HTTP services refuse, close and are slow by their names.
func TestFaultHTTP(t *testing.T) {
	t.Parallel()
	p := start(t, func(c *platform.Config) { c.AuthAddress = "127.0.0.1:0" })
	ask := func(path string, v url.Values) (string, error) {
		res, err := http.PostForm("http://"+p.AuthAddr()+path, v)
		if err != nil {
			return "", err
		}
		defer func() { _ = res.Body.Close() }()
		var b strings.Builder
		_, err = fmt.Fprint(&b, res.StatusCode, " ", bodyOf(t, res))
		return b.String(), err
	}
	names := url.Values{"productKey": {spk}, "deviceName": {"truck-1"}}
	for _, tc := range []struct {
		f     api.Fault
		path  string
		extra url.Values
		want  string
	}{
		{api.Fault{Action: api.Refuse, Method: "auth.devicename", Product: spk, Code: 429}, "/auth/devicename", names, `200 {"code":429`},
		{api.Fault{Action: api.Refuse, Method: "auth.register", Device: spk + "/truck-1", Code: 6288}, "/auth/register/device", names, `200 {"code":6288`},
		{api.Fault{Action: api.Refuse, Method: "pop.RegisterDevice", Code: 1, Message: "Throttling.User"}, "/", url.Values{"Action": {"RegisterDevice"}}, `"Code":"Throttling.User"`},
		{api.Fault{Action: api.Refuse, Method: "pop.*", Code: 500}, "/", url.Values{"Action": {"QueryDeviceDetail"}}, `503 {"Code":"ServiceUnavailable"`},
	} {
		tc.f.Count = 1
		fault(t, p, tc.f)
		got, err := ask(tc.path, tc.extra)
		if err != nil || !strings.Contains(got, tc.want) {
			t.Errorf("%+v: %s %v", tc.f, got, err)
		}
	}
	fault(t, p, api.Fault{Action: api.Disconnect, Method: "auth.*"})
	if got, err := ask("/auth/devicename", names); err == nil {
		t.Errorf("an answer: %s", got)
	}
}

func TestFaultFilters(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	for filter, want := range map[string]string{
		"/sys/pk/dn/thing/#": "", "/+/a": "", "#": "", "+/a": "", "/a/+/#": "", "/": "",
		"/a/#/b": "last", "#/a": "last", "/a#": "alone", "/a/b+/c": "alone", "sys/a": "begins with /", "/a/++": "alone",
	} {
		_, err := p.AddFault(api.Fault{Action: api.Lose, Topic: filter})
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", filter, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: got %v, want a refusal that says %q", filter, err, want)
		}
	}
}

// Mistakes in a fault are named, all of them at once.
func TestFaultMistakes(t *testing.T) {
	t.Parallel()
	p := start(t, nil)
	_, err := p.AddFault(api.Fault{Action: "explode", Method: "[", Device: "truck", Topic: "sys", Probability: 2})
	var e *api.Error
	if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"explode", "method", "device", "topic", "probability"} {
		if !strings.Contains(e.Message, want) {
			t.Errorf("lacks %s: %s", want, e.Message)
		}
	}
	for _, f := range []api.Fault{{Action: api.Refuse}, {Action: api.Throttle}, {Action: api.Wait}, {Action: api.Lose, Count: -1}} {
		if _, err = p.AddFault(f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
	for range 100 {
		fault(t, p, api.Fault{Action: api.Lose, Method: "none"})
	}
	if _, err = p.AddFault(api.Fault{Action: api.Lose}); err == nil {
		t.Error("there is no bound")
	}
	if _, err = p.RemoveFault(strconv.Itoa(1000)); !errors.As(err, &e) || e.Status != http.StatusNotFound {
		t.Errorf("error %v", err)
	}
	c := api.NewClient(p.APIAddr())
	defer c.Close()
	list, err := c.FaultRules(t.Context())
	if err != nil || len(list) != 100 {
		t.Fatalf("%d %v", len(list), err)
	}
	if _, err = c.RemoveFault(t.Context(), list[0].ID); err != nil {
		t.Error(err)
	}
	if f, err := c.AddFault(t.Context(), api.Fault{Action: api.Wait, Delay: api.Duration(time.Second)}); err != nil || f.ID == "" {
		t.Errorf("%+v %v", f, err)
	}
}

func bodyOf(t *testing.T, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
