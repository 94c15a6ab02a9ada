//go:build interop

package interop

import (
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/simonvetter/modbus"
)

// slaves starts simulated slaves that wait for masters, and is their address.
func slaves(t *testing.T, mode, image string) (host, port string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.csv")
	if err := os.WriteFile(path, []byte(image), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, linkspan, "simulate", "modbus", "--listen", "127.0.0.1:0", "--mode", mode, "--units", "1,7", "--image", path, "--every", "0")
	address := strings.TrimPrefix(p.says("slaves wait on "), "slaves wait on ")
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

const meterImage = `unit,address,type,order,value
*,40001,uint16,,2305
*,40011,float32,ABCD,-12.5
*,40013,float32,CDAB,230.25
*,40021,int32,CDAB,-123456789
*,30001,uint16,,777
*,00005,,,on
*,00006,,,off
*,10003,,,on
`

// TestMbpoll has mbpoll read and write simulated slaves: over Modbus TCP, and in
// RTU over a line that socat makes of a TCP connection.
func TestMbpoll(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"tcp", "rtu"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			host, port := slaves(t, mode, meterImage)
			to := []string{"-m", "tcp", "-p", port, host}
			if mode == "rtu" {
				line := filepath.Join(t.TempDir(), "line")
				start(t, "socat", "-d", "pty,link="+line+",raw,echo=0", "TCP:"+net.JoinHostPort(host, port))
				await(t, "the line", func() bool { _, err := os.Lstat(line); return err == nil })
				to = []string{"-m", "rtu", "-b", "115200", "-P", "none", line}
			}
			poll := func(want string, args ...string) {
				t.Helper()
				at, values := to, []string(nil)
				for i, a := range args {
					if a == "--" {
						args, values = args[:i], args[i:]
						break
					}
				}
				out := ok(t, "", "mbpoll", append(append(append([]string{"-1", "-o", "5"}, args...), at...), values...)...)
				if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
					t.Errorf("mbpoll %v says %s, want %s", args, out, want)
				}
			}
			poll("[1]: 2305", "-a", "1", "-t", "4", "-r", "1")
			poll("[1]: 777", "-a", "7", "-t", "3", "-r", "1")
			poll("[11]: -12.5", "-t", "4:float", "-B", "-r", "11")
			poll("[13]: 230.25", "-t", "4:float", "-r", "13")
			poll("[21]: -123456789", "-t", "4:int", "-r", "21")
			poll("[5]: 1 [6]: 0", "-t", "0", "-r", "5", "-c", "2")
			poll("[3]: 1", "-t", "1", "-r", "3")
			poll("Written 1 references.", "-t", "4", "-r", "1", "--", "99")
			poll("[1]: 99", "-t", "4", "-r", "1")
			poll("Written 1 references.", "-t", "4:float", "-B", "-r", "11", "--", "-7.25")
			poll("[11]: -7.25", "-t", "4:float", "-B", "-r", "11")
			poll("Written 2 references.", "-t", "0", "-r", "5", "--", "0", "1")
			poll("[5]: 0 [6]: 1", "-t", "0", "-r", "5", "-c", "2")
			if o := run(t, "", "mbpoll", append([]string{"-1", "-t", "4", "-r", "500"}, to...)...); !strings.Contains(o.out+o.err, "Illegal data address") {
				t.Errorf("register 500: %s%s", o.out, o.err)
			}
		})
	}
}

// orders are the words of a Go library for the four orders of bytes.
var orders = map[string]struct {
	bytes modbus.Endianness
	words modbus.WordOrder
}{
	"ABCD": {modbus.BIG_ENDIAN, modbus.HIGH_WORD_FIRST},
	"CDAB": {modbus.BIG_ENDIAN, modbus.LOW_WORD_FIRST},
	"BADC": {modbus.LITTLE_ENDIAN, modbus.HIGH_WORD_FIRST},
	"DCBA": {modbus.LITTLE_ENDIAN, modbus.LOW_WORD_FIRST},
}

// client is a master of that library.
func client(t *testing.T, url string) *modbus.ModbusClient {
	t.Helper()
	c, err := modbus.NewClient(&modbus.ClientConfiguration{URL: url, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestMasterOfOthersReadsValues has a Go library read values in every order from
// simulated slaves, whose image says how they lie: both must mean the same.
func TestMasterOfOthersReadsValues(t *testing.T) {
	t.Parallel()
	image := []string{"address,type,order,value"}
	at := uint16(0)
	places := map[string]uint16{}
	for order := range orders {
		for _, v := range []struct{ typ, value string }{
			{"float32", "-12.5"}, {"float64", "-123.456"}, {"uint32", "4000000000"}, {"uint64", "18446744073709551615"}, {"int64", "-1234567890123456789"},
		} {
			image = append(image, fmt.Sprintf("holding:%d,%s,%s,%s", at, v.typ, order, v.value))
			places[v.typ+order] = at
			at += 4
		}
	}
	for _, scheme := range []string{"tcp", "rtuovertcp"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			mode := "rtu"
			if scheme == "tcp" {
				mode = "tcp"
			}
			host, port := slaves(t, mode, strings.Join(image, "\n"))
			c := client(t, scheme+"://"+net.JoinHostPort(host, port))
			for order, o := range orders {
				if err := c.SetEncoding(o.bytes, o.words); err != nil {
					t.Fatal(err)
				}
				f32, err1 := c.ReadFloat32(places["float32"+order], modbus.HOLDING_REGISTER)
				f64, err2 := c.ReadFloat64(places["float64"+order], modbus.HOLDING_REGISTER)
				u32, err3 := c.ReadUint32(places["uint32"+order], modbus.HOLDING_REGISTER)
				u64, err4 := c.ReadUint64(places["uint64"+order], modbus.HOLDING_REGISTER)
				i64, err5 := c.ReadUint64(places["int64"+order], modbus.HOLDING_REGISTER)
				if err1 != nil || err2 != nil || err3 != nil || err4 != nil || err5 != nil ||
					f32 != -12.5 || f64 != -123.456 || u32 != 4000000000 || u64 != math.MaxUint64 || int64(i64) != -1234567890123456789 {
					t.Errorf("%s: %v %v %v %v %v; %v %v %v %v %v", order, f32, f64, u32, u64, int64(i64), err1, err2, err3, err4, err5)
				}
			}
		})
	}
}
