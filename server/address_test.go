package server

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestAddresses(t *testing.T) {
	t.Parallel()
	at := netip.MustParseAddr
	nics := []nic{
		{"lo", []netip.Addr{at("127.0.0.1"), at("::1")}},
		{"eth0", []netip.Addr{at("10.30.1.5"), at("10.3.0.1"), at("fe80::1"), at("2001:db8::5")}},
		{"eth1", []netip.Addr{at("10.30.2.7"), at("10.30.2.8")}},
		{"six", []netip.Addr{at("fe80::2"), at("2001:db8::7")}},
		{"local", []netip.Addr{at("fe80::3")}},
		{"bare", nil},
	}
	for address, want := range map[string][]string{
		":7611":             {":7611"},
		"0.0.0.0:7611":      {"0.0.0.0:7611"},
		"192.0.2.1:7611":    {"192.0.2.1:7611"}, // the machine does not have it: listening will say so
		"[::1]:7611":        {"[::1]:7611"},
		"localhost:0":       {"localhost:0"},
		"node.example:7611": {"node.example:7611"},
		"lo:7611":           {"127.0.0.1:7611"},
		"eth1:7611":         {"10.30.2.7:7611", "10.30.2.8:7611"},
		"six:7611":          {"[2001:db8::7]:7611"},
		"10.30:7611":        {"10.30.1.5:7611", "10.30.2.7:7611", "10.30.2.8:7611"},
		"10.30.:7611":       {"10.30.1.5:7611", "10.30.2.7:7611", "10.30.2.8:7611"},
		"10.3:7611":         {"10.3.0.1:7611"},
		"10.30.2:7611":      {"10.30.2.7:7611", "10.30.2.8:7611"},
		"127:7611":          {"127.0.0.1:7611"},
		"7611":              nil,
		"eth9:7611":         nil,
		"172.16:7611":       nil,
		"10.300:7611":       {"10.300:7611"}, // a host name, by its look
		"bare:7611":         nil,
		"local:7611":        nil,
	} {
		got, err := addressesOf(address, func() ([]nic, error) { return nics, nil })
		if (err == nil) != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", address, got, err, want)
		}
		if err != nil && address != "7611" && (!errors.Is(err, ErrNoAddress) || !strings.Contains(err.Error(), "eth1 10.30.2.7 10.30.2.8")) {
			t.Errorf("%s: %v does not say what there is", address, err)
		}
	}
}

// TestAddressesOfThisMachine has at least a loopback to look at.
func TestAddressesOfThisMachine(t *testing.T) {
	t.Parallel()
	got, err := Addresses("127.0:80")
	if err != nil || !slices.Contains(got, "127.0.0.1:80") {
		t.Errorf("%v %v", got, err)
	}
}
