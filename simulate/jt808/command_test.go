package jt808_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	wire "github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/simulate/jt808"
)

// online runs one terminal and waits until it is online.
func online(t *testing.T, change func(*jt808.Config), opts ...jt808.Option) (p *platform, f *jt808.Fleet, stop func()) {
	t.Helper()
	p = newPlatform(t)
	f, stop = start(t, p, func(c *jt808.Config) {
		c.Rate, c.Heartbeat = 0, 0
		if change != nil {
			change(c)
		}
	}, opts...)
	eventually(t, "the terminal is online", func() bool { return f.Stats().Online == 1 })
	return p, f, stop
}

// result waits for the general answer to a command.
func (p *platform) result(serial uint16, want wire.Result) {
	p.t.Helper()
	got := wait(p, func(b *wire.TerminalResponse) bool { return b.Serial == serial })
	if got.Result != want {
		p.t.Errorf("%v was answered with %v, want %v", got.Request, got.Result, want)
	}
}

func TestCommandsAreAnswered(t *testing.T) {
	t.Parallel()
	now := wire.NewBCDTime(time.Now())
	circle := func(id uint32) wire.Circle {
		return wire.Circle{ID: id, Latitude: 39_900_000, Longitude: 116_300_000, Radius: 500}
	}
	for _, v := range []wire.Version{wire.V2011, wire.V2013, wire.V2019} {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			p, f, stop := online(t, func(c *jt808.Config) { c.Versions = v.String() })
			if d := f.Devices(0, 1)[0]; d.Version != v || d.State != "online" || d.Phone != first {
				t.Errorf("the terminal is %+v", d)
			}
			for _, b := range []wire.Body{
				&wire.Text{Flag: wire.TextDisplay, Type: wire.TextTypeNotice, Text: "前方拥堵"}, &wire.LinkCheck{},
				&wire.Question{Flag: 1, Text: "?", Answers: []wire.QuestionAnswer{{ID: 7, Content: "yes"}}},
				&wire.SetEvents{Action: wire.MenuUpdate, Events: []wire.Event{{ID: 1, Content: "a"}}},
				&wire.CallBack{Phone: "10086"}, &wire.SetPhoneBook{Action: wire.MenuDeleteAll}, &wire.ConfirmAlarm{Types: 1},
				&wire.SetRectangles{Items: []wire.Rectangle{{ID: 1}}}, &wire.SetPolygon{AreaID: 1, Points: make([]wire.Point, 3)},
				&wire.SetRoute{RouteID: 1, Points: make([]wire.RoutePoint, 2)}, &wire.DeleteRoutes{},
				&wire.WriteRecorder{Command: 0x82}, &wire.Record{Command: 1}, &wire.Upgrade{Version: "2", Data: []byte{1}},
				&wire.LiveRequest{MediaServer: wire.MediaServer{Host: "127.0.0.1", TCP: 1}}, &wire.PTZRotate{Channel: 1},
				&wire.PlatformPassthrough{Type: wire.PassthroughSerial1, Data: []byte{1, 3, 0x7E, 0x7D}},
				wire.LockDoors(),
			} {
				p.result(p.tell(first, b), wire.ResultOK)
			}
			if a := wait[*wire.Answer](p, nil); a.AnswerID != 7 {
				t.Errorf("answer %+v", a)
			}
			if b := wait[*wire.Passthrough](p, nil); b.Type != wire.PassthroughSerial1 || !bytes.Equal(b.Data, []byte{1, 3, 0x7E, 0x7D}) {
				t.Errorf("passthrough %+v", b)
			}
			wait[*wire.UpgradeResult](p, nil)
			if r := wait[*wire.VehicleControlResponse](p, nil); v != wire.V2011 && !r.Location.Status.Has(wire.StatusDoorLocked) {
				t.Errorf("status %v after the doors were locked", r.Location.Status.Names(v))
			}
			if got := f.Devices(0, 1)[0].LastText; got != "前方拥堵" {
				t.Errorf("it shows %q", got)
			}

			s := p.tell(first, &wire.QueryLocation{})
			if r := wait[*wire.LocationResponse](p, nil); r.Serial != s || !r.Location.InRange() || !r.Location.Status.Located() {
				t.Errorf("location %+v for serial %d", r, s)
			}
			p.tell(first, &wire.QueryDriver{})
			if d := wait[*wire.DriverIdentity](p, nil); d.Driver != "王师傅" {
				t.Errorf("driver %+v", d)
			}
			p.tell(first, &wire.QueryAttributes{})
			if a := wait[*wire.Attributes](p, nil); a.Manufacturer != "LKSPN" || len(a.ICCID) != 20 {
				t.Errorf("attributes %+v", a)
			}
			s = p.tell(first, &wire.ReadRecorder{Command: 0})
			if r := wait[*wire.RecorderData](p, nil); r.Serial != s || len(r.Data) < 7 {
				t.Errorf("recorder %+v", r)
			}
			p.tell(first, &wire.PlatformKey{E: 3})
			wait[*wire.TerminalKey](p, nil)
			p.tell(first, &wire.QueryAVAttributes{})
			wait[*wire.AVAttributes](p, nil)
			p.tell(first, &wire.SearchMedia{MediaFilter: wire.MediaFilter{Start: now, End: now}})
			wait[*wire.MediaSearchResponse](p, nil)
			p.tell(first, &wire.QueryAVResources{})
			wait[*wire.AVResourceList](p, nil)

			p.result(p.tell(first, &wire.SetCircles{Action: wire.AreaAppend, Items: []wire.Circle{circle(1), circle(2), circle(3)}}), wire.ResultOK)
			p.result(p.tell(first, &wire.DeleteCircles{AreaIDs: wire.AreaIDs{IDs: []uint32{2}}}), wire.ResultOK)
			p.tell(first, &wire.QueryAreas{Type: wire.AreaTypeCircle})
			r := wait[*wire.AreaQueryResponse](p, nil)
			if areas, err := r.Areas(); v == wire.V2019 && (err != nil || r.Count != 2 || len(areas) != 1 || len(areas[0].(*wire.SetCircles).Items) != 2) {
				t.Errorf("areas %+v, %v", areas, err)
			}
			p.result(p.tell(first, &wire.SetCircles{Action: wire.AreaUpdate, Items: []wire.Circle{circle(9)}}), wire.ResultOK)
			p.tell(first, &wire.QueryAreas{Type: wire.AreaTypeCircle, IDs: []uint32{9, 1}})
			if r := wait[*wire.AreaQueryResponse](p, nil); r.Count != 1 {
				t.Errorf("%d areas after all were replaced by one", r.Count)
			}

			p.result(p.tell(first, &wire.Unknown{MessageID: 0x8FFF, Data: []byte{1}}), wire.ResultUnsupported)
			p.result(p.tell(first, &wire.Unknown{MessageID: wire.IDConfirmAlarm, Data: []byte{1}}), wire.ResultWrong)
			p.result(p.tell(first, &wire.TerminalControl{Command: wire.ControlUpgrade}), wire.ResultUnsupported)
			stop()
			if got := f.Stats(); got.Commands < 30 || got.CommandsRefused != 3 || got.StrayAcks != 0 {
				t.Errorf("%v", f.Report())
			}
		})
	}
}

func TestParametersAreKept(t *testing.T) {
	t.Parallel()
	p, f, stop := online(t, func(c *jt808.Config) { c.Rate, c.Heartbeat = 0.5, time.Minute })
	s := p.tell(first, &wire.QueryAllParameters{})
	all := wait[*wire.Parameters](p, nil)
	if b, ok := all.Get(0x0001); all.Serial != s || len(all.Params) < 20 || !ok || !bytes.Equal(b.Value, []byte{0, 0, 0, 60}) {
		t.Errorf("parameters %+v", all)
	}
	var set wire.SetParameters
	for name, value := range map[string]any{"0x0001": 45, "0x0055": 99, "0x0010": strings.Repeat("x", 20), "0xF001": "ab01"} {
		if err := set.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	p.result(p.tell(first, &set), wire.ResultOK)
	ask := &wire.QueryParameters{IDs: []wire.ParameterID{0x0001, 0x0055, 0x0010, 0xF001, 0x0029, 0xFFFF}}
	p.tell(first, ask)
	got := wait[*wire.Parameters](p, nil)
	for id, want := range map[wire.ParameterID]any{0x0001: uint64(45), 0x0055: uint64(99), 0x0010: strings.Repeat("x", 20), 0x0029: uint64(2)} {
		if v, ok := got.Get(id); !ok || v.Any() != want {
			t.Errorf("%v is %v, want %v", id, v.Any(), want)
		}
	}
	if _, there := got.Get(0xFFFF); there || len(got.Params) != 5 {
		t.Errorf("%d parameters, want 5: there is no 0xFFFF", len(got.Params))
	}

	p.result(p.tell(first, &wire.TerminalControl{Command: wire.ControlFactoryReset}), wire.ResultOK)
	p.until("the terminal again", func() bool { return p.counts[wire.IDAuthenticate] == 2 })
	eventually(t, "online", func() bool { return f.Stats().Online == 1 })
	p.tell(first, ask)
	if v, _ := wait[*wire.Parameters](p, nil).Get(0x0055); v.Any() != uint64(80) {
		t.Errorf("top speed is %v after the factory reset, want 80", v.Any())
	}
	stop()
	if s := f.Stats(); s.Reconnects != 1 || s.ClosedByPeer != 0 {
		t.Errorf("%v", f.Report())
	}
}

func TestPicturesAreSentInPackages(t *testing.T) {
	t.Parallel()
	p, f, stop := online(t, nil)
	asked := false
	p.mu.Lock()
	p.answer = func(f *wire.Frame) (wire.Body, bool) {
		if f.ID != wire.IDMediaData || asked {
			return nil, false
		}
		asked = true
		return &wire.MediaResponse{MediaID: p.parse(f).(*wire.MediaData).MediaID, Packets: []uint16{2}}, true
	}
	p.mu.Unlock()
	s := p.tell(first, &wire.Shoot{Channel: 2, Command: 2})
	shot := wait[*wire.ShotResponse](p, nil)
	if shot.Serial != s || len(shot.IDs) != 2 || shot.IDs[0] == shot.IDs[1] {
		t.Fatalf("shot %+v for serial %d", shot, s)
	}
	wait(p, func(b *wire.MediaEvent) bool { return b.MediaID == shot.IDs[0] })
	m := wait(p, func(b *wire.MediaData) bool { return b.MediaID == shot.IDs[1] })
	if m.Channel != 2 || !bytes.HasPrefix(m.Data, []byte{0xFF, 0xD8}) || m.Location == nil || !m.Location.InRange() {
		t.Errorf("media of channel %d, %d bytes", m.Channel, len(m.Data))
	}
	eventually(t, "package 2 again, and the other item's answer", func() bool {
		for _, k := range f.Report().Kinds {
			if k.Kind == "media" {
				return k.Resent == 1 && k.Acked >= 1
			}
		}
		return false
	})
	p.tell(first, &wire.Shoot{Channel: 9, Command: 1})
	if shot := wait[*wire.ShotResponse](p, nil); shot.Result != wire.ShotChannel {
		t.Errorf("shot %+v of a channel that there is not", shot)
	}
	stop()
}

func TestCommandsInPackages(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []jt808.Command
	p, _, stop := online(t, nil, jt808.WithCommands(func(c jt808.Command) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, c)
	}))
	p.result(p.tell(first, &wire.Upgrade{Version: "1.5", Data: make([]byte, 5000)}), wire.ResultOK)
	stop()
	if len(got) != 1 || got[0].Phone != first || got[0].Result != wire.ResultOK || len(got[0].Body.(*wire.Upgrade).Data) != 5000 {
		t.Errorf("observed %+v", got)
	}
}

func TestRefusalsAndDelays(t *testing.T) {
	t.Parallel()
	p, f, stop := online(t, func(c *jt808.Config) { c.Refuse, c.AnswerDelay = 1, 5*time.Millisecond })
	p.result(p.tell(first, &wire.Text{Text: "no"}), wire.ResultFailed)
	p.result(p.tell(first, &wire.QueryLocation{}), wire.ResultFailed)
	stop()
	if d := f.Devices(0, 1)[0]; d.LastText != "" || d.Commands != 2 || d.LastCommand != wire.IDQueryLocation {
		t.Errorf("%+v", d)
	}
}

func TestFramesOfOthersAreCounted(t *testing.T) {
	t.Parallel()
	p, f, stop := online(t, nil)
	other, err := wire.ParsePhone("13900000000", wire.V2013)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	for _, s := range p.conns {
		mine := s.phone
		s.phone, s.version = other, wire.V2013
		p.send(s, &wire.Text{Text: "for another"})
		s.phone = mine
		_, _ = s.conn.Write([]byte{0x7E, 1, 2, 3, 0x7E})
	}
	p.mu.Unlock()
	eventually(t, "both to be counted", func() bool { s := f.Stats(); return s.StrayFrames == 1 && s.BadFrames == 1 })
	stop()
}
