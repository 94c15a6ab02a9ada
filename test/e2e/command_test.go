package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

const commanded, another = "13800138000", "13800138001"

// TestSetAndGet changes terminal parameters and reads them back.
func TestSetAndGet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online(commanded, jt808.V2013)

	done := w.set(commanded, map[string]any{"heartbeatInterval": 30})
	set, serial := told[jt808.SetParameters](x)
	if len(set.Params) != 1 || set.Params[0].ID != 0x0001 || !bytes.Equal(set.Params[0].Value, []byte{0, 0, 0, 30}) {
		t.Fatalf("the terminal is told %+v", set)
	}
	x.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDSetParameters})
	if r := w.outcome(done); r.State != "done" || r.Code != 200 {
		t.Errorf("set ends with %+v", r)
	}

	got := w.get(commanded, "heartbeatInterval")
	query, serial := told[jt808.QueryParameters](x)
	if len(query.IDs) != 1 || query.IDs[0] != 0x0001 {
		t.Fatalf("the terminal is asked for %+v", query)
	}
	x.say(&jt808.Parameters{Serial: serial, Params: set.Params})
	r := w.outcome(got)
	if r.State != "done" || field(t, r, "heartbeatInterval") != "30" {
		t.Errorf("get ends with %+v, data %s", r, r.Data)
	}
}

// TestServices calls services that end in different ways.
func TestServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online(commanded, jt808.V2013)

	t.Run("text", func(t *testing.T) {
		done := w.invoke(commanded, "text", map[string]any{"text": "前方拥堵，请减速慢行", "urgent": true})
		m, serial := told[jt808.Text](x)
		if m.Text != "前方拥堵，请减速慢行" || m.Flag&1 == 0 {
			t.Errorf("the driver reads %+v", m)
		}
		x.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDText})
		if r := w.outcome(done); r.State != "done" || r.Code != 200 {
			t.Errorf("ends with %+v", r)
		}
	})
	t.Run("locked doors", func(t *testing.T) {
		done := w.invoke(commanded, "vehicleControl", map[string]any{"lock": true})
		_, serial := told[jt808.VehicleControl](x)
		l := location(77)
		l.Status |= jt808.StatusDoorLocked
		x.say(&jt808.VehicleControlResponse{Serial: serial, Location: *l})
		r := w.outcome(done)
		if r.State != "done" || !sameJSON(field(t, r, "latitude"), "22.543173") {
			t.Errorf("ends with %+v, data %s", r, r.Data)
		}
	})
	t.Run("location", func(t *testing.T) {
		done := w.invoke(commanded, "queryLocation", nil)
		_, serial := told[jt808.QueryLocation](x)
		x.say(&jt808.LocationResponse{Serial: serial, Location: *location(1)})
		if r := w.outcome(done); r.State != "done" || !sameJSON(field(t, r, "mileage"), "0.1") {
			t.Errorf("ends with %+v, data %s", r, r.Data)
		}
	})
	t.Run("refused", func(t *testing.T) {
		done := w.invoke(commanded, "track", map[string]any{"interval": 5, "duration": 60})
		m, serial := told[jt808.Track](x)
		if m.Interval != 5 || m.Validity != 60 {
			t.Errorf("the terminal is told %+v", m)
		}
		x.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDTrack, Result: jt808.ResultFailed})
		if r := w.outcome(done); r.Code != 100001 {
			t.Errorf("ends with %+v", r)
		}
	})
	t.Run("unsupported", func(t *testing.T) {
		done := w.invoke(commanded, "callBack", map[string]any{"phone": "10086"})
		_, serial := told[jt808.CallBack](x)
		x.say(&jt808.TerminalResponse{Serial: serial, Request: jt808.IDCallBack, Result: jt808.ResultUnsupported})
		if r := w.outcome(done); r.Code != 109004 {
			t.Errorf("ends with %+v", r)
		}
	})
	t.Run("no such service", func(t *testing.T) {
		if r := w.outcome(w.invoke(commanded, "selfDestruct", nil)); r.Code != 109004 || !strings.Contains(r.Message, "selfDestruct") {
			t.Errorf("ends with %+v", r)
		}
	})
	t.Run("wrong input", func(t *testing.T) {
		if r := w.outcome(w.invoke(commanded, "text", map[string]any{"words": "x"})); r.Code != 460 {
			t.Errorf("ends with %+v", r)
		}
	})
	if d := w.device(commanded); d.Counters.Refused > 0 {
		t.Errorf("the platform refused %d messages of the terminal: %v", d.Counters.Refused, w.platform.Stats().Refused)
	}
}

// TestRaw sends a message of the terminal's protocol that nobody between reads.
func TestRaw(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online(commanded, jt808.V2019)
	done := w.raw(commanded, []byte{0x8F, 0x01, 0xCA, 0xFE, 0x7E})
	f, err := x.next(patience, func(f *jt808.Frame) bool { return f.ID == 0x8F01 })
	w.must(err)
	if !bytes.Equal(f.Body, []byte{0xCA, 0xFE, 0x7E}) {
		t.Errorf("the terminal gets %x", f.Body)
	}
	x.say(&jt808.TerminalResponse{Serial: f.Serial, Request: 0x8F01})
	if r := w.outcome(done); r.State != "done" || !bytes.HasPrefix(r.Raw, []byte{0x00, 0x01}) {
		t.Errorf("ends with %+v", r)
	}
}

// TestLongCommand sends a command that goes in packages, one of which is lost.
func TestLongCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online(commanded, jt808.V2019)
	body := bytes.Repeat([]byte("long "), 500)
	done := w.raw(commanded, append([]byte{0x8F, 0x02}, body...))
	parts := map[uint16][]byte{}
	var first uint16
	for {
		f, err := x.next(patience, func(f *jt808.Frame) bool { return f.ID == 0x8F02 })
		w.must(err)
		if f.Index != 2 {
			parts[f.Index] = f.Body
		}
		if f.Index == 1 {
			first = f.Serial
		}
		if f.Index == f.Total {
			break
		}
	}
	x.say(&jt808.ResendRequest{FirstSerial: first, Packets: []uint16{2}})
	f, err := x.next(patience, func(f *jt808.Frame) bool { return f.ID == 0x8F02 && f.Index == 2 })
	w.must(err)
	parts[2] = f.Body
	if whole := slicesConcat(parts); !bytes.Equal(whole, body) {
		t.Errorf("the terminal gets %d bytes, want %d", len(whole), len(body))
	}
	x.say(&jt808.TerminalResponse{Serial: first + f.Total - 1, Request: 0x8F02})
	if r := w.outcome(done); r.State != "done" {
		t.Errorf("ends with %+v", r)
	}
}

func slicesConcat(parts map[uint16][]byte) (whole []byte) {
	for i := range len(parts) {
		whole = append(whole, parts[uint16(i+1)]...)
	}
	return whole
}

// TestUnanswered repeats a command that is not answered, and gives up in the end.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *setup) { s.jt808.Commands.Timeout, s.jt808.Commands.Retries = 50*time.Millisecond, 1 })
	x := w.online(another, jt808.V2013)
	done := w.invoke(another, "linkCheck", nil)
	_, serial := told[jt808.LinkCheck](x)
	if _, again := told[jt808.LinkCheck](x); again != serial {
		t.Errorf("the repetition has serial %d, want %d", again, serial)
	}
	if r := w.outcome(done); r.Code != 109001 {
		t.Errorf("ends with %+v", r)
	}
}

// TestGoneMeanwhile ends a command whose terminal goes before it has answered.
func TestGoneMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	x := w.online(commanded, jt808.V2013)
	done := w.invoke(commanded, "linkCheck", nil)
	_, _ = told[jt808.LinkCheck](x)
	w.must(x.conn.Close())
	if r := w.outcome(done); r.Code != 109002 && r.State != "offline" {
		t.Errorf("ends with %+v", r)
	}
}
