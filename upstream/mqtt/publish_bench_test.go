package mqtt_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream/mqtt"
)

// sink is a broker that grants and acknowledges everything, and costs little.
func sink(tb testing.TB) (url string) {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			tb.Cleanup(func() { _ = c.Close() })
			serving.Go(func() { drink(c) })
		}
	})
	tb.Cleanup(func() { _ = ln.Close() })
	return "tcp://" + ln.Addr().String()
}

func drink(c net.Conn) {
	defer func() { _ = c.Close() }()
	in, out := bufio.NewReaderSize(c, 1<<10), bufio.NewWriterSize(c, 1<<10)
	for {
		first, err := in.ReadByte()
		if err != nil {
			return
		}
		length, err := binary.ReadUvarint(in)
		if err != nil {
			return
		}
		var id []byte
		switch first >> 4 {
		case 3:
			head, _ := in.Peek(2)
			if len(head) < 2 {
				return
			}
			at := 2 + int(binary.BigEndian.Uint16(head))
			both, _ := in.Peek(at + 2)
			if len(both) < at+2 {
				return
			}
			id = both[at:]
			if first&2 != 0 {
				_, _ = out.Write([]byte{0x40, 2, id[0], id[1]})
			}
		case 1:
			_, _ = out.Write([]byte{0x20, 2, 0, 0})
		case 8:
			id, _ = in.Peek(2)
			_, _ = out.Write([]byte{0x90, 4, id[0], id[1], 1, 1})
		}
		if _, err := io.CopyN(io.Discard, in, int64(length)); err != nil {
			return
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

func location() *thing.Message {
	m := &thing.Message{Kind: thing.Property, Time: time.UnixMilli(1_700_000_000_123)}
	for _, name := range []string{"latitude", "longitude", "altitude", "speed", "direction", "mileage", "acc", "located"} {
		m.Fields = append(m.Fields, thing.Field{Name: name, Value: thing.Decimal(31_234_567, 6)})
	}
	return m
}

// BenchmarkPublish is a report from Publish to done, over one connection to a
// broker in the same process, 256 at a time.
func BenchmarkPublish(b *testing.B) {
	for _, qos := range []thing.QoS{thing.AtMostOnce, thing.AtLeastOnce} {
		b.Run(fmt.Sprintf("qos=%d", qos-1), func(b *testing.B) {
			b.ReportAllocs()
			cfg := mqtt.DefaultConfig()
			cfg.Endpoint = []string{sink(b)}
			up := start(b, cfg)
			c := loggedIn(b, up, truck("1"))
			m := location()
			m.QoS = qos
			room := make(chan struct{}, 256)
			done := func(err error) {
				if err != nil {
					b.Error(err)
				}
				<-room
			}
			for b.Loop() {
				room <- struct{}{}
				c.device.Publish(m, done)
			}
			for range cap(room) {
				room <- struct{}{}
			}
		})
	}
}

// BenchmarkDeviceConnections tells what a device with a connection of its own
// costs while it is silent: bytes of heap and stacks, less what the broker in the
// same process takes, and goroutines.
func BenchmarkDeviceConnections(b *testing.B) {
	const devices = 1000
	memory := func() uint64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&s)
		return s.HeapInuse + s.StackInuse
	}
	url := sink(b)
	for b.Loop() {
		cfg := mqtt.DefaultConfig()
		cfg.Endpoint, cfg.Connections, cfg.LoginRate = []string{url}, mqtt.ConnectionsDevice, 1e6
		before, routines := memory(), runtime.NumGoroutine()
		up := start(b, cfg)
		all := make([]<-chan error, 0, devices)
		for i := range devices {
			_, done := login(b, up, truck(strconv.Itoa(i)))
			all = append(all, done)
		}
		for _, done := range all {
			wantErr(b, "Login", done, nil)
		}
		awaitStats(b, up, func(s mqtt.Stats) bool { return s.Pending == 0 })
		after, now := memory(), runtime.NumGoroutine()
		b.ReportMetric(float64(after-before)/devices-sinkBytes(b, devices), "B/device")
		b.ReportMetric(float64(now-routines)/devices-1, "goroutines/device")
		wantErr(b, "Close", closing(up), nil)
	}
}

// sinkBytes is what connections cost the sink, and a bare socket at its other end.
func sinkBytes(b *testing.B, devices int) float64 {
	b.Helper()
	url := sink(b)
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	before := s.HeapInuse + s.StackInuse
	for range devices {
		c, err := net.Dial("tcp", url[len("tcp://"):])
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		connect := []byte{0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'a', 'b'}
		if _, err := c.Write(connect); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 4)); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&s)
	return float64(s.HeapInuse+s.StackInuse-before) / float64(devices)
}
