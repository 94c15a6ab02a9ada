// Package connector is an example of an upstream connector: a platform that is a
// file. What devices say is appended to it, one JSON object per line.
package connector

import (
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
	open := func() (io.WriteCloser, error) {
		return os.OpenFile(c.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	return newConnector(c, open), errors.Join(errs...)
}

func newConnector(c Config, open func() (io.WriteCloser, error)) *Connector {
	return &Connector{
		config: c, open: open, online: map[string]*device{},
		jobs: make(chan job, max(c.Queue, 1)), ended: make(chan struct{}),
	}
}

// Connector writes what devices say. Its methods may be called from any
// goroutine and do not block; one goroutine of its own, which Close waits for,
// writes and makes all calls back, which is what keeps them in order.
type Connector struct {
	config Config
	open   func() (io.WriteCloser, error)
	jobs   chan job
	ended  chan struct{} // closed when the writing goroutine has ended

	mu      sync.Mutex // guards what follows, and the order of jobs
	started bool
	closed  bool
	online  map[string]*device // by product/device
}

// job is a line to write and whom to tell; with err nothing is written.
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
	for j := range c.jobs {
		if j.err == nil {
			j.err = j.of.refuses()
		}
		if j.err == nil {
			if torn {
				j.line = append([]byte("\n"), j.line...)
			}
			n, err := w.Write(j.line)
			torn = err != nil && (torn || n > 0)
			if err != nil { // the disk is full: not for ever
				j.err = fmt.Errorf("%w: %w", upstream.ErrNotConnected, err)
				j.of.breaks()
			}
		}
		j.done(j.err)
	}
	for _, d := range c.online { // Close has ended all that would change it
		_, _ = w.Write(d.line("offline", nil))
	}
}

// put queues a job. Where there is no room, done is told at once. mu is held,
// and let go of.
func (c *Connector) put(j job) {
	select {
	case c.jobs <- j:
		c.mu.Unlock()
	default:
		if j.of != nil && j.err == nil {
			j.of.broken = j.of.inOrder
		}
		c.mu.Unlock()
		j.done(upstream.ErrOverloaded)
	}
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
			done(nil, err)
			return
		}
		done(d, nil)
	}})
}

// Close implements upstream.Closer: what was published before is written.
func (c *Connector) Close(ctx context.Context) error {
	c.mu.Lock()
	first, started := !c.closed, c.started
	c.closed = true
	for _, d := range c.online {
		d.over = upstream.ErrClosed
	}
	if first {
		close(c.jobs) // put is called under mu, and only before closed
	}
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

// device is one login.
type device struct {
	c       *Connector
	name    string
	inOrder bool  // of the login
	over    error // why nothing more is taken; guarded by c.mu
	broken  bool  // a message has failed for now, and Resume was not called; guarded by c.mu
}

// Resume implements upstream.Resumer.
func (d *device) Resume() {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	d.broken = false
}

// breaks has all messages fail that are behind one that has.
func (d *device) breaks() {
	if d != nil {
		d.c.mu.Lock()
		defer d.c.mu.Unlock()
		d.broken = d.inOrder
	}
}

// refuses is why no message is written; nil if it is.
func (d *device) refuses() error {
	if d == nil {
		return nil
	}
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	if d.broken {
		return upstream.ErrNotConnected
	}
	return nil
}

// Publish implements upstream.Device.
func (d *device) Publish(m *thing.Message, done func(error)) {
	d.c.mu.Lock()
	if d.c.closed {
		d.c.mu.Unlock()
		done(upstream.ErrClosed) // the writer has ended, or is about to
		return
	}
	j := job{err: d.over, done: done, of: d}
	if j.err == nil && d.broken {
		j.err = upstream.ErrNotConnected
	}
	if j.err == nil {
		switch m.Kind {
		case thing.Property, thing.Event, thing.Raw, thing.Publication:
			j.line = d.line(m.Kind.String(), m)
		default:
			j.err = upstream.ErrUnsupported
		}
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
