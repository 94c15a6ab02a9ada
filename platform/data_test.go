package platform_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/platform"
	"github.com/linkspan/linkspan/platform/api"
)

// lab is the configuration of a platform with a data file in which devices come
// into being, and does not listen.
func lab(path string) platform.Config {
	cfg := platform.DefaultConfig()
	cfg.MQTTAddress, cfg.APIAddress, cfg.Data = "127.0.0.1:0", "", path
	return cfg
}

func open(tb testing.TB, cfg platform.Config) *platform.Platform {
	tb.Helper()
	p, err := platform.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = p.Close(tb.Context()) })
	return p
}

func add(tb testing.TB, p *platform.Platform, dn, gateway string) {
	tb.Helper()
	if err := p.AddDevice(auth.Identity{ProductKey: spk, DeviceName: dn, DeviceSecret: secret}, gateway); err != nil {
		tb.Fatal(err)
	}
}

// document is all that the platform knows of a device, but for what ends with a
// connection.
func document(tb testing.TB, p *platform.Platform, pk, dn string) string {
	tb.Helper()
	d, err := p.Device(pk, dn)
	if err != nil {
		tb.Fatal(err)
	}
	d.Since = d.Since.Round(0).UTC()
	d.LastSeen = d.LastSeen.Round(0).UTC()
	text, err := json.Marshal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// What a platform knows is there after an end in order and a new start.
func TestDataSurvivesTheEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	clock := func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC) }
	p := start(t, func(c *platform.Config) { c.Data, c.AutoRegister = path, true }, platform.WithClock(clock))
	c, sys := truck(t, p)
	c.publish(sys+"thing/event/property/post", 1, `{"id":"1","params":{"a":"<1>","pos":{"value":{"x":1.50},"time":1524448722000}}}`)
	c.next(sys + "thing/event/property/post_reply")
	c.publish(sys+"thing/event/alarm/post", 1, `{"id":"2","params":{"what":"x"}}`)
	c.next(sys + "thing/event/alarm/post_reply")
	c.publish(sys+"thing/deviceinfo/update", 1, `{"id":"3","version":"1.0","params":[{"attrKey":"color","attrValue":"red"}]}`)
	c.next(sys + "thing/deviceinfo/update_reply")
	c.publish(c.sys("thing/sub/register"), 1, `{"id":"4","version":"1.0","params":[{"productKey":"`+spk+`","deviceName":"new-1"}]}`)
	registered := c.next(c.sys("thing/sub/register_reply"))
	newSecret, _ := registered["data"].([]any)[0].(map[string]any)["deviceSecret"].(string)
	c.publish(c.sys("thing/topo/delete"), 1, `{"id":"5","version":"1.0","params":[{"productKey":"`+spk+`","deviceName":"truck-3"}]}`)
	c.next(c.sys("thing/topo/delete_reply"))
	for _, err := range []error{p.Disable(spk, "stray-1"), p.Delete(spk, "stray-2")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	c.Disconnect(100)
	if err := p.WaitOffline(t.Context(), spk, "truck-1"); err != nil {
		t.Fatal(err)
	}
	names := []string{"truck-1", "truck-2", "new-1", "stray-1", "stray-2"}
	want := map[string]string{gw: document(t, p, pk, gw)}
	for _, dn := range names {
		want[dn] = document(t, p, spk, dn)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}

	again := open(t, lab(path))
	if got := document(t, again, pk, gw); got != want[gw] {
		t.Errorf("got  %s\nwant %s", got, want[gw])
	}
	for _, dn := range names {
		if got := document(t, again, spk, dn); got != want[dn] {
			t.Errorf("got  %s\nwant %s", got, want[dn])
		}
	}
	if d, err := again.Device(spk, "truck-1"); err != nil || string(d.Properties["a"].Value) != `"<1>"` || string(d.Properties["pos"].Value) != `{"x":1.50}` || len(d.Events) != 1 || d.Tags["color"] != "red" || d.State != api.Offline {
		t.Errorf("%+v %v", d, err)
	}
	if err := again.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	o := options(again, spk, "new-1")
	o.SetPassword(sign("hmacsha256", newSecret, "clientIdnew-1deviceNamenew-1productKey"+spk+"timestamp789"))
	c = newClient(t, o)
	if err := c.connect(); err != nil {
		t.Errorf("the secret that was given: %v", err)
	}
	c.Disconnect(0)
}

// The configuration says what its devices' secrets are, also against the file.
func TestDataAndConfiguration(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	p := open(t, lab(path))
	add(t, p, "gateway-9", "")
	add(t, p, "truck-9", "")
	if err := p.Delete(spk, "truck-9"); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := lab(path)
	cfg.Devices = []platform.Device{{ProductKey: spk, DeviceName: "truck-9", DeviceSecret: "other", Gateway: spk + "/gateway-9"}}
	p = open(t, cfg)
	if d, err := p.Device(spk, "gateway-9"); err != nil || len(d.SubDevices) != 1 {
		t.Errorf("%+v %v", d, err)
	}
	if d, err := p.Device(spk, "truck-9"); err != nil || d.State != api.Unactive {
		t.Errorf("%+v %v", d, err)
	}
}

// TestDataOfTwo refuses the file of a platform that runs.
func TestDataOfTwo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	open(t, lab(path))
	_, err := platform.New(lab(path))
	if !errors.Is(err, platform.ErrData) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("error %v", err)
	}
}

// files are a data file with one device and a journal with three more.
func files(t *testing.T) (data, journal []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data")
	p := open(t, lab(path))
	add(t, p, "truck-1", "")
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	p = open(t, lab(path))
	for _, dn := range []string{"truck-2", "truck-3", "truck-4"} {
		add(t, p, dn, spk+"/truck-1")
	}
	return readFile(t, path), readFile(t, path+".journal") // as they are in the middle of its life
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, data, journal []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "data")
	for name, text := range map[string][]byte{path: data, path + ".journal": journal} {
		if text == nil {
			continue
		}
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// A journal may end anywhere: what was written whole before counts.
func TestDataTornJournal(t *testing.T) {
	t.Parallel()
	data, journal := files(t)
	seen := observe()
	for cut := 0; cut <= len(journal); cut += 5 {
		path := write(t, data, journal[:cut])
		p, err := platform.New(lab(path), platform.WithLogger(seen.log))
		if err != nil {
			t.Fatalf("cut off at %d of %d: %v", cut, len(journal), err)
		}
		want := 1 + max(0, bytes.Count(journal[:cut], []byte{'\n'})-1)
		if got := p.Stats().Devices; got != want {
			t.Fatalf("cut off at %d: %d devices, want %d", cut, got, want)
		}
		add(t, p, "truck-5", "") // goes on
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p = open(t, lab(path)); p.Stats().Devices != want+1 {
			t.Fatalf("cut off at %d: %d devices after another start", cut, p.Stats().Devices)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if seen.FilterMessageSnippet("not written whole").Len() < len(journal)/10 {
		t.Error("a torn journal was not spoken of")
	}
}

type observed struct {
	*observer.ObservedLogs
	log *zap.Logger
}

func observe() observed {
	core, logs := observer.New(zap.WarnLevel)
	return observed{logs, zap.New(core)}
}

// What is damaged is refused and left as it is.
func TestDataDamaged(t *testing.T) {
	t.Parallel()
	data, journal := files(t)
	flip := func(b []byte, at int) []byte {
		b = bytes.Clone(b)
		b[at] ^= 1
		return b
	}
	lines := bytes.SplitAfter(data, []byte{'\n'})
	for _, tc := range []struct {
		name          string
		data, journal []byte
		says          string
	}{
		{"empty", []byte{}, journal, "cut off"},
		{"cut off in a line", data[:len(data)-3], journal, "cut off"},
		{"cut off between lines", data[:len(data)-len(lines[2])], journal, "cut off"},
		{"a device is missing", bytes.Join([][]byte{lines[0], lines[2]}, nil), journal, "the end says 1"},
		{"a bit", flip(data, len(lines[0])+40), journal, "line 2: its checksum"},
		{"more behind the end", append(bytes.Clone(data), "x\n"...), journal, "behind the end"},
		{"something else", []byte("hello\n"), journal, "checksum"},
		{"zeros", make([]byte, 4096), journal, "cut off"},
		{"no data file", nil, journal, "newer file"},
		{"a bit of the journal", data, flip(journal, len(journal)/2), "journal is damaged"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, tc.data, tc.journal)
			_, err := platform.New(lab(path))
			if !errors.Is(err, platform.ErrData) || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "move both away") {
				t.Fatalf("error %v, want %q", err, tc.says)
			}
			if tc.data != nil && !bytes.Equal(readFile(t, path), tc.data) || !bytes.Equal(readFile(t, path+".journal"), tc.journal) {
				t.Error("the files were changed")
			}
		})
	}
}

// A version to come is refused with another word than damage.
func TestDataOfTheFuture(t *testing.T) {
	t.Parallel()
	line := `{"format":"linkspan-platform","version":2,"generation":1}`
	path := write(t, []byte("45ce273e "+line+"\n"), nil)
	_, err := platform.New(lab(path))
	if !errors.Is(err, platform.ErrData) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("error %v", err)
	}
}

// A device file is none of data: it may have no end.
func TestDataIsAFile(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"data", "data.journal"} {
		dir := t.TempDir()
		if err := os.Symlink(os.DevNull, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		_, err := platform.New(lab(filepath.Join(dir, "data")))
		if !errors.Is(err, platform.ErrData) || !strings.Contains(err.Error(), "no regular file") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// A place where nothing can be written is found at the start.
func TestDataNowhere(t *testing.T) {
	t.Parallel()
	_, err := platform.New(lab(filepath.Join(t.TempDir(), "none", "data")))
	if !errors.Is(err, platform.ErrData) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// A disk that takes nothing refuses what cannot be kept, and is tried again.
func TestDataDiskFails(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := lab(filepath.Join(dir, "data"))
	p := open(t, cfg)
	add(t, p, "truck-1", "")
	away := dir + "-away"
	p.BreakJournal() // the next write of it fails
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	id := auth.Identity{ProductKey: spk, DeviceName: "truck-2", DeviceSecret: secret}
	if err := p.AddDevice(id, ""); !errors.Is(err, platform.ErrData) {
		t.Errorf("error %v", err)
	}
	if s := p.Stats(); s.SaveFailures == 0 {
		t.Errorf("%+v", s)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	add(t, p, "truck-3", "")
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p = open(t, cfg); p.Stats().Devices != 3 {
		t.Errorf("%d devices are left", p.Stats().Devices)
	}
}
