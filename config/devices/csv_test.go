package devices

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/linkspan/linkspan/auth"
)

func TestCSV(t *testing.T) {
	t.Parallel()
	want := map[string]auth.Identity{"a": id("p1", "d1", "s,1"), "gate \"7\"\nEast": id("p1", "d2", ""), "消防-1": id("p2", "名", "s3")}
	for name, text := range map[string]string{
		"as documented":        "identity,productKey,deviceName,deviceSecret\na,p1,d1,\"s,1\"\n\"gate \"\"7\"\"\nEast\",p1,d2,\n消防-1,p2,名,s3\n",
		"another order":        "deviceSecret,deviceName,identity,productKey\n\"s,1\",d1,a,p1\n,d2,\"gate \"\"7\"\"\nEast\",p1\ns3,名,消防-1,p2",
		"a mark and CRLF":      "\ufeffidentity,productKey,deviceName,deviceSecret\r\na,p1,d1,\"s,1\"\r\n\"gate \"\"7\"\"\nEast\",p1,d2,\r\n消防-1,p2,名,s3\r\n",
		"semicolons":           "identity;productKey;deviceName;deviceSecret\na;p1;d1;s,1\n\"gate \"\"7\"\"\nEast\";p1;d2;\n消防-1;p2;名;s3\n",
		"tabulators":           "identity\tproductKey\tdeviceName\tdeviceSecret\na\tp1\td1\ts,1\n\"gate \"\"7\"\"\nEast\"\tp1\td2\t\n消防-1\tp2\t名\ts3\n",
		"other case, columns":  "Remark,Identity,ProductKey,DEVICENAME, deviceSecret \nx,a,p1,d1,\"s,1\"\n,\"gate \"\"7\"\"\nEast\",p1,d2,\ny,消防-1,p2,名,s3\n",
		"blank lines, quoting": "\"identity\",\"productKey\",\"deviceName\",\"deviceSecret\"\n\n\"a\",\"p1\",\"d1\",\"s,1\"\n\n\"gate \"\"7\"\"\nEast\",p1,d2,\n消防-1,p2,名,s3\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := open(t, "devices.CSV", text)
			if bad := f.Mistakes(); len(bad) > 0 {
				t.Errorf("mistakes: %v", bad)
			}
			if all := maps.Collect(f.All()); !reflect.DeepEqual(all, want) {
				t.Errorf("devices %v, want %v", all, want)
			}
		})
	}
}

func TestCSVWithoutSecrets(t *testing.T) {
	t.Parallel()
	f, _ := open(t, "devices.csv", "identity,productKey,deviceName\na,p,d\n")
	if got, err := f.Identity("a"); err != nil || got != id("p", "d", "") {
		t.Errorf("got %v, %v", got, err)
	}
}

// A misspelt column of secrets is not a file of devices without secrets.
func TestCSVWithAMisspeltColumnOfSecrets(t *testing.T) {
	t.Parallel()
	f, path := open(t, "devices.csv", "identity,productKey,deviceName,deviceSecret\na,p,a,s\n")
	write(t, path, "identity,productKey,deviceName,deviceSecrt\na,p,a,s\n")
	if _, err := f.Reload(); !errors.Is(err, errNoHeader) || !strings.Contains(err.Error(), `deviceSecret is missing, and "deviceSecrt" looks like it`) {
		t.Errorf("error %v", err)
	}
	if got, err := f.Identity("a"); err != nil || got.DeviceSecret.Reveal() != "s" {
		t.Errorf("a is %s, %v", got, err)
	}
}

func TestCSVMistakesCostTheirLine(t *testing.T) {
	t.Parallel()
	f, path := open(t, "devices.csv", `identity,productKey,deviceName,deviceSecret,deviceSecrt
a,p,a,s,
b,p
c,p,"c"x,s,
d,,d,s,
e,p,e/1,s,
 f,p,f,s,
a,p,a2,s,
g,p,a2,s,
,p,h,s,
`+"\xd6\xd0"+`,p,i,s,
j,p,j,s,
`)
	want := []string{
		":1:45: deviceSecrt: is not a known column; did you mean deviceSecret?",
		":3:1: wrong number of fields; every line needs as many fields",
		`:4:7: extraneous or missing " in quoted-field; put fields with`,
		":5:1: d: productKey is missing",
		":6:1: e: deviceName \"e/1\" holds",
		":7:1: \" f\": has a blank at its beginning or end",
		":8:1: a: stands twice, first at " + path + ":2; this one counts",
		":9:1: g: p/a2 is already a at " + path + ":8; this one is left out",
		":10:1: \"\": the device's own name must be UTF-8 of 1 to 1024 bytes",
		":11:1: \ufffd: the device's own name must be UTF-8",
	}
	bad := f.Mistakes()
	for i := range max(len(want), len(bad)) {
		if i >= len(want) || i >= len(bad) || !strings.HasPrefix(bad[i].Error(), "config: "+path+want[i]) {
			t.Fatalf("mistakes\n%v\nwant %d\n%s", bad, len(want), strings.Join(want, "\n"))
		}
	}
	if all := maps.Collect(f.All()); !reflect.DeepEqual(all, map[string]auth.Identity{"a": id("p", "a2", "s"), "j": id("p", "j", "s")}) {
		t.Errorf("devices %v", all)
	}
}

func TestCSVThatIsNone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"empty":         {"", "the first line has to name the columns"},
		"no header":     {"a,p,d,s\nb,p,d2,s\n", "the first line has to name the columns"},
		"a column lost": {"identity,deviceName\na,d\n", "productKey is missing in"},
		"twice":         {"identity,identity,productKey,deviceName\na,a,p,d\n", "column identity stands twice"},
		"UTF-16":        {"\xff\xfei\x00d\x00", "save it as UTF-8"},
		"too large":     {"identity,productKey,deviceName\n" + strings.Repeat("a,p,d\n", 20), "larger than maxFile"},
		"all wrong":     {"identity,productKey,deviceName\n" + strings.Repeat("x\n", 2000), "more than 1000 mistakes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "devices.csv")
			write(t, path, c.text)
			maxFile := int64(100)
			if name == "all wrong" {
				maxFile = 0
			}
			if _, err := Open(Config{File: path, MaxFile: maxFile}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want ...%s", err, c.want)
			}
		})
	}
}

// A table goes out as CSV and as HOCON and comes back the same, and damaged
// ones neither panic nor hold entries without a product key.
func FuzzCSV(f *testing.F) {
	f.Add("identity,productKey,deviceName,deviceSecret\na,p1,d1,\"s,1\"\n")
	f.Add("\ufeffdeviceName;identity;productKey\nd;\"a\"\"b\";p\n\"x;p\n")
	f.Add("identity\tproductKey\tdeviceName\n\n\t\t\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "devices.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := OpenFile(path, 1<<20)
		if err != nil {
			return
		}
		n := 0
		for name, identity := range file.All() {
			n++
			got, err := file.Identity(name)
			back, ok := file.Name(identity)
			if err != nil || got != identity || !ok || back != name || identity.ProductKey == "" || identity.DeviceName == "" {
				t.Fatalf("%q is %v, %v; back %q, %v", name, got, err, back, ok)
			}
		}
		if n != file.Len() {
			t.Fatalf("%d devices of %d", n, file.Len())
		}
	})
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "linked.conf")
	write(t, outside, "linked { productKey = p, deviceName = linked }")
	for name, text := range map[string]string{
		"10-trucks.conf":    "a { productKey = p, deviceName = a }\nb { productKey = p, deviceName = b }\n",
		"20-buses.csv":      "identity,productKey,deviceName\nc,p,c\nb,p,b2\nd,p,a\n",
		"30-more.json":      `{"e": {"productKey": "p", "deviceName": "e"}}`,
		"40.properties":     "f.productKey=p\nf.deviceName=f\n",
		".hidden.conf":      "h { productKey = p, deviceName = h }",
		"README.txt":        "not for us",
		"10-trucks.conf~":   "x { productKey = p, deviceName = x }",
		"sub.conf/g.conf":   "g { productKey = p, deviceName = g }",
		".data/linked.conf": "y { productKey = p, deviceName = y }",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "50-linked.conf")); err != nil {
		t.Fatal(err)
	}
	f, err := Open(Config{File: dir})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, identity := range f.All() {
		got[name] = identity.DeviceName
	}
	if want := map[string]string{"a": "a", "b": "b2", "c": "c", "e": "e", "f": "f", "linked": "linked"}; !maps.Equal(got, want) {
		t.Errorf("devices %v, want %v", got, want)
	}
	first, second := filepath.Join(dir, "10-trucks.conf"), filepath.Join(dir, "20-buses.csv")
	for _, want := range []string{
		fmt.Sprintf("%s:3:1: b: stands twice, first at %s:2; this one counts", second, first),
		fmt.Sprintf("%s:4:1: d: p/a is already a at %s:1; this one is left out", second, first),
	} {
		if !strings.Contains(f.Mistakes().Error(), want) {
			t.Errorf("no mistake %s in\n%v", want, f.Mistakes())
		}
	}
	if file, line, ok := f.Where("c"); !ok || file != second || line != 2 {
		t.Errorf("c is at %s:%d, %v", file, line, ok)
	}
	if _, err = Open(Config{File: dir, MaxFile: 100}); err == nil || !strings.Contains(err.Error(), "larger than maxFile") {
		t.Errorf("error %v, want too large", err)
	}
}
