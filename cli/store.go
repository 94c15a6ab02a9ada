package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/upstream"
)

// newQueue puts the queue in front of the connector, when there is to be one. warn is
// called for what keeps nothing from running.
func newQueue(tree *config.Tree, s settings, baseDir string, doors []door, up upstream.Connector, devices queue.Devices, warn func(error)) (*queue.Connector, error) {
	warnUnstored(tree, s.Queue, doors, warn)
	if s.Queue.Mode == queue.ModeOff {
		if err := s.Queue.Check(); err != nil {
			return nil, queueErrors(tree, err)
		}
		return nil, nil
	}
	cfg := s.Queue
	for _, d := range []struct {
		path *string
		name string
	}{{&cfg.Directory, datadir.Queue}, {&cfg.Dead.Directory, datadir.Dead}} {
		if *d.path == "" {
			*d.path = filepath.Join(s.Data.Directory, d.name)
		}
		beside(baseDir, d.path)
	}
	if up == nil { // its own mistakes are reported elsewhere
		return nil, queueErrors(tree, cfg.Check())
	}
	q, err := queue.New(cfg, up, devices)
	if err != nil {
		return nil, queueErrors(tree, err)
	}
	return q, nil
}

// queueErrors says where in the configuration the mistakes are that the queue
// reports.
func queueErrors(tree *config.Tree, err error) error {
	return placed(tree, "queue", err, []string{"queue", "segment", "configuration"}, nil)
}

// warnUnstored warns of listeners whose terminals are told that their messages are
// stored, when nobody stores them, and of names that are no listener's.
func warnUnstored(tree *config.Tree, cfg queue.Config, doors []door, warn func(error)) {
	var names []string
	for _, d := range doors {
		for _, l := range d.at {
			names = append(names, l.Name)
		}
	}
	for _, name := range cfg.Listeners {
		if !slices.Contains(names, name) {
			warn(tree.Errorf("queue.listeners", fmt.Sprintf("has %q, which is no listener's name", name), fmt.Sprintf("one of %q", names)))
		}
	}
	for _, d := range doors {
		key := d.section + "." + d.Protocol + ".ack"
		if tree.Text(key) != "stored" {
			continue
		}
		if cfg.Mode == queue.ModeOff {
			warn(tree.Errorf(key, "means delivered, for there is no queue that stores anything", "queue.mode = on"))
			continue
		}
		for _, l := range d.at {
			if len(cfg.Listeners) > 0 && !slices.Contains(cfg.Listeners, l.Name) {
				warn(tree.Errorf(key, "means delivered, for the queue is not for listener "+l.Name, "add it to queue.listeners"))
			}
		}
	}
}

// checkData reports why openData cannot succeed, as far as that can be seen without
// making or locking anything.
func checkData(tree *config.Tree, cfg datadir.Config, baseDir string) error {
	if cfg.Directory == "" {
		return tree.Errorf("data.directory", "is empty", "name a directory for what is kept")
	}
	beside(baseDir, &cfg.Directory)
	err := datadir.Usable(cfg.Directory)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, datadir.ErrVersion):
		return tree.Errorf("data.directory", strings.TrimPrefix(err.Error(), "datadir: "), "use that version")
	default:
		return tree.Errorf("data.directory", strings.TrimPrefix(err.Error(), "datadir: "), "name another directory, or an empty one")
	}
}

// openData opens the data directory, when something is kept there, and makes those
// folders in it.
func openData(cfg datadir.Config, baseDir string, folders []string) (*datadir.Dir, error) {
	if cfg.Directory == "" {
		return nil, errors.New("cli: data.directory is empty: name a directory for what is kept")
	}
	beside(baseDir, &cfg.Directory)
	d, err := datadir.Open(cfg.Directory)
	if errors.Is(err, datadir.ErrForeign) {
		err = fmt.Errorf("%w: name another directory, or an empty one", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cli: %s (data.directory): %w", cfg.Directory, err)
	}
	for i := 0; err == nil && i < len(folders); i++ {
		err = os.MkdirAll(folders[i], 0o700)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cli: %w", err), d.Close())
	}
	return d, nil
}
