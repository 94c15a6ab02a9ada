package modbus

import (
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/modbus"
	"github.com/linkspan/linkspan/thing"
)

func direct(c *Config) { c.Direct.Enabled = true }

func rtu(tb testing.TB, unit uint8, m interface {
	Append(dst []byte) ([]byte, error)
},
) []byte {
	tb.Helper()
	pdu, err := m.Append(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return modbus.AppendFrame(nil, modbus.RTU, 0, unit, pdu)
}

func TestPushedAnswers(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct, func(c *Config) { c.Units = []string{"1-2"} }), 1)
	answer := rtu(t, 1, modbus.Response{Function: 3, Data: modbus.AppendRegisters(nil, 2305, 151, 0, 0, 1, 2)})
	w.Send(append([]byte(imei), answer...)) // in one piece
	w.wantLive(imei + "/1")
	w.wantSaid(imei + `/1 property {"voltage":230.5,"current":1.51,"energy":65538}`)
	w.SendEach(3, answer)
	w.wantSaid(imei + `/1 property {"voltage":230.5,"current":1.51,"energy":65538}`)
	w.Send(rtu(t, 2, modbus.Response{Function: 3, Data: modbus.AppendRegisters(nil, 1, 2, 3)})) // of which request?
	w.Send(rtu(t, 9, modbus.Response{Function: 3, Data: modbus.AppendRegisters(nil, 1)}))       // of whom?
	w.wantSaid()
	if st := w.stats(); st.Pushed != 2 || st.Unexpected != 2 {
		t.Errorf("%+v", st)
	}
	w.run(10 * time.Minute)
	if len(w.wire) > 0 {
		t.Errorf("the gateway was polled: %v", w.wire)
	}
}

func TestPushedWithTheGatewaysOwnRequest(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct), 1)
	w.Send([]byte(imei))
	w.Send(rtu(t, 1, modbus.Request{Function: 3, Address: 1, Quantity: 1}))
	w.Send(rtu(t, 1, modbus.Response{Function: 3, Data: modbus.AppendRegisters(nil, 77)}))
	w.wantSaid(imei + `/1 property {"current":0.77}`)
}

func TestPushedWrites(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct), 1)
	w.Send([]byte(imei))
	w.Send(rtu(t, 1, modbus.Request{Function: 16, Address: 0, Quantity: 2, Data: modbus.AppendRegisters(nil, 2200, 50)}))
	w.wantSaid(imei + `/1 property {"voltage":220.0,"current":0.50}`)
	if got, want := w.Take(), rtu(t, 1, modbus.Response{Function: 16, Address: 0, Quantity: 2}); string(got) != string(want) {
		t.Errorf("answered %x, want %x", got, want)
	}
	w.Send(rtu(t, 1, modbus.Request{Function: 5, Address: 0, Value: modbus.CoilValue(true)}))
	w.wantSaid(imei + `/1 property {"relay":true}`)
	w.Take()
	w.Send(rtu(t, 1, modbus.Request{Function: 6, Address: 500, Value: 1}))
	if got := w.Take(); len(got) > 0 {
		t.Errorf("a write to nothing was answered with %x", got)
	}
}

func TestCommandsToGatewaysThatPush(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct), 1)
	pushed := rtu(t, 1, modbus.Response{Function: 3, Data: modbus.AppendRegisters(nil, 2305, 151, 0, 0, 1, 2)})
	w.Send(append([]byte(imei), pushed...))
	w.TakeSaid()
	w.before = pushed // comes first
	w.tell(imei+"/1", set(field("relay", thing.Bool(true))))
	w.wantSaid(imei+`/1 property {"voltage":230.5,"current":1.51,"energy":65538}`, imei+"/1 reply done")
	if !w.slaves[1].coils[0] {
		t.Error("nothing was written")
	}
}

// Noise that looks like the front of a long frame hides what follows until the line
// is silent.
func TestAFalseFrontIsGivenUpWhenTheLineIsSilent(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct), 1)
	w.Send([]byte(imei))
	answer := rtu(t, 1, modbus.Response{Function: 3, Data: modbus.AppendRegisters(nil, 2305, 151, 0, 0, 1, 2)})
	w.Send([]byte{1, 3, 250, 7}) // 255 bytes, it says
	w.Send(answer)
	w.wantSaid()
	w.Advance(600 * time.Millisecond)
	w.wantSaid()
	w.Advance(600 * time.Millisecond)
	w.wantSaid(imei + `/1 property {"voltage":230.5,"current":1.51,"energy":65538}`)
	if st := w.stats(); st.Pushed != 1 || st.Noise != 4 {
		t.Errorf("%+v", st)
	}
	w.Send(answer[:9])
	w.Advance(600 * time.Millisecond)
	w.Send(answer[9:]) // in time
	w.wantSaid(imei + `/1 property {"voltage":230.5,"current":1.51,"energy":65538}`)
}

// What was written to a gateway may be pushed by it later, as anything else.
func TestAGatewayPushesWhatWasWritten(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct), 1)
	w.Send([]byte(imei))
	w.Send(rtu(t, 1, modbus.Request{Function: 5, Address: 0, Value: modbus.CoilValue(false)}))
	w.TakeSaid()
	w.Take()
	w.tell(imei+"/1", set(field("relay", thing.Bool(true))))
	w.wantSaid(imei + "/1 reply done")
	echo := rtu(t, 1, modbus.Request{Function: 5, Address: 0, Value: modbus.CoilValue(true)})
	w.Send(echo)
	w.wantSaid()
	w.run(time.Minute)
	w.Send(echo)
	w.wantSaid(imei + `/1 property {"relay":true}`)
}

// While a device is on its way online nothing of what is pushed is lost.
func TestPushedDuringTheLogin(t *testing.T) {
	t.Parallel()
	w := connect(t, testConfig(direct), 1)
	w.HoldLogins = true
	w.Send([]byte(imei))
	w.Send(rtu(t, 1, modbus.Request{Function: 6, Address: 0, Value: 2200}))
	w.Send(rtu(t, 1, modbus.Request{Function: 6, Address: 1, Value: 5}))
	w.Send(rtu(t, 1, modbus.Request{Function: 6, Address: 0, Value: 2210}))
	w.ReleaseLogins(nil)
	w.wantSaid(imei + `/1 property {"voltage":221.0,"current":0.05}`)
}
