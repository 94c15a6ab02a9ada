package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
)

// errGone says that the bridge has closed the connection.
var errGone = errors.New("the connection has ended")

// terminal is a JT/T 808 terminal that does what a test tells it. Its methods
// are called by one goroutine.
type terminal struct {
	t       testing.TB
	digits  string
	phone   jt808.Phone
	version jt808.Version
	conn    net.Conn
	serial  uint16
	code    string            // from its registration
	frames  chan *jt808.Frame // closed with the connection
	kept    []*jt808.Frame    // read and not asked for yet
	reading sync.WaitGroup
}

// dial connects a terminal that the platform knows from now on.
func (w *world) dial(phone string, v jt808.Version) *terminal {
	w.t.Helper()
	if !slices.Contains(w.known, phone) {
		w.know(phone)
	}
	x, err := dial(w.t.Context(), w.t, w.addr().String(), "127.0.0.1", phone, v)
	w.must(err)
	return x
}

// online connects a terminal, registers and authenticates it.
func (w *world) online(phone string, v jt808.Version) *terminal {
	w.t.Helper()
	x := w.dial(phone, v)
	w.must(x.login())
	return x
}

// dial connects a terminal from an address of the loopback. The connection ends
// with the test.
func dial(ctx context.Context, tb testing.TB, to, from, phone string, v jt808.Version) (*terminal, error) {
	tb.Helper()
	number, err := jt808.ParsePhone(phone, v)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conn, err := d.DialContext(ctx, "tcp", to)
	if err != nil {
		return nil, err
	}
	x := &terminal{t: tb, digits: phone, phone: number, version: v, conn: conn, frames: make(chan *jt808.Frame, 1024)}
	x.reading.Go(x.read)
	tb.Cleanup(x.close)
	return x, nil
}

func (x *terminal) close() {
	_ = x.conn.Close()   // it may have ended before
	for range x.frames { // the reader ends after what it has read
	}
	x.reading.Wait()
}

// read hands on frames until the connection ends.
func (x *terminal) read() {
	defer close(x.frames)
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	var in []byte
	buf := make([]byte, 16<<10)
	for {
		n, err := x.conn.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		for len(in) > 0 {
			f, used, err := decoder.Decode(in)
			in = in[used:]
			if errors.Is(err, codec.ErrIncomplete) {
				break
			}
			if err != nil {
				x.t.Errorf("terminal %s: the bridge sent a bad frame: %v", x.digits, err)
				return
			}
			x.frames <- f.Clone()
		}
	}
}

// frame is one frame of the terminal's; each has the next serial.
func (x *terminal) frame(id jt808.ID, body []byte) (frame []byte, serial uint16) {
	h := jt808.Header{ID: id, Version: x.version, Phone: x.phone, Serial: x.serial}
	if x.version == jt808.V2019 {
		h.ProtocolVersion = 1
	}
	x.serial++
	b, err := jt808.AppendFrame(nil, &jt808.Frame{Header: h, Body: body})
	if err != nil {
		panic(err) // the test has made a body that there cannot be
	}
	return b, h.Serial
}

// send sends one message.
func (x *terminal) send(m jt808.Body) (serial uint16, err error) {
	body, err := m.AppendBody(nil, x.version)
	if err != nil {
		return 0, err
	}
	frame, serial := x.frame(m.ID(), body)
	_, err = x.conn.Write(frame)
	return serial, err
}

// next waits for the next frame that fits, however many others come before.
func (x *terminal) next(within time.Duration, fits func(*jt808.Frame) bool) (*jt808.Frame, error) {
	if i := slices.IndexFunc(x.kept, fits); i >= 0 {
		f := x.kept[i]
		x.kept = slices.Delete(x.kept, i, i+1)
		return f, nil
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case f, ok := <-x.frames:
			switch {
			case !ok:
				return nil, errGone
			case fits(f):
				return f, nil
			}
			x.kept = append(x.kept, f)
		case <-timer.C:
			return nil, fmt.Errorf("terminal %s: no answer within %s", x.digits, within)
		}
	}
}

// gone waits until the bridge has closed the connection.
func (x *terminal) gone() error {
	_, err := x.next(patience, func(*jt808.Frame) bool { return false })
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// answerTo waits for the general answer to a message.
func (x *terminal) answerTo(id jt808.ID, serial uint16, within time.Duration) (jt808.Result, error) {
	var r jt808.PlatformResponse
	_, err := x.next(within, func(f *jt808.Frame) bool {
		return f.ID == jt808.IDPlatformResponse && r.ParseBody(f.Body, f.Version) == nil && r.Request == id && r.Serial == serial
	})
	return r.Result, err
}

// register registers the terminal.
func (x *terminal) register() (jt808.RegisterResult, error) {
	serial, err := x.send(&jt808.Register{
		Layout: x.version, Province: 44, City: 300, Manufacturer: "LNKSP", Model: "E2E-1", TerminalID: "T000001", PlateColor: 2, Plate: "粤B12345",
	})
	if err != nil {
		return 0, err
	}
	var r jt808.RegisterResponse
	_, err = x.next(patience, func(f *jt808.Frame) bool {
		return f.ID == jt808.IDRegisterResponse && r.ParseBody(f.Body, f.Version) == nil && r.Serial == serial
	})
	x.code = r.Code
	return r.Result, err
}

// authenticate shows the code of the registration.
func (x *terminal) authenticate() (jt808.Result, error) {
	serial, err := x.send(&jt808.Authenticate{Code: x.code, IMEI: "860000000000001", Software: "1.0"})
	if err != nil {
		return 0, err
	}
	return x.answerTo(jt808.IDAuthenticate, serial, patience)
}

// login registers and authenticates.
func (x *terminal) login() error {
	if result, err := x.register(); err != nil || result != jt808.RegisterOK {
		return fmt.Errorf("terminal %s: registration ends with %d: %w", x.digits, result, err)
	}
	if result, err := x.authenticate(); err != nil || result != jt808.ResultOK {
		return fmt.Errorf("terminal %s: authentication ends with %d: %w", x.digits, result, err)
	}
	return nil
}

// location is the numbered report of a place in Shenzhen.
func location(number int) *jt808.Location {
	n := uint32(number)
	return &jt808.Location{
		Status:   jt808.StatusACC | jt808.StatusLocated,
		Latitude: 22_543_096 + n, Longitude: 114_057_865 - n, Altitude: 35, Speed: 605, Direction: 271,
		Time: jt808.NewBCDTime(time.Date(2026, 3, 1, 4, 5, 6, 0, time.UTC)),
		Extras: []jt808.Extra{
			{ID: jt808.ExtraMileage, Value: []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}},
			{ID: jt808.ExtraFuel, Value: []byte{0x01, 0x9B}},
			{ID: jt808.ExtraSignalStrength, Value: []byte{24}},
			{ID: jt808.ExtraSatellites, Value: []byte{11}},
		},
	}
}

// report sends the numbered report and waits for its answer.
func (x *terminal) report(number int, within time.Duration) error {
	serial, err := x.send(location(number))
	if err != nil {
		return err
	}
	result, err := x.answerTo(jt808.IDLocation, serial, within)
	if err != nil {
		return err
	}
	if result != jt808.ResultOK {
		return fmt.Errorf("terminal %s: report %d is answered with: %s", x.digits, number, result)
	}
	return nil
}

// told waits for the next message of that kind from the platform.
func told[B any, P interface {
	*B
	jt808.Body
}](x *terminal) (*B, uint16) {
	x.t.Helper()
	b := P(new(B))
	f, err := x.next(patience, func(f *jt808.Frame) bool { return f.ID == b.ID() })
	if err != nil {
		x.t.Fatalf("terminal %s waits for %s: %v", x.digits, b.ID(), err)
	}
	if err := b.ParseBody(f.Body, f.Version); err != nil {
		x.t.Fatalf("terminal %s: %s: %v", x.digits, b.ID(), err)
	}
	return (*B)(b), f.Serial
}

// say sends one message; the test fails when it cannot.
func (x *terminal) say(m jt808.Body) {
	x.t.Helper()
	if _, err := x.send(m); err != nil {
		x.t.Fatal(err)
	}
}
