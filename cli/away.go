package cli

import (
	"fmt"
	"path/filepath"

	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/upstream"
)

// withAway is connector with devices that may be away, if the configuration wants
// that, and what is counted of them. inUse says that there is a data directory, where
// their commands can wait, and disk whether they do.
func withAway(tree *config.Tree, s settings, baseDir string, inUse bool, connector upstream.Connector) (c upstream.Connector, stats []admin.Stats, disk bool, err error) {
	cfg := s.Away
	if cfg.Keep == "" {
		cfg.Keep = away.KeepMemory
		if inUse {
			cfg.Keep = away.KeepDisk
		}
	}
	d := away.Disk{
		Directory: filepath.Join(s.Data.Directory, datadir.Commands), Sync: s.Queue.Sync, MinFree: s.Queue.MinFree,
		EncryptionKey: s.Queue.EncryptionKey, FormerKeys: s.Queue.FormerKeys,
	}
	beside(baseDir, &d.Directory)
	a, err := away.New(cfg, connector, away.WithDisk(d))
	if err != nil {
		return nil, nil, false, placed(tree, "away", err, []string{"away", "configuration"}, nil)
	}
	if cfg.Hold == 0 {
		return connector, nil, false, nil
	}
	if most := s.Bridge.MaxCommands; cfg.Commands > most {
		tree.Warn(tree.Errorf("away.commands", fmt.Sprintf("is %d, but bridge.maxCommands is %d: when more wait for a device that comes back, some of them fail", cfg.Commands, most),
			fmt.Sprintf("lower it, or write bridge.maxCommands = %d", cfg.Commands)))
	}
	return a, statsOf(a), cfg.Keep == away.KeepDisk, nil
}
