package devices

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

// Catalog is the [Source] that a [Config] describes. It asks, in this order: the
// file, the bindings of the pool, another source such as a server, and at last
// the policy for unknown devices. All methods may be called from several
// goroutines.
type Catalog struct {
	cfg    Config
	file   *File     // an empty one if there is no file
	pool   *File     // nil unless unknown = first-free
	bound  *bindings // nil likewise
	source Source    // nil if there is none
	http   *HTTP     // the same, if it is one of ours

	makesDir bool // of bound

	reload sync.Mutex // held while something is read again
	seen   stamps     // guarded by reload: what Watch saw last
	failed stamps     // guarded by reload: what Watch could not load

	counts counts
}

// counts is what a catalog counts.
type counts struct {
	reloads, failed, changed           atomic.Uint64
	unknown, bound, exhausted, tooFast atomic.Uint64
	unbound                            atomic.Uint64
	free                               atomic.Int64
}

// Option gives a [Catalog] what it works with.
type Option func(*Catalog)

// WithSource has the catalog ask s for devices that are not in the file, in the
// place of Config.HTTP.
func WithSource(s Source) Option { return func(c *Catalog) { c.source = s } }

// WithBindingsDir has the catalog make the directory of Config.Bindings, for its
// owner alone, when the first binding is written and there is none.
func WithBindingsDir() Option { return func(c *Catalog) { c.makesDir = true } }

// Open reads what cfg names. An error means that there is nothing to go on
// with: the settings are wrong, all of which are reported at once, or a file
// cannot be read. Mistakes in entries are no error, see [Catalog.Mistakes].
func Open(cfg Config, opts ...Option) (*Catalog, error) {
	c := &Catalog{cfg: cfg, file: newFile(cfg.File, cfg.MaxFile, false)}
	for _, o := range opts {
		o(c)
	}
	if err := cfg.validate(c.source != nil, c.makesDir); err != nil {
		return nil, err
	}
	if c.source == nil && cfg.HTTP.URL != "" {
		h, err := NewHTTP(cfg.HTTP)
		if err != nil {
			return nil, err
		}
		c.http, c.source = h, h
	}
	if cfg.Unknown == PolicyFirstFree {
		c.pool = newFile(cfg.Pool, cfg.MaxFile, true)
		c.bound = newBindings(cfg.Bindings, cfg.MaxFile, cfg.BindRate)
		c.bound.makesDir = c.makesDir
	}
	var errs []error
	for _, f := range []*File{c.file, c.pool} {
		if f == nil || f.path == "" {
			continue
		}
		if err := f.first(); err != nil {
			errs = append(errs, err)
		}
	}
	if c.bound != nil {
		if _, err := c.bound.reload(true, nil); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	c.countFree()
	return c, nil
}

// Waits says whether Identity may have to wait for a server or a disk, so that
// it must not be called on an event loop: give the bridge its option for slow
// devices.
func (c *Catalog) Waits() bool { return c.bound != nil || c.source != nil }

// Identity implements [Source]. A device that is unknown everywhere gets what
// the policy says, with first-free a certificate of the pool, for ever. Then it
// may also return [ErrPoolExhausted], [ErrTooFast] or [ErrBindings].
func (c *Catalog) Identity(name string) (auth.Identity, error) {
	if id, ok := c.known(name); ok {
		return id, nil
	}
	id, err := c.elsewhere(name)
	if errors.Is(err, ErrUnknown) {
		c.counts.unknown.Add(1)
	}
	return id, err
}

// elsewhere is Identity for a device that the files do not know.
func (c *Catalog) elsewhere(name string) (auth.Identity, error) {
	if c.source != nil {
		id, err := c.source.Identity(name)
		if err == nil {
			return c.unlessTaken(name, id)
		}
		if !errors.Is(err, ErrUnknown) {
			return id, err
		}
	}
	switch {
	case c.cfg.Unknown == PolicyTemplate:
		return c.made(name)
	case c.bound != nil:
		return c.bind(name)
	default:
		return auth.Identity{}, fmt.Errorf("devices: %.64q is not in %s: %w", name, c.where(), ErrUnknown)
	}
}

// made is what the template makes of name.
func (c *Catalog) made(name string) (auth.Identity, error) {
	id, err := c.cfg.Template.identity(name)
	if err != nil {
		return id, err
	}
	return c.unlessTaken(name, id)
}

// unlessTaken is id, unless it is that of another device in the file: they would
// push each other offline.
func (c *Catalog) unlessTaken(name string, id auth.Identity) (auth.Identity, error) {
	if other, taken := c.file.Name(id); taken && other != name {
		return auth.Identity{}, fmt.Errorf("devices: %.64q would be %s, which is %s in %s; give one of them another certificate: %w", name, id, other, c.cfg.File, ErrUnknown)
	}
	return id, nil
}

// known is Identity, as far as files tell.
func (c *Catalog) known(name string) (auth.Identity, bool) {
	t := c.file.table()
	if i, ok := t.findName(name); ok {
		return t.identity(i), true
	}
	if c.bound == nil {
		return auth.Identity{}, false
	}
	id, ok := c.bound.identity(name)
	if !ok {
		return id, false
	}
	_, taken := t.findIdentity(id.ProductKey, id.DeviceName) // by another name: that one is right
	return id, !taken
}

// Peek is Identity without any effect and without waiting: no server is asked
// and no certificate of the pool is given out. ok is false when only these could
// tell.
func (c *Catalog) Peek(name string) (id auth.Identity, ok bool) {
	id, ok, _ = c.peek(name)
	return id, ok
}

// peek is Peek; sure is false when only another source could tell.
func (c *Catalog) peek(name string) (id auth.Identity, ok, sure bool) {
	if id, ok = c.known(name); ok {
		return id, true, true
	}
	if c.source != nil {
		id, found, told := c.remembered(name)
		if found {
			_, err := c.unlessTaken(name, id)
			return id, err == nil, true
		}
		if !told {
			return auth.Identity{}, false, false
		}
	}
	if c.cfg.Unknown == PolicyTemplate {
		id, err := c.made(name)
		return id, err == nil, true
	}
	return auth.Identity{}, false, true
}

// remembered is what the server said of name, if it has been asked.
func (c *Catalog) remembered(name string) (id auth.Identity, found, told bool) {
	if c.http == nil {
		return id, false, false
	}
	return c.http.remembered(name)
}

// bind gives an unknown device a certificate of the pool.
func (c *Catalog) bind(name string) (auth.Identity, error) {
	if problem := checkOwnName(name); problem != "" {
		return auth.Identity{}, fmt.Errorf("devices: %.64q: %s: %w", name, problem, ErrUnknown)
	}
	id, err := c.bound.bind(name, c.pool.table(), c.file.table())
	switch {
	case err == nil:
		c.counts.bound.Add(1)
		c.counts.free.Add(-1)
		return id, nil
	case errors.Is(err, ErrPoolExhausted):
		c.counts.exhausted.Add(1)
	case errors.Is(err, ErrTooFast):
		c.counts.tooFast.Add(1)
	default:
		c.counts.unbound.Add(1)
	}
	return auth.Identity{}, fmt.Errorf("devices: %.64q: %w", name, err)
}

// where says where devices are looked for.
func (c *Catalog) where() string {
	switch {
	case c.cfg.File == "" && c.source == nil:
		return "any file"
	case c.cfg.File == "":
		return "what the server knows"
	case c.source != nil:
		return c.cfg.File + ", nor known to the server"
	default:
		return c.cfg.File
	}
}

// Name implements [Source].
func (c *Catalog) Name(id auth.Identity) (name string, ok bool) {
	t := c.file.table()
	if name, ok = t.nameOf(id); ok {
		return name, true
	}
	if c.bound != nil {
		if name, ok = c.bound.name(id.ProductKey, id.DeviceName); ok {
			return c.unlessListed(t, name)
		}
	}
	if c.source != nil {
		if name, ok = c.source.Name(id); ok {
			return c.unlessListed(t, name)
		}
	}
	if c.cfg.Unknown == PolicyTemplate {
		if name, ok = c.cfg.Template.name(id); ok {
			return c.unlessListed(t, name)
		}
	}
	return "", false
}

// unlessListed is name, unless the file gives it another identity.
func (c *Catalog) unlessListed(t *table, name string) (string, bool) {
	if _, listed := t.findName(name); listed {
		return "", false
	}
	return name, true
}

// Len implements [Source].
func (c *Catalog) Len() int {
	n := c.file.Len()
	if c.bound != nil {
		n += c.bound.len()
	}
	if c.source != nil {
		n += c.source.Len()
	}
	return n
}

// All are the devices of the file as it was when the iteration began, in its
// order.
func (c *Catalog) All() iter.Seq2[string, auth.Identity] { return c.file.All() }

// Where is the file and line of the device's entry in the files; ok is false
// when it has none.
func (c *Catalog) Where(name string) (file string, line int, ok bool) {
	if file, line, ok = c.file.Where(name); ok || c.bound == nil {
		return file, line, ok
	}
	return c.bound.where(name)
}

// Mistakes are those of the last reading of the file, of the pool and of the
// bindings. A device whose entry has one is not known, unless the mistake says
// otherwise.
func (c *Catalog) Mistakes() config.Errors {
	all := c.file.Mistakes()
	if c.bound != nil {
		all = append(all[:len(all):len(all)], c.pool.Mistakes()...)
		all = append(all, c.bound.mistakes()...)
	}
	return all
}

// Close ends what waits for a server.
func (c *Catalog) Close() error {
	if c.http != nil {
		return c.http.Close()
	}
	return nil
}
