package jt808

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/linkspan/linkspan/codec/jt808"
)

// ErrSinkFull is what a [Sink] says of an item for which there is no room while
// others wait. The terminal will send it again.
var ErrSinkFull = errors.New("jt808: too much multimedia waits to be stored")

// Media is one multimedia item (JT/T 808, message 0x0801).
type Media struct {
	Identity string // of the terminal
	ID       uint32 // the terminal's own number of the item
	Type     jt808.MediaType
	Format   jt808.MediaFormat
	Cause    jt808.MediaCause
	Channel  uint8
	Packet   uint32    // number of the part, from 1, when the item comes in parts of their own (2011 draft); otherwise 0
	Time     time.Time // when it was made, or arrived when the terminal does not say
	Data     []byte    // belongs to the sink
}

// Sink keeps multimedia. Store is called on event loops and must not block; done
// is called once, from any goroutine, with a name by which the item can be found
// again, or with the reason why it was not kept. The same item may come more than
// once.
type Sink interface {
	Store(m *Media, done func(reference string, err error))
}

// fileSink writes items into a directory, one file each. Its one goroutine lives
// while items wait and ends by itself. Store may be called from any goroutine.
type fileSink struct {
	config   Multimedia
	counters *counters

	mu      sync.Mutex
	queue   []mediaJob // guarded by mu
	bytes   int        // in queue and being written; guarded by mu
	running bool       // whether there is a goroutine; guarded by mu

	room room // the goroutine's
}

type mediaJob struct {
	media *Media
	done  func(string, error)
}

func newFileSink(c Multimedia, counters *counters) *fileSink {
	return &fileSink{config: c, counters: counters}
}

// Store implements Sink. The reference is the file's name in the directory.
func (k *fileSink) Store(m *Media, done func(string, error)) {
	if !k.enqueue(mediaJob{m, done}) {
		done("", ErrSinkFull)
	}
}

func (k *fileSink) enqueue(j mediaJob) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) >= k.config.MaxQueue || k.bytes+len(j.media.Data) > k.config.MaxBytes {
		return false
	}
	k.queue = append(k.queue, j)
	k.bytes += len(j.media.Data)
	k.counters.mediaWaiting.Add(1)
	if !k.running {
		k.running = true
		go k.run() // ends when nothing waits
	}
	return true
}

// run writes items until none waits.
func (k *fileSink) run() {
	for {
		k.mu.Lock()
		if len(k.queue) == 0 {
			k.queue, k.running = nil, false
			k.mu.Unlock()
			return
		}
		j := k.queue[0]
		k.queue[0] = mediaJob{}
		k.queue = k.queue[1:]
		k.mu.Unlock()

		name := fileName(j.media)
		err := k.write(name, j.media.Data)

		k.mu.Lock()
		k.bytes -= len(j.media.Data)
		k.mu.Unlock()
		k.counters.mediaWaiting.Add(-1)
		if err != nil {
			name = ""
		}
		j.done(name, err)
	}
}

// write writes a file of that name, or none.
func (k *fileSink) write(name string, data []byte) (err error) {
	if err = os.MkdirAll(k.config.Directory, 0o750); err != nil {
		return fmt.Errorf("jt808: multimedia directory: %w", err)
	}
	if !k.room.take(k.config, int64(len(data))) {
		return fmt.Errorf("%w: the directory has multimedia.maxDirectory: %d bytes", ErrSinkFull, k.config.MaxDirectory)
	}
	f, err := os.CreateTemp(k.config.Directory, ".part-*")
	if err != nil {
		return fmt.Errorf("jt808: multimedia file: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(k.config.Directory, name))
	}
	if err != nil {
		return fmt.Errorf("jt808: multimedia file: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// room is how much is in the directory. Others remove files there, and perhaps
// write too, so it looks again when it is full, and each time that a part of it
// has been written. The zero value has not looked yet.
type room struct {
	used, since int64 // bytes in the directory, and of these written since it was looked at
	looked      time.Time
}

const (
	roomParts = 16          // how often a directory is looked at until it is full
	roomAgain = time.Second // how soon a full one is looked at again
)

// take says whether size more bytes may be written; they count as written then.
func (r *room) take(c Multimedia, size int64) bool {
	if c.MaxDirectory == 0 {
		return true
	}
	full := r.used+size > c.MaxDirectory && time.Since(r.looked) > roomAgain
	if r.looked.IsZero() || full || r.since > c.MaxDirectory/roomParts {
		r.used, r.since, r.looked = bytesIn(c.Directory), 0, time.Now()
	}
	if r.used+size > c.MaxDirectory {
		return false
	}
	r.used += size
	r.since += size
	return true
}

// bytesIn is the size of all files of a directory; of those that can be seen.
func bytesIn(directory string) (n int64) {
	files, _ := os.ReadDir(directory) // it was made a moment ago: what cannot be read fails at writing
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
	}
	return n
}

// fileName is terminal-item-time.ext. It has no characters of the terminal's
// choice but hexadecimal digits.
func fileName(m *Media) string {
	part := ""
	if m.Packet > 0 {
		part = fmt.Sprintf("-%d", m.Packet)
	}
	return fmt.Sprintf("%s-%d%s-%s.%s", m.Identity, m.ID, part, m.Time.UTC().Format("20060102T150405Z"), extension(m))
}

func extension(m *Media) string {
	switch m.Format {
	case jt808.MediaJPEG:
		return "jpg"
	case jt808.MediaTIF:
		return "tif"
	case jt808.MediaMP3:
		return "mp3"
	case jt808.MediaWAV:
		return "wav"
	case jt808.MediaWMV:
		return "wmv"
	default:
		return "bin"
	}
}
