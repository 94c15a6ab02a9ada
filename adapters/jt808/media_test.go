package jt808

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/protocol/protocoltest"
)

// drawer is a sink that the test opens.
type drawer struct {
	held []func(string, error)
	got  []*Media
}

func (d *drawer) Store(m *Media, done func(string, error)) {
	d.got = append(d.got, m)
	d.held = append(d.held, done)
}

func (d *drawer) release(x *terminal, reference string, err error) {
	held := d.held
	d.held = nil
	for _, done := range held {
		done(reference, err)
	}
	x.Run()
}

func picture(x *terminal) *jt808.MediaData {
	l := *x.place()
	return &jt808.MediaData{
		MediaID: 77, Type: jt808.MediaImage, Format: jt808.MediaJPEG, Cause: jt808.MediaCollision, Channel: 2,
		Location: &l, Data: bytes.Repeat([]byte("picture "), 30),
	}
}

func TestPictureInOneFrame(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	x := dialVersion(t, jt808.V2013, New("jt808", WithSink(d))).join()
	if got := x.say(picture(x)); len(got) != 0 || len(x.Said) != 0 {
		t.Fatalf("before it is kept: %v, %v", ids(got), names(x.Said))
	}
	m := d.got[0]
	if m.Identity != digits || m.ID != 77 || m.Channel != 2 || m.Cause != jt808.MediaCollision || !bytes.Equal(m.Data, picture(x).Data) || !m.Time.Equal(x.Now()) {
		t.Errorf("kept %+v", m)
	}
	d.release(x, "here", nil)
	said := x.TakeSaid()
	wantNames(t, said, "event multimedia")
	want := `{"mediaId":77,"type":0,"format":0,"cause":3,"channel":2,"size":240,"reference":"here","latitude":31.234567,` +
		`"longitude":121.456789,"altitude":44,"speed":60.5,"direction":90,"positioned":true,"time":1767323045000}`
	if got := text(said[0].Fields); got != want {
		t.Errorf("event\n got %s\nwant %s", got, want)
	}
	r := parse[jt808.MediaResponse](t, only(t, x.heard()))
	if r.MediaID != 77 || len(r.Packets) != 0 {
		t.Errorf("answer %+v", *r)
	}
}

// A picture is kept as it was taken, and at the time of its receipt, when the
// terminal's clock says no time.
func TestPictureAtAnImpossibleTime(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	x := dialVersion(t, jt808.V2013, New("jt808", WithSink(d))).join()
	p := picture(x)
	p.Location.Time = jt808.BCDTime{0x24, 0x13, 1}
	x.say(p)
	if m := d.got[0]; !bytes.Equal(m.Data, p.Data) || !m.Time.Equal(x.Now()) {
		t.Errorf("kept %q at %v", m.Data, m.Time)
	}
	d.release(x, "here", nil)
	wantField(t, x.TakeSaid()[0].Fields, "latitude", "31.234567")
}

func TestPictureInPackages(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	x := dialVersion(t, jt808.V2013, New("jt808", WithSink(d))).join()
	p := x.packages(picture(x), 60)
	for i, frame := range p {
		if i != 1 {
			x.Send(frame)
		}
	}
	x.heard()
	x.Advance(5 * time.Second)
	r := parse[jt808.MediaResponse](t, only(t, x.heard()))
	if r.MediaID != 77 || !slices.Equal(r.Packets, []uint16{2}) {
		t.Errorf("asked for %+v", *r)
	}
	x.Send(p[1])
	d.release(x, "here", nil)
	if r := parse[jt808.MediaResponse](t, only(t, x.heard())); r.MediaID != 77 || len(r.Packets) != 0 {
		t.Errorf("answer %+v", *r)
	}
	if !bytes.Equal(d.got[0].Data, picture(x).Data) {
		t.Error("another picture was kept")
	}
	// the answer got lost: the terminal sends its last package again
	x.Send(p[len(p)-1])
	if r := parse[jt808.MediaResponse](t, only(t, x.heard())); r.MediaID != 77 || len(d.got) != 1 {
		t.Errorf("answer %+v, kept %d times", *r, len(d.got))
	}
}

// A terminal that does not count its messages sends two pictures with the same
// serials: each is asked for, and answered, by its own id.
func TestPicturesWithTheSameSerials(t *testing.T) {
	t.Parallel()
	x := dialVersion(t, jt808.V2013, New("jt808")).join()
	for _, id := range []uint32{77, 78} {
		x.serial = 100
		m := picture(x)
		m.MediaID = id
		p := x.packages(m, 60)
		x.Send(p[0])
		for _, frame := range p[2:] {
			x.Send(frame)
		}
		x.heard()
		x.Advance(5 * time.Second)
		if r := parse[jt808.MediaResponse](t, only(t, x.heard())); r.MediaID != id || !slices.Equal(r.Packets, []uint16{2}) {
			t.Errorf("asked for %+v of %d", *r, id)
		}
		x.Advance(2 * time.Minute / 4)
		x.heard()
	}
}

// Not even its id tells a second picture from the first: what it shows does.
func TestPicturesWithTheSameSerialsAndID(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	x := dialVersion(t, jt808.V2013, New("jt808", WithSink(d))).join()
	for i := range 2 {
		x.serial = 100
		m := picture(x)
		for j := range m.Data {
			m.Data[j] += byte(i)
		}
		p := x.packages(m, 60)
		p[0], p[1] = p[1], p[0]
		x.Send(p[0])
		x.heard()
		x.Send(p[0])
		if got := results(t, x.heard()); len(got) != 1 || got[101] != jt808.ResultOK {
			t.Errorf("picture %d: a copy before it is whole: %v", i, got)
		}
		for _, frame := range p[1:] {
			x.Send(frame)
		}
		x.heard()
		if len(d.got) != i+1 || !bytes.Equal(d.got[i].Data, m.Data) {
			t.Fatalf("picture %d is not kept", i)
		}
		d.release(x, "here", nil)
		if r := parse[jt808.MediaResponse](t, only(t, x.heard())); r.MediaID != 77 || len(r.Packets) != 0 {
			t.Errorf("answer %+v", *r)
		}
		x.TakeSaid()
	}
}

func TestMissingFirstPackageOfAPicture(t *testing.T) {
	t.Parallel()
	x := dialVersion(t, jt808.V2013, New("jt808", WithSink(&drawer{}))).join()
	first := x.serial
	x.Send(x.packages(picture(x), 60)[1])
	x.heard()
	x.Advance(5 * time.Second)
	if r := parse[jt808.PlatformResendRequest](t, only(t, x.heard())); r.FirstSerial != first || !slices.Contains(r.Packets, 1) {
		t.Errorf("asked for %+v", *r)
	}
}

func TestPictureThatWasNotKept(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	p := New("jt808", WithSink(d))
	x := dialVersion(t, jt808.V2013, p).join()
	frames := x.packages(picture(x), 60)
	for range 2 {
		for _, frame := range frames {
			x.Send(frame)
		}
		x.heard()
		d.release(x, "", errors.New("disk is full"))
		if got := x.heard(); len(got) != 0 || len(x.Said) != 0 {
			t.Errorf("answered by %v, said %v", ids(got), names(x.Said))
		}
	}
	if got := p.Stats().(Stats); got.MediaFailed != 2 || len(d.got) != 2 {
		t.Errorf("counted %+v, tried %d times", got, len(d.got))
	}
}

// clumsy is a sink that panics the first time.
type clumsy struct{ drawer }

func (c *clumsy) Store(m *Media, done func(string, error)) {
	c.drawer.Store(m, done)
	if len(c.got) == 1 {
		panic("oops")
	}
}

// brave is a transport that goes on after a panic, as a server does.
type brave struct {
	loop
	faults int
}

func (b *brave) Fault(error, []byte) error {
	b.faults++
	return nil
}

// What panics is wanted again, and nothing else is taken for it.
func TestPictureWhoseSinkPanicked(t *testing.T) {
	t.Parallel()
	d, b := &clumsy{}, &brave{}
	cfg := DefaultConfig()
	cfg.Authentication.Policy = policyAccept
	open, err := New("jt808", WithSink(d)).New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h, x := open(b, &protocol.Host{Uplink: b}), dial(t) // whose frames go to h
	send := func(frames ...[]byte) {
		t.Helper()
		for _, frame := range frames {
			if _, _, err := h.Data(frame); err != nil {
				t.Fatal(err)
			}
			b.run()
		}
	}
	send(x.message(&jt808.Authenticate{Code: "any"}))
	frames := x.packages(picture(x), 60)
	send(frames...)
	said := b.published
	send(x.message(batchOf(x, jt808.BatchNormal, 0, 0))) // of one frame
	if b.faults != 1 || b.published != said+2 {
		t.Errorf("%d faults, %d reports of a batch of two", b.faults, b.published-said)
	}
	send(frames...)
	if len(d.got) != 2 {
		t.Errorf("the sink got %d pictures, want the one again", len(d.got))
	}
}

func TestPictureWithoutSinkAndTooLarge(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	for name, x := range map[string]*terminal{
		"no sink":   dial(t).join(),
		"too large": dialVersion(t, jt808.V2013, New("jt808", WithSink(d)), func(c *Config) { c.Multimedia.MaxFile = 100 }).join(),
	} {
		r := parse[jt808.MediaResponse](t, only(t, x.say(picture(x))))
		if r.MediaID != 77 {
			t.Errorf("%s: answer %+v", name, *r)
		}
		said := x.TakeSaid()
		wantNames(t, said, "event multimedia")
		for _, f := range said[0].Fields {
			if f.Name == "reference" {
				t.Errorf("%s: reference %v", name, f.Value)
			}
		}
	}
	if len(d.got) != 0 {
		t.Error("a picture that is too large was kept")
	}
}

func TestUndeliveredPicture(t *testing.T) {
	t.Parallel()
	x := dial(t, delivered).join()
	x.FailPublish = errors.New("platform is away")
	if got := x.say(picture(x)); len(got) != 0 {
		t.Errorf("answered by %v", ids(got))
	}
}

func TestPictureOf2011(t *testing.T) {
	t.Parallel()
	x := dial(t).join()
	x.Send(x.frame(jt808.IDMediaData, unhex(t, "0000004d00000001"+"ffd8ffe000104a464946000101")))
	if r := parse[jt808.MediaResponse](t, only(t, x.heard())); r.MediaID != 77 {
		t.Errorf("answer %+v", *r)
	}
	wantField(t, x.TakeSaid()[0].Fields, "size", "13")
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "media")
	counted := &counters{}
	k := newFileSink(Multimedia{Directory: dir, MaxFile: 100, MaxQueue: 4, MaxBytes: 100}, counted)
	item := func(data string) *Media {
		return &Media{Identity: digits, ID: 7, Format: jt808.MediaWAV, Time: protocoltest.Start, Data: []byte(data)}
	}
	type result struct {
		name string
		err  error
	}
	done := make(chan result, 10)
	store := func(m *Media) result {
		k.Store(m, func(name string, err error) { done <- result{name, err} })
		return <-done
	}
	for _, data := range []string{"one", "the same again"} {
		r := store(item(data))
		if r.err != nil || r.name != digits+"-7-20260102T030405Z.wav" {
			t.Fatalf("%+v", r)
		}
		if got, err := os.ReadFile(filepath.Join(dir, r.name)); err != nil || string(got) != data {
			t.Errorf("file has %q, %v", got, err)
		}
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("%v, %v: nothing but the item may be left", files, err)
	}
	if r := store(item(string(make([]byte, 101)))); !errors.Is(r.err, ErrSinkFull) {
		t.Errorf("%+v", r)
	}
	k.config.Directory = filepath.Join(dir, digits+"-7-20260102T030405Z.wav") // a file
	if r := store(item("x")); r.err == nil || r.name != "" {
		t.Errorf("%+v", r)
	}
	if n := counted.mediaWaiting.Load(); n != 0 {
		t.Errorf("%d are waiting", n)
	}
	for format, want := range map[jt808.MediaFormat]string{0: "jpg", 1: "tif", 2: "mp3", 3: "wav", 4: "wmv", 9: "bin"} {
		if got := extension(&Media{Format: format}); got != want {
			t.Errorf("format %d: %s, want %s", format, got, want)
		}
	}
	if got := fileName(&Media{Identity: "1", ID: 2, Packet: 3, Time: protocoltest.Start}); got != "1-2-3-20260102T030405Z.jpg" {
		t.Errorf("name %s", got)
	}
}

// The directory does not grow beyond its limit, whoever fills it.
func TestDirectoryIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := newFileSink(Multimedia{Directory: dir, MaxFile: 100, MaxQueue: 4, MaxBytes: 100, MaxDirectory: 250}, &counters{})
	done := make(chan error, 1)
	store := func(id uint32) error {
		k.Store(&Media{Identity: digits, ID: id, Time: protocoltest.Start, Data: make([]byte, 100)}, func(_ string, err error) { done <- err })
		return <-done
	}
	for id, want := range []error{nil, nil, ErrSinkFull, ErrSinkFull} {
		if err := store(uint32(id)); !errors.Is(err, want) {
			t.Errorf("item %d: %v, want %v", id, err, want)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v", files, err)
	}
	if err := os.Remove(filepath.Join(dir, files[0].Name())); err != nil { // as whoever fetches items does
		t.Fatal(err)
	}
	k.room.looked = time.Time{} // a while after
	if err := store(9); err != nil {
		t.Errorf("after one was fetched: %v", err)
	}
}

func TestFilesThroughThePlugin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	x := dial(t, func(c *Config) { c.Multimedia.Directory = dir }).join()
	x.Send(x.message(picture(x)))
	var files []os.DirEntry
	for deadline := time.Now().Add(10 * time.Second); len(x.Said) == 0 && time.Now().Before(deadline); {
		x.Run() // the sink's goroutine is done when it is
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 || len(x.Said) == 0 {
		t.Fatalf("%v, %v, said %v", files, err, names(x.Said))
	}
	wantField(t, x.Said[0].Fields, "reference", `"`+files[0].Name()+`"`)
}
