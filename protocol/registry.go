package protocol

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/linkspan/linkspan/codec"
)

// Plugin is a protocol as a configuration names it.
type Plugin struct {
	Name   string
	Config any // a value with the defaults, for the reference and the decoder
	New    func(config any) (Open, error)
	// Stats, if not nil, is a snapshot of what all that New made has counted: a
	// struct whose fields carry metric tags.
	Stats func() any
}

// Placed is implemented by configurations that name files: paths in them are
// relative to the configuration's folder.
type Placed interface {
	// Beside is the configuration with its relative paths beginning at dir. It is of
	// the same type.
	Beside(dir string) any
}

// Sampler is implemented by configurations that know what names of their devices look
// like.
type Sampler interface {
	// Sample is a name such as a device may have, "" where nothing is known, and the
	// key that the rest of the name depends on.
	Sample() (name, key string)
}

// Registry holds plugins by name. It is filled before anything runs and only read afterwards.
type Registry map[string]Plugin

// Default is the registry that plugins put themselves into.
var Default = Registry{}

// Register puts p into [Default]; it is called from init.
func Register(p Plugin) { Default.Add(p) }

// Define makes a plugin. defaults is the configuration of someone who wrote
// nothing; build is called for each listener with that listener's. What it
// returns is tried once, before any device connects: a decoder and an adapter
// are made, and what panics or is missing is New's error.
func Define[M, C any](name string, defaults C, build func(C) (Protocol[M], error)) Plugin {
	return Plugin{Name: name, Config: defaults, New: func(config any) (Open, error) {
		c, ok := config.(C)
		if !ok {
			return nil, fmt.Errorf("protocol: %s: configuration is %T, want %T", name, config, defaults)
		}
		p, err := configure(build, c)
		if err != nil {
			return nil, fmt.Errorf("protocol: %s: %w", name, err)
		}
		return func(t Transport, h *Host) Handler {
			d, ok := t.(Datagrams)
			return handler[M]{&Conn[M]{
				transport: t, host: h, protocol: &p, decoder: p.Decoder(), adapter: p.Adapter(),
				datagrams: ok && d.Datagrams(),
			}}
		}, nil
	}}
}

// configure builds and checks a protocol. Framers panic when they are given
// impossible options (*codec.OptionError), which may well be the
// configuration's: that is the error then. Any other panic is a mistake in the
// plugin, and an error too: a *PanicError, with its stack.
func configure[M, C any](build func(C) (Protocol[M], error), config C) (p Protocol[M], err error) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if option, ok := r.(*codec.OptionError); ok {
			err = option
			return
		}
		err = newPanicError(r)
	}()
	if p, err = build(config); err != nil {
		return p, err
	}
	plain(&p)
	return p, check(p)
}

// plain lets a protocol whose messages are bytes leave out the decoder, the
// encoder or both: they are passed on as they are.
func plain[M any](p *Protocol[M]) {
	if d, ok := any(codec.Raw).(func() codec.Decoder[M]); ok && p.Decoder == nil {
		p.Decoder = d
	}
	if e, ok := any(codec.AppendFunc[[]byte](codec.AppendRaw)).(codec.Encoder[M]); ok && p.Encoder == nil {
		p.Encoder = e
	}
}

// Add puts p into r. It panics when the name is taken, for that is a mistake in
// the program.
func (r Registry) Add(p Plugin) {
	if p.Name == "" || p.New == nil {
		panic("protocol: a plugin needs a name and New")
	}
	if _, taken := r[p.Name]; taken {
		panic(fmt.Sprintf("protocol: %q is registered twice", p.Name))
	}
	r[p.Name] = p
}

// Names lists what is in r, sorted.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }

// check finds what is missing, and optional methods whose name is right and
// whose signature is not: such a method would never be called, in silence.
func check[M any](p Protocol[M]) error {
	if p.Decoder == nil || p.Adapter == nil {
		return errors.New("a Decoder and an Adapter are required")
	}
	a := p.Adapter()
	if a == nil || p.Decoder() == nil {
		return errors.New("neither Decoder nor Adapter may return nil")
	}
	_, opener := a.(Opener[M])
	_, commander := a.(Commander[M])
	_, closer := a.(Closer[M])
	_, awaiter := a.(LoginAwaiter)
	for _, optional := range []struct {
		method string
		ok     bool
	}{{"Opened", opener}, {"Command", commander}, {"Closed", closer}, {"AwaitsLogin", awaiter}} {
		if optional.ok {
			continue
		}
		t := reflect.TypeOf(a)
		if _, has := t.MethodByName(optional.method); has {
			return fmt.Errorf("%T has a method %s with another signature than the optional interface", a, optional.method)
		}
		if _, has := reflect.PointerTo(t).MethodByName(optional.method); has {
			return fmt.Errorf("%T has a method %s of its pointer only: let Adapter return a pointer", a, optional.method)
		}
	}
	if commander && p.Encoder == nil {
		return fmt.Errorf("%T takes commands but there is no Encoder", a)
	}
	return nil
}
