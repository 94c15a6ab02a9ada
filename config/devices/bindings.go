package devices

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/time/rate"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

// Why a device gets no certificate of the pool. It may try again later: none of
// these says that the device is unknown.
var (
	// ErrPoolExhausted: every certificate of the pool has a device. Add
	// certificates to the pool.
	ErrPoolExhausted = errors.New("devices: no certificate of the pool is free")
	// ErrTooFast: more devices came for the first time than bindRate allows.
	ErrTooFast = errors.New("devices: too many new devices at once")
	// ErrBindings: the file of bindings cannot be read or written, see the error
	// it is wrapped with. No device gets a certificate until that is mended.
	ErrBindings = errors.New("devices: the bindings cannot be kept")
)

// bindings are which device has which certificate of the pool. All methods may
// be called from several goroutines.
type bindings struct {
	path     string
	makesDir bool // the directory of path is made when it is missing
	max      int64
	limiter  *rate.Limiter // nil: no limit

	write sync.Mutex // held while a certificate is given out, or the file is read
	seen  stamp      // guarded by write; of the file as it is in memory
	next  int        // guarded by write; certificates of pool before it have a device, or an entry of known
	pool  *table     // guarded by write; of next, nil if it is 0
	known *table     // guarded by write; likewise
	late  Changes    // guarded by write; those that bind found in the file, for the next reload to tell

	mu      sync.RWMutex
	table   *table                   // guarded by mu; of the file, when it was read last
	fresh   map[string]auth.Identity // guarded by mu; given out since
	names   map[[2]string]string     // guarded by mu; of fresh, by product key and device name
	removed map[string]bool          // guarded by mu; in the table, but replaced by fresh
	bad     config.Errors            // guarded by mu
}

func newBindings(path string, maxBytes int64, perMinute int) *bindings {
	b := &bindings{path: path, max: maxBytes, table: newTable(nil), seen: stamp{path: path}}
	if perMinute > 0 {
		b.limiter = rate.NewLimiter(rate.Limit(float64(perMinute)/60), max(1, perMinute/60))
	}
	b.forget()
	return b
}

// forget empties what is not in the table. b.mu is held, or nobody else knows b.
func (b *bindings) forget() {
	b.fresh, b.names, b.removed = map[string]auth.Identity{}, map[[2]string]string{}, map[string]bool{}
}

// identity is the certificate of the device of that name.
func (b *bindings) identity(name string) (auth.Identity, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if id, ok := b.fresh[name]; ok {
		return id, true
	}
	i, ok := b.table.findName(name)
	if !ok {
		return auth.Identity{}, false
	}
	return b.table.identity(i), true
}

// name is the device that has the certificate.
func (b *bindings) name(product, device string) (string, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if name, ok := b.names[[2]string{product, device}]; ok {
		return name, true
	}
	name, ok := b.table.nameOf(auth.Identity{ProductKey: product, DeviceName: device})
	return name, ok && !b.removed[name]
}

func (b *bindings) len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.table.live + len(b.fresh) - len(b.removed)
}

// bind gives the device of that name the first certificate of pool that neither
// another device nor an entry of known has, and remembers it on disk before it
// returns.
func (b *bindings) bind(name string, pool, known *table) (auth.Identity, error) {
	b.write.Lock()
	defer b.write.Unlock()
	usable := func(id auth.Identity) bool {
		_, taken := known.findIdentity(id.ProductKey, id.DeviceName)
		return !taken
	}
	if id, ok := b.identity(name); ok && usable(id) { // another call was faster
		return id, nil
	}
	if b.limiter != nil && !b.limiter.Allow() {
		return auth.Identity{}, ErrTooFast
	}
	if b.pool != pool || b.known != known { // a reload has swapped them
		b.pool, b.known, b.next = pool, known, 0
	}
	if b.next >= pool.count && !b.changed() { // a flood of strangers costs no more than this
		return auth.Identity{}, ErrPoolExhausted
	}
	f, err := b.open()
	if err != nil {
		return auth.Identity{}, fmt.Errorf("%w: %w", ErrBindings, err)
	}
	defer func() { _ = f.Close() }() // read only, or synced
	if b.changed() {                 // by another process, or by hand
		late, err := b.readFile(nil)
		if err != nil {
			return auth.Identity{}, fmt.Errorf("%w: %w", ErrBindings, err)
		}
		b.late.Changed, b.late.Removed = append(b.late.Changed, late.Changed...), append(b.late.Removed, late.Removed...)
		if id, ok := b.identity(name); ok && usable(id) {
			return id, nil
		}
	}
	for ; b.next < pool.count; b.next++ {
		if pool.at(b.next).dead {
			continue
		}
		id := pool.identity(b.next)
		if _, taken := b.name(id.ProductKey, id.DeviceName); taken || !usable(id) {
			continue
		}
		info, err := appendLine(f, bindingLine(name, id))
		if err != nil {
			return auth.Identity{}, fmt.Errorf("%w: %w", ErrBindings, err)
		}
		b.seen.info = info
		b.take(name, id)
		return id, nil
	}
	return auth.Identity{}, ErrPoolExhausted
}

// take notes a binding that is in the file.
func (b *bindings) take(name string, id auth.Identity) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if old, ok := b.fresh[name]; ok {
		delete(b.names, [2]string{old.ProductKey, old.DeviceName})
	} else if _, ok := b.table.findName(name); ok {
		b.removed[name] = true
	}
	b.fresh[name] = id
	b.names[[2]string{id.ProductKey, id.DeviceName}] = name
}

// changed says whether the file is not the one in memory. b.write is held.
func (b *bindings) changed() bool { return !b.seen.same(stampOf(b.path)) }

// reload reads the file. Without force it does so only if it has changed.
// before is told the changes before they take effect; those that are returned
// have taken effect already.
func (b *bindings) reload(force bool, before func(Changes)) (late Changes, err error) {
	b.write.Lock()
	defer b.write.Unlock()
	if force || b.changed() {
		c, err := b.readFile(before)
		if err != nil {
			return Changes{}, err
		}
		b.late.Kept, b.late.Mistakes = c.Kept, c.Mistakes
	}
	b.pool, b.known, b.next = nil, nil, 0 // they may be swapped next
	late, b.late = b.late, Changes{}
	return late, nil
}

// readFile reads the file. A file that is missing holds nothing, unless there
// was one: then it stays an error until there is one again. b.write is held.
func (b *bindings) readFile(before func(Changes)) (Changes, error) {
	seen := stampOf(b.path)
	if seen.info == nil && b.seen.info == nil {
		return Changes{}, nil
	}
	old := b.whole()
	l, err := load(b.path, b.max, false, old)
	if err != nil {
		return Changes{}, err
	}
	c := compare(old, l.table, len(l.bad) > 0)
	l.table.settle()
	c.Mistakes = l.bad
	if before != nil {
		before(c)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.table, b.bad = l.table, l.bad
	b.forget()
	b.seen, b.next = seen, 0
	return c, nil
}

// whole is a table of all that is known.
func (b *bindings) whole() *table {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if len(b.fresh) == 0 {
		return b.table
	}
	t := newTable(b.table)
	for i := range b.table.count {
		name := b.table.name(i)
		if r := b.table.at(i); !r.dead && !b.removed[name] {
			t.put(entry{name: name, id: b.table.identity(i), line: r.line, file: b.table.fileOf(i)})
		}
	}
	for name, id := range maps.All(b.fresh) {
		t.put(entry{name: name, id: id, file: b.path})
	}
	t.settle()
	return t
}

func (b *bindings) where(name string) (file string, line int, ok bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if _, ok = b.fresh[name]; ok {
		return b.path, 0, true
	}
	i, ok := b.table.findName(name)
	if !ok {
		return "", 0, false
	}
	return b.table.fileOf(i), b.table.lineOf(i), true
}

func (b *bindings) mistakes() config.Errors {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.bad
}

func (b *bindings) looked() stamps {
	b.write.Lock()
	defer b.write.Unlock()
	if len(b.late.Changed)+len(b.late.Removed) > 0 {
		return stamps{{path: b.path}} // there is something to tell: not what it looks like
	}
	return stamps{b.seen}
}

// open opens the file for one more line, makes it if there is none, and keeps
// other processes off it until it is closed. b.write is held.
func (b *bindings) open() (*os.File, error) {
	if b.seen.info != nil {
		if _, err := os.Stat(b.path); err != nil {
			return nil, fmt.Errorf("it was there and is gone; put it back, or restart to begin with none: %w", err)
		}
	}
	if b.makesDir {
		if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
			return nil, err
		}
	}
	return openLocked(b.path)
}
