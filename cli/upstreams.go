package cli

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/route"
)

// namedUpstream is one of several platforms. The section named like the type
// holds the connector's own settings.
type namedUpstream struct {
	Type string `conf:"type,required" doc:"the connector; its settings are the section of the same name beside this key, with the keys of upstream.TYPE"`
}

// upstreamName is what an upstream may be called: the name is a label of metrics
// and a key of the configuration.
var upstreamName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// newUpstream makes what devices are carried to: the connector of the section
// upstream, or a router in front of those of the section upstreams, and what they
// count. warn is called for what does not keep it from working. Settings of upstream
// beside upstreams have no effect: the tree warns of them, for nobody reads them.
func newUpstream(tree *config.Tree, s settings, keep *keeping, warn func(error)) (upstream.Connector, []admin.Stats, error) {
	if len(s.Upstreams) == 0 {
		if len(s.Routes) > 0 {
			return nil, nil, tree.Errorf("routes", "has nothing to choose from: there is no section upstreams",
				"upstreams { a { type = aliyun, aliyun { ... } }, b { ... } }")
		}
		connector, err := newConnector(tree, s.Upstream, keep, warn)
		if err != nil {
			return nil, nil, err
		}
		return connector, statsOf(connector), nil
	}
	connectors, stats, err := newUpstreams(tree, s.Upstreams, keep)
	if err != nil {
		return nil, nil, err
	}
	router, err := route.New(route.Config{Routes: s.Routes, Copies: s.Copies}, connectors)
	if err != nil {
		return nil, nil, routeErrors(tree, err)
	}
	return router, append(stats, statsOf(router)...), nil
}

// newUpstreams makes the connectors of the section upstreams. What they count has
// their names as a label.
func newUpstreams(tree *config.Tree, named map[string]namedUpstream, keep *keeping) (map[string]upstream.Connector, []admin.Stats, error) {
	var (
		errs  []error
		stats []admin.Stats
	)
	connectors := map[string]upstream.Connector{}
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !upstreamName.MatchString(name) {
			errs = append(errs, tree.Errorf("upstreams", fmt.Sprintf("has the name %q", name), "names have letters, digits, - and _"))
			continue
		}
		if named[name].Type == "" {
			continue // what is missing was told before
		}
		section := "upstreams." + name
		plugin, err := pluginOf(tree, section, named[name].Type)
		if err == nil {
			connectors[name], err = connectorOf(tree, section, name, plugin, plugin.Config, keep)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, own := range statsOf(connectors[name]) {
			stats = append(stats, func() any { return namedStats{name, own()} })
		}
	}
	return connectors, stats, errors.Join(errs...)
}

// namedStats is what one of several connectors counts.
type namedStats struct {
	Name  string `label:"upstream"`
	Stats any
}

// statsOf is what a room counts, if it does.
func statsOf(room any) []admin.Stats {
	if stats := admin.StatsOf(room); stats != nil {
		return []admin.Stats{stats}
	}
	return nil
}

// routeErrors says where in the configuration the mistakes are that a router
// reports.
func routeErrors(tree *config.Tree, err error) error {
	var list interface{ Unwrap() []error }
	if !errors.As(err, &list) {
		return err
	}
	var errs []error
	for _, e := range list.Unwrap() {
		if key := (*route.KeyError)(nil); errors.As(e, &key) {
			e = tree.Errorf(key.Key, key.Problem, "")
		}
		errs = append(errs, e)
	}
	return errors.Join(errs...)
}

// pluginOf finds the connector that a section names.
func pluginOf(tree *config.Tree, section, name string) (upstream.Plugin, error) {
	plugin, ok := upstream.Default[name]
	if !ok {
		return plugin, tree.Errorf(section+".type", fmt.Sprintf("no connector %q", name),
			fmt.Sprintf("one of %v", upstream.Default.Names()))
	}
	return plugin, nil
}

// connectorOf makes a connector of the settings beside a section's type. name is that of
// the platform if there are several.
func connectorOf(tree *config.Tree, section, name string, plugin upstream.Plugin, defaults any, keep *keeping) (upstream.Connector, error) {
	tellUnused(tree, section, "type", plugin.Name, upstream.Default.Names())
	defaults = keep.place(tree, section+"."+plugin.Name, name, defaults)
	own, err := tree.DecodeNew(section+"."+plugin.Name, defaults)
	if err != nil {
		return nil, err
	}
	if err = keep.note(tree, section+"."+plugin.Name, own); err != nil {
		return nil, err
	}
	connector, err := plugin.New(own)
	if err != nil {
		return nil, placed(tree, section+"."+plugin.Name, err, []string{"upstream", plugin.Name, "configuration"}, ofGateway(tree, section+"."+plugin.Name, own))
	}
	return connector, nil
}

// gatewayNumber is what mistakes of one of several gateways begin with.
var gatewayNumber = regexp.MustCompile(`^gateway (\d+): `)

// ofGateway places mistakes of a gateway of own, the settings of section: that of the
// section itself, which comes first, or those of the list.
func ofGateway(tree *config.Tree, section string, own any) func(text string) (path, rest string) {
	a, ok := own.(aliyun.Config)
	if !ok {
		return nil
	}
	first := 1
	if a.ProductKey != "" || a.DeviceName != "" || a.DeviceSecret != "" {
		first = 2
	}
	return func(text string) (path, rest string) {
		m := gatewayNumber.FindStringSubmatch(text)
		if m == nil {
			return section, text
		}
		n, _ := strconv.Atoi(m[1]) // too many digits are no element
		at := fmt.Sprintf("%s.gateways.%d", section, n-first)
		switch {
		case n >= first && tree.Has(at):
			return at, text[len(m[0]):]
		case n == 1 && tree.Has(section+".productKey"):
			return section, text[len(m[0]):]
		default:
			return section, text
		}
	}
}

// upstreamsReference describes the keys of several platforms.
func upstreamsReference() []config.Section {
	return []config.Section{
		{
			Path: "upstreams.<name>", Config: namedUpstream{},
			Doc: "One of several platforms, in place of `upstream`. Its settings are in the section named like its type, with the keys that `upstream." +
				strings.Join(upstream.Default.Names(), "`, `upstream.") + "` have.",
		},
		{Path: "routes[]", Doc: "With upstreams: the first route that fits a device says where it goes.", Config: route.Rule{}},
		{Path: "copies", Doc: "With upstreams: what is kept for each that gets copies.", Config: route.DefaultConfig().Copies},
	}
}
