package server_test

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
)

// BenchmarkTLSFrames is BenchmarkFrames over TLS 1.3; both sides' encryption is in
// it. The allocation is crypto/tls's, one for each record that the server reads and
// one for each that the device does.
func BenchmarkTLSFrames(b *testing.B) {
	for _, batch := range []struct {
		name   string
		frames int
	}{{"burst", 256}, {"steady", 1}} {
		b.Run(batch.name, func(b *testing.B) { benchTLSFrames(b, batch.frames) })
	}
}

func benchTLSFrames(b *testing.B, frames int) {
	b.Helper()
	a := newAuthority(b, "authority")
	p := protocol.Define("frames", struct{}{}, func(struct{}) (protocol.Protocol[uint32], error) {
		return protocol.Protocol[uint32]{
			Decoder: func() codec.Decoder[uint32] { return frameDecoder{} },
			Encoder: codec.AppendFunc[uint32](appendAnswer),
			Adapter: func() protocol.Adapter[uint32] { return answerer{} },
		}, nil
	})
	l := listenerFor(b, newCloud(b), nil, server.DefaultLimits())
	var err error
	if l.Open, err = p.New(p.Config); err != nil {
		b.Fatal(err)
	}
	if l.TLS, err = server.NewTLS(a.config()); err != nil {
		b.Fatal(err)
	}
	s, err := server.New(server.Config{Loops: 1}, []server.Listener{l})
	if err != nil {
		b.Fatal(err)
	}
	start(b, s)
	raw, err := net.Dial("tcp", s.Addr("test").String())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	_ = raw.SetDeadline(time.Now().Add(time.Minute))
	c := tls.Client(raw, a.client())
	out := make([]byte, frames*frameSize)
	for i := range frames {
		binary.BigEndian.PutUint32(out[i*frameSize:], frameSize)
	}
	in := make([]byte, frames*answerSize)
	b.ReportAllocs()
	rounds := 0
	for b.Loop() {
		if _, err := c.Write(out); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, in); err != nil {
			b.Fatal(err)
		}
		rounds++
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*frames), "ns/frame")
}
