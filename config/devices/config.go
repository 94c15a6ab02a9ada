package devices

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Policies for devices that no source knows.
const (
	PolicyReject    = "reject"     // they are unknown
	PolicyTemplate  = "template"   // they get an identity made of their name
	PolicyFirstFree = "first-free" // they get an unused certificate of a pool, for ever
)

// Config is the devices section.
type Config struct {
	File     string        `conf:"file" doc:"the devices: a .conf, .json, .properties or .csv file, or a directory of these; empty: none"`
	Watch    time.Duration `conf:"watch" doc:"how often to look whether files of this section have changed; 0: never. SIGHUP reads them at once"`
	MaxFile  int64         `conf:"maxFile,bytes" doc:"the file, with what it includes, or all files of the directory, must not be larger"`
	HTTP     HTTPConfig    `conf:"http" doc:"a server that is asked for devices that are not in the file"`
	Unknown  string        `conf:"unknown" doc:"what becomes of a device that is neither in the file nor known to the server: reject, template, or first-free"`
	Template Template      `conf:"template" doc:"the identity of unknown devices, if unknown = template"`
	Pool     string        `conf:"pool" doc:"file or directory of certificates for unknown devices, if unknown = first-free"`
	Bindings string        `conf:"bindings" doc:"file that says which device has got which certificate of the pool; linkspan writes it. With a data directory it is in its folder secrets by default"`
	BindRate int           `conf:"bindRate" doc:"certificates of the pool that may be given out in a minute; 0: no limit"`
}

const defaultMaxFile = 1 << 30

// DefaultConfig is devices.conf beside the process, and no unknown devices.
func DefaultConfig() Config {
	return Config{
		File: "devices.conf", Watch: 5 * time.Second, MaxFile: defaultMaxFile, HTTP: DefaultHTTPConfig(),
		Unknown: PolicyReject, Template: Template{DeviceName: placeholder},
		Bindings: "bindings.conf", BindRate: 6000,
	}
}

func (c Config) validate(extra, makesDir bool) error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("devices: "+format, args...))
	}
	switch c.Unknown {
	case PolicyReject, "":
		if c.File == "" && c.HTTP.URL == "" && !extra {
			bad("file is empty and unknown devices are rejected: no device could come online; set file, http.url or unknown")
		}
	case PolicyTemplate:
		if strings.Count(c.Template.DeviceName, placeholder) != 1 {
			bad("template.deviceName is %q; it must hold %s once, or all devices would be one; put the text in double quotes, as in \"t-%s\"", c.Template.DeviceName, placeholder, placeholder)
		}
		if problem := checkName("template.productKey", c.Template.ProductKey); problem != "" {
			bad("%s", problem)
		}
	case PolicyFirstFree:
		c.validatePool(makesDir, bad)
	default:
		bad("unknown is %q; it must be %s, %s or %s", c.Unknown, PolicyReject, PolicyTemplate, PolicyFirstFree)
	}
	if c.Pool != "" && c.Unknown != PolicyFirstFree {
		bad("pool has no effect unless unknown = %s", PolicyFirstFree)
	}
	for _, f := range [][2]string{{"file", c.File}, {"pool", c.Pool}} {
		if f[1] == "" || formatOf(f[1]) != "" {
			continue
		}
		if info, err := os.Stat(f[1]); err != nil || !info.IsDir() {
			bad("%s %q has an unknown format and is no directory; name it .conf, .json, .properties or .csv", f[0], f[1])
		}
	}
	if c.Watch != 0 && c.Watch < 100*time.Millisecond {
		bad("watch is %s, want at least 100ms, or 0 for never", c.Watch)
	}
	if c.BindRate < 0 {
		bad("bindRate is %d, want 0 or more", c.BindRate)
	}
	if c.HTTP.URL != "" {
		errs = append(errs, c.HTTP.validate()...)
	}
	return errors.Join(errs...)
}

func (c Config) validatePool(makesDir bool, bad func(format string, args ...any)) {
	if c.Pool == "" {
		bad("unknown is %s, but there is no pool of certificates; set pool", PolicyFirstFree)
	}
	switch {
	case c.Bindings == "":
		bad("unknown is %s, but bindings is empty; name the file that remembers who got which certificate", PolicyFirstFree)
	case formatOf(c.Bindings) != "hocon":
		bad("bindings %q must be named .conf", c.Bindings)
	case makesDir:
	default:
		dir := filepath.Dir(c.Bindings)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			bad("bindings: there is no directory %s to keep them in; make it, writable for linkspan", dir)
		}
	}
}
