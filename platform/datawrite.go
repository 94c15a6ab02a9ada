package platform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/internal/filelock"
)

// touch says that something of dev is to be written when it is time.
func (p *Platform) touch(dev *device) {
	if p.data != nil && !dev.dirty.Load() {
		p.data.mark(dev, false)
	}
}

// alter says that dev is not whom it was: commit writes it. It may be called
// with any lock held.
func (p *Platform) alter(dev *device) {
	if p.data != nil {
		p.data.mark(dev, true)
	}
}

// commit writes what alter was told, unless somebody else has, and returns when
// it is on the disk. mu is not held.
func (p *Platform) commit() error {
	if p.data == nil {
		return nil
	}
	return p.data.commit()
}

func (d *data) mark(dev *device, urgent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dev.dirty.Store(true)
	if urgent {
		d.urgent[dev] = struct{}{}
	} else {
		d.lazy[dev] = struct{}{}
	}
}

// taken are the devices that have to be written, urgent ones or all; none of
// them is dirty any more.
func (d *data) taken(all bool) []*device {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*device, 0, len(d.urgent))
	for dev := range d.urgent {
		dev.dirty.Store(false)
		delete(d.lazy, dev)
		list = append(list, dev)
	}
	clear(d.urgent)
	if !all {
		return list
	}
	for dev := range d.lazy {
		dev.dirty.Store(false)
		list = append(list, dev)
	}
	clear(d.lazy)
	return list
}

func (d *data) commit() error {
	d.wmu.Lock()
	defer d.wmu.Unlock()
	return d.append(d.taken(false), true)
}

// save writes all that has changed.
func (d *data) save() error {
	d.wmu.Lock()
	defer d.wmu.Unlock()
	if d.closed {
		return nil
	}
	if d.torn || d.size > d.keep+2*d.snapshot {
		return d.rewrite()
	}
	return d.append(d.taken(true), false)
}

// append writes devices to the journal; with a failure they have to be written
// still. wmu is held.
func (d *data) append(list []*device, urgent bool) error {
	if len(list) == 0 || d.closed {
		return nil
	}
	err := d.appendAll(list)
	if err == nil {
		d.saves.Add(1)
		return nil
	}
	d.failures.Add(1)
	for _, dev := range list {
		d.mark(dev, urgent)
	}
	return fmt.Errorf("%w: %s.journal: %w", ErrData, d.path, err)
}

func (d *data) appendAll(list []*device) error {
	if d.torn {
		if err := d.rewrite(); err != nil {
			return err
		}
	}
	w := &counter{w: d.journal}
	err := writeDevices(w, d.p, list)
	d.size += w.n
	d.written.Add(uint64(w.n)) //nolint:gosec // a length
	if err == nil {
		err = d.journal.Sync()
	}
	if err != nil {
		d.torn = true // half a line in the middle would be damage: begin a new journal
	}
	return err
}

// rewrite replaces PATH by all devices as they are, and begins a new journal. wmu
// is held, or nobody else knows d.
func (d *data) rewrite() error {
	changed := d.taken(true)
	err := d.replace()
	if err != nil {
		d.failures.Add(1)
		for _, dev := range changed {
			d.mark(dev, true)
		}
		return fmt.Errorf("write %s: %w", d.path, err)
	}
	d.saves.Add(1)
	return nil
}

func (d *data) replace() error {
	d.p.mu.RLock()
	list := make([]*device, 0, len(d.p.devices))
	for _, dev := range d.p.devices {
		list = append(list, dev)
	}
	d.p.mu.RUnlock()
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	h := head{dataFormat, dataVersion, d.generation + 1, d.p.now().UTC()}
	size, err := writeWhole(d.path, func(w io.Writer) error {
		if err := writeLine(w, h); err != nil {
			return err
		}
		if err := writeDevices(w, d.p, list); err != nil {
			return err
		}
		return writeLine(w, tail{true, len(list)})
	})
	d.written.Add(uint64(size)) //nolint:gosec // a length
	if err != nil {
		d.torn = true // which generation PATH has is not known
		return err
	}
	d.snapshot, d.generation, d.torn = size, h.Generation, true
	// From here on the old journal counts for nothing, whatever becomes of it.
	w := &counter{w: d.journal}
	if err = d.journal.Truncate(0); err != nil {
		return err
	}
	if _, err = d.journal.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err = writeLine(w, h); err != nil {
		return err
	}
	d.size, d.torn = w.n, false
	return d.journal.Sync()
}

// writeWhole replaces a file by what write writes, in one step: whatever happens
// there is the old one or the new one.
func writeWhole(path string, write func(io.Writer) error) (size int64, err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".*.tmp") // of mode 0600
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(f, 256<<10)
	w := &counter{w: out}
	err = write(w)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return w.n, err
	}
	return w.n, syncDirectory(dir)
}

// syncDirectory makes a rename in it last.
func syncDirectory(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // of the file that the configuration names
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// chunk is how many devices are taken down at one moment.
const chunk = 4096

func writeDevices(w io.Writer, p *Platform, list []*device) error {
	for len(list) > 0 {
		n := min(chunk, len(list))
		out := p.records(list[:n])
		for i := range out {
			out[i].said(list[i])
			if err := writeLine(w, &out[i]); err != nil {
				return fmt.Errorf("%s: %w", list[i].name, err)
			}
		}
		list = list[n:]
	}
	return nil
}

// writeLine writes a document with one write.
func writeLine(w io.Writer, v any) error {
	line := bytes.NewBuffer(make([]byte, sumSize, 512))
	e := json.NewEncoder(line)
	e.SetEscapeHTML(false) // what devices said stays as it is
	if err := e.Encode(v); err != nil {
		return err
	}
	b := line.Bytes()
	copy(b, fmt.Sprintf("%08x ", crc32.ChecksumIEEE(b[sumSize:len(b)-1])))
	_, err := w.Write(b)
	return err
}

// sumSize is the length of a line's checksum with the space behind it.
const sumSize = 9

// run saves now and then until the platform closes, which waits for it.
func (d *data) run() {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := d.save(); err != nil {
				d.p.log.Error("what devices have said is not saved; trying again", zap.NamedError("err", err), zap.Duration("duration", d.every))
			}
		case <-d.p.closing:
			return
		}
	}
}

// close saves everything and lets others use the files.
func (d *data) close() error {
	d.wmu.Lock()
	defer d.wmu.Unlock()
	if d.closed {
		return nil
	}
	err := d.rewrite()
	d.closed = true
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrData, err)
	}
	return errors.Join(err, filelock.Unlock(d.journal), d.journal.Close())
}
