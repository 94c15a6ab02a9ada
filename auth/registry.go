package auth

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"go.uber.org/zap"
)

// Host is what a process gives the providers it makes.
type Host struct {
	Dir    string      // where relative paths of the configuration start; empty: the working directory
	Logger *zap.Logger // nil: silence
}

// Path is path, or path below h.Dir when it is relative.
func (h Host) Path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(h.Dir, path)
}

// Log is h.Logger, or a logger that is silent.
func (h Host) Log() *zap.Logger {
	if h.Logger == nil {
		return zap.NewNop()
	}
	return h.Logger
}

// Plugin is a provider as a configuration names it.
type Plugin struct {
	Name   string
	Config any // a value with the defaults, for the reference and the decoder
	New    func(config any, h Host) (Provider, error)
}

// Registry holds plugins by name. It is filled before anything runs and only
// read afterwards.
type Registry map[string]Plugin

// Default is the registry that plugins put themselves into. It holds "none" from
// the start.
var Default = Registry{"none": Define("none", NoConfig{}, func(NoConfig, Host) (Provider, error) { return None{}, nil })}

// Register puts p into [Default]; it is called from init.
func Register(p Plugin) { Default.Add(p) }

// Define makes a plugin. defaults is the configuration of someone who wrote
// nothing; build gets the one that was written, and reports all its mistakes at
// once.
func Define[C any](name string, defaults C, build func(C, Host) (Provider, error)) Plugin {
	return Plugin{Name: name, Config: defaults, New: func(config any, h Host) (Provider, error) {
		c, ok := config.(C)
		if !ok {
			return nil, fmt.Errorf("auth: %s: configuration is %T, want %T", name, config, defaults)
		}
		p, err := build(c, h)
		if err != nil {
			return nil, fmt.Errorf("auth: %s: %w", name, err)
		}
		return p, nil
	}}
}

// Add puts p into r. It panics when the name is taken, for that is a mistake in
// the program.
func (r Registry) Add(p Plugin) {
	if p.Name == "" || p.New == nil {
		panic("auth: a plugin needs a name and New")
	}
	if _, taken := r[p.Name]; taken {
		panic(fmt.Sprintf("auth: %q is registered twice", p.Name))
	}
	r[p.Name] = p
}

// Names lists what is in r, sorted.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }
