//go:build linux

package main

import (
	"context"
	"errors"
	"net"

	"github.com/panjf2000/gnet/v2"
	"golang.org/x/sys/unix"

	"github.com/linkspan/linkspan/server"
)

// udpPrefix marks addresses that devices send datagrams to.
const udpPrefix = "udp:"

// udpBurst is how many reports a device of the shape burst sends at once, each in
// a datagram of its own: what all of them send has to fit into the kernel's
// buffer of one socket as it is on a machine that nobody has tuned.
const udpBurst = 16

// startLimitUDP is gnet alone with one loop: each datagram is unescaped, checked
// and acknowledged.
func startLimitUDP(string) (*role, error) {
	l := &limit{booted: make(chan struct{}), out: make([]byte, 0, 4096), scratch: make([]byte, 0, 4096)}
	free, err := net.ListenPacket("udp4", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return nil, err
	}
	addr := free.LocalAddr().String() // gnet does not tell the port that it takes
	_ = free.Close()
	ended := make(chan error, 1)
	go func() { // ends with the engine, which close stops
		ended <- gnet.Run(l, "udp://"+addr, gnet.WithNumEventLoop(1), gnet.WithReusePort(true),
			gnet.WithSocketRecvBuffer(server.DefaultUDPConfig().ReadBuffer), gnet.WithLogger(silent{}))
	}()
	select {
	case err := <-ended:
		return nil, err
	case <-l.booted:
	}
	return &role{
		addr: udpPrefix + addr,
		count: func() counts {
			return counts{Messages: l.messages.Load(), Reads: l.reads.Load(), Writes: l.writes.Load(), Failures: l.failures.Load()}
		},
		close: func(ctx context.Context) error { return errors.Join(l.engine.Stop(ctx), <-ended) },
	}, nil
}

// startDiscardUDP is linkspan-discard with a UDP listener.
func startDiscardUDP(string) (*role, error) {
	d := &discard{}
	r, err := startLinkspan(d, "received", d.count, func(l *server.Listener) {
		l.Network, l.UDP = server.UDP, server.DefaultUDPConfig()
	})
	if err == nil {
		r.addr = udpPrefix + r.addr
	}
	return r, err
}

// datagrams is the throughput over UDP, a report and an acknowledgement in a
// datagram each.
func (b *bench) datagrams(r *report) (err error) {
	r.UDP, err = b.saturated("UDP", udpBurst, b.wanted(limitUDPName, discardUDPName))
	return err
}

// dialUDP is dial for datagrams.
func (f *fleet) dialUDP(d *device) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	d.fd, d.stage = fd, connecting
	if err := unix.Connect(fd, &f.addr); err != nil {
		return err
	}
	return f.watch(unix.EPOLL_CTL_ADD, d, unix.EPOLLOUT)
}

// writeEach writes that many of the device's reports, each by itself.
func (f *fleet) writeEach(d *device, reports int) error {
	for range reports {
		if err := f.write(d, d.report()); err != nil {
			return err
		}
		if len(d.unsent) > 0 {
			return errors.New("the kernel takes no more datagrams")
		}
	}
	return nil
}
