package platform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/filelock"
)

// data is the platform's memory in files: PATH has all devices as they were when
// it was written, whole, and PATH.journal the devices that changed since. PATH
// is replaced in one step when the journal has grown, and at the end. The last
// line of a journal may be half written; anything else that is not as it was
// written is refused.
//
// Every line is the CRC-32 of what follows it, a space and a JSON document; the
// first says the format, its version and a generation, which tells a journal
// that belongs to an older PATH. PATH ends with a line that counts the devices.
//
// mark may be called from any goroutine and with any lock held; commit, save and
// close without Platform.mu.
type data struct {
	p     *Platform
	path  string
	every time.Duration

	mu     sync.Mutex
	urgent map[*device]struct{} // guarded by mu: what has to be written before anybody is told of it
	lazy   map[*device]struct{} // guarded by mu

	wmu        sync.Mutex // before Platform.mu; guards what follows
	journal    *os.File
	size       int64 // of the journal
	snapshot   int64 // size of PATH
	generation uint64
	keep       int64 // what a journal may always have
	torn       bool  // the journal's end is not what it should be
	closed     bool

	saves, failures, written atomic.Uint64 // of both files; bytes
}

// ErrData says that the data file cannot be used. It is left as it is.
var ErrData = errors.New("platform: data")

const (
	dataFormat  = "linkspan-platform"
	dataVersion = 1

	// keepJournal is what a journal may always have, in bytes; beyond that it may
	// be as large as twice what it adds to.
	keepJournal = 4 << 20
)

// head is the first line of both files.
type head struct {
	Format     string    `json:"format"`
	Version    int       `json:"version"`
	Generation uint64    `json:"generation"`
	Written    time.Time `json:"written"`
}

// tail is the last line of the data file.
type tail struct {
	End     bool `json:"end"`
	Devices int  `json:"devices"`
}

// openData reads what there is into p and keeps other processes away from it.
func openData(p *Platform) (*data, error) {
	d := &data{p: p, path: p.cfg.Data, every: p.cfg.SaveInterval, keep: keepJournal, urgent: map[*device]struct{}{}, lazy: map[*device]struct{}{}}
	journal, err := os.OpenFile(d.path+".journal", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	d.journal = journal
	if info, err := journal.Stat(); err == nil && !info.Mode().IsRegular() {
		_ = journal.Close()
		return nil, fmt.Errorf("%w: %s.journal is no regular file", ErrData, d.path)
	}
	if err := d.open(); err != nil {
		_ = filelock.Unlock(journal) // if it was this process that locked it
		_ = journal.Close()
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	return d, nil
}

func (d *data) open() error {
	err := filelock.Try(d.journal)
	if errors.Is(err, filelock.ErrLocked) {
		return fmt.Errorf("%s is in use by another platform: give this one a file of its own", d.path)
	}
	if err != nil {
		return fmt.Errorf("lock %s.journal: %w", d.path, err)
	}
	list := map[key]*record{}
	if err = d.read(list); err != nil {
		return fmt.Errorf("%w. Nothing was changed: put a copy of %[2]s and %[2]s.journal back, or move both away to begin without devices", err, d.path)
	}
	if err = d.p.restore(list); err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	return d.rewrite()
}

// read reads both files into list.
func (d *data) read(list map[key]*record) error {
	f, err := os.Open(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		defer func() { _ = f.Close() }() // only read
		if info, statErr := f.Stat(); statErr == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file", d.path)
		}
		in := lines{name: d.path, r: bufio.NewReaderSize(f, 64<<10)}
		if d.generation, err = in.snapshot(list); err != nil {
			return err
		}
	}
	in := lines{name: d.path + ".journal", r: bufio.NewReaderSize(d.journal, 64<<10)}
	torn, err := in.journal(d.generation, list)
	if torn {
		d.p.log.Warn("the end of the journal was not written whole and is left out", zap.String("path", in.name))
	}
	return err
}

// lines reads a file line by line.
type lines struct {
	name string
	r    *bufio.Reader
	n    int
}

// errTorn is a last line that has no end.
var errTorn = errors.New("the last line has no end")

func (in *lines) wrong(format string, args ...any) error {
	return fmt.Errorf("%s is damaged: line %d: %w", in.name, in.n, fmt.Errorf(format, args...)) //nolint:err113 // says where
}

// next is the JSON document of the next line; io.EOF after the last one.
func (in *lines) next() ([]byte, error) {
	line, err := in.r.ReadBytes('\n')
	in.n++
	switch {
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, errTorn
	case err != nil:
		return nil, err
	}
	sum, text, _ := bytes.Cut(bytes.TrimSuffix(line, []byte{'\n'}), []byte{' '})
	n, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || len(sum) != 8 || uint32(n) != crc32.ChecksumIEEE(text) {
		return nil, in.wrong("its checksum is not that of its text")
	}
	return text, nil
}

func (in *lines) head() (head, error) {
	var h head
	text, err := in.next()
	if err != nil {
		return h, err
	}
	if err := json.Unmarshal(text, &h); err != nil || h.Format != dataFormat {
		return h, in.wrong("it is no data of a local platform")
	}
	if h.Version != dataVersion {
		return h, in.wrong("it has version %d, and this program knows %d: use the program that wrote it, or a newer one", h.Version, dataVersion)
	}
	return h, nil
}

// snapshot reads PATH into list.
func (in *lines) snapshot(list map[key]*record) (generation uint64, err error) {
	h, err := in.head()
	for n := 0; err == nil; n++ {
		var text []byte
		if text, err = in.next(); err != nil {
			break
		}
		var end tail
		if json.Unmarshal(text, &end) == nil && end.End {
			if end.Devices != n {
				return 0, in.wrong("%d devices, but the end says %d", n, end.Devices)
			}
			if _, err = in.next(); !errors.Is(err, io.EOF) {
				return 0, in.wrong("something stands behind the end")
			}
			return h.Generation, nil
		}
		err = in.put(text, list)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errTorn) {
		return 0, in.wrong("it is cut off")
	}
	return 0, err
}

// journal reads the devices that changed since generation into list. An older journal is
// none: all of it is in PATH.
func (in *lines) journal(generation uint64, list map[key]*record) (torn bool, err error) {
	h, err := in.head()
	switch {
	case errors.Is(err, io.EOF):
		return false, nil
	case errors.Is(err, errTorn):
		return true, nil // nothing was written behind a head that was not
	case err != nil:
		return false, err
	case h.Generation < generation:
		return false, nil
	case h.Generation > generation:
		return false, in.wrong("it belongs to a newer file (generation %d, not %d): the data file is missing or an old copy", h.Generation, generation)
	}
	for {
		text, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case errors.Is(err, errTorn):
			return true, nil
		case err != nil:
			return false, err
		}
		if err := in.put(text, list); err != nil {
			return false, err
		}
	}
}

// put takes one device.
func (in *lines) put(text []byte, list map[key]*record) error {
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil {
		return in.wrong("%w", err)
	}
	k := key{r.ProductKey, r.DeviceName}
	if !validName(k.product) || !validName(k.device) {
		return in.wrong("%q/%q is no device", k.product, k.device)
	}
	if r.Gone {
		delete(list, k)
	} else {
		list[k] = r
	}
	return nil
}
