package devices

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// open opens a devices file with that text.
func open(t *testing.T, name, text string) (f *Catalog, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	write(t, path, text)
	f, err := Open(Config{File: path})
	if err != nil {
		t.Fatal(err)
	}
	return f, path
}

func id(product, device, secret string) auth.Identity {
	return auth.Identity{ProductKey: product, DeviceName: device, DeviceSecret: auth.Secret(secret)}
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text string }{
		"HOCON": {"devices.conf", `
			pk = p1
			// as the Java SDK's documentation has it
			XXXX // original identifier
			{
			  "productKey": "p1",
			  "deviceName": "d1"
			  "deviceSecret": "s1"
			}
			"a.b" { productKey = ${pk}, deviceName = d2, deviceSecret = "" }
			"gate 7" { productKey = p2, deviceName = d1, deviceSecret = s3 }
			消防-1 { productKey = p2, deviceName = "名" }
			460011234567890 { productKey = p2, deviceName = 0815, deviceSecret = 12345678901234567890 }
			part.productKey = p1, part.deviceName = d9
		`},
		"JSON": {"devices.json", `{
			"XXXX": {"productKey": "p1", "deviceName": "d1", "deviceSecret": "s1"},
			"a.b": {"productKey": "p1", "deviceName": "d2"},
			"gate 7": {"productKey": "p2", "deviceName": "d1", "deviceSecret": "s3"},
			"消防-1": {"productKey": "p2", "deviceName": "名"},
			"460011234567890": {"productKey": "p2", "deviceName": "0815", "deviceSecret": "12345678901234567890"},
			"part": {"productKey": "p1", "deviceName": "d9"}
		}`},
		"properties": {"devices.properties", "XXXX.productKey=p1\nXXXX.deviceName=d1\nXXXX.deviceSecret=s1\n" +
			"a.b.productKey=p1\na.b.deviceName=d2\ngate\\ 7.productKey=p2\ngate\\ 7.deviceName=d1\ngate\\ 7.deviceSecret=s3\n" +
			"消防-1.productKey=p2\n消防-1.deviceName=名\n460011234567890.productKey=p2\n460011234567890.deviceName=0815\n460011234567890.deviceSecret=12345678901234567890\n" +
			"part.productKey=p1\npart.deviceName=d9\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, _ := open(t, c.file, c.text)
			if bad := f.Mistakes(); len(bad) > 0 {
				t.Errorf("mistakes: %v", bad)
			}
			want := map[string]auth.Identity{
				"XXXX": id("p1", "d1", "s1"), "a.b": id("p1", "d2", ""), "gate 7": id("p2", "d1", "s3"), "消防-1": id("p2", "名", ""),
				"460011234567890": id("p2", "0815", "12345678901234567890"), "part": id("p1", "d9", ""),
			}
			for name, identity := range want {
				if got, err := f.Identity(name); err != nil || got != identity {
					t.Errorf("%s is %s, %v", name, got, err)
				}
				identity.DeviceSecret = "another"
				if got, ok := f.Name(identity); !ok || got != name {
					t.Errorf("%s is called %q, %v", identity, got, ok)
				}
			}
			all := maps.Collect(f.All())
			if f.Len() != len(want) || !reflect.DeepEqual(all, want) {
				t.Errorf("%d devices: %v", f.Len(), all)
			}
			for _, name := range []string{"", "xxxx", "a", "pk"} {
				if got, err := f.Identity(name); !errors.Is(err, ErrUnknown) {
					t.Errorf("%q is %s, error %v, want ErrUnknown", name, got, err)
				}
			}
			if name, ok := f.Name(id("p1", "0815", "")); ok {
				t.Errorf("a device of another product is called %q", name)
			}
		})
	}
}

func TestBadEntriesDoNotBlockTheOthers(t *testing.T) {
	t.Parallel()
	f, path := open(t, "devices.conf", `a { productKey = p, deviceName = a }
b { prodyctKey = p, deviceName = b }
c { productKey = p, deviceName = "" }
d = x
e { productKey = p, deviceName = [e] }
f { productKey = p, deviceName = f, deviceName2 = g }
a { productKey = p, deviceName = a2 }
g { productKey = p, deviceName = f }
h.i { productKey = p, deviceName = h }
j.deviceNam = x
k { productKey = p, deviceName = "k/+#" }
l { productKey = p, deviceName = l
m { productKey = p, deviceName = m, deviceSecret = a?b }
n {
  productKey = p
  deviceName = ${nope}
}
o { productKey = p, deviceName = o }
p { productKey = p, deviceName = o }
`)
	want := []string{
		`:12:1: the entry is not closed before line 13; close it with '}'`,
		`:13:53: '?' cannot stand in an unquoted text; put the text in double quotes`,
		`:2:5: b.prodyctKey: is not a known key, so this entry is left out; did you mean productKey?`,
		`:3:1: c: deviceName is missing or empty`,
		`:5:34: e.deviceName: is an array, want a text`,
		`:6:37: f.deviceName2: is not a known key, so this entry is left out; did you mean deviceName?`,
		`:7:1: a: stands twice, first at ` + path + `:1; this one counts; remove one`,
		`:19:1: p: p/o is already o at ` + path + `:18; this one is left out; two devices`,
		`:9:1: h.i: an unquoted period divides the device's name; write "h.i" { ... }`,
		`:10:1: j.deviceNam: is not a known key, so this entry is left out; did you mean deviceName?`,
		`:11:1: k: deviceName "k/+#`,
		`:16:16: ${nope} has no value`,
		`:4:1: d: is a single value; write name {`,
	}
	bad := f.Mistakes()
	for _, w := range want {
		if !strings.Contains(bad.Error(), "config: "+path+w) {
			t.Errorf("no mistake %s in\n%v", w, bad)
		}
	}
	if len(bad) != len(want) {
		t.Errorf("%d mistakes, want %d:\n%v", len(bad), len(want), bad)
	}
	names := make([]string, 0, 3)
	for name, identity := range f.All() {
		names = append(names, name+"="+identity.DeviceName)
	}
	if got, want := strings.Join(names, " "), "a=a2 g=f o=o"; got != want || f.Len() != 3 {
		t.Errorf("devices %q, want %q", got, want)
	}
	if _, ok := f.Name(id("p", "a", "")); ok {
		t.Error("a replaced identity is still found")
	}
}

// A misspelt deviceSecret is not a device without a secret, which the platform
// would refuse: it is none, and on a reload it stays what it was.
func TestReloadOfAnUnknownKey(t *testing.T) {
	t.Parallel()
	const good, typo = "a { productKey = p, deviceName = a, deviceSecret = s }\n", "a { productKey = p, deviceName = a, deviceSecrett = s }\n"
	const flat = "a.productKey = p\na.deviceSecrett = s\na.deviceName = a\n"
	for _, bad := range []string{typo, flat} {
		f, path := open(t, "devices.conf", good)
		write(t, path, bad)
		c, err := f.Reload()
		if err != nil || !reflect.DeepEqual(c.Kept, []string{"a"}) || c.Changed != nil || c.Removed != nil || len(c.Mistakes) != 1 {
			t.Errorf("%s%+v, %v", bad, c, err)
		}
		if got, err := f.Identity("a"); err != nil || got.DeviceSecret.Reveal() != "s" {
			t.Errorf("%sa is %s, %v", bad, got, err)
		}
		if f, _ = open(t, "devices.conf", bad); f.Len() != 0 {
			t.Errorf("%s%d devices, want none", bad, f.Len())
		}
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	f, path := open(t, "devices.conf", "a { productKey = p, deviceName = a }\nb { productKey = p, deviceName = b }\nc { productKey = p, deviceName = c }\n")
	write(t, path, "a { productKey = p, deviceName = a }\nb { productKey = p, deviceName = b, deviceSecret = new }\nd { productKey = p, deviceName = d }\n")
	c, err := f.Reload()
	if want := (Changes{Added: []string{"d"}, Changed: []string{"b"}, Removed: []string{"c"}}); err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, %v, want %+v", c, err, want)
	}
	if got, failed := f.Identity("b"); failed != nil || got.DeviceSecret.Reveal() != "new" {
		t.Errorf("b is %s, %v", got, failed)
	}

	// A file with a mistake takes nobody away ...
	write(t, path, "a { productKey = p, deviceName = a\nd { productKey = p2, deviceName = d }\n")
	c, err = f.Reload()
	if err != nil || !reflect.DeepEqual(c.Kept, []string{"a", "b"}) || !reflect.DeepEqual(c.Changed, []string{"d"}) || c.Removed != nil || len(c.Mistakes) != 1 {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err = f.Identity("a"); err != nil || f.Len() != 3 {
		t.Errorf("%d devices, a: %v", f.Len(), err)
	}
	// ... one that cannot be read neither ...
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err = f.Reload(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	if f.Len() != 3 {
		t.Errorf("%d devices after a reload that failed, want 3", f.Len())
	}
	// ... but the next without one does.
	write(t, path, "d { productKey = p2, deviceName = d }")
	c, err = f.Reload()
	if err != nil || !reflect.DeepEqual(c, Changes{Removed: []string{"a", "b"}}) || len(f.Mistakes()) > 0 {
		t.Errorf("got %+v, %v, mistakes %v", c, err, f.Mistakes())
	}
}

func TestLookUpsWhileReloading(t *testing.T) {
	t.Parallel()
	f, path := open(t, "devices.conf", "a { productKey = p, deviceName = a }")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				got, err := f.Identity("a")
				if name, ok := f.Name(got); err != nil || !ok || name != "a" {
					// Between the two look-ups the file may have changed.
					if got.DeviceName != "a" && got.DeviceName != "b" {
						t.Errorf("a is %s, %v", got, err)
						return
					}
				}
			}
		})
	}
	for i := range 50 {
		write(t, path+".new", "a { productKey = p, deviceName = "+string("ab"[i%2])+" }")
		if err := os.Rename(path+".new", path); err != nil {
			t.Error(err)
		}
		if _, err := f.Reload(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestTemplate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "devices.conf")
	write(t, path, "known { productKey = p, deviceName = other }")
	tree, err := config.Parse("app.conf", fmt.Sprintf(`devices { file = %q, unknown = template, template { productKey = demo, deviceName = "jt-${identity}", deviceSecret = s } }`, path))
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	if err = tree.Decode("devices", &cfg); err != nil {
		t.Fatal(err)
	}
	f, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Identity("known"); err != nil || got != id("p", "other", "") {
		t.Errorf("known is %s, %v", got, err)
	}
	if got, err := f.Identity("013812345678"); err != nil || got != id("demo", "jt-013812345678", "s") {
		t.Errorf("an unknown device is %s, %v", got, err)
	}
	if name, ok := f.Name(id("demo", "jt-013812345678", "")); !ok || name != "013812345678" {
		t.Errorf("it is called %q, %v", name, ok)
	}
	for _, other := range []auth.Identity{id("demo", "x-1", ""), id("p", "jt-1", ""), id("demo", "jt-", ""), id("demo", "jt-known", "")} {
		if name, ok := f.Name(other); ok {
			t.Errorf("%s is called %q", other, name)
		}
	}
	for _, hostile := range []string{"", "a/b", "#", "+", "a b", "é", "a\x00", strings.Repeat("x", 62)} {
		if got, err := f.Identity(hostile); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q is %s, error %v, want ErrUnknown", hostile, got, err)
		}
	}
}

func TestOpenReportsAllWrongSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		want []string
	}{
		"nothing":      {Config{}, []string{"file is empty"}},
		"policy":       {Config{File: "x.yaml", Unknown: "maybe"}, []string{`unknown is "maybe"`, `file "x.yaml" has an unknown format`}},
		"template":     {Config{Unknown: PolicyTemplate, Template: Template{DeviceName: "same"}}, []string{"it must hold ${identity} once", "template.productKey is missing"}},
		"missing file": {Config{File: "no/such/devices.conf"}, []string{"no/such/devices.conf: cannot open the file"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(c.cfg)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want ...%s...", err, want)
				}
			}
		})
	}
}

func TestLookUpsDoNotAllocate(t *testing.T) {
	f, _ := open(t, "devices.conf", "a { productKey = p, deviceName = d }")
	identity, err := f.Identity("a")
	if err != nil {
		t.Fatal(err)
	}
	if allocs := testing.AllocsPerRun(100, func() { _, _ = f.Identity("a") }); allocs > 0 {
		t.Errorf("Identity allocates %v times", allocs)
	}
	if allocs := testing.AllocsPerRun(100, func() { _, _ = f.Name(identity) }); allocs > 0 {
		t.Errorf("Name allocates %v times", allocs)
	}
}

func TestManyDevices(t *testing.T) {
	t.Parallel()
	const n = 20_000
	f, err := Open(Config{File: fleet(t, n)})
	if err != nil || f.Len() != n || len(f.Mistakes()) > 0 {
		t.Fatalf("%d devices, %v, %v", f.Len(), err, f.Mistakes())
	}
	for i := range n {
		name := fmt.Sprintf("4600%011d", i)
		identity, err := f.Identity(name)
		if err != nil || identity.DeviceName != fmt.Sprintf("truck-%d", i) || identity.ProductKey != fmt.Sprintf("a1Xf9GvQq%d", i%7) {
			t.Fatalf("%s is %s, %v", name, identity, err)
		}
		if got, ok := f.Name(identity); !ok || got != name {
			t.Fatalf("%s is called %q", identity, got)
		}
	}
	mistakes, _ := open(t, "bad.conf", strings.Repeat("a {}\n", 5000))
	if bad := mistakes.Mistakes(); len(bad) != maxMistakes+1 || !strings.Contains(bad[maxMistakes].Problem, "has 9000 more mistakes") {
		t.Errorf("%d mistakes reported; the last is %v", len(bad), bad[len(bad)-1])
	}
}
