//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/simonvetter/modbus"
)

// point is a value of a type, and how it is written in JSON.
type point struct{ typ, value, more string }

// said is how the value is reported: numbers above those of an int64 are written as
// texts, for JSON has no such numbers on its way, and reported as floats.
func (p point) said() string {
	if p.typ == "uint64" {
		return "18446744073709552000"
	}
	return p.value
}

// points are the types of values, with room for 8 registers each.
var points = []point{
	{"int16", "-1234", ""},
	{"uint16", "65000", ""},
	{"int32", "-123456789", ""},
	{"uint32", "4000000000", ""},
	{"int64", "-1234567890123456789", ""},
	{"uint64", `"18446744073709551615"`, ""},
	{"float32", "-12.5", ""},
	{"float64", "-123.456", ""},
	{"bcd", "12345678", "registers = 2, "},
	{"signMagnitude", "-5", ""},
	{"string", `"Meter"`, "registers = 3, "},
}

const room = 8 // registers from one point to the next

// place is the register of a point in an order, from 0.
func place(typ, order string) int {
	at := 0
	for _, o := range []string{"ABCD", "CDAB", "BADC", "DCBA"} {
		for _, p := range points {
			if p.typ == typ && o == order {
				return at
			}
			at += room
		}
	}
	panic(typ + order)
}

// allPoints are the points of a profile, and their values in JSON.
func allPoints() (profile, values string) {
	var lines, fields []string
	for _, p := range points {
		for order := range orders {
			name := p.typ + "_" + order
			lines = append(lines, fmt.Sprintf("      %s { address = \"holding:%d\", type = %s, %sorder = %s, access = rw }\n", name, place(p.typ, order), p.typ, p.more, order))
			fields = append(fields, fmt.Sprintf("%q:%s", name, p.value))
		}
	}
	return strings.Join(lines, ""), "{" + strings.Join(fields, ",") + "}"
}

// bridgeOfModbus starts a bridge whose devices are at an MQTT broker.
func bridgeOfModbus(t *testing.T, m *mosquitto) (listen string) {
	t.Helper()
	listen, _ = free(t)
	admin, _ := free(t)
	profile, _ := allPoints()
	conf := filepath.Join(t.TempDir(), "application.conf")
	text := fmt.Sprintf(`
upstream { type = mqtt, mqtt.endpoint = "tcp://127.0.0.1:%s" }
devices { unknown = template, template.productKey = demo }
admin.address = %q
listeners = [{ protocol = modbus, address = %q, modbus {
  mode = tcp, devices = line, registration { form = text, suffix = "#" }
  requests { timeout = 5s, spread = 0s }
  profiles { all {
    interval = 1s
    points {
%s    }
  } }
} }]
`, m.port, admin, listen, profile)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, linkspan, "serve", "-c", conf)
	n.says("linkspan is ready")
	return listen
}

// dtu connects a slave that waits for a master to the bridge, as a modem does.
func dtu(t *testing.T, name, bridge, slave string) {
	t.Helper()
	up, err := net.Dial("tcp", bridge)
	if err != nil {
		t.Fatal(err)
	}
	down, err := net.Dial("tcp", slave)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(up, name+"#"); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	t.Cleanup(func() {
		_, _ = up.Close(), down.Close()
		both.Wait()
	})
	both.Go(func() { _, _ = io.Copy(down, up) }) // both end with the test
	both.Go(func() { _, _ = io.Copy(up, down) })
}

// writeAll has the platform write every point, and waits until they are
// reported with the values that were written.
func writeAll(t *testing.T, m *mosquitto, name string) {
	t.Helper()
	topic := "linkspan/demo/" + name
	_, values := allPoints()
	reports := m.hear("-t", topic+"/up/property")
	reports.says(`"fields"`)
	reply := object(t, ok(t, "", "mosquitto_rr", m.client("-W", "30", "-t", topic+"/down/command", "-e", topic+"/up/reply",
		"-m", fmt.Sprintf(`{"id":"w1","type":"set","timeout":25000,"fields":%s}`, values))...))
	if reply["state"] != "done" {
		t.Fatalf("the command is answered with %v", reply)
	}
	want := map[string]string{}
	for _, p := range points {
		for order := range orders {
			want[p.typ+"_"+order] = p.said()
		}
	}
	var got map[string]json.RawMessage
	matches := func() bool {
		all := strings.Split(strings.TrimSpace(reports.log.text()), "\n")
		last := all[len(all)-1]
		i := strings.Index(last, "{")
		if i < 0 {
			return false
		}
		var message struct{ Fields map[string]json.RawMessage }
		if json.Unmarshal([]byte(last[i:]), &message) != nil {
			return false
		}
		got = message.Fields
		for name, value := range want {
			if string(got[name]) != value {
				return false
			}
		}
		return true
	}
	for end := time.Now().Add(patience); !matches(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			for name, value := range want {
				if string(got[name]) != value {
					t.Errorf("%s is reported as %s, want %s", name, got[name], value)
				}
			}
			return
		}
	}
}

// TestLibmodbusThroughTheBridge has the platform write values of all types in all
// orders into a slave of libmodbus, and libmodbus say what they are.
func TestLibmodbusThroughTheBridge(t *testing.T) {
	t.Parallel()
	program(t, "gcc")
	binary := filepath.Join(t.TempDir(), "modbus_slave")
	ok(t, "", "gcc", "-Wall", "-Werror", "-I/usr/include/modbus", "-o", binary, filepath.Join("testdata", "modbus_slave.c"), "-lmodbus")
	address, port := free(t)
	slave := start(t, binary, port)
	slave.says("slave is ready")
	m := newMosquitto(t)
	dtu(t, "lib1", bridgeOfModbus(t, m), address)
	writeAll(t, m, "lib1")
	for order := range orders {
		said := slave.says(fmt.Sprintf("float32 %d ", place("float32", order)))
		if !strings.Contains(said, " "+order+"=-12.5") {
			t.Errorf("libmodbus reads %s as %s", order, said)
		}
	}
	slave.says(fmt.Sprintf("int32 %d ABCD=-123456789", place("int32", "ABCD")))
	slave.says(fmt.Sprintf("int64 %d ABCD=-1234567890123456789", place("int64", "ABCD")))
	slave.says(fmt.Sprintf("int16 %d ABCD=-1234", place("int16", "ABCD")))
}

// registers is a slave of a Go library that keeps what is written.
type registers struct {
	mu    sync.Mutex
	words [1000]uint16 // guarded by mu
}

func (r *registers) HandleHoldingRegisters(req *modbus.HoldingRegistersRequest) ([]uint16, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int(req.Addr)+int(req.Quantity) > len(r.words) {
		return nil, modbus.ErrIllegalDataAddress
	}
	part := r.words[req.Addr : req.Addr+req.Quantity]
	if req.IsWrite {
		copy(part, req.Args)
	}
	return append([]uint16(nil), part...), nil
}

func (*registers) HandleInputRegisters(*modbus.InputRegistersRequest) ([]uint16, error) {
	return nil, modbus.ErrIllegalFunction
}

func (*registers) HandleCoils(*modbus.CoilsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}

func (*registers) HandleDiscreteInputs(*modbus.DiscreteInputsRequest) ([]bool, error) {
	return nil, modbus.ErrIllegalFunction
}

// TestGoLibraryThroughTheBridge does the same with a slave of a Go library, whose
// master then reads the values.
func TestGoLibraryThroughTheBridge(t *testing.T) {
	t.Parallel()
	quiet := log.New(io.Discard, "", 0) //nolint:forbidigo // what the library takes
	var address string
	for attempt := 0; ; attempt++ { // somebody else may take a free port first
		address, _ = free(t)
		s, err := modbus.NewServer(&modbus.ServerConfiguration{URL: "tcp://" + address, MaxClients: 5, Logger: quiet}, &registers{})
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Start(); err == nil {
			t.Cleanup(func() { _ = s.Stop() })
			break
		}
		if attempt == 5 {
			t.Fatal(err)
		}
	}
	m := newMosquitto(t)
	dtu(t, "go1", bridgeOfModbus(t, m), address)
	writeAll(t, m, "go1")
	c := client(t, "tcp://"+address)
	for order, o := range orders {
		if err := c.SetEncoding(o.bytes, o.words); err != nil {
			t.Fatal(err)
		}
		at := func(typ string) uint16 { return uint16(place(typ, order)) }
		i16, err1 := c.ReadRegister(at("uint16"), modbus.HOLDING_REGISTER)
		u32, err2 := c.ReadUint32(at("uint32"), modbus.HOLDING_REGISTER)
		u64, err3 := c.ReadUint64(at("uint64"), modbus.HOLDING_REGISTER)
		f32, err4 := c.ReadFloat32(at("float32"), modbus.HOLDING_REGISTER)
		f64, err5 := c.ReadFloat64(at("float64"), modbus.HOLDING_REGISTER)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil ||
			i16 != 65000 || u32 != 4000000000 || u64 != math.MaxUint64 || f32 != -12.5 || f64 != -123.456 {
			t.Errorf("%s: %v %v %v %v %v; %v %v %v %v %v", order, i16, u32, u64, f32, f64, err1, err2, err3, err4, err5)
		}
	}
}
