// Package connector is an example of an upstream connector: a platform that is a
// file. What devices say is appended to it, one JSON object per line.
package connector

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/linkspan/linkspan/thing"
	"github.com/linkspan/linkspan/upstream"
)

// Config is the section upstream.jsonl.
type Config struct {
	Path     string   `conf:"path" doc:"file that is appended to"`
	Products []string `conf:"products" doc:"products whose devices may log in"`
	Queue    int      `conf:"queue" doc:"messages that may wait to be written; more are refused"`
}

// Plugin is the connector as configurations name it: upstream.type = jsonl.
var Plugin = upstream.Define("jsonl", Config{Path: "messages.jsonl", Queue: 4096}, func(c Config) (upstream.Connector, error) {
	return New(c)
})

func init() { upstream.Register(Plugin) }

// New checks c; nothing is opened before Start.
func New(c Config) (*Connector, error) {
	var errs []error
	if c.Path == "" {
		errs = append(errs, errors.New("path is empty"))
	}
	if len(c.Products) == 0 {
		errs = append(errs, errors.New("products is empty, so no device could log in"))
	}
	if c.Queue < 1 {
		errs = append(errs, fmt.Errorf("queue is %d, want 1 or more", c.Queue))
	}
	return newConnector(c, func() (io.WriteCloser, error) { return openFile(c.Path) }), errors.Join(errs...)
}

// openFile opens a file to be appended to, in which a line begins.
func openFile(path string) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator names it
	if err != nil {
		return nil, err
	}
	end := []byte{'\n'}
	if info, statErr := f.Stat(); statErr == nil && info.Size() > 0 {
		_, _ = f.ReadAt(end, info.Size()-1)
	}
	if end[0] != '\n' { // the line was torn when the process ended
		if _, err = f.WriteString("\n"); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func newConnector(c Config, open func() (io.WriteCloser, error)) *Connector {
	up := &Connector{config: c, open: open, online: map[string]*device{}, ended: make(chan struct{})}
	up.wake.L = &up.mu
	return up
}

// Connector writes what devices say. Its methods may be called from any
// goroutine and do not block; one goroutine of its own, which Close waits for,
// writes and makes all calls back, which is what keeps them in order.
type Connector struct {
	config Config
	open   func() (io.WriteCloser, error)
	ended  chan struct{} // closed when the writing goroutine has ended

	mu      sync.Mutex // guards what follows
	wake    sync.Cond  // of the writing goroutine
	jobs    []job      // in the order of the calls
	lines   int        // of jobs that have one: at most as many as the configuration says
	started bool
	closed  bool
	online  map[string]*device // by product/device
}

// job is a line to write and whom to tell; with err nothing is written, and it only waits
// for its turn to be told.
type job struct {
	line []byte
	err  error
	done func(error)
	of   *device // whose message it is; nil for what is no message
}

// Start implements upstream.Starter.
func (c *Connector) Start(context.Context, upstream.Host) error {
	w, err := c.open()
	if err != nil {
		return fmt.Errorf("jsonl: open (key upstream.jsonl.path): %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	go c.write(w) // ended by Close, which waits for it
	return nil
}

func (c *Connector) write(w io.WriteCloser) {
	defer close(c.ended)
	defer w.Close()
	torn := false // the last line is not whole
	appendLine := func(line []byte) error {
		if torn {
			line = append([]byte("\n"), line...)
		}
		n, err := w.Write(line)
		torn = err != nil && (torn || n > 0)
		return err
	}
	for {
		j, ok := c.next()
		if !ok {
			break
		}
		if j.err == nil {
			if err := appendLine(j.line); err != nil { // the disk is full: not for ever
				j.err = fmt.Errorf("%w: %w", upstream.ErrNotConnected, err)
				j.of.breaks()
			}
		}
		j.done(j.err)
	}
	for _, d := range c.online { // Close has ended all that would change it
		_ = appendLine(d.line("offline", nil))
	}
}

// next waits for a job. ok is false when none will come any more.
func (c *Connector) next() (j job, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.jobs) == 0 {
		if c.closed {
			return job{}, false
		}
		c.wake.Wait()
	}
	j, c.jobs[0] = c.jobs[0], job{}
	c.jobs = c.jobs[1:]
	if j.err == nil {
		c.lines--
		if j.of != nil && j.of.broken {
			j.err = upstream.ErrNotConnected
		}
	}
	return j, true
}

// put queues a job. mu is held.
func (c *Connector) put(j job) {
	switch {
	case j.err != nil:
	case c.lines < c.config.Queue:
		c.lines++
	default:
		j.line, j.err = nil, upstream.ErrOverloaded
		if j.of != nil {
			j.of.full = j.of.inOrder
		}
	}
	c.jobs = append(c.jobs, j)
	c.wake.Signal()
}

// Login implements upstream.Connector.
func (c *Connector) Login(l upstream.Login, done func(upstream.Device, error)) {
	c.mu.Lock()
	var err error
	switch {
	case c.closed:
		err = upstream.ErrClosed
	case !c.started:
		err = upstream.ErrNotConnected
	case !slices.Contains(c.config.Products, l.Device.ProductKey):
		err = &upstream.RefusedError{Code: 404, Reason: "product " + l.Device.ProductKey + " is none of upstream.jsonl.products"}
	}
	if err != nil {
		c.mu.Unlock()
		done(nil, err)
		return
	}
	d := &device{c: c, name: l.Device.String(), inOrder: l.InOrder}
	if older := c.online[d.name]; older != nil {
		older.over = upstream.ErrSuperseded
	}
	c.online[d.name] = d
	c.put(job{line: d.line("online", nil), done: func(err error) {
		if err != nil {
			c.forget(d)
			done(nil, err)
			return
		}
		done(d, nil)
	}})
	c.mu.Unlock()
}

// forget takes a device back that was not written to be online.
func (c *Connector) forget(d *device) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.online[d.name] == d {
		delete(c.online, d.name)
	}
}

// Close implements upstream.Closer: what was published before is written.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	started := c.started
	c.closed = true
	for _, d := range c.online {
		d.over = upstream.ErrClosed
	}
	c.wake.Signal()
	c.mu.Unlock()
	if !started {
		return nil
	}
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("jsonl: close: %w", ctx.Err())
	}
}

// device is one login. All that changes is guarded by the connector's mu.
type device struct {
	c       *Connector
	name    string
	inOrder bool  // of the login
	over    error // why nothing more is taken
	full    bool  // there was no room for a message: those behind it fail, too, until Resume
	broken  bool  // a message was not written: those under way fail, too, until Resume
}

// Resume implements upstream.Resumer.
func (d *device) Resume() {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	d.full, d.broken = false, false
}

// breaks notes that a message of d, if it is one's, was not written.
func (d *device) breaks() {
	if d != nil {
		d.c.mu.Lock()
		defer d.c.mu.Unlock()
		d.broken = d.inOrder
	}
}

// Publish implements upstream.Device.
func (d *device) Publish(m *thing.Message, done func(error)) {
	d.c.mu.Lock()
	if d.c.closed {
		d.c.mu.Unlock()
		done(upstream.ErrClosed) // the writer has ended, or is about to
		return
	}
	defer d.c.mu.Unlock()
	j := job{err: d.over, done: done, of: d}
	switch m.Kind {
	case thing.Property, thing.Event, thing.Raw, thing.Publication:
		if j.err == nil && (d.full || d.broken) {
			j.err = upstream.ErrNotConnected
		}
		if j.err == nil {
			j.line = d.line(m.Kind.String(), m)
		}
	default:
		j.err = cmp.Or(j.err, upstream.ErrUnsupported)
	}
	d.c.put(j)
}

// Logout implements upstream.Device.
func (d *device) Logout(done func(error)) {
	d.c.mu.Lock()
	if d.over != nil || d.c.closed {
		d.c.mu.Unlock()
		done(nil)
		return
	}
	defer d.c.mu.Unlock()
	d.over = upstream.ErrLoggedOut
	delete(d.c.online, d.name)
	d.c.put(job{line: d.line("offline", nil), done: done})
}

// line is what is written; m is not kept.
func (d *device) line(kind string, m *thing.Message) []byte {
	out := []byte(`{"device":`)
	out = thing.AppendString(out, d.name)
	out = append(out, `,"kind":"`+kind+`"`...)
	if m == nil {
		return append(out, "}\n"...)
	}
	for _, text := range []struct{ key, value string }{{"name", m.Name}, {"topic", m.Topic}} {
		if text.value != "" {
			out = append(out, `,"`+text.key+`":`...)
			out = thing.AppendString(out, text.value)
		}
	}
	if m.Raw != nil {
		out = append(out, `,"raw":"`...)
		out = base64.StdEncoding.AppendEncode(out, m.Raw)
		out = append(out, '"')
	}
	out = append(out, `,"fields":`...)
	out = thing.AppendFields(out, m.Fields)
	return append(out, "}\n"...)
}
