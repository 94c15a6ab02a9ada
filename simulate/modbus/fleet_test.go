package modbus_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/simulate/modbus"
)

func holding(address uint16) wire.Address {
	return wire.Address{Area: wire.HoldingRegisters, Offset: address}
}

// A modem says who it is, and its slaves do all that masters ask.
func TestSlaves(t *testing.T) {
	t.Parallel()
	for _, mode := range []wire.Mode{wire.RTU, wire.TCP, wire.ASCII} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			b := newBridge(t)
			var mu sync.Mutex
			var written []string
			f, _ := start(t, b, func(c *modbus.Config) { c.Mode, c.Units = mode.String(), "1-2" }, modbus.WithWritten(func(w modbus.Written) {
				mu.Lock()
				defer mu.Unlock()
				written = append(written, fmt.Sprintf("%d/%d %v %v %x", w.Line, w.Unit, w.Address, w.Quantity, w.Data))
			}))
			m := b.accept(mode)
			m.expectText("861234567890001")
			for _, test := range []struct {
				name    string
				unit    uint8
				request wire.Request
				want    string // fields of the response that are not zero
			}{
				{"registers", 1, wire.Request{Function: wire.ReadHoldingRegisters, Address: 255, Quantity: 2}, "data 00ff0100"},
				{"inputs", 2, wire.Request{Function: wire.ReadInputRegisters, Address: 9999, Quantity: 1}, "data 270f"},
				{"bits", 2, wire.Request{Function: wire.ReadDiscreteInputs, Quantity: 9}, "data aa00"},
				{"past the last", 2, wire.Request{Function: wire.ReadHoldingRegisters, Address: 9999, Quantity: 2}, "exception illegal data address"},
				{"write a register", 2, wire.Request{Function: wire.WriteSingleRegister, Address: 7, Value: 0xabcd}, "address 7 value abcd"},
				{"read it", 2, wire.Request{Function: wire.ReadHoldingRegisters, Address: 6, Quantity: 3}, "data 0006abcd0008"},
				{"of the other slave", 1, wire.Request{Function: wire.ReadHoldingRegisters, Address: 7, Quantity: 1}, "data 0007"},
				{"write a coil", 1, wire.Request{Function: wire.WriteSingleCoil, Address: 2, Value: 0xff00}, "address 2 value ff00"},
				{"write coils", 1, wire.Request{Function: wire.WriteMultipleCoils, Address: 3, Quantity: 3, Data: []byte{2}}, "address 3 quantity 3"},
				{"read coils", 1, wire.Request{Function: wire.ReadCoils, Address: 1, Quantity: 5}, "data 0b"},
				{"write registers", 1, wire.Request{Function: wire.WriteMultipleRegisters, Address: 4, Quantity: 2, Data: []byte{0, 0x12, 3, 4}}, "address 4 quantity 2"},
				{"mask a register", 1, wire.Request{Function: wire.MaskWriteRegister, Address: 4, AndMask: 0xf2, OrMask: 0x25}, "address 4"},
				{
					"read and write", 1,
					wire.Request{Function: wire.ReadWriteMultipleRegisters, Address: 4, Quantity: 2, WriteAddress: 5, WriteQuantity: 1, Data: []byte{9, 9}},
					"data 00170909",
				},
				{"write past the last", 1, wire.Request{Function: wire.WriteSingleRegister, Address: 10000}, "exception illegal data address"},
				{
					"who are you", 1,
					wire.Request{Function: wire.EncapsulatedInterface, MEI: 14, ReadCode: 1},
					"data 00086c696e6b7370616e010973696d756c61746f720203312e30",
				},
				{"one text", 1, wire.Request{Function: wire.EncapsulatedInterface, MEI: 14, ReadCode: 4, Object: 2}, "data 0203312e30"},
				{"no such text", 1, wire.Request{Function: wire.EncapsulatedInterface, MEI: 14, ReadCode: 4, Object: 3}, "exception illegal data address"},
				{"what it cannot", 1, wire.Request{Function: wire.ReportServerID}, "exception illegal function"},
			} {
				r := m.ask(test.unit, test.request)
				if got := describe(r); got != test.want {
					t.Errorf("%s: %s, want %s", test.name, got, test.want)
				}
			}
			if word, ok := f.Get(0, 2, holding(7)); !ok || word != 0xabcd {
				t.Errorf("register 7 of slave 2 is %x, %v", word, ok)
			}
			mu.Lock()
			defer mu.Unlock()
			got, want := strings.Join(written, "\n"), `0/2 holdingRegister:7 1 abcd
0/1 coil:2 1 0100
0/1 coil:3 3 02
0/1 holdingRegister:4 2 00120304
0/1 holdingRegister:4 1 0017
0/1 holdingRegister:5 1 0909`
			if got != want {
				t.Errorf("written\n%s\nwant\n%s", got, want)
			}
			s := f.Stats()
			if s.Requests != 18 || s.Answers != 18 || s.Exceptions != 4 || s.Writes != 6 || s.Registrations != 1 || s.Connected != 1 {
				t.Errorf("%v", f.Report())
			}
		})
	}
}

func describe(r wire.Response) string {
	switch {
	case r.Exception != 0:
		return "exception " + r.Exception.String()
	case r.Data != nil:
		return fmt.Sprintf("data %x", r.Data)
	case r.Quantity != 0:
		return fmt.Sprintf("address %d quantity %d", r.Address, r.Quantity)
	case r.Value != 0:
		return fmt.Sprintf("address %d value %x", r.Address, r.Value)
	}
	return fmt.Sprintf("address %d", r.Address)
}

// A broadcast reaches all slaves and is not answered; slaves that are not there
// or dead do not answer either.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	f, _ := start(t, b, func(c *modbus.Config) { c.Units, c.Dead, c.Registration = "1-3", "3", "" })
	m := b.accept(wire.RTU)
	m.send(0, wire.Request{Function: wire.WriteSingleRegister, Address: 1, Value: 42})
	read := wire.Request{Function: wire.ReadHoldingRegisters, Address: 1, Quantity: 1}
	m.send(3, read)
	m.send(9, read)
	for unit := range uint8(2) {
		if r := m.ask(unit+1, read); describe(r) != "data 002a" {
			t.Errorf("slave %d: %s", unit+1, describe(r))
		}
	}
	if len(m.noise) != 0 {
		t.Errorf("answers %x", m.noise)
	}
	if s := f.Stats(); s.Unanswered != 3 || s.Answers != 2 {
		t.Errorf("%v", f.Report())
	}
	if !f.SetDead(0, 3, false) || !f.Set(0, 3, holding(1), 7) {
		t.Fatal("slave 3 is not there")
	}
	if r := m.ask(3, read); describe(r) != "data 0007" {
		t.Errorf("slave 3, back to life: %s", describe(r))
	}
	if f.SetDead(1, 1, true) || f.SetDead(0, 9, true) || f.Set(0, 9, holding(1), 1) || f.Set(-1, 1, holding(1), 1) {
		t.Error("there are slaves that there are not")
	}
	if _, ok := f.Get(0, 9, holding(1)); ok {
		t.Error("slave 9 holds something")
	}
}

func TestRegistrationAndHeartbeat(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	f, _ := start(t, b, func(c *modbus.Config) {
		c.ID, c.Registration, c.RegistrationMode = "dtu-0041", `LOGIN:{id}\r\n`, modbus.RegisterBoth
		c.Heartbeat, c.HeartbeatEvery = `\xFE{id}`, 20*time.Millisecond
	})
	m := b.accept(wire.RTU)
	m.expectText("LOGIN:dtu-0041\r\n\xfedtu-0041\xfedtu-0041")
	for range 3 {
		m.ask(1, wire.Request{Function: wire.ReadHoldingRegisters, Quantity: 1})
	}
	if n := bytes.Count(m.noise, []byte("LOGIN:dtu-0041\r\n")); n != 3 {
		t.Errorf("%d registrations before 3 packets: %q", n, m.noise)
	}
	if s := f.Stats(); s.Heartbeats < 2 || s.Registrations != 1 {
		t.Errorf("%v", f.Report())
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	read := wire.Request{Function: wire.ReadHoldingRegisters, Address: 1, Quantity: 2}
	whole := []byte{1, 3, 4, 0, 1, 0, 2, 0x2a, 0x32}
	soon := 100 * time.Millisecond // in which nothing comes
	for name, test := range map[string]struct {
		share func(*modbus.Faults)
		check func(t *testing.T, m *master)
	}{
		"silence": {func(f *modbus.Faults) { f.Silence = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			if r, ok := m.wait(m.send(1, read), soon); ok || len(m.noise) != 0 {
				t.Errorf("%+v, %x", r, m.noise)
			}
		}},
		"exception": {func(f *modbus.Faults) { f.Exception = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			if r := m.ask(1, read); r.Exception == 0 {
				t.Errorf("%+v", r)
			}
		}},
		"badChecksum": {func(f *modbus.Faults) { f.BadChecksum = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			r, ok := m.wait(m.send(1, read), soon)
			if got := append(m.noise, m.in...); ok || len(got) != len(whole) || !bytes.Equal(got[:8], whole[:8]) || got[8] == whole[8] {
				t.Errorf("%+v, %x", r, got)
			}
		}},
		"half": {func(f *modbus.Faults) { f.Half = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			if r, ok := m.wait(m.send(1, read), soon); ok || !bytes.Equal(m.in, whole[:4]) {
				t.Errorf("%+v, %x", r, m.in)
			}
		}},
		"split": {func(f *modbus.Faults) { f.Split = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			if r := m.ask(1, read); describe(r) != "data 00010002" || len(m.noise) != 0 {
				t.Errorf("%+v, %x", r, m.noise)
			}
		}},
		"glued": {func(f *modbus.Faults) { f.Glued = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			if r := m.ask(1, read); describe(r) != "data 00010002" || string(m.noise) != "www.usr.cn" || string(m.in) != "www.usr.cn" {
				t.Errorf("%+v, %q, %q", r, m.noise, m.in)
			}
		}},
		"noise": {func(f *modbus.Faults) { f.Noise = 1 }, func(t *testing.T, m *master) {
			t.Helper()
			if r := m.ask(1, read); describe(r) != "data 00010002" || len(m.noise) == 0 {
				t.Errorf("%+v, %x", r, m.noise)
			}
		}},
		"late": {func(f *modbus.Faults) { f.Late, f.LateBy = 1, 200*time.Millisecond }, func(t *testing.T, m *master) {
			t.Helper()
			began := time.Now()
			if r := m.ask(1, read); describe(r) != "data 00010002" || time.Since(began) < 200*time.Millisecond {
				t.Errorf("%+v after %v", r, time.Since(began))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBridge(t)
			f, _ := start(t, b, func(c *modbus.Config) {
				c.Registration = ""
				test.share(&c.Faults)
			})
			m := b.accept(wire.RTU)
			test.check(t, m)
			if f.Stats().Faults[name] != 1 {
				t.Errorf("%v", f.Report())
			}
		})
	}
}

// Wrong checksums of the other framings are wrong too.
func TestBadChecksumOfOthers(t *testing.T) {
	t.Parallel()
	for _, mode := range []wire.Mode{wire.TCP, wire.ASCII} {
		b := newBridge(t)
		f, _ := start(t, b, func(c *modbus.Config) {
			c.Mode, c.Registration, c.Faults.BadChecksum = mode.String(), "", 0.5
		})
		m := b.accept(mode)
		good := 0
		for i := range uint16(20) {
			if r, ok := m.wait(m.send(1, wire.Request{Function: wire.ReadHoldingRegisters, Address: i, Quantity: 1}), 50*time.Millisecond); ok {
				good++
				if describe(r) != fmt.Sprintf("data %04x", i) {
					t.Errorf("register %d: %s", i, describe(r))
				}
			}
		}
		if bad := f.Stats().Faults["badChecksum"]; bad == 0 || good+int(bad) != 20 {
			t.Errorf("%v: %d good, %d bad", mode, good, bad)
		}
	}
}

// Answers take their time, and keep their order.
func TestLatency(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	start(t, b, func(c *modbus.Config) {
		c.Registration, c.Latency, c.Jitter = "", 50*time.Millisecond, time.Millisecond
	})
	m := b.accept(wire.RTU)
	began := time.Now()
	m.ask(1, wire.Request{Function: wire.ReadHoldingRegisters, Quantity: 1})
	if d := time.Since(began); d < 50*time.Millisecond {
		t.Errorf("answered after %v", d)
	}
}

// A gateway that pushes sends frames on its own.
func TestPush(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	start(t, b, func(c *modbus.Config) {
		c.Registration, c.Heartbeat, c.Units, c.Dead = "", "", "1-3", "2"
		c.Push, c.PushAddress, c.PushQuantity = 10*time.Millisecond, 5, 2
	})
	m := b.accept(wire.RTU)
	one := string(wire.AppendFrame(nil, wire.RTU, 0, 1, []byte{3, 4, 0, 5, 0, 6}))
	three := string(wire.AppendFrame(nil, wire.RTU, 0, 3, []byte{3, 4, 0, 5, 0, 6}))
	m.expectText(one + three + one + three)
}

// Modems come back when the bridge ends their connection, and break it off
// themselves.
func TestReconnect(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	f, stop := start(t, b, func(c *modbus.Config) { c.ID, c.Churn = "a9", 600 })
	for range 3 {
		m := b.accept(wire.RTU)
		m.expectText("a9")
		_ = m.conn.Close()
	}
	m := b.accept(wire.RTU)
	m.expectText("a9")
	eventually(t, "the modem breaks off", func() bool { return f.Stats().Broken > 0 })
	stop()
	if s := f.Stats(); s.Connected != 0 || s.Connects < 4 || s.ClosedByPeer < 3 {
		t.Errorf("%v", f.Report())
	}
	if err := f.Run(t.Context()); !errors.Is(err, modbus.ErrRun) {
		t.Errorf("a second run: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	f, stop := start(t, nil, func(c *modbus.Config) { c.BackoffMin, c.BackoffMax = time.Millisecond, time.Millisecond },
		modbus.WithDialer(func(context.Context, string) (net.Conn, error) { return nil, errors.New("no") }))
	eventually(t, "attempts", func() bool { return f.Stats().DialErrors > 3 })
	stop()
}

// Slaves wait for masters, several at once, who see what the others have written.
func TestListen(t *testing.T) {
	t.Parallel()
	f, stop := start(t, nil, func(c *modbus.Config) { c.Listen, c.Mode, c.Lines = "127.0.0.1:0", "tcp", 2 })
	addrs := f.Addrs()
	if len(addrs) != 2 {
		t.Fatalf("addresses %v", addrs)
	}
	var masters []*master
	for _, addr := range []string{addrs[0], addrs[0], addrs[1]} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // it was only a test's
		masters = append(masters, &master{t: t, conn: conn, mode: wire.TCP})
	}
	masters[0].ask(1, wire.Request{Function: wire.WriteSingleRegister, Address: 1, Value: 99})
	read := wire.Request{Function: wire.ReadHoldingRegisters, Address: 1, Quantity: 1}
	for i, want := range []string{"data 0063", "data 0063", "data 0001"} {
		if r := masters[i].ask(1, read); describe(r) != want {
			t.Errorf("master %d: %s, want %s", i, describe(r), want)
		}
	}
	_ = masters[1].conn.Close()
	eventually(t, "two connections", func() bool { return f.Stats().Connected == 2 })
	if _, err := masters[2].conn.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one connection", func() bool { return f.Stats().Connected == 1 })
	stop()
	if s := f.Stats(); s.Connected != 0 || s.BadFrames != 1 {
		t.Errorf("%v", f.Report())
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	cfg := modbus.DefaultConfig()
	cfg.Listen = b.listen.Addr().String()
	f, err := modbus.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err == nil {
		t.Error("a port in use is no error")
	}
}

// Fifty lines with all faults at once: what is answered is right, and everything
// is accounted for.
func TestManyLines(t *testing.T) {
	t.Parallel()
	b := newBridge(t)
	f, stop := start(t, b, func(c *modbus.Config) {
		c.Lines, c.Units, c.ConnectRate, c.Jitter = 50, "1-4", 0, 2*time.Millisecond
		c.Heartbeat, c.HeartbeatEvery = `\xFE`, 5*time.Millisecond
		c.Faults = modbus.Faults{Silence: 0.02, Exception: 0.02, BadChecksum: 0.02, Half: 0.02, Split: 0.02, Glued: 0.1, Noise: 0.1, Late: 0.02, LateBy: 40 * time.Millisecond}
	})
	var lines sync.WaitGroup
	var mu sync.Mutex
	seen := map[string]bool{}
	for range 50 {
		m := b.accept(wire.RTU)
		for len(m.in) < 15 {
			m.read(patience)
		}
		seen[string(m.in[:15])] = true
		lines.Go(func() {
			for i := range uint16(40) {
				r, ok := m.wait(m.send(uint8(1+i%4), wire.Request{Function: wire.ReadInputRegisters, Address: i, Quantity: 1 + i%3}), 60*time.Millisecond)
				want := fmt.Sprintf("data %x", wire.AppendRegisters(nil, []uint16{i, i + 1, i + 2}[:1+i%3]...))
				if ok && r.Exception == 0 && describe(r) != want {
					mu.Lock()
					t.Errorf("register %d: %s, want %s", i, describe(r), want)
					mu.Unlock()
				}
				m.in = nil
			}
		})
	}
	lines.Wait()
	stop()
	s := f.Stats()
	if len(seen) != 50 || s.Requests != 2000 || s.Answers+s.Unanswered+s.Faults["silence"] != s.Requests || s.Dropped != 0 {
		t.Errorf("%d modems\n%v", len(seen), f.Report())
	}
	for name, n := range s.Faults {
		if n == 0 {
			t.Errorf("no fault %s", name)
		}
	}
	t.Logf("\n%v", f.Report())
}
