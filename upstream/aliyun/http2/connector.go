package http2

import (
	"errors"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/upstream"
	"github.com/linkspan/linkspan/upstream/aliyun"
)

func init() {
	upstream.Register(upstream.Define("aliyun-http2", DefaultConfig(), func(c Config) (upstream.Connector, error) { return New(c) }))
}

// Connector is the connector of package aliyun over HTTP/2. Its methods may be
// called from any goroutine and do not block.
type Connector struct {
	*aliyun.Connector
	dialer *dialer
}

// New makes a connector, or reports all that is wrong with the configuration.
// Nothing is connected before Start.
func New(cfg Config) (*Connector, error) {
	endpoint, tlsConfig, wrong := cfg.check()
	sign, err := auth.ParseSignMethod(cfg.SignMethod)
	if err != nil {
		sign = auth.HMACSHA256 // aliyun reports it
	}
	d := &dialer{cfg: cfg, endpoint: endpoint, tls: tlsConfig, sign: sign, conns: map[*conn]struct{}{}}
	c, err := aliyun.NewOver(cfg.gateways(), d)
	if err = errors.Join(err, wrong); err != nil {
		return nil, err
	}
	return &Connector{Connector: c, dialer: d}, nil
}

// Stats is what a connector has counted since it was made, and what is under way.
type Stats struct {
	Aliyun aliyun.Stats

	Streams     int    `metric:"linkspan_http2_streams" doc:"requests open now"`
	Pending     int    `metric:"linkspan_http2_requests_pending" doc:"requests that wait for a stream now"`
	Pushed      uint64 `metric:"linkspan_http2_pushed_total" doc:"messages that the platform has pushed"`
	Refused     uint64 `metric:"linkspan_http2_pushes_refused_total" doc:"streams of the platform's that were refused because too many were open"`
	Resets      uint64 `metric:"linkspan_http2_resets_total" doc:"streams given up by this side"`
	Malformed   uint64 `metric:"linkspan_http2_malformed_total" doc:"pushed messages without a topic"`
	AckFailures uint64 `metric:"linkspan_http2_ack_failures_total" doc:"acknowledgements that did not arrive: the message comes again"`
}

// Stats is a snapshot. It may be called at any time from any goroutine.
func (c *Connector) Stats() Stats {
	s := c.dialer.stats()
	s.Aliyun = c.Connector.Stats()
	return s
}
