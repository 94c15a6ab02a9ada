//go:build soak

package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/codec/jt808"
)

// fleet is many terminals that report numbered positions, keep what was not
// acknowledged and send it again, lose their connections now and then and answer
// commands. It remembers exactly what it was told is delivered, and shares no
// code with linkspan but the codec.
//
// Each terminal has one goroutine, which reads; reports are sent by a few that
// go round.
type fleet struct {
	target    string
	terminals []*terminal
	rate      float64 // reports per second of each
	churn     float64 // disconnects per minute of all
	quiet     atomic.Bool

	online     atomic.Int64
	sent       atomic.Uint64
	acked      atomic.Uint64 // numbers, each once
	refused    atomic.Uint64 // answers with another result
	open       atomic.Int64  // numbers begun and not acknowledged
	connects   atomic.Uint64
	commands   atomic.Uint64
	lostByPeer atomic.Uint64 // connections that ended by no doing of ours
	running    sync.WaitGroup
}

const (
	resendAfter = 20 * time.Second // without an answer
	window      = 64               // reports of one terminal under way
	senders     = 2
	beat        = 20 * time.Millisecond
)

func newFleet(target string, devices int, rate, churn float64) *fleet {
	f := &fleet{target: target, rate: rate, churn: churn}
	for i := range devices {
		digits := fmt.Sprintf("13%09d", i)
		phone, err := jt808.ParsePhone(digits, jt808.V2013)
		if err != nil {
			panic(err) // digits they are
		}
		f.terminals = append(f.terminals, &terminal{
			fleet: f, digits: digits, phone: phone, from: net.IPv4(127, 0, 0, byte(1+i/20_000)), next: 1, open: map[uint16]report{},
		})
	}
	return f
}

// run runs the fleet until ctx ends. Terminals come over that time.
func (f *fleet) run(ctx context.Context, ramp time.Duration) {
	for i, x := range f.terminals {
		f.running.Go(func() {
			if sleep(ctx, ramp*time.Duration(i)/time.Duration(len(f.terminals))) {
				x.run(ctx)
			}
		})
	}
	for s := range senders {
		f.running.Go(func() { f.send(ctx, s) })
	}
	f.running.Wait()
}

// send goes round a share of the terminals so that each reports at its rate.
func (f *fleet) send(ctx context.Context, share int) {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	var b buffers
	mine := (len(f.terminals) - share + senders - 1) / senders
	due, at, last := 0.0, 0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			due = min(due+now.Sub(last).Seconds()*f.rate*float64(mine), float64(mine))
			last = now
			for ; due >= 1; due-- {
				f.terminals[share+at*senders].report(&b, now)
				at = (at + 1) % mine
			}
		}
	}
}

// disturb ends connections of terminals taken at random, until ctx ends.
func (f *fleet) disturb(ctx context.Context) {
	if f.churn <= 0 {
		return
	}
	tick := time.NewTicker(time.Duration(float64(time.Minute) / f.churn))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f.terminals[rand.IntN(len(f.terminals))].hangUp()
		}
	}
}

// report is a number under way.
type report struct {
	number int
	at     time.Time
}

// buffers are what one goroutine makes frames in.
type buffers struct{ body, frame []byte }

// terminal is one of the fleet.
type terminal struct {
	fleet  *fleet
	digits string
	phone  jt808.Phone
	from   net.IP
	code   string // of the registration; only run uses it

	mu      sync.Mutex // guards all below; held while writing
	conn    net.Conn   // nil: none
	online  bool
	leaving bool // we have hung up
	serial  uint16
	next    int // number
	open    map[uint16]report
	backlog []int // numbers to send again
	acked   bits
}

var errRefused = errors.New("login refused")

// run keeps the terminal connected until ctx ends.
func (x *terminal) run(ctx context.Context) {
	for pause := time.Second; ctx.Err() == nil; {
		began := time.Now()
		err := x.session(ctx)
		if errors.Is(err, errRefused) {
			x.code = ""
		}
		if time.Since(began) > time.Minute {
			pause = time.Second
		}
		sleep(ctx, pause/2+rand.N(pause))
		pause = min(2*pause, 20*time.Second)
	}
}

// session is one connection's life.
func (x *terminal) session(ctx context.Context) error {
	d := net.Dialer{Timeout: 20 * time.Second, LocalAddr: &net.TCPAddr{IP: x.from}}
	conn, err := d.DialContext(ctx, "tcp", x.fleet.target)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	defer func() { _ = conn.Close() }()
	x.fleet.connects.Add(1)
	x.mu.Lock()
	x.conn, x.leaving = conn, false
	x.mu.Unlock()
	defer x.offline(ctx)
	if x.code == "" {
		err = x.say(&jt808.Register{Manufacturer: "LNKSP", Model: "SOAK", TerminalID: "S000001", PlateColor: 2, Plate: "粤B" + x.digits[6:]})
	} else {
		err = x.say(&jt808.Authenticate{Code: x.code})
	}
	if err != nil {
		return err
	}
	decoder := jt808.NewDecoder(jt808.DefaultOptions())
	buf := make([]byte, 0, 512)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := conn.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return err
		}
		rest := buf[:len(buf)+n]
		for len(rest) > 0 {
			f, used, err := decoder.Decode(rest)
			rest = rest[used:]
			if errors.Is(err, codec.ErrIncomplete) {
				break
			}
			if err == nil {
				err = x.told(f)
			}
			if err != nil {
				return err
			}
		}
		buf = append(buf[:0], rest...)
	}
}

// offline keeps what was not acknowledged for the next connection.
func (x *terminal) offline(ctx context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.online {
		x.fleet.online.Add(-1)
		if !x.leaving && ctx.Err() == nil {
			x.fleet.lostByPeer.Add(1)
		}
	}
	x.conn, x.online = nil, false
	for serial, r := range x.open {
		x.backlog = append(x.backlog, r.number)
		delete(x.open, serial)
	}
}

// hangUp ends the connection as a tunnel does.
func (x *terminal) hangUp() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.online {
		x.leaving = true
		_ = x.conn.Close()
	}
}

// told handles one message of the platform.
func (x *terminal) told(f *jt808.Frame) error {
	switch f.ID {
	case jt808.IDPlatformResponse:
		return x.answered(f.Body)
	case jt808.IDRegisterResponse:
		var r jt808.RegisterResponse
		if err := r.ParseBody(f.Body, f.Version); err != nil {
			return err
		}
		if r.Result != jt808.RegisterOK {
			return errRefused
		}
		x.code = r.Code
		return x.say(&jt808.Authenticate{Code: x.code})
	case jt808.IDQueryLocation:
		x.fleet.commands.Add(1)
		return x.say(&jt808.LocationResponse{Serial: f.Serial})
	case jt808.IDQueryParameters:
		x.fleet.commands.Add(1)
		return x.say(&jt808.Parameters{Serial: f.Serial, Params: []jt808.Parameter{{ID: 1, Value: []byte{0, 0, 0, 60}}}})
	default:
		x.fleet.commands.Add(1)
		return x.say(&jt808.TerminalResponse{Serial: f.Serial, Request: f.ID})
	}
}

// answered handles 0x8001.
func (x *terminal) answered(body []byte) error {
	if len(body) < 5 {
		return errors.New("short answer")
	}
	serial, id, result := binary.BigEndian.Uint16(body), jt808.ID(binary.BigEndian.Uint16(body[2:])), body[4]
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case id == jt808.IDAuthenticate && result != 0:
		return errRefused
	case id == jt808.IDAuthenticate:
		x.online = true
		x.fleet.online.Add(1)
		return nil
	case id != jt808.IDLocation:
		return nil
	}
	r, ok := x.open[serial]
	if !ok {
		return nil // sent again meanwhile
	}
	delete(x.open, serial)
	if result != 0 {
		x.fleet.refused.Add(1)
		x.backlog = append(x.backlog, r.number)
		return nil
	}
	if x.acked.add(r.number) {
		x.fleet.acked.Add(1)
		x.fleet.open.Add(-1)
	}
	return nil
}

// report sends the next number, or one that has to be sent again.
func (x *terminal) report(b *buffers, now time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.online {
		return
	}
	for serial, r := range x.open {
		if now.Sub(r.at) > resendAfter {
			delete(x.open, serial)
			x.backlog = append(x.backlog, r.number)
		}
	}
	for len(x.backlog) > 0 && x.acked.has(x.backlog[0]) {
		x.backlog = x.backlog[1:] // an answer to an earlier sending came
	}
	number := x.next
	switch {
	case len(x.open) >= window:
		return
	case len(x.backlog) > 0:
		number, x.backlog = x.backlog[0], x.backlog[1:]
	case x.fleet.quiet.Load():
		return
	default:
		x.next++
		x.fleet.open.Add(1)
	}
	n := uint32(number) //nolint:gosec // small
	l := jt808.Location{
		Status: jt808.StatusACC | jt808.StatusLocated, Latitude: 22_543_096 + n, Longitude: 114_057_865 - n,
		Altitude: 35, Speed: uint16(number % 1200), Direction: uint16(number % 360), Time: jt808.NewBCDTime(now), //nolint:gosec // small
		Extras: []jt808.Extra{{ID: jt808.ExtraMileage, Value: binary.BigEndian.AppendUint32(nil, n)}, {ID: jt808.ExtraSignalStrength, Value: []byte{24}}},
	}
	x.open[x.serial] = report{number, now}
	x.fleet.sent.Add(1)
	_ = x.write(b, &l) // the reader notices the end of the connection
}

// say sends one message.
func (x *terminal) say(m jt808.Body) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.write(&buffers{}, m)
}

// write sends one message. mu is held.
func (x *terminal) write(b *buffers, m jt808.Body) (err error) {
	if b.body, err = m.AppendBody(b.body[:0], jt808.V2013); err != nil {
		return err
	}
	h := jt808.Header{ID: m.ID(), Version: jt808.V2013, Phone: x.phone, Serial: x.serial}
	x.serial++
	if b.frame, err = jt808.AppendFrame(b.frame[:0], &jt808.Frame{Header: h, Body: b.body}); err != nil {
		return err
	}
	_ = x.conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, err = x.conn.Write(b.frame)
	return err
}

// sleep waits and says whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
