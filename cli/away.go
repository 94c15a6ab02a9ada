package cli

import (
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/upstream"
)

// withAway is connector with devices that may be away, if the configuration wants
// that, and what is counted of them.
func withAway(tree *config.Tree, cfg away.Config, connector upstream.Connector) (upstream.Connector, []admin.Stats, error) {
	c, err := away.New(cfg, connector)
	if err != nil {
		return nil, nil, placed(tree, "away", err, []string{"away", "configuration"}, nil)
	}
	if cfg.Hold == 0 {
		return connector, nil, nil
	}
	return c, statsOf(c), nil
}
