//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fleet is devices that are connected to one server, driven by one goroutine
// through epoll: the generator has to be cheaper than what it measures.
type fleet struct {
	epoll    int
	addr     unix.SockaddrInet4
	devices  []device
	frames   int         // different ones of each device
	packets  bool        // they send datagrams
	shares   bool        // the generator leaves its core to others now and then
	shaken   chan shaken // TLS handshakes that are done; nil without TLS
	wire     []byte      // of TLS
	in       []byte
	events   []unix.EpollEvent
	acks     int                          // of reports, since the last run began
	refused  int                          // acknowledgements with another result than 0, ever
	logins   int                          // devices that are online
	late     []int64                      // latencies in nanoseconds, when they are wanted
	answered func(d *device, n int) error // n acknowledgements came
}

// device is one connection.
type device struct {
	fd      int
	tls     *secured // nil without TLS
	index   int      // in the fleet
	number  int      // of the device, of which its phone is made
	stage   stage
	out     []byte // its reports, one behind the other
	ends    []int32
	next    int     // report to be sent
	unsent  []byte  // of what was written last
	blocked bool    // epoll tells when it can be written
	waiting int     // reports not yet acknowledged
	due     []int64 // when they should have been sent, oldest first; of the latency only
	held    int     // bytes of the acknowledgement that has come in part
	part    [64]byte
}

type stage uint8

const (
	closed stage = iota
	connecting
	authenticating
	up
)

const (
	patience    = 20 * time.Second // for whatever the server has to do
	perAddress  = 20_000           // connections from one source address
	inputBuffer = 256 << 10
)

// newFleet makes n devices from number first on with that many different reports
// each, not yet connected.
func newFleet(addr string, first, n, frames int) (*fleet, error) {
	addr, packets := strings.CutPrefix(addr, udpPrefix)
	addr, encrypted := strings.CutPrefix(addr, tlsPrefix)
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	f := &fleet{
		addr: unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}, devices: make([]device, n), frames: frames, packets: packets,
		in: make([]byte, inputBuffer), events: make([]unix.EpollEvent, 512),
	}
	if encrypted {
		f.shaken, f.wire = make(chan shaken, n), make([]byte, inputBuffer)
	}
	for i := range f.devices {
		d := &f.devices[i]
		d.index, d.number, d.fd = i, first+i, -1
		for k := range frames {
			if d.out, err = appendReport(d.out, d.number, k); err != nil {
				return nil, err
			}
			d.ends = append(d.ends, int32(len(d.out))) //nolint:gosec // small
		}
	}
	if f.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return f, nil
}

// connect brings all devices online, at most window of them at a time, and says
// how long that took.
func (f *fleet) connect(window int) (time.Duration, error) {
	began := time.Now()
	begun := 0
	for f.logins < len(f.devices) {
		for begun < len(f.devices) && begun-f.logins < window {
			if err := f.dial(&f.devices[begun]); err != nil {
				return 0, err
			}
			begun++
		}
		pause := 100 * time.Millisecond
		if f.shaken != nil {
			pause = time.Millisecond // they do not come through epoll
			if err := f.greet(); err != nil {
				return 0, err
			}
		}
		if err := f.wait(pause); err != nil {
			return 0, err
		}
		if time.Since(began) > patience+time.Duration(len(f.devices))*5*time.Millisecond {
			return 0, fmt.Errorf("%d of %d devices are online after %v", f.logins, len(f.devices), time.Since(began))
		}
	}
	return time.Since(began), nil
}

// dial begins a connection, from a source address of its own for each perAddress
// of them.
func (f *fleet) dial(d *device) error {
	if f.packets {
		return f.dialUDP(d)
	}
	if f.shaken != nil {
		f.dialTLS(d)
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket %d: %w", d.number, err)
	}
	d.fd, d.stage = fd, connecting
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), // no TIME_WAIT
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + d.index/perAddress)}}),
	)
	if err != nil {
		return fmt.Errorf("socket %d: %w", d.number, err)
	}
	if err := unix.Connect(fd, &f.addr); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect %d: %w", d.number, err)
	}
	return f.watch(unix.EPOLL_CTL_ADD, d, unix.EPOLLOUT)
}

func (f *fleet) watch(op int, d *device, events uint32) error {
	if err := unix.EpollCtl(f.epoll, op, d.fd, &unix.EpollEvent{Events: events, Fd: int32(d.index)}); err != nil { //nolint:gosec // small
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// wait handles what happens until something has, or the time is over. Less than
// a millisecond is none.
func (f *fleet) wait(most time.Duration) error {
	n, err := unix.EpollWait(f.epoll, f.events, int(most.Milliseconds()))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		e := &f.events[i]
		d := &f.devices[e.Fd]
		if e.Events&unix.EPOLLOUT != 0 {
			if err := f.writable(d); err != nil {
				return err
			}
		}
		if e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			if err := f.readable(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fleet) writable(d *device) error {
	if d.stage != connecting {
		rest := d.unsent
		d.unsent = nil
		return f.writeRaw(d, rest)
	}
	if code, err := unix.GetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_ERROR); err != nil || code != 0 {
		return fmt.Errorf("connect %d: %w", d.number, errors.Join(err, unix.Errno(code)))
	}
	if err := f.watch(unix.EPOLL_CTL_MOD, d, unix.EPOLLIN); err != nil {
		return err
	}
	return f.login(d)
}

// login begins to bring a device online.
func (f *fleet) login(d *device) error {
	d.stage = authenticating
	login, err := appendLogin(nil, d.number)
	if err != nil {
		return err
	}
	return f.write(d, login)
}

// write writes p, which must stay as it is until it is written.
func (f *fleet) write(d *device, p []byte) error {
	if d.tls != nil && d.stage != connecting && len(p) > 0 {
		sealed, err := d.tls.seal(p, len(d.unsent) > 0)
		if err != nil {
			return fmt.Errorf("device %d: %w", d.number, err)
		}
		p = sealed
	}
	return f.writeRaw(d, p)
}

func (f *fleet) writeRaw(d *device, p []byte) error {
	if len(d.unsent) > 0 {
		d.unsent = append(d.unsent[:len(d.unsent):len(d.unsent)], p...)
		return nil
	}
	n, err := unix.Write(d.fd, p)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("device %d: write: %w", d.number, err)
	}
	d.unsent = p[max(n, 0):]
	if blocked := len(d.unsent) > 0; blocked != d.blocked {
		d.blocked = blocked
		events := uint32(unix.EPOLLIN)
		if blocked {
			events |= unix.EPOLLOUT
		}
		return f.watch(unix.EPOLL_CTL_MOD, d, events)
	}
	return nil
}

func (f *fleet) readable(d *device) error {
	held := copy(f.in, d.part[:d.held])
	n, err := f.read(d, f.in[held:])
	switch {
	case errors.Is(err, unix.EAGAIN):
		return nil
	case err != nil:
		return fmt.Errorf("device %d: read: %w", d.number, err)
	case n == 0:
		return fmt.Errorf("device %d: the server has closed the connection", d.number)
	}
	acks, rest, err := f.parse(f.in[:held+n])
	if err != nil {
		return fmt.Errorf("device %d: %w", d.number, err)
	}
	if d.held = copy(d.part[:], rest); d.held < len(rest) {
		return fmt.Errorf("device %d: the server sent %x", d.number, rest)
	}
	if acks == 0 {
		return nil
	}
	if d.stage == authenticating {
		d.stage = up
		f.logins++
		return nil
	}
	if d.waiting -= acks; d.waiting < 0 {
		return fmt.Errorf("device %d: %d acknowledgements too many", d.number, -d.waiting)
	}
	f.acks += acks
	return f.answered(d, acks)
}

// parse counts the frames in in, all of which have to be acknowledgements
// (0x8001), and those of them that refuse. rest is the beginning of one.
func (f *fleet) parse(in []byte) (acks int, rest []byte, err error) {
	for len(in) > 0 {
		if in[0] != delimiter {
			return acks, nil, fmt.Errorf("no delimiter before %x", in[:min(len(in), 32)])
		}
		end := 1
		for end < len(in) && in[end] != delimiter {
			end++
		}
		if end == len(in) {
			return acks, in, nil
		}
		if end < 19 || in[1] != 0x80 || in[2] != 0x01 {
			return acks, nil, fmt.Errorf("not an acknowledgement: %x", in[:end+1])
		}
		result := in[end-2] // before the check byte, which may be escaped
		if result == escape {
			result = in[end-3]
		}
		if result != 0 {
			f.refused++
		}
		acks++
		in = in[end+1:]
	}
	return acks, nil, nil
}

// close ends all connections at once.
func (f *fleet) close() {
	for i := range f.devices {
		if d := &f.devices[i]; d.fd >= 0 {
			_ = unix.Close(d.fd)
			d.fd = -1
		}
	}
	_ = unix.Close(f.epoll)
}
