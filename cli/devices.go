package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
)

// knownDevices is a device source in the bridge's words.
type knownDevices struct{ *devices.File }

// Identity implements bridge.Devices.
func (d knownDevices) Identity(name string) (auth.Identity, error) {
	id, err := d.File.Identity(name)
	if errors.Is(err, devices.ErrUnknown) {
		err = fmt.Errorf("%w: %w", bridge.ErrUnknownDevice, err)
	}
	return id, err
}

// newDevices opens the devices file. A relative path is beside the file that
// the configuration came from. Entries that are wrong cost no other: they are
// logged.
func newDevices(cfg devices.Config, tree *config.Tree, baseDir string, log *zap.Logger) (knownDevices, error) {
	if cfg.File != "" && !filepath.IsAbs(cfg.File) {
		cfg.File = filepath.Join(baseDir, cfg.File)
	}
	if cfg.Unknown == devices.PolicyTemplate && !tree.Has("devices.file") {
		if _, err := os.Stat(cfg.File); errors.Is(err, os.ErrNotExist) {
			cfg.File = "" // nobody asked for a file, and none is needed
		}
	}
	file, err := devices.Open(cfg)
	if err != nil {
		return knownDevices{}, fmt.Errorf("cli: section devices: %w", err)
	}
	for _, m := range file.Mistakes() {
		log.Error("devices file", zap.NamedError("err", m))
	}
	log.Info("devices loaded", zap.Int("count", file.Len()), zap.String("path", cfg.File))
	return knownDevices{file}, nil
}
