package cli

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/linkspan/linkspan/auth"
	"github.com/linkspan/linkspan/config"
	"github.com/linkspan/linkspan/protocol"
	"github.com/linkspan/linkspan/server"
	"github.com/linkspan/linkspan/server/keystore"
)

// socketServerSettings is the section socketServer of the Java server SDK, with
// its keys and meanings, and what listeners have beside. Each port becomes a
// listener.
type socketServerSettings struct {
	Address          string      `conf:"address" doc:"what to listen on: an interface such as eth1, the beginning of an IPv4 address such as 10.30, or an IP address; empty: all addresses"`
	Backlog          int         `conf:"backlog" doc:"connections that may wait to be accepted; 0: as many as the system allows (net.core.somaxconn)"`
	Ports            []string    `conf:"ports" doc:"ports to listen on: one, a list, or a text such as 9123,9124. Each is a listener, named socketServer-PORT"`
	ListenType       string      `conf:"listenType" doc:"tcp or udp, in letters of any case"`
	BroadcastEnabled bool        `conf:"broadcastEnabled" doc:"with UDP: allow sending to broadcast addresses"`
	Unsecured        bool        `conf:"unsecured" doc:"with TCP: whether devices may connect without TLS. Default: true without a key store, false with one; true with a key store takes both kinds on one port"`
	KeyPassword      auth.Secret `conf:"keyPassword" doc:"with TCP: password of the key store. TLS is on when keyPassword, keyStoreFile and keyStoreType are all given"`
	KeyStoreFile     string      `conf:"keyStoreFile" doc:"with TCP: the key store; relative to the configuration file"`
	KeyStoreType     string      `conf:"keyStoreType" doc:"with TCP: JKS, PKCS12 or PEM, in letters of any case"`

	Protocol  string             `conf:"protocol" doc:"name of the protocol that devices speak; its settings are the section of the same name beside this key. Default: the only one that did not come with linkspan; without such a one jt808"`
	ReusePort bool               `conf:"reusePort" doc:"as in listeners"`
	Heartbeat heartbeatSettings  `conf:"heartbeat" doc:"when a silent device is taken offline"`
	Limits    server.Limits      `conf:"limits" doc:"what one listener's connections may do"`
	Proxy     server.ProxyConfig `conf:"proxyProtocol" doc:"as in listeners"`
	UDP       server.UDPConfig   `conf:"udp" doc:"what is particular to listenType = udp"`
}

// SetDefaults implements config.Defaulter.
func (s *socketServerSettings) SetDefaults() {
	var l listenerSettings
	l.SetDefaults()
	*s = socketServerSettings{
		Ports: []string{"9123"}, ListenType: l.Network, BroadcastEnabled: true,
		Heartbeat: l.Heartbeat, Limits: l.Limits, Proxy: l.Proxy, UDP: l.UDP,
	}
}

const socketServer = "socketServer"

// door is what the section means in the words of listeners. The error has every
// mistake.
func (s *socketServerSettings) door(tree *config.Tree, baseDir string, warn func(error)) (door, error) {
	var errs []error
	wrong := func(key, problem, hint string) { errs = append(errs, tree.Errorf(socketServer+"."+key, problem, hint)) }
	d := door{section: socketServer, listenerSettings: listenerSettings{
		Name: socketServer, Protocol: s.Protocol, Network: strings.ToLower(s.ListenType),
		Backlog: s.Backlog, ReusePort: s.ReusePort, Heartbeat: s.Heartbeat, Limits: s.Limits, Proxy: s.Proxy, UDP: s.UDP,
	}}
	d.UDP.Broadcast = s.BroadcastEnabled
	if d.Network != server.TCP && d.Network != server.UDP {
		wrong("listenType", fmt.Sprintf("%q is no kind of socket", s.ListenType), "tcp or udp")
	}
	if d.Protocol == "" {
		var err error
		if d.Protocol, err = onlyProtocol(protocol.Default); err != nil {
			wrong("protocol", err.Error(), fmt.Sprintf("one of %v", protocol.Default.Names()))
		}
	}
	ports := s.ports(wrong)
	if len(ports) == 0 && len(errs) == 0 {
		wrong("ports", "there is none, so no device can connect", "ports = [9123, 9124]")
	}
	if _, err := server.Addresses(net.JoinHostPort(s.Address, "0")); err != nil {
		wrong("address", unprefixed(err, "server", ""), "an interface, the beginning of an IPv4 address, an IP address, or nothing for all")
		ports = nil
	}
	for _, port := range ports {
		addresses, err := server.Addresses(net.JoinHostPort(s.Address, port))
		errs = append(errs, err) // only when the address has just gone
		d.add(socketServer+"-"+port, addresses...)
	}
	switch d.Network {
	case server.TCP:
		errs = append(errs, s.encrypt(&d, tree, baseDir, warn))
	case server.UDP:
		s.unencrypted(tree, wrong)
	}
	return d, errors.Join(errs...)
}

// unencrypted finds what asks for TLS, which UDP has not.
func (s *socketServerSettings) unencrypted(tree *config.Tree, wrong func(key, problem, hint string)) {
	const problem = "is for TCP: a UDP listener has no TLS, as DTLS is not supported"
	for _, key := range []string{"keyStoreFile", "keyStoreType", "keyPassword"} {
		if tree.Text(socketServer+"."+key) != "" {
			wrong(key, problem, "remove it, or let listenType be tcp")
		}
	}
	if tree.Has(socketServer+".unsecured") && !s.Unsecured {
		wrong("unsecured", "is false, and "+strings.TrimPrefix(problem, "is for TCP: "), "remove it, or let listenType be tcp")
	}
}

// encrypt finds out whether d has TLS, and reads its key store.
func (s *socketServerSettings) encrypt(d *door, tree *config.Tree, baseDir string, warn func(error)) error {
	given, missing := s.keyStore()
	asked := tree.Has(socketServer + ".unsecured")
	if len(missing) > 0 {
		if asked && !s.Unsecured {
			return tree.Errorf(socketServer+".unsecured", "is false, which needs a key store: "+strings.Join(missing, ", ")+" missing", "or let it be true")
		}
		if given {
			warn(tree.Errorf(socketServer, "the key store is not used, and connections are not encrypted: "+strings.Join(missing, ", ")+" missing", ""))
		}
		return nil
	}
	if asked && s.Unsecured {
		d.Unsecured = true
		warn(tree.Errorf(socketServer+".unsecured", "is true: connections without TLS are taken on the same ports too", ""))
	}
	cfg := server.DefaultTLSConfig()
	cfg.Source = keystore.Source{KeyStoreFile: s.KeyStoreFile, KeyStoreType: s.KeyStoreType, KeyPassword: s.KeyPassword}
	d.TLS = &cfg
	return d.encrypt(tree, baseDir, "keyStoreFile")
}

// keyStore says whether any key of the key store is given, and which ones are
// missing. PEM files have no password.
func (s *socketServerSettings) keyStore() (given bool, missing []string) {
	for _, k := range []struct{ key, value string }{
		{"keyStoreFile", s.KeyStoreFile}, {"keyStoreType", s.KeyStoreType}, {"keyPassword", s.KeyPassword.Reveal()},
	} {
		switch {
		case k.value != "":
			given = true
		case k.key != "keyPassword" || !strings.EqualFold(s.KeyStoreType, keystore.PEM):
			missing = append(missing, k.key)
		}
	}
	return given, missing
}

// ports are the numbers in Ports, each once.
func (s *socketServerSettings) ports(wrong func(key, problem, hint string)) (ports []string) {
	for _, element := range s.Ports {
		if strings.HasPrefix(strings.TrimSpace(element), "[") { // of properties, which have no lists
			wrong("ports", fmt.Sprintf("%q is no port", element), "write a list in a text without brackets: 9123,9124")
			continue
		}
		for text := range strings.SplitSeq(element, ",") {
			text = strings.TrimSpace(text)
			n, err := strconv.ParseUint(text, 10, 16)
			switch {
			case text == "":
			case err != nil:
				wrong("ports", fmt.Sprintf("%q is no port", text), "0 to 65535, as in ports = [9123, 9124]")
			case slices.Contains(ports, strconv.FormatUint(n, 10)) && n > 0:
				wrong("ports", fmt.Sprintf("%d is there twice", n), "")
			default:
				ports = append(ports, strconv.FormatUint(n, 10))
			}
		}
	}
	return ports
}

var errAmbiguousProtocol = errors.New("is missing, and more than one protocol could be meant")

// onlyProtocol is what devices speak when nobody says it: in Java it is the
// program that decides, and so does here who builds a protocol in.
func onlyProtocol(known protocol.Registry) (string, error) {
	var own []string
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if !builtIn(known[name]) {
			own = append(own, name)
		}
	}
	const fallback = "jt808"
	switch _, there := known[fallback]; {
	case len(own) == 1:
		return own[0], nil
	case len(own) == 0 && there:
		return fallback, nil
	default:
		return "", errAmbiguousProtocol
	}
}
