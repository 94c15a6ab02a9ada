package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth/attempts"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/bridge/away"
	"github.com/linkspan/linkspan/bridge/queue"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/internal/datadir"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
	"github.com/linkspan/linkspan/upstream/route"
)

// settings is application.conf, but for the sections of plugins, which are
// decoded once the plugin is known.
type settings struct {
	Log       LogConfig                `conf:"log" doc:"the process's log"`
	Admin     admin.Config             `conf:"admin" doc:"metrics and health"`
	Server    server.Config            `conf:"server" doc:"what all listeners share"`
	Bridge    bridge.Config            `conf:"bridge" doc:"sessions, messages and commands"`
	Devices   devices.Config           `conf:"devices" doc:"which devices there are"`
	Auth      authSettings             `conf:"auth" doc:"local check of devices' own credentials"`
	Attempts  attempts.Config          `conf:"attempts" doc:"what becomes of devices and addresses that fail to log in; not of UDP, where anybody can send in anybody's name"`
	Upstream  upstreamSettings         `conf:"upstream" doc:"the platform"`
	Upstreams map[string]namedUpstream `conf:"upstreams" doc:"several platforms by name, in place of upstream; routes say which device goes where"`
	Routes    []route.Rule             `conf:"routes" doc:"with upstreams: the first that fits a device says where it goes"`
	Copies    route.CopyConfig         `conf:"copies" doc:"with upstreams: what goes to those that get copies"`
	Data      datadir.Config           `conf:"data" doc:"what outlives the process"`
	Queue     queue.Config             `conf:"queue" doc:"messages on disk until the platform has them"`
	Away      away.Config              `conf:"away" doc:"devices whose connection has broken, and that may be back soon; commands that wait for them"`
	Shutdown  shutdownSettings         `conf:"shutdown" doc:"the orderly end"`
	Listeners []listenerSettings       `conf:"listeners" doc:"where devices connect, and what they speak"`

	SocketServer *socketServerSettings `conf:"socketServer" doc:"the listeners of the Java server SDK; there may be both"`
}

// upstreamSettings chooses the platform. The section named like the type holds
// the connector's own settings.
type upstreamSettings struct {
	Type string `conf:"type" doc:"the connector; its settings are the section of the same name beside this key"`
}

// shutdownSettings is how a process ends when it is told to.
type shutdownSettings struct {
	Pause   time.Duration `conf:"pause" doc:"time between /readyz turning to 503 and the end of accepting, for a load balancer to notice: its interval of health checks times the failures it waits for; 0: none"`
	Timeout time.Duration `conf:"timeout" doc:"how long the end may take after the pause; what has not ended by then is cut off. A second signal ends the process at once"`
}

// validate reports what cannot be.
func (s shutdownSettings) validate(tree *config.Tree) error {
	var errs []error
	if s.Pause < 0 || s.Pause > time.Hour {
		errs = append(errs, tree.Errorf("shutdown.pause", fmt.Sprintf("is %s, want 0 to 1h", s.Pause), ""))
	}
	if s.Timeout < time.Second || s.Timeout > time.Hour {
		errs = append(errs, tree.Errorf("shutdown.timeout", fmt.Sprintf("is %s, want 1s to 1h", s.Timeout), ""))
	}
	return errors.Join(errs...)
}

func defaultSettings() settings {
	return settings{
		Log: DefaultLogConfig(), Admin: admin.DefaultConfig(), Server: server.DefaultConfig(),
		Bridge: bridge.DefaultConfig(), Devices: devices.DefaultConfig(), Auth: authSettings{Type: "none"}, Attempts: attempts.DefaultConfig(), Upstream: upstreamSettings{Type: "aliyun"}, Copies: route.DefaultConfig().Copies, Away: away.DefaultConfig(),
		Data: datadir.DefaultConfig(), Queue: queue.DefaultConfig(),
		Shutdown: shutdownSettings{Timeout: 15 * time.Second},
	}
}

func decodeSettings(tree *config.Tree) (settings, error) {
	s := defaultSettings()
	if err := tree.Decode("", &s); err != nil {
		return s, err
	}
	if len(s.Listeners) == 0 && s.SocketServer == nil {
		return s, tree.Errorf("listeners", errNoListeners,
			`listeners = [{ protocol = jt808, address = ":7611" }]`)
	}
	return s, nil
}

// newConnector makes the connector that the section upstream names. warn is
// called for what does not keep it from working.
func newConnector(tree *config.Tree, s upstreamSettings, keep *keeping, warn func(error)) (upstream.Connector, error) {
	plugin, err := pluginOf(tree, "upstream", s.Type)
	if err != nil {
		return nil, err
	}
	defaults := plugin.Config
	if before, ok := defaults.(aliyun.Config); ok {
		a := before
		var gateway gatewaySettings
		if err := tree.Decode("", &gateway); err != nil {
			return nil, err
		}
		if err := gateway.apply(&a, tree, warn); err != nil {
			_, mistakes := tree.DecodeNew("upstream."+plugin.Name, plugin.Config)
			return nil, errors.Join(err, mistakes)
		}
		derive(tree, before, a)
		defaults = a
	}
	return connectorOf(tree, "upstream", "", plugin, defaults, keep)
}

// unprefixed is the text of a plugin's error without the names of its room and
// of the plugin in front, for the key says them.
func unprefixed(err error, room, name string) string {
	text := strings.TrimPrefix(err.Error(), room+": ")
	for strings.HasPrefix(text, name+": ") {
		text = strings.TrimPrefix(text, name+": ")
	}
	return text
}
