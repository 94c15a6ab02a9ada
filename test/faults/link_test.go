//go:build faults

package faults

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is a network of its own: the platform has a network namespace, to which a pair of
// virtual interfaces leads. Unlike a proxy it takes packets away, so that what TCP
// itself does about that is part of the test.
type link struct {
	t           *testing.T
	name        string // of the namespace and of this end
	here, there string // addresses
}

var links atomic.Uint32

func newLink(t *testing.T) *link {
	t.Helper()
	n, pid := links.Add(1), os.Getpid()
	l := &link{t: t, name: fmt.Sprintf("ls%d-%d", pid, n)}
	net := fmt.Sprintf("198.%d.%d.%%d", 18+pid>>8&1, pid&0xff) // for tests (RFC 2544)
	l.here, l.there = fmt.Sprintf(net, 4*n+1), fmt.Sprintf(net, 4*n+2)
	t.Cleanup(func() {
		for _, gone := range []string{"route del blackhole " + l.there + "/32", "link del " + l.name, "netns del " + l.name} {
			_ = ip(gone)
		}
	})
	for _, made := range []string{
		"netns add " + l.name,
		"link add " + l.name + " type veth peer name platform netns " + l.name,
		"addr add " + l.here + "/30 dev " + l.name,
		"link set " + l.name + " up",
		"-n " + l.name + " addr add " + l.there + "/30 dev platform",
		"-n " + l.name + " link set platform up",
		"-n " + l.name + " link set lo up",
	} {
		l.do(made)
	}
	return l
}

func (l *link) do(what string) {
	l.t.Helper()
	if err := ip(what); err != nil {
		l.t.Fatal(err)
	}
}

func ip(what string) error {
	if out, err := exec.Command("ip", strings.Fields(what)...).CombinedOutput(); err != nil {
		return fmt.Errorf("ip %s: %w %s", what, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// within is cmd in the platform's namespace. Its process is the command's.
func (l *link) within(cmd *exec.Cmd) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.name}, cmd.Args...)...)
}

// needsLink says why there cannot be a link here.
var needsLink = sync.OnceValue(func() string {
	if why := needsRoot(); why != "" {
		return why
	}
	name := fmt.Sprintf("ls%d", os.Getpid())
	err := ip("netns add " + name)
	if err == nil {
		err = ip("-n " + name + " link add here type veth peer name there")
		_ = ip("netns del " + name)
	}
	if err != nil {
		return "no network namespaces: " + err.Error()
	}
	return ""
})

// linkDown takes the link away for longer than the bridge waits for an answer: by taking
// the interface down, and by a route that swallows what goes to the platform.
var linkDown = fault{
	name: "link down", short: []string{stored}, skip: needsLink, plan: plan{link: true},
	inject: func(w *world) {
		w.link.do("link set " + w.link.name + " down")
		w.injected++
		time.Sleep(3 * time.Second)
		w.link.do("link set " + w.link.name + " up")
		w.arrivals(*devices)
		w.link.do("route add blackhole " + w.link.there + "/32")
		w.injected++
		time.Sleep(3 * time.Second)
		w.link.do("route del blackhole " + w.link.there + "/32")
	},
}
