package jt808

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/thing"
)

// Every service, its input, and the body that goes out in 2013 and in 2019.
var serviceCases = []struct {
	name, input  string
	id           jt808.ID
	v2013, v2019 string // body; v2019 empty: the same
}{
	{"text", `{"text":"hi","speak":true,"urgent":true}`, 0x8300, "0d6869", "0e016869"},
	{"text", `{"text":"hi","type":"service","display":false,"led":true}`, 0x8300, "106869", "11026869"},
	{"queryLocation", `{}`, 0x8201, "", ""},
	{"track", `{"interval":10,"duration":300}`, 0x8202, "000a0000012c", ""},
	{"confirmAlarm", `{"serial":7,"alarms":1}`, 0x8203, "000700000001", ""},
	{"linkCheck", `{}`, 0x8204, "", ""},
	{"control", `{"command":"reset"}`, 0x8105, "04", ""},
	{"control", `{"command":"connect","parameters":"1;code"}`, 0x8105, "02" + "313b636f6465", ""},
	{"vehicleControl", `{"lock":1}`, 0x8500, "01", "0001000100"},
	{"queryAttributes", `{}`, 0x8107, "", ""},
	{"queryDriver", `{}`, 0x8702, "", ""},
	{"setEvents", `{"events":[{"id":1,"text":"a"}]}`, 0x8301, "01" + "01" + "010161", ""},
	{"setEvents", `{"action":"deleteAll"}`, 0x8301, "00", ""},
	{"question", `{"text":"q","speak":true,"answers":[{"id":1,"text":"y"},{"id":2,"text":"n"}]}`, 0x8302, "08" + "0171" + "01000179" + "0200016e", ""},
	{"setInfoMenu", `{"action":"append","items":[{"type":1,"name":"n"}]}`, 0x8303, "02" + "01" + "0100016e", ""},
	{"info", `{"type":1,"text":"i"}`, 0x8304, "01000169", ""},
	{"callBack", `{"phone":"10086","listen":true}`, 0x8400, "01" + "3130303836", ""},
	{"setPhoneBook", `{"contacts":[{"calls":"incoming","phone":"1","name":"a"}]}`, 0x8401, "01" + "01" + "01" + "0131" + "0161", ""},
	{
		"setCircles", `{"action":"append","items":[{"id":1,"latitude":-31.5,"longitude":121.25,"radius":100,"maxSpeed":60,"overspeedDuration":5,` +
			`"nightMaxSpeed":50,"leavePlatform":true,"start":"08:00:00","end":"2026-01-02T15:04:05+08:00","name":"a"}]}`, 0x8600,
		"01" + "01" + "00000001" + "0063" + "01e0a6e0" + "073a20d0" + "00000064" + "000000080000" + "260102150405" + "003c" + "05",
		"01" + "01" + "00000001" + "0063" + "01e0a6e0" + "073a20d0" + "00000064" + "000000080000" + "260102150405" + "003c" + "05" + "0032" + "000161",
	},
	{"deleteCircles", `{"ids":[1,2]}`, 0x8601, "02" + "0000000100000002", ""},
	{
		"setRectangles", `{"items":[{"id":2,"top":31,"left":121,"bottom":30,"right":122,"enterDriver":true}]}`, 0x8602,
		"00" + "01" + "00000002" + "0004" + "01d905c0" + "07365040" + "01c9c380" + "07459280",
		"00" + "01" + "00000002" + "0004" + "01d905c0" + "07365040" + "01c9c380" + "07459280" + "0000",
	},
	{"deleteRectangles", `{}`, 0x8603, "00", ""},
	{
		"setPolygon", `{"id":3,"points":[{"latitude":31,"longitude":-121},{"latitude":30,"longitude":-122}],"doorsClosed":true}`, 0x8604,
		"00000003" + "0180" + "0002" + "01d905c0" + "07365040" + "01c9c380" + "07459280",
		"00000003" + "0180" + "0002" + "01d905c0" + "07365040" + "01c9c380" + "07459280" + "0000",
	},
	{"deletePolygons", `{"ids":[3]}`, 0x8605, "01" + "00000003", ""},
	{
		"setRoute", `{"id":4,"points":[{"id":1,"section":2,"latitude":31,"longitude":121,"width":30,"maxTime":600,"minTime":60,"maxSpeed":80}]}`, 0x8606,
		"00000004" + "0000" + "0001" + "00000001" + "00000002" + "01d905c0" + "07365040" + "1e" + "03" + "0258" + "003c" + "0050" + "00",
		"00000004" + "0000" + "0001" + "00000001" + "00000002" + "01d905c0" + "07365040" + "1e" + "03" + "0258" + "003c" + "0050" + "00" + "0050" + "0000",
	},
	{"deleteRoutes", `{"ids":[4]}`, 0x8607, "01" + "00000004", ""},
	{"queryAreas", `{"type":"polygon","ids":[9]}`, 0x8608, "03" + "00000001" + "00000009", ""},
	{"readRecorder", `{"command":2}`, 0x8700, "02" + "aa7502000000dd", ""},
	{"writeRecorder", `{"command":130,"data":"aa75820000005d"}`, 0x8701, "82" + "aa75820000005d", ""},
	{"shoot", `{}`, 0x8801, "01" + "0001" + "0000" + "00" + "02" + "05" + "7f" + "3f" + "3f" + "7f", ""},
	{"shoot", `{"channel":2,"video":true,"interval":10,"save":true}`, 0x8801, "02" + "ffff" + "000a" + "01" + "02" + "05" + "7f" + "3f" + "3f" + "7f", ""},
	{"searchMedia", `{"type":"video","start":1767323045000}`, 0x8802, "02" + "00" + "00" + "260102110405" + "000000000000", ""},
	{"uploadMedia", `{"channel":1,"cause":3,"delete":true}`, 0x8803, "00" + "01" + "03" + "000000000000" + "000000000000" + "01", ""},
	{"uploadOneMedia", `{"mediaId":7}`, 0x8805, "00000007" + "00", ""},
	{"record", `{"seconds":10}`, 0x8804, "01" + "000a" + "00" + "00", ""},
	{"queryAvAttributes", `{}`, 0x9003, "", ""},
	{"liveRequest", `{"host":"1.2.3.4","tcp":1078,"channel":2}`, 0x9101, "07" + "312e322e332e34" + "0436" + "0000" + "02" + "00" + "00", ""},
	{"liveControl", `{"command":0,"channel":2}`, 0x9102, "02000000", ""},
	{"passthrough", `{"type":240,"data":"beef"}`, 0x8900, "f0beef", ""},
	{"raw", `{"id":"0x8F00","body":""}`, 0x8F00, "", ""},
}

func TestServices(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{}
	for _, c := range serviceCases {
		tried[c.name] = true
		for _, v := range []jt808.Version{jt808.V2013, jt808.V2019} {
			t.Run(c.name+" "+v.String(), func(t *testing.T) {
				t.Parallel()
				want := c.v2013
				if v == jt808.V2019 && c.v2019 != "" {
					want = c.v2019
				}
				x := dialVersion(t, v, New("jt808")).join()
				x.Command(service(c.name, c.input))
				frames := x.heard()
				if len(frames) != 1 {
					t.Fatalf("%d frames; said %+v", len(frames), x.Said)
				}
				f := frames[0]
				if f.ID != c.id || hex.EncodeToString(f.Body) != want || f.Version != v {
					t.Errorf("%s\nsent %v %x\nwant %v %s", c.input, f.ID, f.Body, c.id, want)
				}
			})
		}
	}
	for name := range services {
		if !tried[name] {
			t.Errorf("no case for service %s", name)
		}
	}
}

func TestInvalidInput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, input string
		want        []string
	}{
		{"text", `{}`, []string{"text: is missing"}},
		{"text", `{"text":7}`, []string{"text: 7, must be a text"}},
		{"text", `{"text":"a","speak":"yes","type":"x"}`, []string{"speak", "type", "notice or service"}},
		{"text", `{"text":"a","speek":true}`, []string{"speek: is not known here", "speak"}},
		{"track", `{"interval":70000}`, []string{"interval: 70000", "65535"}},
		{"track", `{"interval":5}`, []string{"duration: is missing"}},
		{"track", `{"interval":1.5,"duration":-1}`, []string{"interval", "duration"}},
		{"vehicleControl", `{}`, []string{"lock: is missing"}},
		{"vehicleControl", `{"lock":2}`, []string{"lock: 2, must be true or false"}},
		{"control", `{}`, []string{"command: is missing"}},
		{"setCircles", `{"items":[{"id":1,"latitude":91,"longitude":0,"radius":1},{"id":-1},7]}`, []string{"items[0].latitude", "items[1].id", "items[1].radius: is missing", "item 2"}},
		{"setCircles", `{"items":{}}`, []string{"items: must be a list"}},
		{"setCircles", `{"items":[{"id":1,"latitude":1,"longitude":1,"radius":1,"start":"08:00:00"}]}`, []string{"items[0].end: is missing"}},
		{"setCircles", `{"items":[{"id":1,"latitude":1,"longitude":1,"radius":1,"start":"x","end":"08:00:00"}]}`, []string{"items[0].start"}},
		{"setRectangles", `{"items":[{"id":2,"top":1,"left":121,"bottom":-1,"right":122}]}`, []string{"equator"}},
		{"setRoute", `{"id":1,"points":[],"doorsClosed":true}`, []string{"doorsClosed"}},
		{"deleteCircles", `{"ids":[-1]}`, []string{"ids"}},
		{"deleteCircles", `{"ids":[]}`, []string{"ids: is empty"}},
		{"deleteCircles", `{"ids":7}`, []string{"ids: must be a list"}},
		{"passthrough", `{"type":1,"data":"abc"}`, []string{"data: must be hexadecimal"}},
		{"raw", `{"body":"00"}`, []string{"id: is missing"}},
		{"raw", `{"id":"8300x"}`, []string{"id: must be an id"}},
		{"raw", `{"id":"0x83001"}`, []string{"id: must be an id"}},
		{"callBack", `{"phone":"123456789012345678901"}`, []string{"20"}},
	} {
		x := dial(t).join()
		x.Command(service(c.name, c.input))
		r := x.reply()
		if r.State != thing.Invalid || len(x.heard()) != 0 {
			t.Errorf("%s %s: %v", c.name, c.input, r.State)
		}
		for _, want := range c.want {
			if !strings.Contains(r.Text, want) {
				t.Errorf("%s %s: %q does not say %q", c.name, c.input, r.Text, want)
			}
		}
	}
}

func TestTextsInUTF8(t *testing.T) {
	t.Parallel()
	x := dial(t, func(c *Config) { c.TextEncoding = encodingUTF8 }).join()
	if f := x.order(service("text", `{"text":"你"}`)); hex.EncodeToString(f.Body) != "04e4bda0" {
		t.Errorf("body %x", f.Body)
	}
}
