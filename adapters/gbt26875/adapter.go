package gbt26875

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/codec/gbt26875"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/session"
)

// ErrLogins is the cause of a connection that ended after as many refused logins as
// attempts allows.
var ErrLogins = errors.New("gbt26875: too many refused logins")

// errNotAllowed is why a device is refused that is not on the list.
var errNotAllowed = fmt.Errorf("gbt26875: %w: it is not in allow", auth.ErrDenied)

type conn = protocol.Conn[*gbt26875.Frame]

// host is what the connections of one listener share. It does not change, and
// may be used from any goroutine.
type host struct {
	config   Config
	zone     *time.Location
	allowed  map[string]bool  // nil: all
	waits    bool             // answers wait for reports: ack is not received
	sessions []session.Option // how sessions are made; ack = stored
	counters *counters
}

// adapter serves one connection. It lives on the connection's loop.
type adapter struct {
	*host
	own      *device                      // the device of the connection; nil before its login, and with gateway
	devices  map[gbt26875.Address]*device // with gateway: those behind the connection
	serial   uint16                       // of our next frame
	most     int                          // how many devices there may be before those that have ended are forgotten
	failures uint8                        // refused logins
	sending  gbt26875.Frame               // what is being sent: used again
}

// maxWaiting bounds the frames of a device that wait for its login; the device
// repeats those that do not fit. Only with gateway: otherwise a login is a
// barrier.
const maxWaiting = 8

// Received handles one frame.
func (a *adapter) Received(c *conn, f *gbt26875.Frame) error {
	if f.Damaged {
		a.damaged(c, f)
		return nil
	}
	if d := a.device(f.Source); d != nil {
		d.received(c, f)
		return nil
	}
	a.stranger(c, f)
	return nil
}

// device is the device with that address, if it is known.
func (a *adapter) device(address gbt26875.Address) *device {
	d := a.own
	if a.config.Gateway {
		d = a.devices[address]
	}
	if d == nil || d.address != address || d.ended() {
		return nil
	}
	return d
}

// damaged denies a frame whose check sum is wrong. Its addresses may be wrong as
// well, but it came on this connection.
func (a *adapter) damaged(c *conn, f *gbt26875.Frame) {
	a.counters.damaged.Add(1)
	if asks(f.Command) {
		a.answer(c, &f.Header, gbt26875.CommandDeny, nil)
	}
}

// asks says whether a frame of that command wants an answer.
func asks(command gbt26875.Command) bool {
	switch command {
	case gbt26875.CommandControl, gbt26875.CommandSend, gbt26875.CommandRequest:
		return true
	default:
		return false
	}
}

// answer answers the frame with that header.
func (a *adapter) answer(c *conn, h *gbt26875.Header, command gbt26875.Command, data []byte) {
	a.sending = gbt26875.Frame{Header: h.Reply(command, a.label(c.Now(), a.usesBCD(h.Source))), Data: data}
	_ = c.Send(&a.sending) // a connection that is closing shows that by its end
}

// label is a time as the device wants it.
func (a *adapter) label(now time.Time, bcd bool) gbt26875.Time {
	if bcd {
		return gbt26875.NewBCDTime(now.In(a.zone))
	}
	return gbt26875.NewTime(now.In(a.zone))
}

// usesBCD says whether the device with that address writes its times in BCD.
func (a *adapter) usesBCD(address gbt26875.Address) bool {
	d := a.device(address)
	return a.config.Clock.Format == formatBCD || d != nil && d.bcd
}

// stranger handles a frame of a device that is not online: the first one brings
// it there.
func (a *adapter) stranger(c *conn, f *gbt26875.Frame) {
	if !a.config.Gateway && c.Session() != nil { // the connection is another's
		a.counters.strangers.Add(1)
		if asks(f.Command) {
			a.answer(c, &f.Header, gbt26875.CommandDeny, nil)
		}
		return
	}
	identity := a.identity(f.Source)
	if a.allowed != nil && !a.allowed[identity] {
		c.Denied(identity, errNotAllowed)
		a.refuse(c, &f.Header, errNotAllowed)
		return
	}
	d := &device{adapter: a, address: f.Source, waiting: []*gbt26875.Frame{f.Clone()}}
	if a.config.Gateway {
		a.attach(c, d, identity)
		return
	}
	c.Online(identity, nil, func(err error) {
		if err != nil {
			a.refuse(c, &d.waiting[0].Header, err)
			return
		}
		a.own = d
		d.begin(c, c.Session())
	}, a.sessions...)
}

// attach brings one of several devices online.
func (a *adapter) attach(c *conn, d *device, identity string) {
	if old := a.devices[d.address]; old != nil {
		old.end()
	}
	a.forgetEnded()
	if a.devices == nil {
		a.devices = make(map[gbt26875.Address]*device)
	}
	a.devices[d.address] = d
	c.Attach(identity, nil, func(s *session.Session, err error) {
		if err != nil {
			delete(a.devices, d.address)
			a.refuse(c, &d.waiting[0].Header, err)
			return
		}
		d.begin(c, s)
	}, a.sessions...)
}

// forgetEnded lets go of the devices that are no longer online, once they are the
// greater part: a connection may carry ever new ones for as long as it lasts.
func (a *adapter) forgetEnded() {
	if len(a.devices) < a.most {
		return
	}
	for address, d := range a.devices {
		if d.ended() {
			d.end()
			delete(a.devices, address)
		}
	}
	a.most = 2*len(a.devices) + minDevices
}

// minDevices is how many devices are remembered in any case.
const minDevices = 16

// refuse tells a device that it does not go online, if that is for good;
// otherwise it gets no answer and tries again.
func (a *adapter) refuse(c *conn, h *gbt26875.Header, err error) {
	a.counters.refused.Add(1)
	if errors.Is(err, auth.ErrDenied) && asks(h.Command) {
		a.answer(c, h, gbt26875.CommandDeny, nil)
	}
	if a.config.Gateway {
		return // others are behind the connection
	}
	if a.failures++; int(a.failures) >= a.config.Attempts {
		c.Close(fmt.Errorf("%w: the last, of %s: %w", ErrLogins, a.identity(h.Source), err))
	}
}

// identity is the name of the device with that address.
func (a *adapter) identity(address gbt26875.Address) string {
	switch a.config.Identity {
	case identityNumber:
		return strconv.FormatUint(address.Uint(), 10)
	case identityReversed:
		slices.Reverse(address[:])
	}
	return hex.EncodeToString(address[:])
}

// Closed lets go of what the connection held.
func (a *adapter) Closed(*conn, error) {
	if a.own != nil {
		a.own.end()
	}
	for _, d := range a.devices {
		d.end()
	}
}

// nextSerial is the number of our next frame.
func (a *adapter) nextSerial() uint16 {
	a.serial++
	return a.serial
}
