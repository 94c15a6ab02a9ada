package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ErrNoAddress is returned by Addresses when the machine has no such interface or
// address.
var ErrNoAddress = errors.New("server: no such address")

// Addresses lists the addresses to listen on that a configuration means by
// address, host:port. The host may be
//
//   - the name of a network interface, such as eth1: its IPv4 addresses or, where
//     it has none, its IPv6 addresses but for the link-local ones,
//   - the first one to three numbers of IPv4 addresses, such as 10.30 or 10.30.:
//     those of the machine's addresses that begin with them,
//   - an IP address, localhost, or a host name with a dot in it, which is left as
//     it is,
//   - nothing: all addresses of the machine.
//
// The error is an ErrNoAddress, and tells which addresses the machine has, or says
// what is wrong with address.
func Addresses(address string) ([]string, error) {
	return addressesOf(address, machine)
}

// nic is a network interface with its addresses.
type nic struct {
	name      string
	addresses []netip.Addr
}

// machine lists the interfaces of this machine.
func machine() ([]nic, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("server: list the network interfaces: %w", err)
	}
	nics := make([]nic, 0, len(found))
	for _, i := range found {
		networks, err := i.Addrs()
		if err != nil {
			continue // it has just gone
		}
		n := nic{name: i.Name}
		for _, network := range networks {
			if at, err := netip.ParsePrefix(network.String()); err == nil {
				n.addresses = append(n.addresses, at.Addr().Unmap())
			}
		}
		nics = append(nics, n)
	}
	return nics, nil
}

func addressesOf(address string, machine func() ([]nic, error)) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("server: address %q: %w; want host:port, or :port for all interfaces", address, err)
	}
	if host == "" || strings.EqualFold(host, "localhost") {
		return []string{address}, nil
	}
	if _, err = netip.ParseAddr(host); err == nil {
		return []string{address}, nil
	}
	nics, err := machine()
	if err != nil {
		return nil, err
	}
	octets, isPrefix := octetsOf(host)
	var matching []netip.Addr
	for _, n := range nics {
		switch {
		case n.name == host:
			matching = n.listenable()
		case isPrefix && !slices.ContainsFunc(nics, func(n nic) bool { return n.name == host }):
			matching = append(matching, n.beginning(octets)...)
		}
	}
	switch {
	case len(matching) > 0:
	case !isPrefix && strings.Contains(host, "."):
		return []string{address}, nil // a host name
	default:
		return nil, fmt.Errorf("%w: %q is no interface with addresses and no beginning of an address; this machine has %s", ErrNoAddress, host, list(nics))
	}
	out := make([]string, len(matching))
	for i, at := range matching {
		out[i] = net.JoinHostPort(at.String(), port)
	}
	return out, nil
}

// octetsOf are the numbers that IPv4 addresses are to begin with.
func octetsOf(host string) ([]byte, bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 3 {
		return nil, false
	}
	octets := make([]byte, len(parts))
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return nil, false
		}
		octets[i] = byte(n)
	}
	return octets, true
}

// listenable are the addresses that listening on the interface means.
func (n nic) listenable() []netip.Addr {
	four := slices.DeleteFunc(slices.Clone(n.addresses), func(at netip.Addr) bool { return !at.Is4() })
	if len(four) > 0 {
		return four
	}
	return slices.DeleteFunc(slices.Clone(n.addresses), netip.Addr.IsLinkLocalUnicast)
}

// beginning are the IPv4 addresses that begin with octets.
func (n nic) beginning(octets []byte) (found []netip.Addr) {
	for _, at := range n.addresses {
		if !at.Is4() {
			continue
		}
		if all := at.As4(); slices.Equal(all[:len(octets)], octets) {
			found = append(found, at)
		}
	}
	return found
}

func list(nics []nic) string {
	texts := make([]string, 0, len(nics))
	for _, n := range nics {
		if len(n.addresses) == 0 {
			continue
		}
		words := []string{n.name}
		for _, at := range n.addresses {
			words = append(words, at.String())
		}
		texts = append(texts, strings.Join(words, " "))
	}
	if len(texts) == 0 {
		return "no addresses"
	}
	return strings.Join(texts, ", ")
}
