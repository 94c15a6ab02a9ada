package mqttlink

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// theirs reads one packet with the codec of others.
func theirs[P packets.ControlPacket](tb testing.TB, wire []byte) P {
	tb.Helper()
	r := bytes.NewReader(wire)
	cp, err := packets.ReadPacket(r)
	if err != nil {
		tb.Fatalf("% x: %v", wire, err)
	}
	if r.Len() > 0 {
		tb.Fatalf("% x: %d bytes are left", wire, r.Len())
	}
	p, ok := cp.(P)
	if !ok {
		tb.Fatalf("% x is %T", wire, cp)
	}
	return p
}

func newReader(r io.Reader, maxPayload int) *reader {
	return &reader{Reader: bufio.NewReader(r), maxPayload: maxPayload}
}

func TestPublishAsOthersReadIt(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, 127, 128, 16_383, 16_384, 70_000, 2_097_152} {
		for flags := range 8 {
			qos, retain, dup := byte(flags&1), flags&2 != 0, flags&4 != 0
			payload := bytes.Repeat([]byte{'x'}, size)
			wire := AppendPublish(nil, "a/b", payload, 4711, qos, retain, dup)
			p := theirs[*packets.PublishPacket](t, wire)
			if p.TopicName != "a/b" || !bytes.Equal(p.Payload, payload) || p.Qos != qos || p.Retain != retain || p.Dup != (dup && qos > 0) || qos > 0 && p.MessageID != 4711 {
				t.Errorf("size %d, flags %d: read as %v", size, flags, p.String())
			}
			var own Packet
			in := io.Reader(bytes.NewReader(wire))
			if size < 1000 {
				in = iotest.OneByteReader(in)
			}
			if err := newReader(in, size).next(&own); err != nil {
				t.Fatalf("size %d, flags %d: %v", size, flags, err)
			}
			if own.Type != Publish || own.Topic != "a/b" || !bytes.Equal(own.Payload, payload) || own.QoS != qos || own.Retained != retain || own.Dup != (dup && qos > 0) || qos > 0 && own.ID != 4711 {
				t.Errorf("size %d, flags %d: read back as %v, id %d", size, flags, own.Type, own.ID)
			}
		}
	}
}

func TestConnectAsOthersReadIt(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"bare":          {ClientID: "c", Clean: true, KeepAlive: 1},
		"all":           {ClientID: "client", Username: "user", Password: "secret", KeepAlive: 90e9, Will: &Will{Topic: "t", Payload: []byte("w"), QoS: 1, Retain: true}},
		"user alone":    {ClientID: "c", Username: "user", KeepAlive: 65535e9},
		"will of QoS 0": {ClientID: "c", Clean: true, KeepAlive: 9e9, Will: &Will{Topic: "t"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := theirs[*packets.ConnectPacket](t, appendConnect(nil, &o))
			if code := p.Validate(); code != packets.Accepted {
				t.Errorf("not valid: code %d", code)
			}
			if p.ClientIdentifier != o.ClientID || p.CleanSession != o.Clean || p.Keepalive != max(uint16(o.KeepAlive.Seconds()), 1) ||
				p.Username != o.Username || string(p.Password) != o.Password.Reveal() || p.WillFlag != (o.Will != nil) {
				t.Errorf("read as %v", p.String())
			}
			if w := o.Will; w != nil && (p.WillTopic != w.Topic || !bytes.Equal(p.WillMessage, w.Payload) || p.WillQos != w.QoS || p.WillRetain != w.Retain) {
				t.Errorf("will read as %v", p.String())
			}
		})
	}
}

func TestSubscriptionsAsOthersReadThem(t *testing.T) {
	t.Parallel()
	filters := []string{"a/+/b", "c/#", strings.Repeat("x", 300)}
	s := theirs[*packets.SubscribePacket](t, AppendSubscribe(nil, 7, filters, 1))
	if s.MessageID != 7 || !slices.Equal(s.Topics, filters) || !slices.Equal(s.Qoss, []byte{1, 1, 1}) {
		t.Errorf("read as %v", s.String())
	}
	u := theirs[*packets.UnsubscribePacket](t, AppendUnsubscribe(nil, 8, filters))
	if u.MessageID != 8 || !slices.Equal(u.Topics, filters) {
		t.Errorf("read as %v", u.String())
	}
	if a := theirs[*packets.PubackPacket](t, appendPuback(nil, 9)); a.MessageID != 9 {
		t.Errorf("read as %v", a.String())
	}
}

// answers are packets of a broker, written by the codec of others.
func answers(tb testing.TB) []byte {
	tb.Helper()
	var wire bytes.Buffer
	connack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	connack.SessionPresent, connack.ReturnCode = true, 0
	puback := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	puback.MessageID = 300
	suback := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
	suback.MessageID, suback.ReturnCodes = 301, []byte{1, 0x80}
	unsuback := packets.NewControlPacket(packets.Unsuback).(*packets.UnsubackPacket)
	unsuback.MessageID = 302
	publish := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	publish.TopicName, publish.Payload, publish.Qos, publish.MessageID = "t", []byte("payload"), 1, 303
	for _, p := range []packets.ControlPacket{connack, puback, suback, unsuback, packets.NewControlPacket(packets.Pingresp), publish} {
		if err := p.Write(&wire); err != nil {
			tb.Fatal(err)
		}
	}
	return wire.Bytes()
}

func TestAnswersOfOthers(t *testing.T) {
	t.Parallel()
	r := newReader(iotest.OneByteReader(bytes.NewReader(answers(t))), 7)
	want := []Packet{
		{Type: Connack, Codes: []byte{1, 0}},
		{Type: Puback, ID: 300},
		{Type: Suback, ID: 301, Codes: []byte{1, 0x80}},
		{Type: Unsuback, ID: 302},
		{Type: Pingresp},
		{Type: Publish, ID: 303, QoS: 1, Topic: "t", Payload: []byte("payload")},
	}
	for _, w := range want {
		var p Packet
		if err := r.next(&p); err != nil {
			t.Fatalf("%v: %v", w.Type, err)
		}
		if p.Type != w.Type || p.ID != w.ID || p.QoS != w.QoS || p.Topic != w.Topic || !bytes.Equal(p.Payload, w.Payload) || !bytes.Equal(p.Codes, w.Codes) {
			t.Errorf("read %+v, want %+v", p, w)
		}
	}
	if err := r.next(&Packet{}); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

func TestTooLargeIsPassedOver(t *testing.T) {
	t.Parallel()
	wire := AppendPublish(nil, "t", make([]byte, 5000), 3, 1, false, false)
	r := newReader(bytes.NewReader(AppendPublish(wire, "next", []byte("x"), 4, 1, false, false)), 4999)
	var p Packet
	if err := r.next(&p); err != nil || !p.TooLarge || p.ID != 3 || p.Topic != "t" || p.Payload != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if err := r.next(&p); err != nil || p.TooLarge || p.Topic != "next" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for name, wire := range map[string]string{
		"length of five bytes":      "\x30\xff\xff\xff\xff\x01",
		"PUBLISH of QoS 2":          "\x34\x06\x00\x01t\x00\x01x",
		"PUBLISH without a topic":   "\x30\x02\x00\x00",
		"topic longer than all":     "\x30\x03\x00\x09t",
		"no room for an identifier": "\x32\x03\x00\x01t",
		"PUBACK of three bytes":     "\x40\x03\x00\x01\x00",
		"PUBACK with flags":         "\x42\x02\x00\x01",
		"SUBACK of nothing":         "\x90\x02\x00\x01",
		"PINGRESP with a body":      "\xd0\x01\x00",
		"a client's own packet":     "\xc0\x00",
		"type 0":                    "\x00\x00",
		"endless SUBACK":            "\x90\xff\x7f",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := newReader(strings.NewReader(wire), 100).next(&Packet{}); !errors.Is(err, ErrMalformed) {
				t.Errorf("%v, want ErrMalformed", err)
			}
		})
	}
}

// What is cut short is an error of its own, wherever it is cut.
func TestCutShort(t *testing.T) {
	t.Parallel()
	wire := AppendPublish(nil, "topic", []byte("payload"), 4711, 1, false, false)
	for n := 1; n < len(wire); n++ {
		if err := newReader(bytes.NewReader(wire[:n]), 100).next(&Packet{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes: %v, want ErrUnexpectedEOF", n, err)
		}
	}
}

// FuzzReader wants the reader to agree with the codec of others on every packet
// that both take, and never to hold more than it was allowed.
func FuzzReader(f *testing.F) {
	f.Add(answers(f))
	f.Add(AppendPublish(nil, "a/b", []byte("x"), 1, 1, true, true))
	f.Add([]byte("\x30\xff\xff\xff\x7f\x00\x01t"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		const most = 1000
		r := newReader(bytes.NewReader(wire), most)
		others := bytes.NewReader(wire)
		for {
			var p Packet
			if r.next(&p) != nil {
				return
			}
			if len(p.Payload) > most || cap(r.small) > maxAnswer {
				t.Fatalf("holds %d bytes of payload and %d more", len(p.Payload), cap(r.small))
			}
			cp, err := packets.ReadPacket(others)
			if err != nil {
				return // they are stricter here and there
			}
			id := uint16(0)
			switch o := cp.(type) {
			case *packets.PublishPacket:
				if !p.TooLarge && (o.TopicName != p.Topic || !bytes.Equal(o.Payload, p.Payload)) || o.Qos != p.QoS || o.Retain != p.Retained || o.Dup != p.Dup {
					t.Fatalf("read %+v, others read %v", p, o)
				}
				id = o.MessageID
			case *packets.PubackPacket:
				id = o.MessageID
			case *packets.SubackPacket:
				if id = o.MessageID; !bytes.Equal(o.ReturnCodes, p.Codes) {
					t.Fatalf("read %+v, others read %v", p, o)
				}
			case *packets.UnsubackPacket:
				id = o.MessageID
			}
			if id != p.ID {
				t.Fatalf("read %+v, others read %v", p, cp)
			}
		}
	})
}
