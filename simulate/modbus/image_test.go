package modbus_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/simulate/modbus"
)

const meter = `unit, area, address, type, order, registers, value, drift
# a meter with three phases
*,   holding, 0,     uint16,  ,    ,  7,
1,   ,        40011, float32, CDAB,,  230.5, 4.5/100ms
1,   ,        30001, int32,   DCBA,,  -5,    100/1h
1-2, ,        4x101, string,  ,   4,  Meter,
2,   coil,    3,     bit,     ,    ,  on,
2,   ,        00005, ,        ,    ,  off,
2,   discrete,0,     ,        ,    ,  true,
1,   ,        40021, bcd,     ,   2,  12345678,
`

func TestImage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "meter.csv")
	if err := os.WriteFile(path, []byte(meter), 0o600); err != nil {
		t.Fatal(err)
	}
	b := newBridge(t)
	f, _ := start(t, b, func(c *modbus.Config) { c.Registration, c.Units, c.Image, c.Lines = "", "1-3", path, 1 })
	m := b.accept(wire.RTU)
	for _, test := range []struct {
		name      string
		unit      uint8
		function  wire.Function
		at, count uint16
		want      string
	}{
		{"of all", 3, wire.ReadHoldingRegisters, 0, 1, "data 0007"},
		{"not of this one", 3, wire.ReadHoldingRegisters, 10, 2, "exception illegal data address"},
		{"text", 2, wire.ReadHoldingRegisters, 100, 4, "data 4d65746572000000"},
		{"on and nothing", 2, wire.ReadCoils, 3, 2, "data 01"},
		{"past it", 2, wire.ReadCoils, 3, 3, "exception illegal data address"},
		{"input", 2, wire.ReadDiscreteInputs, 0, 1, "data 01"},
		{"BCD", 1, wire.ReadHoldingRegisters, 20, 2, "data 12345678"},
	} {
		r := m.ask(test.unit, wire.Request{Function: test.function, Address: test.at, Quantity: test.count})
		if got := describe(r); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	volts := wire.Format{Type: wire.Float32, Order: wire.CDAB}
	low, high := math.Inf(1), math.Inf(-1)
	for range 20 {
		r := m.ask(1, wire.Request{Function: wire.ReadHoldingRegisters, Address: 10, Quantity: 2})
		v, err := volts.Decode(r.Data)
		if err != nil {
			t.Fatal(err)
		}
		low, high = min(low, v.Float()), max(high, v.Float())
		m.read(10 * time.Millisecond)
	}
	if low < 226 || high > 235 || high-low < 2 {
		t.Errorf("230.5 drifts from %v to %v", low, high)
	}
	part, ok := f.Get(0, 1, wire.Address{Area: wire.InputRegisters}) // the lower half, bytes swapped
	if n := int16(part>>8 | part<<8); !ok || n < -105 || n > 95 {
		t.Errorf("-5 drifts to %d, %v", n, ok)
	}
}

func TestImageMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, want string }{
		"nothing":            {"", "which names the columns"},
		"another column":     {"address,value,colour\n", `column "colour"`},
		"no address":         {"unit,value\n", "no column address"},
		"a bad unit":         {"unit,address,value\n300,40001,1\n", `line 2: unit: "300"`},
		"a bad area":         {"area,address,value\nram,1,1\n", `line 2: modbus: area "ram"`},
		"no area":            {"address,value\n1,1\n", "in which area?"},
		"a bad type":         {"address,type,value\n40001,int24,1\n", `type "int24"`},
		"a bad order":        {"address,order,value\n40001,ACBD,1\n", `order "ACBD"`},
		"too many registers": {"address,type,registers,value\n40001,bcd,9,1\n", "registers 9"},
		"no registers":       {"address,type,registers,value\n40001,bcd,x,1\n", `"x" is no number`},
		"too great":          {"address,value\n40001,65536\n", "65536 does not fit uint16"},
		"a text":             {"address,value\n40001,much\n", `"much"`},
		"a bit of 2":         {"address,value\n00001,2\n", `value "2" of a bit`},
		"a bit as float":     {"address,type,value\n00001,float32,1\n", `type "float32"`},
		"a bit that drifts":  {"address,value,drift\n00001,1,1/1s\n", "drift is for registers"},
		"drift of what":      {"address,value,drift\n40001,1,fast\n", `drift "fast"`},
		"drift of a text":    {"address,type,value,drift\n40001,string,a,1/1s\n", "drift"},
		"drift too far":      {"address,value,drift\n40001,1,2/1s\n", "-1 does not fit uint16"},
		"past the end":       {"address,type,value\n465536,int32,1\n", "go past 65535"},
		"too many fields":    {"address,value\n40001,1,2\n", "3 fields, there are 2 columns"},
		"a quote":            {"address,value\n40001,\"1\n", "image"},
	} {
		_, err := modbus.ReadImage(strings.NewReader(test.file))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	_, err := modbus.ReadImage(strings.NewReader("address,value\n40001,x\n1,1\n40002,3\n"))
	if err == nil || !strings.Contains(err.Error(), "line 2") || !strings.Contains(err.Error(), "line 3") || strings.Contains(err.Error(), "line 4") {
		t.Errorf("two mistakes: %v", err)
	}
}

func FuzzReadImage(f *testing.F) {
	f.Add(meter)
	f.Add("address,value\n40001,1\n")
	f.Fuzz(func(t *testing.T, file string) {
		image, err := modbus.ReadImage(strings.NewReader(file))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "simulate: image: ") {
				t.Fatal(err)
			}
			return
		}
		cfg := modbus.DefaultConfig()
		cfg.Units = "1-3"
		fleet, err := modbus.New(cfg, modbus.WithImage(image))
		if err != nil {
			t.Fatal(err)
		}
		for unit := range uint8(3) {
			for address := range uint16(100) { // what drifts can be read at any time
				fleet.Get(0, unit+1, wire.Address{Area: wire.HoldingRegisters, Offset: address})
			}
		}
	})
}

func TestConfigMistakes(t *testing.T) {
	t.Parallel()
	cfg := modbus.DefaultConfig()
	cfg.Target, cfg.Lines, cfg.Units, cfg.Dead, cfg.Mode = "nowhere", 0, "", "3-1", "udp"
	cfg.ID, cfg.Registration, cfg.RegistrationMode, cfg.Heartbeat, cfg.HeartbeatEvery = "", `\q`, "always", `\x`, 0
	cfg.Latency, cfg.Jitter, cfg.Push, cfg.PushAddress, cfg.PushQuantity = -1, -1, 1, 1<<16, 0
	cfg.Duration, cfg.ConnectRate, cfg.Churn, cfg.BackoffMin, cfg.BackoffMax, cfg.Workers = -1, -1, -1, 0, -1, -1
	cfg.Faults.Silence, cfg.Image = 2, "/no/such/file"
	_, err := modbus.New(cfg)
	if err == nil {
		t.Fatal("no mistakes")
	}
	for _, key := range []string{
		"target", "lines", "units", "dead", "mode", "id", "registration", "registrationMode", "heartbeat", "heartbeatEvery", "latency", "jitter", "push",
		"pushAddress", "pushQuantity", "duration", "connectRate", "churn", "backoffMin", "backoffMax", "workers", "faults.silence", "image",
	} {
		if !strings.Contains(err.Error(), "simulate: "+key+": ") {
			t.Errorf("%s is no mistake", key)
		}
	}
	for name, change := range map[string]func(*modbus.Config){
		"shares above 1": func(c *modbus.Config) { c.Faults.Silence, c.Faults.Half = 0.6, 0.6 },
		"late before":    func(c *modbus.Config) { c.Faults.LateBy = -1 },
		"listen":         func(c *modbus.Config) { c.Listen = "1502" },
		"BCD of a name":  func(c *modbus.Config) { c.ID, c.Registration = "dtu", "{bcd}" },
		"a long packet":  func(c *modbus.Config) { c.Heartbeat = strings.Repeat("x", 257) },
	} {
		cfg := modbus.DefaultConfig()
		change(&cfg)
		if _, err := modbus.New(cfg); err == nil {
			t.Errorf("%s is no mistake", name)
		}
	}
}
