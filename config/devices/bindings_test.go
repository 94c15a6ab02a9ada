package devices

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linkspan/linkspan/auth"
)

// pooled opens a catalog with a pool of n certificates c0, c1 ... in dir.
func pooled(t *testing.T, dir string, n int, more ...func(*Config)) *Catalog {
	t.Helper()
	cfg := poolConfig(dir)
	var b strings.Builder
	b.WriteString("DeviceName,DeviceSecret,ProductKey\n")
	for i := range n {
		fmt.Fprintf(&b, "c%d,s%d,p\n", i, i)
	}
	write(t, cfg.Pool, b.String())
	for _, m := range more {
		m(&cfg)
	}
	c, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func poolConfig(dir string) Config {
	return Config{Unknown: PolicyFirstFree, Pool: filepath.Join(dir, "pool.csv"), Bindings: filepath.Join(dir, "bindings.conf")}
}

func wantDevice(t *testing.T, c *Catalog, name, device string) {
	t.Helper()
	want := id("p", device, "s"+strings.TrimPrefix(device, "c"))
	if got, err := c.Identity(name); err != nil || got != want {
		t.Errorf("%s is %v, %v, want %v", name, got, err, want)
	}
	if back, ok := c.Name(want); !ok || back != name {
		t.Errorf("%v is called %q, %v, want %s", want, back, ok, name)
	}
}

func TestFirstFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := pooled(t, dir, 3)
	hostile := "消防 \"1\"\n} x { productKey = evil, deviceName = evil }"
	wantDevice(t, c, "a", "c0")
	wantDevice(t, c, hostile, "c1")
	wantDevice(t, c, "a", "c0")
	if _, ok := c.Peek("b"); ok {
		t.Error("a look without effect finds a device that never came")
	}
	if s := c.Stats(); s.Bound != 2 || s.Free != 1 || s.Bindings != 2 || c.Len() != 2 || !c.Waits() {
		t.Errorf("%+v, %d devices", s, c.Len())
	}
	wantDevice(t, c, "b", "c2")
	for range 2 {
		if got, err := c.Identity("late"); !errors.Is(err, ErrPoolExhausted) || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"late"`) {
			t.Errorf("got %v, %v, want ErrPoolExhausted", got, err)
		}
	}
	if s := c.Stats(); s.Free != 0 || s.Unbound["exhausted"] != 2 {
		t.Errorf("%+v", s)
	}
	for _, bad := range []string{"", "\xff", strings.Repeat("x", maxText+1)} {
		if _, err := c.Identity(bad); !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: error %v, want ErrUnknown", bad, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "bindings.conf"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the bindings have mode %v, %v", info.Mode(), err)
	}
	again := pooled(t, dir, 4) // one more certificate
	if bad := again.Mistakes(); len(bad) > 0 {
		t.Errorf("mistakes: %v", bad)
	}
	wantDevice(t, again, hostile, "c1")
	wantDevice(t, again, "late", "c3")
	wantDevice(t, again, "a", "c0")
	if file, line, ok := again.Where("a"); !ok || line != 3 || file != filepath.Join(dir, "bindings.conf") {
		t.Errorf("a is at %s:%d, %v", file, line, ok)
	}
}

// The file's devices come first, and so do its certificates.
func TestFirstFreeBesideAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "devices.conf")
	write(t, file, "known { productKey = p, deviceName = c0, deviceSecret = s0 }")
	c := pooled(t, dir, 4, func(cfg *Config) { cfg.File = file })
	wantDevice(t, c, "known", "c0")
	wantDevice(t, c, "a", "c1")
	wantDevice(t, c, "b", "c2")
	// c1 gets another owner and b a certificate of its own.
	write(t, file, "known { productKey = p, deviceName = c0, deviceSecret = s0 }\nx { productKey = p, deviceName = c1, deviceSecret = s1 }\nb { productKey = q, deviceName = b }\n")
	changes, err := c.Reload()
	slices.Sort(changes.Added)
	if want := (Changes{Added: []string{"x"}, Changed: []string{"b"}, Removed: []string{"a"}}); err != nil || !reflect.DeepEqual(changes, want) {
		t.Errorf("changes %+v, %v, want %+v", changes, err, want)
	}
	wantDevice(t, c, "x", "c1")
	wantDevice(t, c, "a", "c3")
	if got, err := c.Identity("b"); err != nil || got != id("q", "b", "") {
		t.Errorf("b is %v, %v", got, err)
	}
	if name, ok := c.Name(id("p", "c2", "")); ok {
		t.Errorf("b's former certificate is %s's", name)
	}
}

func TestDeletingALineFreesACertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := pooled(t, dir, 3)
	for i, name := range []string{"a", "b", "c"} {
		wantDevice(t, c, name, fmt.Sprint("c", i))
	}
	path := filepath.Join(dir, "bindings.conf")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	kept := slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(l, `"b"`) })
	write(t, path+".new", strings.Join(kept, ""))
	if err = os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	changes, err := c.Reload()
	if err != nil || !reflect.DeepEqual(changes, Changes{Removed: []string{"b"}}) {
		t.Errorf("changes %+v, %v", changes, err)
	}
	wantDevice(t, c, "d", "c1")
	wantDevice(t, c, "c", "c2")
	if _, err = c.Identity("b"); !errors.Is(err, ErrPoolExhausted) {
		t.Errorf("error %v, want ErrPoolExhausted", err)
	}
	// A file that is gone takes nobody's certificate away.
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Reload(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want fs.ErrNotExist", err)
	}
	wantDevice(t, c, "a", "c0")
}

// A line that was deleted by hand just before a new device came is not
// forgotten: the next reload tells of it.
func TestHandAndMachineAtTheSameTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := pooled(t, dir, 3)
	wantDevice(t, c, "a", "c0")
	wantDevice(t, c, "b", "c1")
	path := filepath.Join(dir, "bindings.conf")
	write(t, path+".new", string(bindingLine("b", id("p", "c1", "s1"))))
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	wantDevice(t, c, "d", "c0")
	if c.looked().same(c.looked().now()) {
		t.Error("there is nothing to reload")
	}
	changes, err := c.read(false)
	if err != nil || !reflect.DeepEqual(changes, Changes{Removed: []string{"a"}}) {
		t.Errorf("changes %+v, %v", changes, err)
	}
	if !c.looked().same(c.looked().now()) {
		t.Error("there still is something to reload")
	}
}

func TestTornLines(t *testing.T) {
	t.Parallel()
	whole := string(bindingLine("a", id("p", "c0", "s0")))
	second := string(bindingLine("b", id("p", "c1", "s1")))
	for cut := range len(second) + 1 {
		dir := t.TempDir()
		path := filepath.Join(dir, "bindings.conf")
		write(t, path, bindingsHead+whole+second[:cut])
		c := pooled(t, dir, 4)
		wantDevice(t, c, "a", "c0")
		_, kept := c.Peek("b")
		if want := cut >= len(second)-1; kept != want {
			t.Fatalf("%d bytes of the line: bound %v, want %v", cut, kept, want)
		}
		wantDevice(t, c, "d", map[bool]string{false: "c1", true: "c2"}[kept])
		again := pooled(t, dir, 4)
		if bad := again.Mistakes(); len(bad) > 0 {
			t.Fatalf("%d bytes of the line: %v", cut, bad)
		}
		wantDevice(t, again, "a", "c0")
		if kept {
			wantDevice(t, again, "b", "c1")
			wantDevice(t, again, "d", "c2")
		} else {
			wantDevice(t, again, "d", "c1")
			wantDevice(t, again, "b", "c2")
		}
	}
	dir := t.TempDir() // what a power failure leaves
	write(t, filepath.Join(dir, "bindings.conf"), whole+strings.Repeat("\x00", 100))
	c := pooled(t, dir, 3)
	wantDevice(t, c, "d", "c1")
	again := pooled(t, dir, 3)
	wantDevice(t, again, "a", "c0")
	wantDevice(t, again, "d", "c1")
}

func TestTooFast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := pooled(t, dir, 100, func(cfg *Config) { cfg.BindRate = 120 })
	var err error
	n := 0
	for ; err == nil && n < 50; n++ {
		_, err = c.Identity(fmt.Sprint("n", n))
	}
	if !errors.Is(err, ErrTooFast) || n < 2 || c.Stats().Unbound["rate"] != 1 {
		t.Errorf("device %d: %v, %v", n, err, c.Stats().Unbound)
	}
	wantDevice(t, c, "n0", "c0") // who has one is not kept waiting
}

func TestBindingsThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept := filepath.Join(dir, "kept")
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	c := pooled(t, dir, 3, func(cfg *Config) { cfg.Bindings = filepath.Join(kept, "bindings.conf") })
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Identity("a"); !errors.Is(err, ErrBindings) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, want ErrBindings", err)
	}
	if s := c.Stats(); s.Unbound["storage"] != 1 || s.Free != 3 || s.Bound != 0 {
		t.Errorf("%+v", s)
	}
	if err := os.Mkdir(kept, 0o700); err != nil {
		t.Fatal(err)
	}
	wantDevice(t, c, "a", "c0")
}

func TestPoolsReportAllWrongSettings(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]Config{
		"there is no pool":             {Unknown: PolicyFirstFree, Bindings: "bindings.conf"},
		"bindings is empty":            {Unknown: PolicyFirstFree, Pool: "pool.csv"},
		"must be named .conf":          {Unknown: PolicyFirstFree, Pool: "pool.csv", Bindings: "bindings.csv"},
		"there is no directory":        {Unknown: PolicyFirstFree, Pool: "pool.csv", Bindings: "no/such/bindings.conf"},
		"pool has no effect":           {File: "devices.conf", Pool: "pool.csv"},
		"bindRate is -1":               {File: "devices.conf", BindRate: -1},
		"watch is 1ms":                 {File: "devices.conf", Watch: time.Millisecond},
		`pool "x.yaml" has an unknown`: {Unknown: PolicyFirstFree, Pool: "x.yaml", Bindings: "bindings.conf"},
	} {
		if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want ...%s", err, want)
		}
	}
}

// Whatever a device calls itself, its line says just that, and no part of the
// line says anything.
func FuzzBindingLine(f *testing.F) {
	f.Add("013800138001", "p", "d", "s")
	f.Add("a\" } x { productKey = y, deviceName = z }\n\u2028<>&", "p${x}", "名", "\\\"\x00")
	path := filepath.Join(f.TempDir(), "bindings.conf")
	f.Fuzz(func(t *testing.T, name, product, device, secret string) {
		want := id(product, device, secret)
		for _, problem := range checkEntry(name, want) {
			if problem != "" {
				t.Skip(problem)
			}
		}
		line := bindingLine(name, want)
		if n := bytes.IndexByte(line, '\n'); n != len(line)-1 {
			t.Fatalf("%q has a line break at %d", line, n)
		}
		if len(line) > maxTail {
			t.Fatalf("%d bytes", len(line))
		}
		write(t, path, bindingsHead+string(line))
		file, err := OpenFile(path, 0)
		if err != nil || len(file.Mistakes()) > 0 || file.Len() != 1 {
			t.Fatalf("%q: %v, %v", line, err, file.Mistakes())
		}
		if got, err := file.Identity(name); err != nil || got != want {
			t.Fatalf("%q: %v, %v", line, got, err)
		}
		for cut := 1; cut < len(line)-1; cut += 1 + len(line)/16 {
			if wholeLine(line[:cut]) {
				t.Fatalf("%q counts as whole", line[:cut])
			}
		}
	})
}

// Many goroutines of two processes' worth of catalogs share one file: nobody's
// certificate is another's, and all agree.
func TestNoCertificateTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const devices = 60
	nodes := []*Catalog{pooled(t, dir, devices), pooled(t, dir, devices)}
	var (
		mu  sync.Mutex
		got = [2]map[string]auth.Identity{{}, {}}
		wg  sync.WaitGroup
	)
	for n, c := range nodes {
		for worker := range 4 {
			wg.Go(func() {
				for i := range devices {
					name := fmt.Sprintf("n%d", (i*7+worker*13+n*29)%devices)
					identity, err := c.Identity(name)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
					mu.Lock()
					if was, ok := got[n][name]; ok && was != identity {
						t.Errorf("%s is %v and %v", name, was, identity)
					}
					got[n][name] = identity
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	if !reflect.DeepEqual(got[0], got[1]) {
		t.Errorf("the nodes do not agree")
	}
	owners := map[auth.Identity]string{}
	for name, identity := range got[0] {
		if other, taken := owners[identity]; taken {
			t.Errorf("%v is %s and %s", identity, name, other)
		}
		owners[identity] = name
	}
	if len(owners) != devices {
		t.Errorf("%d certificates for %d devices", len(owners), devices)
	}
}

// What a killed process had told is still so in the next one.
func TestBindingsSurviveAKill(t *testing.T) {
	t.Parallel()
	const env = "LINKSPAN_TEST_BINDINGS"
	if dir := os.Getenv(env); dir != "" { // the process to be killed
		c, err := Open(poolConfig(dir))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; ; i++ {
			name := fmt.Sprintf("%d-%d", os.Getpid(), i)
			identity, err := c.Identity(name)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = fmt.Fprintf(os.Stdout, "bound %s %s\n", name, identity.DeviceName)
		}
	}
	dir := t.TempDir()
	c := pooled(t, dir, 10_000)
	told := map[string]string{}
	for round := range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBindingsSurviveAKill$", "-test.v")
		cmd.Env = append(os.Environ(), env+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err = cmd.Start(); err != nil {
			t.Fatal(err)
		}
		before := len(told)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var name, device string
			if n, _ := fmt.Sscanf(lines.Text(), "bound %s %s", &name, &device); n != 2 {
				continue
			}
			told[name] = device
			if len(told) == before+20+round {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		if len(told) < before+20 {
			t.Fatalf("the process told of %d", len(told)-before)
		}
	}
	if _, err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	for name, device := range told {
		wantDevice(t, c, name, device)
	}
}
