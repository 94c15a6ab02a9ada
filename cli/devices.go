package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
)

// newDevices opens the sources of devices. Relative paths are beside the file
// that the configuration came from. Entries that are wrong cost no other: they
// are logged.
func newDevices(cfg devices.Config, tree *config.Tree, baseDir string, log *zap.Logger) (*devices.Catalog, error) {
	for _, path := range []*string{&cfg.File, &cfg.Pool, &cfg.Bindings} {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(baseDir, *path)
		}
	}
	elsewhere := cfg.Unknown != devices.PolicyReject || cfg.HTTP.URL != ""
	if elsewhere && !tree.Has("devices.file") {
		if _, err := os.Stat(cfg.File); errors.Is(err, os.ErrNotExist) {
			cfg.File = "" // nobody asked for a file, and none is needed
		}
	}
	known, err := devices.Open(cfg)
	if err != nil {
		return nil, fmt.Errorf("cli: section devices: %w", err)
	}
	for _, m := range known.Mistakes() {
		log.Error("devices file", zap.NamedError("err", m))
	}
	log.Info("devices loaded", zap.Int("count", known.Len()), zap.String("path", cfg.File))
	return known, nil
}

// devicesOption tells the bridge how to look devices up.
func devicesOption(known *devices.Catalog) bridge.Option {
	if known.Waits() {
		return bridge.WithSlowDevices()
	}
	return func(*bridge.Bridge) {}
}
