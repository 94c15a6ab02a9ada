package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/protocol"
)

// newDevices opens the sources of devices. Relative paths are beside the file
// that the configuration came from. Entries that are wrong cost no other: they
// are logged. secrets is the folder for what devices were given, empty if there is none. warn is called for what keeps nothing from running.
func newDevices(cfg devices.Config, tree *config.Tree, baseDir, secrets string, log *zap.Logger, warn func(error)) (*devices.Catalog, error) {
	beside(baseDir, &cfg.File, &cfg.Pool, &cfg.Bindings)
	if !tree.Has("devices.file") {
		cfg.File = defaultDevices(cfg)
	}
	var options []devices.Option
	if keepBindings(tree, secrets, &cfg.Bindings) {
		options = append(options, devices.WithBindingsDir())
	}
	known, err := devices.Open(cfg, options...)
	if err != nil {
		return nil, devicesErrors(tree, cfg, err)
	}
	for _, m := range known.Mistakes() {
		log.Error("devices file", zap.NamedError("err", m))
	}
	log.Info("devices loaded", zap.Int("count", known.Len()), zap.String("path", cfg.File))
	if known.Len() == 0 && cfg.Unknown == devices.PolicyReject && cfg.HTTP.URL == "" {
		warn(tree.Errorf("devices.file", "there are no devices in "+cfg.File+", so none can come online", "add devices to the file, or let devices.unknown say what becomes of unknown ones"))
	}
	warnReadable(tree, "devices.file", cfg.File, warn)
	warnReadable(tree, "devices.pool", cfg.Pool, warn)
	return known, nil
}

// defaultDevices is the file of devices when nobody names one: devices.conf, or
// the same in another format. It is "" when none is there and none is needed.
func defaultDevices(cfg devices.Config) string {
	stem := strings.TrimSuffix(cfg.File, filepath.Ext(cfg.File))
	for _, ext := range []string{".conf", ".json", ".properties", ".csv"} {
		if _, err := os.Stat(stem + ext); err == nil {
			return stem + ext
		}
	}
	if cfg.Unknown != devices.PolicyReject || cfg.HTTP.URL != "" {
		return ""
	}
	return cfg.File
}

// devicesErrors says where in the configuration the mistakes are that keep
// devices from being read.
func devicesErrors(tree *config.Tree, cfg devices.Config, err error) error {
	err = placed(tree, "devices", err, []string{"devices", "hocon"}, func(text string) (path, rest string) {
		for _, f := range []struct{ key, path string }{{"bindings", cfg.Bindings}, {"pool", cfg.Pool}, {"file", cfg.File}} {
			if rest, ok := strings.CutPrefix(text, f.path+": "); ok && f.path != "" {
				return "devices." + f.key, rest
			}
		}
		return "devices", text
	})
	for _, l := range leaves(err, "") {
		if e := (*config.Error)(nil); errors.As(l.err, &e) && strings.HasPrefix(e.Key, "devices.template.") && !tree.Has(e.Key) && tree.Has("devices.unknown") {
			needs := tree.Errorf("devices.unknown", "", "") // there is no such key: what asks for it tells more than the section
			e.File, e.Line, e.Column = needs.File, needs.Line, needs.Column
			e.Hint = "devices.unknown = " + cfg.Unknown + " needs it"
		}
	}
	return err
}

// warnReadable warns of a file of secrets that everybody may read, and of such
// files in a directory of them.
func warnReadable(tree *config.Tree, key, path string, warn func(error)) {
	info, err := os.Stat(path)
	if path == "" || err != nil || runtime.GOOS == "windows" {
		return
	}
	files := []string{path}
	if info.IsDir() {
		files = nil
		entries, _ := os.ReadDir(path) // who reads the files reports that they cannot be read
		for _, e := range entries {
			if hidden := strings.HasPrefix(e.Name(), "."); !hidden {
				files = append(files, filepath.Join(path, e.Name()))
			}
		}
	}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o004 != 0 {
			warn(tree.Errorf(key, fmt.Sprintf("everybody may read %s (permissions %04o), which holds secrets", file, info.Mode().Perm()), "chmod 600 "+file))
			return // one tells enough
		}
	}
}

// devicesOption tells the bridge how to look devices up.
func devicesOption(known *devices.Catalog) bridge.Option {
	if known.Waits() {
		return bridge.WithSlowDevices()
	}
	return func(*bridge.Bridge) {}
}

// tellNames warns of listeners whose devices have names of which the template for
// unknown devices makes none.
func tellNames(tree *config.Tree, doors []door, cfg devices.Config) {
	if cfg.Unknown != devices.PolicyTemplate {
		return
	}
	for _, d := range doors {
		s, ok := d.config.(protocol.Sampler)
		if !ok {
			continue
		}
		name, key := s.Sample()
		if name == "" || cfg.Template.Check(name) == nil {
			continue
		}
		tree.Warn(tree.Errorf(d.section+"."+d.Protocol+"."+key, fmt.Sprintf("gives devices names such as %q, of which devices.template makes no device: they stay unknown, unless the file of devices has them", name),
			"characters that names may have there are A-Z a-z 0-9 - _ @ . and :, so write "+key+` = "_"`))
	}
}
