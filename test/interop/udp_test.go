//go:build interop

package interop

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// datagramFrame is a frame of JT/T 808-2013 (4.4): made here, so that nothing of
// ours decides what is right.
func datagramFrame(id, serial uint16, body []byte) []byte {
	raw := binary.BigEndian.AppendUint16(nil, id)
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(body)))
	raw = append(raw, 0x01, 0x38, 0x00, 0x13, 0x80, 0x01) // phone 013800138001
	raw = binary.BigEndian.AppendUint16(raw, serial)
	raw = append(raw, body...)
	check := byte(0)
	for _, b := range raw {
		check ^= b
	}
	raw = append(raw, check)
	raw = bytes.ReplaceAll(raw, []byte{0x7d}, []byte{0x7d, 1})
	raw = bytes.ReplaceAll(raw, []byte{0x7e}, []byte{0x7d, 2})
	return append(append([]byte{0x7e}, raw...), 0x7e)
}

// unframe is the id and the body of a frame, whose check byte has to be right.
func unframe(t *testing.T, frame []byte) (id uint16, body []byte) {
	t.Helper()
	if len(frame) < 15 || frame[0] != 0x7e || frame[len(frame)-1] != 0x7e {
		t.Fatalf("%x is no frame", frame)
	}
	raw := bytes.ReplaceAll(frame[1:len(frame)-1], []byte{0x7d, 2}, []byte{0x7e})
	raw = bytes.ReplaceAll(raw, []byte{0x7d, 1}, []byte{0x7d})
	check := byte(0)
	for _, b := range raw {
		check ^= b
	}
	if check != 0 {
		t.Errorf("the check byte of %x is wrong", frame)
	}
	return binary.BigEndian.Uint16(raw), raw[12 : len(raw)-1]
}

// sender is a socat that sends what it is told from an address of its own.
type sender struct {
	t    *testing.T
	in   io.WriteCloser
	read chan []byte // datagrams that came back; closed at its end
}

func newSender(t *testing.T, to string) *sender {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "socat"), "-", to)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &sender{t: t, in: in, read: make(chan []byte, 16)}
	go func() { // ends with the process
		defer close(s.read)
		for {
			buf := make([]byte, 1<<16)
			n, err := out.Read(buf)
			if err != nil {
				return
			}
			s.read <- buf[:n]
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // by the signal
	})
	return s
}

// ask sends a frame and returns the answer.
func (s *sender) ask(frame []byte) (id uint16, body []byte) {
	s.t.Helper()
	if _, err := s.in.Write(frame); err != nil {
		s.t.Fatal(err)
	}
	select {
	case answer, ok := <-s.read:
		if !ok {
			s.t.Fatal("socat has ended")
		}
		return unframe(s.t, answer)
	case <-time.After(patience):
		s.t.Fatalf("no answer to %x", frame)
		return 0, nil
	}
}

// wantAck sends a frame and checks the result in the general answer (0x8001).
func (s *sender) wantAck(id, serial uint16, body []byte, result byte) {
	s.t.Helper()
	answer, got := s.ask(datagramFrame(id, serial, body))
	want := fmt.Sprintf("%04x%04x%02x", serial, id, result)
	if answer != 0x8001 || hex.EncodeToString(got) != want {
		s.t.Errorf("answer %04x %x, want 8001 %s", answer, got, want)
	}
}

// TestUDP lets socat be a terminal that speaks UDP, by IPv4 and by IPv6, and then
// the same terminal with another address.
func TestUDP(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	_, port := free(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"application.conf": fmt.Sprintf(`
productKey   = %s
deviceName   = %s
deviceSecret = %q
upstream { type = aliyun, aliyun { endpoint = "tcp://127.0.0.1:%s", qos = 1 } }
devices.file = devices.conf
listeners = [{ name = terminals, protocol = jt808, network = udp, address = ":%s", jt808 { ack = delivered } }]
admin.address = ""
`, gatewayProduct, gateway, gatewaySecret, c.mqttPort, port),
		"devices.conf": fmt.Sprintf(`"13800138001" { productKey = %s, deviceName = %s, deviceSecret = %q }`, truckProduct, truck, truckSecret),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n := start(t, linkspan, "serve", "-c", filepath.Join(dir, "application.conf"))
	n.says("linkspan is ready")

	here := newSender(t, "UDP4:127.0.0.1:"+port)
	const heartbeat, authenticate = 0x0002, 0x0102
	here.wantAck(heartbeat, 1, nil, 1) // nobody knows it yet
	body := append([]byte{0, 44, 1, 44}, strings.Repeat("\x00", 5+20+7)+"\x02B12345"...)
	id, registered := here.ask(datagramFrame(0x0100, 2, body))
	if id != 0x8100 || len(registered) < 4 || registered[2] != 0 {
		t.Fatalf("the registration is answered with %04x %x", id, registered)
	}
	code := registered[3:]
	here.wantAck(authenticate, 3, code, 0)
	here.wantAck(heartbeat, 4, nil, 0)

	address := "UDP6:[::1]:" + port
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		address = "UDP4:127.0.0.1:" + port
	}
	there := newSender(t, address)
	there.wantAck(heartbeat, 5, nil, 1)
	here.wantAck(heartbeat, 6, nil, 0)
	there.wantAck(authenticate, 7, code, 0)
	there.wantAck(heartbeat, 8, nil, 0)
	here.wantAck(heartbeat, 9, nil, 1) // it has moved
	if d := c.get("/devices/" + truckProduct + "/" + truck); d["online"] != true {
		t.Errorf("at the platform: %v", d)
	}
	if status := n.stop(); status != 0 {
		t.Errorf("linkspan ends with status %d", status)
	}
}
