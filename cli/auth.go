package cli

import (
	"fmt"
	"io"
	"strings"

	"go.uber.org/zap"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
)

// authSettings chooses the local check of credentials. The section named like
// the type holds its own settings.
type authSettings struct {
	Type string `conf:"type" doc:"none, or who checks devices' credentials; its settings are the section of the same name beside this key"`
}

// newAuth makes the provider that the section auth names. Relative paths of its
// configuration start at baseDir.
func newAuth(s authSettings, tree *config.Tree, baseDir string, log *zap.Logger) (auth.Provider, error) {
	plugin, ok := auth.Default[s.Type]
	if !ok {
		return nil, tree.Errorf("auth.type", fmt.Sprintf("no check of credentials %q", s.Type),
			fmt.Sprintf("one of %v", auth.Default.Names()))
	}
	section, err := tree.DecodeNew("auth."+s.Type, plugin.Config)
	if err != nil {
		return nil, err
	}
	provider, err := plugin.New(section, auth.Host{Dir: baseDir, Logger: log})
	if err != nil {
		return nil, tree.Errorf("auth."+s.Type, mistakesOf(err, s.Type), "")
	}
	return provider, nil
}

// mistakesOf is the text of a provider's error without the words in front of its
// mistakes that the key says.
func mistakesOf(err error, name string) string {
	text := unprefixed(err, "auth", name)
	front, mistakes, ok := strings.Cut(text, "configuration: ")
	if ok && !strings.Contains(strings.TrimSuffix(front, ": "), " ") { // nothing, or the name of the package
		return mistakes
	}
	return text
}

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
