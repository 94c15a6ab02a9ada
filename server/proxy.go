package server

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ProxyConfig says whether a load balancer tells the addresses of devices, by a
// header of the PROXY protocol (version 1 or 2) in front of what they send. Whoever
// may send the header may claim any address: it is taken from trusted sources
// alone.
type ProxyConfig struct {
	Mode      string   `conf:"mode" doc:"off: no PROXY header is expected; required: every connection begins with one; optional: connections of trusted sources may begin with one, those of others are taken as they are"`
	Trusted   []string `conf:"trusted" doc:"addresses of the load balancers, single ones and networks such as 10.0.0.0/8; any: everyone who can connect may claim any address"`
	MaxHeader int      `conf:"maxHeader,bytes" doc:"longest header of version 2; 0: the default"`
}

// The values of ProxyConfig.Mode.
const (
	ProxyOff      = "off"
	ProxyOptional = "optional"
	ProxyRequired = "required"
)

const trustAny = "any"

// DefaultProxyConfig is the configuration of someone who wrote nothing.
func DefaultProxyConfig() ProxyConfig { return ProxyConfig{Mode: ProxyOff, MaxHeader: 4 << 10} }

// proxy is a ProxyConfig as it is used. It does not change.
type proxy struct {
	required  bool
	trusted   []netip.Prefix
	maxHeader int
}

// on says whether headers are expected.
func (c ProxyConfig) on() bool { return c.Mode != "" && !strings.EqualFold(c.Mode, ProxyOff) }

// build checks c; the result is nil when no header is expected.
func (c ProxyConfig) build() (*proxy, error) {
	if !c.on() {
		return nil, nil //nolint:nilnil // no proxy is what was asked for
	}
	mode := strings.ToLower(c.Mode)
	var errs []error
	if mode != ProxyOptional && mode != ProxyRequired {
		errs = append(errs, fmt.Errorf("proxyProtocol.mode is %q, want off, optional or required", c.Mode))
	}
	p := &proxy{required: mode == ProxyRequired, maxHeader: c.MaxHeader}
	if p.maxHeader == 0 {
		p.maxHeader = DefaultProxyConfig().MaxHeader
	}
	errs = append(errs, between("proxyProtocol.maxHeader", p.maxHeader, leastMaxProxy, maxProxyV2))
	for _, text := range c.Trusted {
		networks, err := parseTrusted(text)
		if err != nil {
			errs = append(errs, err)
		}
		p.trusted = append(p.trusted, networks...)
	}
	if len(c.Trusted) == 0 {
		errs = append(errs, errors.New("proxyProtocol.trusted is empty, want the addresses of the load balancers, such as 10.0.0.0/8, or any"))
	}
	return p, errors.Join(errs...)
}

func parseTrusted(text string) ([]netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if strings.EqualFold(text, trustAny) {
		return []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}, nil
	}
	if at, err := netip.ParseAddr(text); err == nil && at.Zone() == "" {
		at = at.Unmap()
		return []netip.Prefix{netip.PrefixFrom(at, at.BitLen())}, nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || network.Addr().Is4In6() {
		return nil, fmt.Errorf("proxyProtocol.trusted: %q is no address and no network, such as 10.1.2.3 or 10.0.0.0/8", text)
	}
	return []netip.Prefix{network.Masked()}, nil
}

// trusts says whether a header from there is believed. Without a proxy there is
// nothing to believe.
func (p *proxy) trusts(from netip.Addr) bool {
	if p == nil {
		return false
	}
	from = from.WithZone("")
	for _, network := range p.trusted {
		if network.Contains(from) {
			return true
		}
	}
	return false
}

// refuses says whether a connection from there is refused, as it could not begin
// with a header that is believed.
func (p *proxy) refuses(from netip.Addr) bool { return p != nil && p.required && !p.trusts(from) }

var errNotTrusted = errors.New("not one of proxyProtocol.trusted")

// proxyStage waits for the header of one connection, which names the device's
// address. What is there of it is held like bytes that are not decoded yet.
type proxyStage struct{ conn *conn }

// received implements stage.
func (s proxyStage) received(in []byte) {
	c := s.conn
	p := c.listener.proxy
	in = c.gather(in)
	source, size, err := parseProxy(in, p.maxHeader)
	switch {
	case errors.Is(err, errProxyShort):
		c.keep(in)
		return
	case errors.Is(err, errProxyAbsent) && !p.required: // a connection of its own
		c.countAddress()
	case err != nil:
		c.end(because(CauseProxy, err))
		return
	}
	if source.IsValid() {
		c.proxied(source)
	}
	c.handOn(in[size:], c.advance)
}

// closed implements stage. What is held belongs to the connection.
func (proxyStage) closed() {}

// proxied takes the address of the device from its header. One that is the
// balancer's own is no device's: so do health checks begin with version 1.
func (c *conn) proxied(source netip.AddrPort) {
	balancer := c.remote.Addr()
	c.remote = source
	if source.Addr() != balancer {
		c.countAddress()
	}
}

// countAddress counts the connection by its address, which may be one too many.
func (c *conn) countAddress() {
	if cause := c.loop.server.reserveAddress(c); cause != 0 {
		c.end(because(cause, nil))
	}
}
