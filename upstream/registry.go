package upstream

import (
	"fmt"
	"maps"
	"slices"
)

// Plugin is a connector as a configuration names it.
type Plugin struct {
	Name   string
	Config any // a value with the defaults, for the reference and the decoder
	New    func(config any) (Connector, error)
}

// Keeper is implemented by configurations whose connectors keep secrets that the
// platform gives out once in a file of their own.
type Keeper interface {
	// KeepIn is the configuration whose file is in dir unless it says otherwise. It is
	// of the same type.
	KeepIn(dir string) any
	// Keeps is the file, and whether the connector will write it.
	Keeps() (path string, used bool)
}

// Registry holds plugins by name. It is filled before anything runs and only
// read afterwards.
type Registry map[string]Plugin

// Default is the registry that plugins put themselves into.
var Default = Registry{}

// Register puts p into [Default]; it is called from init.
func Register(p Plugin) { Default.Add(p) }

// Define makes a plugin. defaults is the configuration of someone who wrote
// nothing; build is called for each upstream with that upstream's.
func Define[C any](name string, defaults C, build func(C) (Connector, error)) Plugin {
	return Plugin{Name: name, Config: defaults, New: func(config any) (Connector, error) {
		c, ok := config.(C)
		if !ok {
			return nil, fmt.Errorf("upstream: %s: configuration is %T, want %T", name, config, defaults)
		}
		up, err := build(c)
		if err != nil {
			return nil, fmt.Errorf("upstream: %s: %w", name, err)
		}
		return up, nil
	}}
}

// Add puts p into r. It panics when the name is taken, for that is a mistake in
// the program.
func (r Registry) Add(p Plugin) {
	if p.Name == "" || p.New == nil {
		panic("upstream: a plugin needs a name and New")
	}
	if _, taken := r[p.Name]; taken {
		panic(fmt.Sprintf("upstream: %q is registered twice", p.Name))
	}
	r[p.Name] = p
}

// Names lists what is in r, sorted.
func (r Registry) Names() []string { return slices.Sorted(maps.Keys(r)) }
