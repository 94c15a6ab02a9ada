package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/bridge"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/config/devices"
	"github.com/linkspan/linkspan/internal/admin"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

// settings is application.conf, but for the sections of plugins, which are
// decoded once the plugin is known.
type settings struct {
	Log       LogConfig          `conf:"log" doc:"the process's log"`
	Admin     admin.Config       `conf:"admin" doc:"metrics and health"`
	Server    server.Config      `conf:"server" doc:"what all listeners share"`
	Bridge    bridge.Config      `conf:"bridge" doc:"sessions, messages and commands"`
	Devices   devices.Config     `conf:"devices" doc:"which devices there are"`
	Auth      authSettings       `conf:"auth" doc:"local check of devices' own credentials"`
	Upstream  upstreamSettings   `conf:"upstream" doc:"the platform"`
	Listeners []listenerSettings `conf:"listeners" doc:"where devices connect, and what they speak"`
}

// upstreamSettings chooses the platform. The section named like the type holds
// the connector's own settings.
type upstreamSettings struct {
	Type string `conf:"type" doc:"the connector; its settings are the section of the same name beside this key"`
}

// listenerSettings is one element of listeners. The section named like the
// protocol holds the protocol's own settings.
type listenerSettings struct {
	Name      string            `conf:"name" doc:"names the listener in logs and metrics; default: its protocol and number"`
	Protocol  string            `conf:"protocol,required" doc:"name of the protocol that devices speak; its settings are the section of the same name beside this key"`
	Address   string            `conf:"address,required" doc:"address to listen on, host:port, or :port for all interfaces"`
	Heartbeat heartbeatSettings `conf:"heartbeat" doc:"when a silent device is taken offline"`
	Limits    server.Limits     `conf:"limits" doc:"what one listener's connections may do"`
}

// SetDefaults implements config.Defaulter.
func (l *listenerSettings) SetDefaults() {
	*l = listenerSettings{Heartbeat: heartbeatSettings{Interval: time.Minute, Probes: 2}, Limits: server.DefaultLimits()}
}

type heartbeatSettings struct {
	Interval time.Duration `conf:"interval" doc:"a heartbeat is lost when nothing was received for so long; 0: none are expected"`
	Probes   int           `conf:"probes" doc:"heartbeats that may be lost in a row"`
}

func defaultSettings() settings {
	return settings{
		Log: DefaultLogConfig(), Admin: admin.DefaultConfig(), Server: server.DefaultConfig(),
		Bridge: bridge.DefaultConfig(), Devices: devices.DefaultConfig(), Auth: authSettings{Type: "none"}, Upstream: upstreamSettings{Type: "aliyun"},
	}
}

func decodeSettings(tree *config.Tree) (settings, error) {
	s := defaultSettings()
	if err := tree.Decode("", &s); err != nil {
		return s, err
	}
	if len(s.Listeners) == 0 {
		return s, tree.Errorf("listeners", "there is none, so no device can connect",
			`listeners = [{ protocol = jt808, address = ":7611" }]`)
	}
	return s, nil
}

// identity is the bridge's own certificate, where the Java SDK has it: at the
// top of application.conf.
type identity struct {
	ProductKey   string      `conf:"productKey" doc:"product of the gateway device that the bridge is at the platform"`
	DeviceName   string      `conf:"deviceName" doc:"name of the gateway device"`
	DeviceSecret auth.Secret `conf:"deviceSecret" doc:"secret of the gateway device"`
}

// newConnector makes the connector that the section upstream names.
func newConnector(tree *config.Tree, s upstreamSettings) (upstream.Connector, error) {
	plugin, ok := upstream.Default[s.Type]
	if !ok {
		return nil, tree.Errorf("upstream.type", fmt.Sprintf("no connector %q", s.Type),
			fmt.Sprintf("one of %v", upstream.Default.Names()))
	}
	defaults := plugin.Config
	if a, ok := defaults.(aliyun.Config); ok {
		var id identity
		if err := tree.Decode("", &id); err != nil {
			return nil, err
		}
		a.ProductKey, a.DeviceName, a.DeviceSecret = id.ProductKey, id.DeviceName, id.DeviceSecret
		defaults = a
	}
	section, err := tree.DecodeNew("upstream."+s.Type, defaults)
	if err != nil {
		return nil, err
	}
	connector, err := plugin.New(section)
	if err != nil {
		return nil, tree.Errorf("upstream."+s.Type, unprefixed(err, "upstream", s.Type), "")
	}
	return connector, nil
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
