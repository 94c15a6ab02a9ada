package server

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// Wherever what arrives is cut, crypto/tls gets one record at a time.
func TestRecordsOneAtATime(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var stream []byte
		var ends []int
		for range 1 + random.IntN(20) {
			size := random.IntN(300)
			stream = append(stream, 23, 3, 3, byte(size>>8), byte(size))
			stream = append(stream, make([]byte, size)...)
			ends = append(ends, len(stream))
		}
		var r record
		for at := 0; at < len(stream); {
			n := r.take(stream[at:min(len(stream), at+1+random.IntN(700))])
			if n < 1 {
				t.Fatal("no progress")
			}
			i, whole := slices.BinarySearch(ends, at+n)
			if first, _ := slices.BinarySearch(ends, at+1); first != i {
				t.Fatalf("bytes %d to %d are of several records, that end at %v", at, at+n, ends)
			}
			if at += n; whole != (r.head == 0) {
				t.Fatalf("at %d between records: %v, records end at %v", at, r.head == 0, ends)
			}
		}
	}
}

// fragmented is what crypto/tls gets of a first flight.
func fragmented(in []byte) (*handshake, bool, error) {
	s := &Server{cfg: DefaultConfig()}
	s.handshakes = newHandshakes(1, 1)
	c := newConn(&listener{limits: DefaultLimits()}, withoutZone(nil))
	c.loop = &loop{server: s}
	h := newHandshake(&tlsStage{conn: c})
	h.hold(in)
	whole, err := h.hello()
	if whole && err == nil {
		h.fragment()
	}
	return h, whole, err
}

// A hello in pieces is the same hello, in records of its kind that are small, with
// the same behind it; and what it takes is counted.
func FuzzFragment(f *testing.F) {
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Add([]byte{22, 3, 1, 0, 0, 23})
	f.Add([]byte{22, 3})
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	f.Add(append([]byte{22, 3, 1, 0x40, 0}, make([]byte, 1<<14+100)...))
	f.Add(append([]byte{22, 3, 1, 5, 0xdc}, bytes.Repeat([]byte{7}, 1500)...))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		h, whole, err := fragmented(in)
		held := *h.held
		if pending := h.stage.conn.loop.server.pending.Load(); pending != int64(len(held)) {
			t.Errorf("%d bytes are counted, %d are held", pending, len(held))
		}
		if err != nil || !whole {
			if !bytes.Equal(held, in) {
				t.Error("what is no hello was changed")
			}
			return
		}
		size := int(in[3])<<8 | int(in[4])
		var body []byte
		for len(body) < size {
			n := int(held[3])<<8 | int(held[4])
			if !bytes.Equal(held[:3], in[:3]) || n < 1 || n > smallFragment {
				t.Fatalf("a record that begins %s", hex.EncodeToString(held[:recordHeader]))
			}
			body = append(body, held[recordHeader:recordHeader+n]...)
			held = held[recordHeader+n:]
		}
		if size == 0 {
			held = held[recordHeader:]
		}
		if !bytes.Equal(body, in[recordHeader:recordHeader+size]) || !bytes.Equal(held, in[recordHeader+size:]) {
			t.Error("the hello or what is behind it is not the same")
		}
	})
}

// A whole first flight of a real client is taken in pieces; the rest of the
// handshake is done by the other tests.
func TestRealHelloIsFragmented(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	raw := &deviceConn{m: &memory{closed: true}, hold: &out}
	if err := tls.Client(raw, &tls.Config{ServerName: "localhost", MinVersion: tls.VersionTLS12}).Handshake(); err == nil {
		t.Fatal("a handshake with nobody")
	}
	h, whole, err := fragmented(out.Bytes())
	if !whole || err != nil {
		t.Fatalf("whole %v, %v", whole, err)
	}
	if len(*h.held) <= out.Len() {
		t.Errorf("%d bytes of %d", len(*h.held), out.Len())
	}
}

// A handshake that waits for a CPU loses no place for it: its device has answered.
func TestWaitingForACPUIsNotStalling(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newHandshakes(1, 1)
		h := newHandshake(&tlsStage{conn: &conn{loop: &loop{server: &Server{handshakes: p}}}})
		p.slots <- struct{}{}
		p.wait(h)
		h.since = h.since.Add(-2 * grace)
		p.slots <- struct{}{} // another one's
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			p.resume(h)
		}()
		synctest.Wait()
		p.queue.PushBack(&handshake{pool: p})
		p.relieve()
		if p.givenUp != 0 || h.over {
			t.Error("it was given up")
		}
		<-p.slots
		<-ended
		p.queue.Init()
		p.end()
	})
}
