//go:build linux

package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	adapter "github.com/linkspan/linkspan/adapters/modbus"
	meters "github.com/linkspan/linkspan/adapters/modbus/profile"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/upstream"
)

// The lines of the measurement: what is on each of them, and how units are.
const (
	unitsPerLine  = 4
	pointsPerUnit = 10
	lineUnits     = "1-4"
)

// polling is what adapters/modbus has counted.
type polling struct {
	Lines       int64   `json:"lines"`
	UnitsDown   int64   `json:"unitsDown"`
	Polls       uint64  `json:"polls"`
	Skipped     uint64  `json:"skipped"`
	Timeouts    uint64  `json:"timeouts"`
	LatenessP99 float64 `json:"latenessP99"` // seconds, of the last minute or two
	LatenessMax float64 `json:"latenessMax"` // likewise
}

// startModbusDiscard polls lines and throws away what they say. The setting is the
// interval of polls.
func startModbusDiscard(settings string) (*role, error) {
	interval, err := time.ParseDuration(settings)
	if err != nil {
		return nil, err
	}
	d := &discard{}
	return startModbus(d, interval, d.count)
}

// startModbusPlatform polls lines for a platform. The settings are the interval and
// the broker's address.
func startModbusPlatform(settings string) (*role, error) {
	var every, broker string
	if _, err := fmt.Sscan(settings, &every, &broker); err != nil {
		return nil, fmt.Errorf("settings %q: %w", settings, err)
	}
	interval, err := time.ParseDuration(every)
	if err != nil {
		return nil, err
	}
	up, count, err := platformConnector(broker, 1)
	if err != nil {
		return nil, err
	}
	return startModbus(up, interval, count)
}

func startModbus(up upstream.Connector, interval time.Duration, count func(*counts)) (*role, error) {
	plugin := adapter.New(adapter.Name)
	open, err := plugin.New(modbusConfig(interval))
	if err != nil {
		return nil, err
	}
	return startLinkspan(up, "received", func(n *counts) {
		count(n)
		n.Polling = pollingOf(&plugin)
	}, func(l *server.Listener) { l.Protocol, l.Open = adapter.Name, open })
}

func pollingOf(plugin *protocol.Plugin) *polling {
	s, ok := plugin.Stats().(adapter.Stats)
	if !ok {
		return nil
	}
	return &polling{s.Lines, s.UnitsDown, s.Polls, s.Skipped, s.Timeouts, s.LatenessP99, s.LatenessMax}
}

// modbusConfig is a listener for DTUs with meters of ten points, of one and two
// registers, that one request reads.
func modbusConfig(interval time.Duration) adapter.Config {
	meter := meters.DefaultConfig()
	meter.Interval = interval
	meter.Points = map[string]meters.Point{}
	for i, address := 0, 0; i < pointsPerUnit; i++ {
		p := meters.DefaultPoint()
		p.Address, p.Scale = "holding:"+strconv.Itoa(address), "0.1"
		if address++; i%2 == 1 {
			p.Type = "uint32"
			address++
		}
		meter.Points["point"+strconv.Itoa(i)] = p
	}
	cfg := adapter.DefaultConfig()
	cfg.Registration.Form, cfg.Heartbeats, cfg.Separator = "imei", []string{"www.usr.cn"}, "_"
	cfg.Units = []string{lineUnits}
	cfg.Profiles = map[string]meters.Config{"meter": meter}
	cfg.Requests.Spread = min(cfg.Requests.Spread, interval)
	return cfg
}

// errNotThere says that a fleet did not come online.
var errNotThere = errors.New("the fleet did not come online")
