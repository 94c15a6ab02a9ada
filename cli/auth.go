package cli

import (
	"fmt"
	"io"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/auth/static"
	"github.com/linkspan/linkspan/config"
)

// authSettings chooses the local check of credentials. The section named like
// the type holds its own settings.
type authSettings struct {
	Type string `conf:"type" doc:"none, or who checks devices' credentials; its settings are the section of the same name beside this key"`
}

// newAuth makes the provider that the section auth names. Relative paths of its
// configuration start at baseDir. warn is called for what keeps it from nothing.
func newAuth(s authSettings, tree *config.Tree, baseDir string, log *zap.Logger, warn func(error)) (auth.Provider, error) {
	plugin, ok := auth.Default[s.Type]
	if !ok {
		return nil, tree.Errorf("auth.type", fmt.Sprintf("no check of credentials %q", s.Type),
			fmt.Sprintf("one of %v", auth.Default.Names()))
	}
	tellUnused(tree, "auth", "type", s.Type, auth.Default.Names())
	section, err := tree.DecodeNew("auth."+s.Type, plugin.Config)
	if err != nil {
		return nil, err
	}
	provider, err := plugin.New(section, auth.Host{Dir: baseDir, Logger: log})
	if err != nil {
		return nil, placed(tree, "auth."+s.Type, err, authRooms, nil)
	}
	if c, ok := section.(static.Config); ok {
		warnReadable(tree, "auth.static.file", auth.Host{Dir: baseDir}.Path(c.File), warn)
	}
	return provider, nil
}

// authRooms are the words in front of providers' errors that only name rooms.
var authRooms = []string{"auth", "static", "token", "hmactoken", "http", "httpauth", "configuration"}

// closeAuth ends a provider that has something to end.
func closeAuth(p auth.Provider) error {
	c, ok := p.(io.Closer)
	if !ok {
		return nil
	}
	if err := c.Close(); err != nil {
		return fmt.Errorf("cli: auth: %w", err)
	}
	return nil
}

// reloadAuth makes a provider that has files read them again. It logs what
// becomes of that itself.
func reloadAuth(p auth.Provider) {
	if r, ok := p.(interface{ Reload() error }); ok {
		_ = r.Reload()
	}
}
