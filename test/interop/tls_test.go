//go:build interop

package interop

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// certificates are made by openssl and keytool, in a directory of the test.
type certificates struct {
	t   *testing.T
	dir string
}

func (c *certificates) file(name string) string { return filepath.Join(c.dir, name) }

// authority makes a root certificate.
func (c *certificates) authority(name string) {
	c.t.Helper()
	ok(c.t, "", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
		"-subj", "/CN="+name, "-addext", "basicConstraints=critical,CA:true", "-keyout", c.file(name+".key"), "-out", c.file(name+".pem"))
}

// issue makes a certificate for a name, in a file of that name.
func (c *certificates) issue(authority, file, name, algorithm string) {
	c.t.Helper()
	request := c.file(file + ".csr")
	ok(c.t, "", "openssl", "req", "-newkey", algorithm, "-nodes", "-subj", "/CN="+name, "-keyout", c.file(file+".key"), "-out", request)
	ext := c.file(file + ".ext")
	if err := os.WriteFile(ext, []byte("subjectAltName=DNS:"+name), 0o600); err != nil {
		c.t.Fatal(err)
	}
	made := c.file(file + ".pem.new")
	ok(c.t, "", "openssl", "x509", "-req", "-in", request, "-CA", c.file(authority+".pem"), "-CAkey", c.file(authority+".key"),
		"-CAcreateserial", "-days", "2", "-extfile", ext, "-out", made)
	if err := os.Rename(made, c.file(file+".pem")); err != nil {
		c.t.Fatal(err)
	}
}

// secureNode is a bridge with two TLS listeners.
type secureNode struct {
	*process
	*certificates
	open, mutual, admin string
}

func newSecureNode(t *testing.T) *secureNode {
	t.Helper()
	c := newCloud(t)
	n := &secureNode{certificates: &certificates{t, t.TempDir()}}
	n.open, _ = free(t)
	n.mutual, _ = free(t)
	n.admin, _ = free(t)
	n.authority("root")
	n.authority("stranger")
	n.issue("root", "server", "bridge.example", "rsa:2048")
	n.issue("root", "second", "second.example", "rsa:2048")
	n.issue("root", "truck", "13800138001", "ed25519")
	n.issue("root", "other", "13800138002", "rsa:2048")
	n.issue("stranger", "forged", "13800138001", "rsa:2048")
	p12 := n.file("second.p12")
	ok(t, "", "openssl", "pkcs12", "-export", "-in", n.file("second.pem"), "-inkey", n.file("second.key"), "-certfile", n.file("root.pem"),
		"-name", "second", "-passout", "pass:changeit", "-out", p12)
	ok(t, "", "keytool", "-importkeystore", "-noprompt", "-srckeystore", p12, "-srcstoretype", "PKCS12", "-srcstorepass", "changeit", "-srcalias", "second",
		"-destkeystore", n.file("second.jks"), "-deststoretype", "JKS", "-deststorepass", "storepass", "-destkeypass", "keypass1")
	conf := n.file("application.conf")
	for name, text := range map[string]string{
		conf: fmt.Sprintf(`
productKey = %s, deviceName = %s, deviceSecret = %q
upstream.aliyun { endpoint = "tcp://127.0.0.1:%s", qos = 1 }
devices.file = devices.conf
admin.address = %q
listeners = [
  { name = open, protocol = jt808, address = %q
    tls { certificate = server.pem, key = server.key, reload = 1s
          certificates = [{ keyStoreFile = second.jks, keyStoreType = jks, keyStorePassword = storepass, keyPassword = keypass1, alias = second }] } }
  { name = mutual, protocol = jt808, address = %q
    tls { certificate = server.pem, key = server.key, clientAuth = required, clientCa = root.pem, identity = cn } }
]
`, gatewayProduct, gateway, gatewaySecret, c.mqttPort, n.admin, n.open, n.mutual),
		n.file("devices.conf"): fmt.Sprintf(`"13800138001" { productKey = %s, deviceName = %s, deviceSecret = %q }`, truckProduct, truck, truckSecret),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.process = start(t, linkspan, "serve", "-c", conf)
	n.says("linkspan is ready")
	return n
}

// ended waits until that many connections of a listener have ended with a cause.
func (n *secureNode) ended(listener, cause, count string) {
	n.certificates.t.Helper()
	series := fmt.Sprintf(`linkspan_server_closed_connections_total{cause=%q,listener=%q,protocol="jt808"}`, cause, listener)
	await(n.certificates.t, series+" to be "+count, func() bool {
		return parseMetricOf(ok(n.certificates.t, "", "curl", "-sS", "http://"+n.admin+"/metrics"), series) == count
	})
}

// opener is an openssl s_client that goes on until it is told to stop.
type opener struct {
	t        *testing.T
	in       io.WriteCloser
	out, err *lines
	answers  int
	exit     chan struct{}
}

func newOpener(t *testing.T, address string, args ...string) *opener {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t, "openssl"), append([]string{"s_client", "-connect", address}, args...)...)
	o := &opener{t: t, out: &lines{}, err: &lines{}, exit: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = o.out, o.err
	var err error
	if o.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // ends with the process
		_ = cmd.Wait() // by a signal
		close(o.exit)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-o.exit
		if t.Failed() {
			t.Logf("openssl said:\n%.4000s\n%s", o.out.text(), o.err.text())
		}
	})
	return o
}

// answerFrame is 0x8001 or 0x8100 in the midst of what openssl says; FFFD stands
// for bytes that are no UTF-8.
var answerFrame = regexp.MustCompile(`(?s)~\x{FFFD}[\x00\x01][^~]*~`)

// ask sends a frame and returns the answer.
func (o *opener) ask(frame []byte) (id uint16, body []byte) {
	o.t.Helper()
	if _, err := o.in.Write(frame); err != nil {
		o.t.Fatal(err)
	}
	var frames [][]byte
	await(o.t, fmt.Sprintf("an answer to %x", frame), func() bool {
		frames = answerFrame.FindAll([]byte(o.out.text()), -1)
		return len(frames) > o.answers
	})
	o.answers++
	return unframe(o.t, frames[len(frames)-1])
}

// heartbeat sends a heartbeat of a terminal that is not online, and wants the
// answer that says so.
func (o *opener) heartbeat() {
	o.t.Helper()
	frame, err := hex.DecodeString(heartbeat)
	if err != nil {
		o.t.Fatal(err)
	}
	if id, body := o.ask(frame); id != 0x8001 || len(body) != 5 || body[4] != 1 {
		o.t.Errorf("the answer to a heartbeat is %04x %x", id, body)
	}
}

// command is one of openssl's: a line that is one letter.
func (o *opener) command(letter, says string) {
	o.t.Helper()
	before := strings.Count(o.err.text(), says)
	if _, err := o.in.Write([]byte(letter + "\n")); err != nil {
		o.t.Fatal(err)
	}
	await(o.t, "openssl to say "+says, func() bool { return strings.Count(o.err.text(), says) > before })
}

// says waits for openssl to say something.
func (o *opener) says(text string) {
	o.t.Helper()
	await(o.t, "openssl to say "+text, func() bool { return strings.Contains(o.out.text()+o.err.text(), text) })
}

// TestTLS lets openssl be terminals that speak TLS.
func TestTLS(t *testing.T) {
	t.Parallel()
	n := newSecureNode(t)
	trust := []string{"-CAfile", n.file("root.pem"), "-verify_return_error"}
	with := func(args ...string) []string { return append(append([]string(nil), trust...), args...) }

	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		t.Run("handshake"+version, func(t *testing.T) {
			o := newOpener(t, n.open, with(version)...)
			o.heartbeat()
			o.heartbeat()
			o.says("Verify return code: 0 (ok)")
		})
	}
	t.Run("key updates", func(t *testing.T) {
		o := newOpener(t, n.open, with("-tls1_3")...)
		o.heartbeat()
		for _, letter := range []string{"k", "K", "K", "k"} { // ours, and both sides'
			o.command(letter, "KEYUPDATE")
			o.heartbeat()
		}
	})
	t.Run("renegotiation is refused", func(t *testing.T) {
		o := newOpener(t, n.open, with("-tls1_2")...)
		o.heartbeat()
		o.command("R", "RENEGOTIATING")
		<-o.exit
		n.ended("open", "tls", "1")
	})
	t.Run("resumption", func(t *testing.T) {
		session := n.file("session")
		o := newOpener(t, n.open, with("-tls1_3", "-sess_out", session)...)
		o.heartbeat()
		await(t, "a ticket", func() bool { s, err := os.Stat(session); return err == nil && s.Size() > 0 })
		o = newOpener(t, n.open, with("-tls1_3", "-sess_in", session)...)
		o.heartbeat()
		o.says("Reused, TLSv1.3")
	})
	t.Run("names", func(t *testing.T) {
		o := newOpener(t, n.open, with("-servername", "second.example", "-verify_hostname", "second.example")...)
		o.heartbeat()
		o.says("CN = second.example")
		o = newOpener(t, n.open, with("-servername", "bridge.example", "-verify_hostname", "bridge.example")...)
		o.heartbeat()
	})
	t.Run("certificates of terminals", func(t *testing.T) {
		o := newOpener(t, n.mutual, with("-tls1_3")...)
		o.says("certificate required")
		o = newOpener(t, n.mutual, with("-cert", n.file("forged.pem"), "-key", n.file("forged.key"))...)
		o.says("unknown ca")
		const authenticate, register = 0x0102, 0x0100
		body := append([]byte{0, 44, 1, 44}, strings.Repeat("\x00", 5+20+7)+"\x02B12345"...)
		o = newOpener(t, n.mutual, with("-cert", n.file("truck.pem"), "-key", n.file("truck.key"))...)
		id, registered := o.ask(datagramFrame(register, 2, body))
		if id != 0x8100 || len(registered) < 4 || registered[2] != 0 {
			t.Fatalf("the registration is answered with %04x %x", id, registered)
		}
		code := registered[3:]
		if id, answer := o.ask(datagramFrame(authenticate, 3, code)); id != 0x8001 || answer[4] != 0 {
			t.Errorf("the truck is answered with %04x %x", id, answer)
		}
		o = newOpener(t, n.mutual, with("-cert", n.file("other.pem"), "-key", n.file("other.key"))...)
		if id, answer := o.ask(datagramFrame(authenticate, 3, code)); id != 0x8001 || answer[4] == 0 {
			t.Errorf("another that says it is the truck is answered with %04x %x", id, answer)
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		o := run(t, "GET / HTTP/1.0\r\n\r\n", "curl", "-sS", "--max-time", "10", "http://"+n.open+"/")
		if !strings.Contains(o.err, "Empty reply") {
			t.Errorf("curl says %s%s", o.out, o.err)
		}
		n.ended("open", "tls", "2")
	})
	t.Run("a renewed certificate", func(t *testing.T) {
		n.issue("root", "server", "renewed.example", "ec:"+n.curve())
		await(t, "the renewed certificate", func() bool {
			return strings.Contains(run(t, "", "openssl", "s_client", "-connect", n.open, "-brief").err, "renewed.example")
		})
	})
	if status := n.stop(); status != 0 {
		t.Errorf("linkspan ends with status %d", status)
	}
}

// curve is a file with the parameters of a curve, as openssl req takes them.
func (c *certificates) curve() string {
	c.t.Helper()
	ok(c.t, "", "openssl", "ecparam", "-name", "prime256v1", "-out", c.file("curve"))
	return c.file("curve")
}
